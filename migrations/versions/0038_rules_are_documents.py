"""approval rules become documents: the versions that people have saved move to `documents`

Revision: 0038, after 0037

Workers of the version before keep the rules that they know until they are replaced.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        INSERT INTO documents (kind, name, version, document, set_by, set_at, reason, revision)
        SELECT 'approval_rules', 'fleet', version, CASE WHEN rules IS NOT NULL THEN jsonb_build_object('rules', rules) END,
               set_by, set_at, reason,
               (SELECT coalesce(max(revision), 0) FROM documents) + row_number() OVER (ORDER BY version)
          FROM approval_rule_sets
    """)
    op.drop_table("approval_rule_sets")


def downgrade() -> None:
    op.create_table(
        "approval_rule_sets",
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rules", JSONB),
        sa.Column("set_by", sa.String(100), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("reason", sa.String(300), server_default="", nullable=False),
    )
    op.execute("""
        INSERT INTO approval_rule_sets (version, rules, set_by, set_at, reason)
        SELECT version, document -> 'rules', set_by, set_at, reason
          FROM documents WHERE kind = 'approval_rules' AND name = 'fleet'
    """)
    op.execute("DELETE FROM documents WHERE kind = 'approval_rules'")
