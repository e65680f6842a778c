"""accounts at outside systems; agents and jobs act through them

Revision: 0023, after 0022

Workers of the version before go on: what they write has no account, which is the account of the settings.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

SETTINGS_ACCOUNT = "6f2f4c0e-0000-4000-8000-000000000001"
TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("adapter", sa.String(40), nullable=False),
        sa.Column("address", sa.String(500), server_default="", nullable=False),
        sa.Column("ciphertext", sa.LargeBinary),
        sa.Column("key_id", sa.String(12)),
        sa.Column("limits", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.Column("deleted_at", TIME),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'", name=op.f("ck_accounts_name")),
        sa.CheckConstraint("(ciphertext IS NULL) = (key_id IS NULL)", name=op.f("ck_accounts_sealed")),
    )
    op.create_index(
        "uq_accounts_name", "accounts", ["name"], unique=True, postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.execute(f"INSERT INTO accounts (id, name, adapter) VALUES ('{SETTINGS_ACCOUNT}', 'gallery', 'floimg')")
    op.create_table(
        "agent_accounts",
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("remote_id", sa.String(200)),
    )
    op.create_index("ix_agent_accounts_account", "agent_accounts", ["account_id"])
    op.add_column("agents", sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id"), nullable=True))
    op.add_column("jobs", sa.Column("account_id", sa.Uuid, nullable=True))
    op.add_column("drafts", sa.Column("account_id", sa.Uuid, nullable=True))
    _scopes("'fleet', 'surface', 'account', 'persona', 'agent', 'kind'")


def downgrade() -> None:
    op.execute("DELETE FROM controls WHERE scope = 'account'")
    _scopes("'fleet', 'surface', 'persona', 'agent', 'kind'")
    op.drop_column("drafts", "account_id")
    op.drop_column("jobs", "account_id")
    op.drop_column("agents", "account_id")
    op.drop_table("agent_accounts")
    op.drop_table("accounts")


def _scopes(scopes: str) -> None:
    op.drop_constraint(op.f("ck_controls_scope"), "controls", type_="check")
    op.create_check_constraint(op.f("ck_controls_scope"), "controls", f"scope IN ({scopes})")
