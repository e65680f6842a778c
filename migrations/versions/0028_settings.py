"""settings that people set while the fleet runs

Revision: 0028, after 0027

Workers of the version before read no such row: they keep to the environment until they are replaced.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "settings",
        sa.Column("scope", sa.String(12), primary_key=True),
        sa.Column("scope_id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("value", JSONB),
        sa.Column("set_by", sa.String(100), nullable=False),
        sa.Column(
            "set_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("reason", sa.String(300), server_default="", nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint("scope IN ('fleet', 'organisation', 'account', 'agent')", name=op.f("ck_settings_scope")),
        sa.CheckConstraint("(scope = 'fleet') = (scope_id = '')", name=op.f("ck_settings_scope_id")),
    )
    op.create_index("uq_settings_revision", "settings", ["revision"], unique=True)


def downgrade() -> None:
    op.drop_table("settings")
