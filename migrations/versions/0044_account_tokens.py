"""accounts: tokens that are renewed, logins on the way, and when credentials were set

Revision: 0044, after 0046
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0046"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("credentials_at", _TIME, nullable=True))
    op.execute("UPDATE accounts SET credentials_at = updated_at WHERE ciphertext IS NOT NULL")
    op.create_table(
        "account_tokens",
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("accounts.id", name="fk_account_tokens_account_id"),
                  nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(12), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("expires_at", _TIME, nullable=True),
        sa.Column("refresh_expires_at", _TIME, nullable=True),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("lost_at", _TIME, nullable=True),
        sa.Column("connected_by", sa.String(100), nullable=True),
        sa.Column("connected_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("updated_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_tokens"),
        sa.CheckConstraint("(ciphertext IS NULL) = (key_id IS NULL)", name="ck_account_tokens_sealed"),
        sa.CheckConstraint("(lease IS NULL) = (lease_until IS NULL)", name="ck_account_tokens_lease"),
    )
    op.create_table(
        "account_logins",
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("accounts.id", name="fk_account_logins_account_id"),
                  nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(12), nullable=False),
        sa.Column("redirect_uri", sa.String(500), nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("state", name="pk_account_logins"),
    )
    op.create_index("ix_account_logins_account_id", "account_logins", ["account_id"])


def downgrade() -> None:
    op.drop_table("account_logins")
    op.drop_table("account_tokens")
    op.drop_column("accounts", "credentials_at")
