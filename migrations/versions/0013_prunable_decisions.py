"""approvals: decisions about requests that were settled long ago may be pruned, and nothing else of them be changed

Revision: 0013, after 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEEP = """
CREATE OR REPLACE FUNCTION keep_approval_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {unless}RAISE EXCEPTION 'the record of decisions is append-only' USING ERRCODE = 'restrict_violation';
END
$$
"""
PRUNED = """IF TG_OP = 'DELETE' AND current_setting('fleet.prunes', true) = 'decisions' THEN
        RETURN NULL;
    END IF;
    """


def upgrade() -> None:
    op.execute(KEEP.format(unless=PRUNED))


def downgrade() -> None:
    op.execute(KEEP.format(unless=""))
