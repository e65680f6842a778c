"""Tables of listings, of what happened to them, and of the budgets of stores.

`sent`, `previous` and `found` hold values by the key of their field, "LOCAL_ID/FIELD", as
`fleet.features.stores.values` writes them; `local_id` is that of the product or of a variant.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, own, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_OBJECT = sa.text("'{}'::jsonb")
_LIST = sa.text("'[]'::jsonb")
_ZERO = sa.text("0")


class ListingRow(Base):
    """A product at a store. `publication` counts what its jobs have begun: a job of an older number does nothing."""

    __tablename__ = "listings"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    product_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("products.id", ondelete="CASCADE"))
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    state: Mapped[str] = mapped_column(sa.String(20))
    action: Mapped[str] = mapped_column(sa.String(20), server_default="")
    """What its newest jobs do: publish, delist or rollback."""
    overrides: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """Values of this store alone: {"title", "description", "prices": {variant id: minor units}}."""
    publication: Mapped[int] = mapped_column(server_default=_ZERO)
    publish_at: Mapped[datetime | None] = mapped_column(_TIME)
    began_by: Mapped[str] = mapped_column(sa.String(100), server_default="")
    job_ids: Mapped[list[Any]] = mapped_column(JSONB, server_default=_LIST)
    """The jobs that write its newest publication."""
    sent: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    previous: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The store's values before its newest publication; {} if it did not have the product; None: never published."""
    found: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """The store's values when they were read back."""
    differences: Mapped[list[Any]] = mapped_column(JSONB, server_default=_LIST)
    """[{"key", "label", "sent", "found", "cause"}]."""
    pinned: Mapped[list[Any]] = mapped_column(JSONB, server_default=_LIST)
    """Keys of fields that syncs leave alone: overridden ones, and those that were rolled back."""
    problem: Mapped[str] = mapped_column(sa.String(500), server_default="")
    created_by: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    published_at: Mapped[datetime | None] = mapped_column(_TIME)
    """When its newest publication was written."""
    verified_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("state IN ('draft', 'staged', 'publishing', 'published', 'failed', 'delisted')",
                           name="state"),
        sa.CheckConstraint("action IN ('', 'publish', 'delist', 'rollback')", name="action"),
        sa.UniqueConstraint("product_id", "account_id", name="uq_listings_product_id"),
        sa.Index("ix_listings_account_id", "account_id", "state"),
        sa.Index("ix_listings_organisation_id", "organisation_id", "updated_at", "id"),
        sa.Index("ix_listings_publishing", "updated_at", postgresql_where=sa.text("state = 'publishing'")),
        Rows(own()).args,
    )  # fmt: skip


class ListingHistoryRow(Base):
    """Something that happened to a listing. `details` holds what was sent, or what differed."""

    __tablename__ = "listing_history"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    listing_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("listings.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    event: Mapped[str] = mapped_column(sa.String(20))
    state: Mapped[str] = mapped_column(sa.String(20))
    publication: Mapped[int]
    by: Mapped[str] = mapped_column(sa.String(100))
    words: Mapped[str] = mapped_column(sa.String(500), server_default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)

    __table_args__ = (
        sa.Index("ix_listing_history_listing_id", "listing_id", "id"),
        Rows(seen("listings", "seen.id = listing_history.listing_id")).args,
    )


class StoreBudgetRow(Base):
    """How much a store may use in a period. Amounts are calls, writes, or millionths of a dollar."""

    __tablename__ = "store_budgets"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    period: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    most: Mapped[int] = mapped_column(sa.BigInteger)
    extension: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    """What an approval added, in the period that began at `extended_from` alone."""
    extended_from: Mapped[date | None]
    frozen_from: Mapped[date | None]
    """The beginning of the period in which it is frozen."""
    request_id: Mapped[uuid.UUID | None]
    """The request that asks to extend it, of the period that it is frozen in."""
    set_by: Mapped[str] = mapped_column(sa.String(100))
    set_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint("kind IN ('api_calls', 'spend', 'actions')", name="kind"),
        sa.CheckConstraint("period IN ('day', 'week', 'month')", name="period"),
        sa.CheckConstraint("most >= 0 AND extension >= 0", name="amounts"),
        sa.Index("ix_store_budgets_organisation_id", "organisation_id"),
        Rows(own()).args,
    )
