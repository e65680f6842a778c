"""Tables of orders: lines, fulfilments, and as little as possible about customers, sealed and erasable.

Amounts are in minor units of the order's currency.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, own, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_OBJECT = sa.text("'{}'::jsonb")
_ZERO = sa.text("0")


class CustomerRow(Base):
    """A customer of one store. `ciphertext` seals name and e-mail address; erased, nothing is left but the id of the
    row.

    `email_hash` tells that two orders have the same address without telling which (HMAC with a key of the fleet).
    """

    __tablename__ = "customers"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    external_id: Mapped[str | None] = mapped_column(sa.String(200))
    ciphertext: Mapped[bytes | None]
    key_id: Mapped[str | None] = mapped_column(sa.String(12))
    email_hash: Mapped[str | None] = mapped_column(sa.String(64))
    country: Mapped[str] = mapped_column(sa.String(2), server_default="")
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    erased_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("(ciphertext IS NULL) = (key_id IS NULL)", name="sealed"),
        sa.CheckConstraint("erased_at IS NULL OR (ciphertext IS NULL AND external_id IS NULL AND email_hash IS NULL)",
                           name="erased"),
        sa.Index("uq_customers_external_id", "account_id", "external_id", unique=True,
                 postgresql_where=sa.text("external_id IS NOT NULL")),
        sa.Index("ix_customers_email_hash", "email_hash", postgresql_where=sa.text("email_hash IS NOT NULL")),
        sa.Index("ix_customers_organisation_id", "organisation_id"),
        Rows(own()).args,
    )  # fmt: skip


class StoreOrderRow(Base):
    """One order of a store. `state` is one of `fleet.adapters.shops.OrderState`."""

    __tablename__ = "orders"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    external_id: Mapped[str] = mapped_column(sa.String(200))
    number: Mapped[str] = mapped_column(sa.String(100))
    state: Mapped[str] = mapped_column(sa.String(20))
    fulfilment: Mapped[str] = mapped_column(sa.String(20), server_default="unfulfilled")
    total_minor: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    customer_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("customers.id"))
    placed_at: Mapped[datetime] = mapped_column(_TIME)
    changed_at: Mapped[datetime | None] = mapped_column(_TIME)
    """When the store changed it last."""
    read_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    held_at: Mapped[datetime | None] = mapped_column(_TIME)
    """Since when it waits for a person; Fleet ships nothing of it meanwhile."""
    held_why: Mapped[str] = mapped_column(sa.String(500), server_default="")
    fraud_points: Mapped[int | None]
    fraud_reasons: Mapped[list[Any]] = mapped_column(JSONB, server_default=sa.text("'[]'::jsonb"))

    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('pending', 'confirmed', 'processing', 'shipped', 'delivered', 'cancelled', 'refunded')",
            name="state",
        ),
        sa.CheckConstraint("fulfilment IN ('unfulfilled', 'partial', 'fulfilled')", name="fulfilment"),
        sa.Index("uq_orders_external_id", "account_id", "external_id", unique=True),
        sa.Index("ix_orders_organisation_id_placed_at", "organisation_id", "placed_at", "id"),
        sa.Index("ix_orders_customer_id", "customer_id"),
        sa.Index("ix_orders_held_at", "held_at", postgresql_where=sa.text("held_at IS NOT NULL")),
        Rows(own()).args,
    )


class OrderLineRow(Base):
    """A line of an order. `variant_id` is None for what the catalogue does not know."""

    __tablename__ = "order_lines"

    order_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    external_id: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    variant_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("product_variants.id", ondelete="SET NULL"))
    sku: Mapped[str] = mapped_column(sa.String(100), server_default="")
    title: Mapped[str] = mapped_column(sa.String(300), server_default="")
    quantity: Mapped[int]
    fulfilled: Mapped[int] = mapped_column(server_default=_ZERO)
    unit_minor: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.Index("ix_order_lines_variant_id", "variant_id"),
        Rows(seen("orders", "seen.id = order_lines.order_id")).args,
    )


class FulfilmentRow(Base):
    """A parcel of an order. `quantities` has units by the external id of the line."""

    __tablename__ = "order_fulfilments"

    order_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    external_id: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    quantities: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    tracking: Mapped[str] = mapped_column(sa.String(200), server_default="")
    at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (Rows(seen("orders", "seen.id = order_fulfilments.order_id")).args,)
