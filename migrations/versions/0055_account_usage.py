"""usage of accounts by credential and day, and when people were reminded of credentials

Revision: 0055, after 0050

A new table and a column that may be empty: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_usage",
        sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("operation", sa.String(40), primary_key=True),
        sa.Column("calls", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("refused", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("units", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("microusd", sa.BigInteger, server_default="0", nullable=False),
    )
    op.create_index("ix_account_usage_day", "account_usage", ["day"])
    op.add_column("accounts", sa.Column("reminded_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("accounts", "reminded_at")
    op.drop_table("account_usage")
