"""campaigns, their content items, and the history of these

Revision: 0047, after 0052
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0047"
down_revision = "0052"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")
EMPTY, EMPTY_LIST, NOTHING = sa.text("'{}'::jsonb"), sa.text("'[]'::jsonb"), sa.text("''")
BRAND = sa.text("'fleet'")
STATES = (
    "'planned', 'written', 'adapted', 'waiting', 'approved', 'scheduled', 'publishing', 'published', 'failed',"
    " 'rejected', 'cancelled'"
)
OPEN = "state IN ('planned', 'written', 'adapted', 'approved', 'publishing', 'failed')"


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id")),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("message", sa.Text, server_default=NOTHING, nullable=False),
        sa.Column("topics", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("feeds", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("hashtags", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("link", JSONB, server_default=EMPTY, nullable=False),
        sa.Column("picture_prompt", sa.String(2000), server_default=NOTHING, nullable=False),
        sa.Column("targets", JSONB, nullable=False),
        sa.Column("briefs", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("brand", sa.String(60), server_default=BRAND, nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME),
        sa.Column("job_id", sa.Uuid),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("cancelled_at", TIME),
    )
    op.create_index("ix_campaigns_created_at", "campaigns", ["created_at", "id"])
    op.create_table(
        "content_items",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id")),
        sa.Column("campaign_id", sa.Uuid, sa.ForeignKey("campaigns.id", ondelete="CASCADE")),
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("account_id", sa.Uuid),
        sa.Column("surface", sa.String(40), nullable=False),
        sa.Column("brief", sa.Text, server_default=NOTHING, nullable=False),
        sa.Column("message", sa.Text, server_default=NOTHING, nullable=False),
        sa.Column("parts", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("hashtags", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("picture_prompt", sa.String(2000), server_default=NOTHING, nullable=False),
        sa.Column("media", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("link", JSONB, server_default=EMPTY, nullable=False),
        sa.Column("brand", sa.String(60), server_default=BRAND, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("failed_in", sa.String(10)),
        sa.Column("scheduled_at", TIME),
        sa.Column("is_fixed", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("score", sa.SmallInteger),
        sa.Column("reasons", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("notes", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("request_id", sa.Uuid),
        sa.Column("approved_by", sa.String(100)),
        sa.Column("job_id", sa.Uuid),
        sa.Column("remote_ids", JSONB, server_default=EMPTY_LIST, nullable=False),
        sa.Column("error", sa.String(500), server_default=NOTHING, nullable=False),
        sa.Column("revision", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.Column("published_at", TIME),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_content_items_state")),
        sa.CheckConstraint(f"failed_in IS NULL OR failed_in IN ({STATES})", name=op.f("ck_content_items_failed_in")),
        sa.CheckConstraint("(state = 'failed') = (failed_in IS NOT NULL)", name=op.f("ck_content_items_failed")),
        sa.CheckConstraint("score IS NULL OR score BETWEEN 0 AND 100", name=op.f("ck_content_items_score")),
        sa.CheckConstraint(
            "state NOT IN ('scheduled', 'publishing') OR scheduled_at IS NOT NULL",
            name=op.f("ck_content_items_scheduled"),
        ),
        sa.CheckConstraint(
            "(state = 'published') = (published_at IS NOT NULL)", name=op.f("ck_content_items_published")
        ),
    )
    op.create_index("ix_content_items_campaign", "content_items", ["campaign_id", "created_at", "id"])
    op.create_index("ix_content_items_created_at", "content_items", ["created_at", "id"])
    op.create_index("ix_content_items_scheduled_at", "content_items", ["scheduled_at", "id"])
    op.create_index(
        "ix_content_items_due", "content_items", ["scheduled_at"], postgresql_where=sa.text("state = 'scheduled'")
    )
    op.create_index("ix_content_items_open", "content_items", ["job_id"], postgresql_where=sa.text(OPEN))
    op.create_index("ix_content_items_agent", "content_items", ["agent_id", "scheduled_at"])
    op.create_table(
        "content_item_history",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "item_id", sa.Uuid, sa.ForeignKey("content_items.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("event", sa.String(12), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("note", sa.String(500), server_default=NOTHING, nullable=False),
        sa.Column("at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_content_item_history_state")),
    )
    op.create_index("ix_content_item_history_item", "content_item_history", ["item_id", "id"])


def downgrade() -> None:
    op.drop_table("content_item_history")
    op.drop_table("content_items")
    op.drop_table("campaigns")
