"""orders of pictures at providers

Revision: 0057, after 0047
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0057"
down_revision = "0047"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")
STATES = "'asked', 'made', 'failed', 'unfit', 'lost'"


def upgrade() -> None:
    op.create_table(
        "picture_orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("part", sa.String(60), server_default="", nullable=False),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="SET NULL")),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("is_ai", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("microusd", sa.BigInteger, server_default=sa.text("0"), nullable=False),
        sa.Column("object_key", sa.String(100)),
        sa.Column("remote_id", sa.String(100)),
        sa.Column("credit", JSONB),
        sa.Column("why", sa.String(500), server_default="", nullable=False),
        sa.Column("asked_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_picture_orders_state")),
        sa.CheckConstraint("(state = 'made') = (object_key IS NOT NULL)", name=op.f("ck_picture_orders_made")),
    )
    op.create_index("uq_picture_orders_part", "picture_orders", ["job_id", "part", "provider"], unique=True)
    op.create_index("ix_picture_orders_asked_at", "picture_orders", ["asked_at", "id"])
    op.create_index("ix_picture_orders_agent", "picture_orders", ["agent_id", "asked_at"])
    for column in ("object_key", "remote_id"):
        op.create_index(
            f"ix_picture_orders_{column}", "picture_orders", [column], postgresql_where=sa.text(f"{column} IS NOT NULL")
        )


def downgrade() -> None:
    op.drop_table("picture_orders")
