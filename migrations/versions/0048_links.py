"""links: short links, their counts by hour, and conversions

Revision: 0048, after 0063

New tables: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0063"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
ZERO = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "short_links",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("code", sa.String(20), nullable=False, unique=True),
        sa.Column("target", sa.String(2200), nullable=False),
        sa.Column("campaign", sa.String(100), server_default="", nullable=False),
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="SET NULL")),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("removed_at", TIME),
    )
    op.create_index("ix_short_links_agent_id", "short_links", ["agent_id"])
    op.create_index("ix_short_links_organisation_id", "short_links", ["organisation_id"])
    op.create_index("ix_short_links_created_at", "short_links", ["created_at", "id"])
    op.create_table(
        "link_hours",
        sa.Column("link_id", sa.Uuid, sa.ForeignKey("short_links.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("hour", TIME, primary_key=True),
        sa.Column("clicks", sa.Integer, server_default=ZERO, nullable=False),
        sa.Column("conversions", sa.Integer, server_default=ZERO, nullable=False),
        sa.Column("value_micro", sa.BigInteger, server_default=ZERO, nullable=False),
    )
    op.create_index("ix_link_hours_hour", "link_hours", ["hour"])
    op.create_table(
        "conversions",
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id"), primary_key=True),
        sa.Column("event_id", sa.String(300), primary_key=True),
        sa.Column("link_id", sa.Uuid, sa.ForeignKey("short_links.id", ondelete="CASCADE"), nullable=False),
        sa.Column("value_micro", sa.BigInteger, nullable=False),
        sa.Column("at", TIME, server_default=NOW, nullable=False),
    )
    op.create_index("ix_conversions_link_id", "conversions", ["link_id"])
    op.create_index("ix_conversions_at", "conversions", ["at"])


def downgrade() -> None:
    op.drop_table("conversions")
    op.drop_table("link_hours")
    op.drop_table("short_links")
