"""competitor_days: figures of competitors by network and day; accounts.text_lengths: what their servers set

Revision: 0064, after 0051

A new table and a column with a default: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

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
    op.add_column("accounts", sa.Column("text_lengths", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False))


def downgrade() -> None:
    op.drop_column("accounts", "text_lengths")
    op.drop_table("competitor_days")
