"""competitor_days: figures of competitors by network and day

Revision: 0064, after 0051

A new table: workers of the version before know nothing of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "competitor_days",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("competitor", sa.String(100), nullable=False),
        sa.Column("network", sa.String(40), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("followers", sa.BigInteger),
        sa.Column("posts", sa.Integer),
        sa.Column("interactions", sa.BigInteger),
        sa.Column("imported_by", sa.String(100), nullable=False),
        sa.Column(
            "imported_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.UniqueConstraint(
            "organisation_id", "competitor", "network", "day", name="uq_competitor_days_organisation_id"
        ),
    )
    op.create_index("ix_competitor_days_day", "competitor_days", ["day"])


def downgrade() -> None:
    op.drop_table("competitor_days")
