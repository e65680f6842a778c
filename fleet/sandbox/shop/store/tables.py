"""The shop's tables. Created in its own database on first use, apart from Fleet's tables."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()

_NOW = sa.text("clock_timestamp()")


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=_NOW)


def _empty(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


products = sa.Table(
    "products", metadata,
    _id(),
    sa.Column("key", sa.Text, nullable=False, unique=True, comment="its part of the address of its page"),
    sa.Column("title", sa.Text, nullable=False),
    _empty("description"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("categories", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.Column("images", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb"), comment="id, url and altText"),
    _time("created_at"),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW,
              comment="moved by every change of the product and of its variants, but not by stock"),
    sa.CheckConstraint("status IN ('active', 'draft', 'archived')", name="ck_products_status"),
)  # fmt: skip
sa.Index("ix_products_changed", products.c.updated_at, products.c.id)

variants = sa.Table(
    "variants", metadata,
    _id(),
    sa.Column("product_id", sa.BigInteger, sa.ForeignKey("products.id", ondelete="CASCADE"), index=True,
              nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("sku", sa.Text, nullable=False, unique=True),
    _empty("title"),
    sa.Column("options", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.Column("price_minor", sa.BigInteger, nullable=False),
    _empty("barcode"),
    _time("updated_at"),
    sa.CheckConstraint("price_minor >= 0", name="ck_variants_price"),
)  # fmt: skip

locations = sa.Table(
    "locations", metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
)  # fmt: skip

stock = sa.Table(
    "stock", metadata,
    sa.Column("variant_id", sa.BigInteger, sa.ForeignKey("variants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("location_id", sa.BigInteger, sa.ForeignKey("locations.id"), primary_key=True),
    sa.Column("on_hand", sa.Integer, nullable=False),
    sa.Column("allocated", sa.Integer, nullable=False, server_default="0", comment="of orders that are not shipped"),
    sa.CheckConstraint("on_hand >= 0", name="ck_stock_on_hand"),
    sa.CheckConstraint("allocated >= 0", name="ck_stock_allocated"),
)  # fmt: skip

orders = sa.Table(
    "orders", metadata,
    _id(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("total_minor", sa.BigInteger, nullable=False),
    sa.Column("customer", JSONB, nullable=False),
    _empty("reason"),
    _time("placed_at"),
    _time("updated_at"),
    sa.CheckConstraint("state IN ('pending', 'confirmed', 'processing', 'shipped', 'delivered', 'cancelled',"
                       " 'refunded')", name="ck_orders_state"),
)  # fmt: skip
sa.Index("ix_orders_changed", orders.c.updated_at, orders.c.id)
order_numbers = sa.Sequence("order_numbers", start=1001, metadata=metadata)

order_lines = sa.Table(
    "order_lines", metadata,
    _id(),
    sa.Column("order_id", sa.BigInteger, sa.ForeignKey("orders.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("variant_id", sa.BigInteger, sa.ForeignKey("variants.id", ondelete="SET NULL"), index=True),
    sa.Column("location_id", sa.BigInteger, sa.ForeignKey("locations.id"), nullable=False),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("unit_price_minor", sa.BigInteger, nullable=False),
    sa.Column("fulfilled", sa.Integer, nullable=False, server_default="0"),
)  # fmt: skip

fulfilments = sa.Table(
    "fulfilments", metadata,
    _id(),
    sa.Column("order_id", sa.BigInteger, sa.ForeignKey("orders.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("quantities", JSONB, nullable=False, comment="units by the id of the line"),
    _empty("tracking"),
    _time("at"),
)  # fmt: skip

hooks = sa.Table(
    "hooks", metadata,
    _id(),
    sa.Column("url", sa.Text, nullable=False, unique=True),
    sa.Column("secret", sa.Text, nullable=False),
    _time("created_at"),
)  # fmt: skip

deliveries = sa.Table(
    "deliveries", metadata,
    _id(),
    sa.Column("hook_id", sa.BigInteger, sa.ForeignKey("hooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
    _empty("error"),
    comment="webhooks that were not answered yet",
)  # fmt: skip
sa.Index("ix_deliveries_due", deliveries.c.due_at)

answers = sa.Table(
    "answers", metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("body", JSONB, nullable=False),
    _time("created_at"),
    comment="what was answered to the keys of creations",
)  # fmt: skip

controls = sa.Table(
    "controls", metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", JSONB, nullable=False),
)  # fmt: skip
