"""Tables of the catalogue: products, their variants, and stock by location with reservations and movements.

Amounts are in minor units of the variant's currency. `origins` says of each field from where and when its value came:
{"price": {"from": "store:NAME" | "user:NAME" | "agent:NAME" | "file", "at": ISO 8601}}.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, own, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_OBJECT = sa.text("'{}'::jsonb")
_LIST = sa.text("'[]'::jsonb")
_ONE = sa.text("1")
_OF_VARIANT = "product_variants"


def among(column: Any, ids: Collection[uuid.UUID]) -> sa.ColumnElement[bool]:
    """Return the condition that a column holds one of many ids: one parameter, where IN has one for each."""
    return sa.type_coerce(column, sa.Uuid) == sa.any_(sa.literal(list(ids), ARRAY(sa.Uuid)))


class ProductRow(Base):
    """One product. `version` counts changes of the product and of its variants' content, not of stock."""

    __tablename__ = "products"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    title: Mapped[str] = mapped_column(sa.String(300))
    description: Mapped[str] = mapped_column(sa.Text, server_default="")
    status: Mapped[str] = mapped_column(sa.String(20), server_default="active")
    brand: Mapped[str] = mapped_column(sa.String(100), server_default="")
    categories: Mapped[list[str]] = mapped_column(ARRAY(sa.String(100)), server_default=sa.text("'{}'"))
    images: Mapped[list[Any]] = mapped_column(JSONB, server_default=_LIST)
    """In order: [{"url", "alt_text", "digest"}]."""
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """Facts about it, {"Material": "oak"}: texts about the product claim nothing else."""
    origins: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    words: Mapped[str] = mapped_column(
        TSVECTOR, sa.Computed("to_tsvector('simple', title || ' ' || brand || ' ' || description)", persisted=True)
    )

    __table_args__ = (
        sa.CheckConstraint("status IN ('active', 'draft', 'archived')", name="status"),
        sa.Index("ix_products_organisation_id_updated_at", "organisation_id", "updated_at", "id"),
        sa.Index("ix_products_words", "words", postgresql_using="gin"),
        sa.Index("ix_products_categories", "categories", postgresql_using="gin"),
        Rows(own()).args,
    )


class VariantRow(Base):
    """A variant of a product: what customers buy. Every product has one or more. A SKU is unique in an organisation."""

    __tablename__ = "product_variants"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    product_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("products.id", ondelete="CASCADE"))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    sku: Mapped[str] = mapped_column(sa.String(100))
    title: Mapped[str] = mapped_column(sa.String(300), server_default="")
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    barcode: Mapped[str] = mapped_column(sa.String(60), server_default="")
    currency: Mapped[str] = mapped_column(sa.String(3))
    price_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    cost_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    floor_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    """No agent sets a price below it."""
    position: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("0"))
    origins: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    removed_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("price_minor >= 0 AND cost_minor >= 0 AND floor_minor >= 0", name="amounts"),
        sa.Index("ix_product_variants_product_id", "product_id", "position"),
        sa.Index("uq_product_variants_sku", "organisation_id", "sku", unique=True,
                 postgresql_where=sa.text("sku <> '' AND removed_at IS NULL")),
        Rows(own()).args,
    )  # fmt: skip


class LocationRow(Base):
    """A place with stock of its own. Each organisation has one that is the default, made with its first stock."""

    __tablename__ = "stock_locations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(sa.String(100))
    is_default: Mapped[bool] = mapped_column(server_default=sa.text("false"))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.UniqueConstraint("organisation_id", "name", name="uq_stock_locations_name"),
        sa.Index("uq_stock_locations_default", "organisation_id", unique=True,
                 postgresql_where=sa.text("is_default")),
        Rows(own()).args,
    )  # fmt: skip


class StockRow(Base):
    """The units of a variant at a location, as Fleet knows them: the sum of its movements there."""

    __tablename__ = "stock_levels"

    variant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("product_variants.id", ondelete="CASCADE"),
                                                  primary_key=True)  # fmt: skip
    location_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("stock_locations.id"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(server_default=sa.text("0"))
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.Index("ix_stock_levels_location_id", "location_id"),
        Rows(seen(_OF_VARIANT, "seen.id = stock_levels.variant_id")).args,
    )


class StockReservationRow(Base):
    """Units that are promised and not yet taken: until `expires_at`, or until they are released."""

    __tablename__ = "stock_reservations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    variant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("product_variants.id", ondelete="CASCADE"))
    location_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("stock_locations.id"))
    quantity: Mapped[int]
    reason: Mapped[str] = mapped_column(sa.String(40))
    ref: Mapped[str] = mapped_column(sa.String(300))
    """What it is for, "order:STORE:ID": a second reservation with the same one changes the first."""
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    expires_at: Mapped[datetime | None] = mapped_column(_TIME)
    released_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("quantity > 0", name="quantity"),
        sa.Index("uq_stock_reservations_ref", "ref", "variant_id", "location_id", unique=True),
        sa.Index("ix_stock_reservations_variant_id", "variant_id",
                 postgresql_where=sa.text("released_at IS NULL")),
        sa.Index("ix_stock_reservations_location_id", "location_id"),
        sa.Index("ix_stock_reservations_expires_at", "expires_at",
                 postgresql_where=sa.text("released_at IS NULL")),
        sa.Index("ix_stock_reservations_released_at", "released_at",
                 postgresql_where=sa.text("released_at IS NOT NULL")),
        Rows(seen(_OF_VARIANT, "seen.id = stock_reservations.variant_id")).args,
    )  # fmt: skip


class MovementRow(Base):
    """A change of stock, append-only. `external_event` counts one event of an account once."""

    __tablename__ = "stock_movements"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    variant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("product_variants.id", ondelete="CASCADE"))
    location_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("stock_locations.id"))
    delta: Mapped[int]
    on_hand: Mapped[int]
    """The units after it."""
    reason: Mapped[str] = mapped_column(sa.String(40))
    by: Mapped[str] = mapped_column(sa.String(100))
    account_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("accounts.id"))
    external_event: Mapped[str | None] = mapped_column(sa.String(300))
    at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.Index("ix_stock_movements_variant_id", "variant_id", "at"),
        sa.Index("ix_stock_movements_location_id", "location_id"),
        sa.Index("ix_stock_movements_at", "at"),
        sa.Index("uq_stock_movements_external_event", "account_id", "external_event", "variant_id", unique=True,
                 postgresql_where=sa.text("external_event IS NOT NULL")),
        Rows(seen(_OF_VARIANT, "seen.id = stock_movements.variant_id")).args,
    )  # fmt: skip


class ProductImportRow(Base):
    """A CSV file that a person gave, until it is applied: `digest` is that of the changes that they were shown."""

    __tablename__ = "product_imports"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    content: Mapped[bytes]
    digest: Mapped[str] = mapped_column(sa.String(64))
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    created_by: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    applied_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.Index("ix_product_imports_organisation_id", "organisation_id"),
        sa.Index("ix_product_imports_created_at", "created_at"),
        Rows(own()).args,
    )
