"""documents that people edit while the fleet runs: personas and experiments, each version a row; settings of personas

Revision: 0032, after 0030

Workers of the version before read no such row: they keep to their files until they are replaced.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0032"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("document", JSONB),
        sa.Column("set_by", sa.String(100), nullable=False),
        sa.Column(
            "set_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("reason", sa.String(300), server_default="", nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_documents_version")),
    )
    op.create_index("uq_documents_revision", "documents", ["revision"], unique=True)
    # A persona's id has up to 60 characters.
    op.alter_column("settings", "scope_id", type_=sa.String(60), existing_type=sa.String(40), existing_nullable=False)
    _scopes("fleet", "organisation", "persona", "account", "agent")


def _scopes(*names: str) -> None:
    op.drop_constraint(op.f("ck_settings_scope"), "settings", type_="check")
    allowed = ", ".join(f"'{name}'" for name in names)
    op.create_check_constraint(op.f("ck_settings_scope"), "settings", f"scope IN ({allowed})")


def downgrade() -> None:
    op.execute("DELETE FROM settings WHERE scope = 'persona'")
    _scopes("fleet", "organisation", "account", "agent")
    op.alter_column("settings", "scope_id", type_=sa.String(40), existing_type=sa.String(60), existing_nullable=False)
    op.drop_table("documents")
