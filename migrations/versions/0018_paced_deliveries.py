"""jobs: deliveries by receiver, those that wait and those that are published

Revision: 0018, after 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_OURS = "kind = 'deliver' AND requested_by IS NULL"
_LANE = sa.text("(payload->>'subscription')")


def upgrade() -> None:
    # What was published in bulk and not begun waits from now on; a message that still comes finds it all the same.
    op.execute(f"UPDATE jobs SET published_at = NULL, publishes = 0 WHERE {_OURS} AND state = 'ready'")  # noqa: S608
    op.create_index(
        "ix_jobs_paced_waiting", "jobs", [_LANE, "next_attempt_at"],
        postgresql_where=sa.text(f"{_OURS} AND state = 'ready' AND published_at IS NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_jobs_paced_out", "jobs", [_LANE],
        postgresql_where=sa.text(f"{_OURS} AND state IN ('ready', 'running') AND published_at IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_jobs_paced_out", "jobs")
    op.drop_index("ix_jobs_paced_waiting", "jobs")
