"""limits of adapters over all workers, checks of accounts, and operations that people switched on

Revision: 0042, after 0044

New tables and a column with a constant default: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0042"
down_revision = "0044"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "adapter_limits",
        sa.Column("key", sa.String(400), primary_key=True),
        sa.Column("adapter", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id")),
        sa.Column("state", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
    )
    op.create_index("ix_adapter_limits_account", "adapter_limits", ["account_id"])
    op.create_table(
        "account_checks",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("at", TIME, server_default=NOW, nullable=False),
        sa.Column("is_ok", sa.Boolean, nullable=False),
        sa.Column("took_ms", sa.Integer, nullable=False),
        sa.Column("why", sa.String(300), server_default="", nullable=False),
        sa.Column("username", sa.String(200), server_default="", nullable=False),
        sa.Column("is_labelled", sa.Boolean),
    )
    op.create_index("ix_account_checks_account", "account_checks", ["account_id", "at"])
    op.create_index("ix_account_checks_at", "account_checks", ["at"])
    op.add_column("accounts", sa.Column("operations", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False))


def downgrade() -> None:
    op.drop_column("accounts", "operations")
    op.drop_table("account_checks")
    op.drop_table("adapter_limits")
