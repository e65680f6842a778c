"""reports: their figures as they were when they were built

Revision: 0056, after 0054

A new table: workers of the version before know nothing of it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0056"
down_revision = "0054"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("cadence", sa.String(10), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("built_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("built_by", sa.String(100), nullable=False),
        sa.Column("reason", sa.String(300), server_default="", nullable=False),
        sa.Column("document", JSONB, nullable=False),
        sa.CheckConstraint("cadence IN ('daily', 'weekly', 'monthly')", name=op.f("ck_reports_cadence")),
    )
    op.create_index("uq_reports_version", "reports", ["organisation_id", "cadence", "since", "version"], unique=True)
    op.create_index("ix_reports_built_at", "reports", ["built_at"])


def downgrade() -> None:
    op.drop_table("reports")
