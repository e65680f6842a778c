"""listings: products at stores, what happened to them, and budgets of stores

Revision: 0067, after 0066

New tables: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
OBJECT = sa.text("'{}'::jsonb")
LIST = sa.text("'[]'::jsonb")
ZERO = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "listings",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("product_id", sa.Uuid, nullable=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("organisation_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("action", sa.String(20), server_default="", nullable=False),
        sa.Column("overrides", JSONB, server_default=OBJECT, nullable=False),
        sa.Column("publication", sa.Integer, server_default=ZERO, nullable=False),
        sa.Column("publish_at", TIME, nullable=True),
        sa.Column("began_by", sa.String(100), server_default="", nullable=False),
        sa.Column("job_ids", JSONB, server_default=LIST, nullable=False),
        sa.Column("sent", JSONB, server_default=OBJECT, nullable=False),
        sa.Column("previous", JSONB, nullable=True),
        sa.Column("found", JSONB, server_default=OBJECT, nullable=False),
        sa.Column("differences", JSONB, server_default=LIST, nullable=False),
        sa.Column("pinned", JSONB, server_default=LIST, nullable=False),
        sa.Column("problem", sa.String(500), server_default="", nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.Column("published_at", TIME, nullable=True),
        sa.Column("verified_at", TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'staged', 'publishing', 'published', 'failed', 'delisted')",
            name=op.f("ck_listings_state"),
        ),
        sa.CheckConstraint("action IN ('', 'publish', 'delist', 'rollback')", name=op.f("ck_listings_action")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_listings_product_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_listings_account_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_listings_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listings")),
        sa.UniqueConstraint("product_id", "account_id", name="uq_listings_product_id"),
    )
    op.create_index("ix_listings_account_id", "listings", ["account_id", "state"])
    op.create_index("ix_listings_organisation_id", "listings", ["organisation_id", "updated_at", "id"])
    op.create_index(
        "ix_listings_publishing", "listings", ["updated_at"], postgresql_where=sa.text("state = 'publishing'")
    )
    op.create_table(
        "listing_history",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("listing_id", sa.Uuid, nullable=False),
        sa.Column("at", TIME, server_default=NOW, nullable=False),
        sa.Column("event", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("publication", sa.Integer, nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("words", sa.String(500), server_default="", nullable=False),
        sa.Column("details", JSONB, server_default=OBJECT, nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_listing_history_listing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing_history")),
    )
    op.create_index("ix_listing_history_listing_id", "listing_history", ["listing_id", "id"])
    op.create_table(
        "store_budgets",
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("organisation_id", sa.Uuid, nullable=False),
        sa.Column("most", sa.BigInteger, nullable=False),
        sa.Column("extension", sa.BigInteger, server_default=ZERO, nullable=False),
        sa.Column("extended_from", sa.Date, nullable=True),
        sa.Column("frozen_from", sa.Date, nullable=True),
        sa.Column("request_id", sa.Uuid, nullable=True),
        sa.Column("set_by", sa.String(100), nullable=False),
        sa.Column("set_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint("kind IN ('api_calls', 'spend', 'actions')", name=op.f("ck_store_budgets_kind")),
        sa.CheckConstraint("period IN ('day', 'week', 'month')", name=op.f("ck_store_budgets_period")),
        sa.CheckConstraint("most >= 0 AND extension >= 0", name=op.f("ck_store_budgets_amounts")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_store_budgets_account_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_store_budgets_organisation_id")
        ),
        sa.PrimaryKeyConstraint("account_id", "kind", "period", name=op.f("pk_store_budgets")),
    )
    op.create_index("ix_store_budgets_organisation_id", "store_budgets", ["organisation_id"])


def downgrade() -> None:
    op.drop_table("store_budgets")
    op.drop_table("listing_history")
    op.drop_table("listings")
