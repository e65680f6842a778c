"""Tables of stores: a store is an account at a shop. Which object there is which here, and what both sides last had.

A value of a field is JSON: a text, a list of texts, {"minor", "currency"} for an amount, a number for stock.
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
_LIST = sa.text("'[]'::jsonb")


def _of_store(table: str) -> Rows:
    return Rows(seen("stores", f"seen.account_id = {table}.account_id"))


class StoreRow(Base):
    """A store: an account at a shop, with the agent that keeps it in step. Its settings are in layers by account."""

    __tablename__ = "stores"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id"))
    title: Mapped[str] = mapped_column(sa.String(100))
    """The shop's own name, as it was read."""
    currency: Mapped[str] = mapped_column(sa.String(3))
    location_ids: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """The ids of stock locations here by those of the shop; the shop's "" is that of a shop without locations."""
    created_by: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    synced_at: Mapped[datetime | None] = mapped_column(_TIME)
    """The end of the last sync that succeeded."""
    failed_syncs: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("0"))
    """In a row."""
    problem: Mapped[str] = mapped_column(sa.String(500), server_default="")
    requested: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """A sync that a person asked for and that has not begun: {"strategy", "direction", "by", "at"}."""
    removed_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.Index("ix_stores_organisation_id", "organisation_id"),
        sa.Index("ix_stores_agent_id", "agent_id"),
        Rows(own()).args,
    )


class ExternalRefRow(Base):
    """An object of a store and the one of the catalogue that it is.

    `kind`: product, variant or image. States: `pending` (its creation may be under way; `key` tells what to look for),
    `mapped`, `conflict` (several candidates: a person decides), `ignored` (a person wants it left alone), `gone`.
    """

    __tablename__ = "external_refs"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    local_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """For an object without one here, an id of its own."""
    external_id: Mapped[str | None] = mapped_column(sa.String(200))
    parent_id: Mapped[str] = mapped_column(sa.String(200), server_default="")
    """The external id of the product of a variant."""
    key: Mapped[str] = mapped_column(sa.String(300), server_default="")
    """The SKU of a variant, the slug or handle of a product, the digest of an image."""
    state: Mapped[str] = mapped_column(sa.String(20))
    digest: Mapped[str] = mapped_column(sa.String(64), server_default="")
    """A hash of the content that the last sync saw: equal content needs no further look."""
    changed_at: Mapped[datetime | None] = mapped_column(_TIME)
    """When the shop says that it changed last."""
    seen_at: Mapped[datetime | None] = mapped_column(_TIME)
    """The start of the newest complete sweep that saw it."""
    missed: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("0"))
    """Complete sweeps in a row that did not see it."""
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """Ids that its shop needs besides (`ShopVariant.stock_item_id`), and its address for people."""
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    gone_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("kind IN ('product', 'variant', 'image')", name="kind"),
        sa.CheckConstraint("state IN ('pending', 'mapped', 'conflict', 'ignored', 'gone')", name="state"),
        sa.Index("uq_external_refs_external_id", "account_id", "kind", "external_id", unique=True,
                 postgresql_where=sa.text("external_id IS NOT NULL AND state <> 'gone'")),
        sa.Index("ix_external_refs_local_id", "local_id"),
        sa.Index("ix_external_refs_key", "account_id", "kind", "key", postgresql_where=sa.text("key <> ''")),
        _of_store("external_refs").args,
    )  # fmt: skip


class FieldStateRow(Base):
    """What a store had in one field when both sides last agreed (`base`), and when it was last read (`remote`).

    `local_id` is a product or a variant. Three values tell which side moved: base, remote, and the catalogue's own.
    """

    __tablename__ = "field_states"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    local_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    base: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    remote: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    remote_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    """When it was read."""
    base_at: Mapped[datetime | None] = mapped_column(_TIME)
    """Stock alone: movements of the catalogue from then on are not in `base`."""
    written_by: Mapped[uuid.UUID | None]
    """The job of Fleet that wrote `remote`; None for a value that the shop had by itself."""

    __table_args__ = (_of_store("field_states").args,)


class SyncCursorRow(Base):
    """How far a stream of a store is read: products, stock or orders. `value` is a time; the next read begins before
    it by the shop's overlap.
    """

    __tablename__ = "sync_cursors"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    stream: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    value: Mapped[datetime | None] = mapped_column(_TIME)
    swept_at: Mapped[datetime | None] = mapped_column(_TIME)
    """The start of the newest complete sweep."""
    read_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (_of_store("sync_cursors").args,)


class SyncRunRow(Base):
    """One sync of a store: steps in order, each with its cursor, so that a run goes on where a kill ended it."""

    __tablename__ = "sync_runs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The id of its first job."""
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    strategy: Mapped[str] = mapped_column(sa.String(20))
    direction: Mapped[str] = mapped_column(sa.String(10))
    priority: Mapped[int] = mapped_column(sa.SmallInteger)
    reason: Mapped[str] = mapped_column(sa.String(300))
    requested_by: Mapped[str | None] = mapped_column(sa.String(100))
    state: Mapped[str] = mapped_column(sa.String(20), server_default="running")
    step: Mapped[str] = mapped_column(sa.String(20), server_default="")
    part: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("0"))
    """The number of its newest job: a run that takes longer than a lease goes on in a following one."""
    cursor: Mapped[str | None] = mapped_column(sa.Text)
    """Of the step: {"page": the shop's cursor, "high": the newest change that was seen}, as JSON."""
    only: Mapped[list[Any]] = mapped_column(JSONB, server_default=_LIST)
    """What a selective sync reads: "product:ID", "variant:ID", "order:ID" or "sku:SKU", by the ids of the store."""
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """read, created, updated, unchanged, failed, conflicts, gone, orders, stock, sent."""
    expected: Mapped[int | None]
    """How many products the shop says it has, for the progress."""
    batch: Mapped[int | None]
    """The most products of its newest page."""
    problem: Mapped[str] = mapped_column(sa.String(500), server_default="")
    started_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    moved_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    """When a page of it was last stored."""
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("strategy IN ('full', 'incremental', 'selective', 'stock')", name="strategy"),
        sa.CheckConstraint("direction IN ('pull', 'push', 'both')", name="direction"),
        sa.CheckConstraint("state IN ('running', 'done', 'failed', 'cancelled')", name="state"),
        sa.CheckConstraint("(state = 'running') = (ended_at IS NULL)", name="ended"),
        sa.Index("uq_sync_runs_running", "account_id", unique=True, postgresql_where=sa.text("state = 'running'")),
        sa.Index("ix_sync_runs_account_id_started_at", "account_id", "started_at", "id"),
        sa.Index("ix_sync_runs_organisation_id", "organisation_id"),
        sa.Index("ix_sync_runs_ended_at", "ended_at", postgresql_where=sa.text("ended_at IS NOT NULL")),
        Rows(own()).args,
    )


class SyncConflictRow(Base):
    """A field that both sides changed: a person, or a rule, decides. One is open for a field of an object at most."""

    __tablename__ = "sync_conflicts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    run_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("sync_runs.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(sa.String(20))
    """field, or what matching could not decide: match (several candidates), sku (taken here by another product)."""
    local_id: Mapped[uuid.UUID | None]
    external_id: Mapped[str] = mapped_column(sa.String(200), server_default="")
    field: Mapped[str] = mapped_column(sa.String(40), server_default="")
    about: Mapped[str] = mapped_column(sa.String(300), server_default="")
    """The title and SKU of the object, for people."""
    base: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    local: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    remote: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    candidates: Mapped[list[Any]] = mapped_column(JSONB, server_default=_LIST)
    state: Mapped[str] = mapped_column(sa.String(20), server_default="open")
    decision: Mapped[str] = mapped_column(sa.String(20), server_default="")
    """push (the catalogue's value goes to the store), pull (the store's value comes here), or the id of a candidate."""
    decided_by: Mapped[str | None] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    decided_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'decided', 'settled')", name="state"),
        sa.Index("uq_sync_conflicts_open", "account_id", "kind", sa.text("coalesce(local_id::text, external_id)"),
                 "field", unique=True, postgresql_where=sa.text("state <> 'settled'")),
        sa.Index("ix_sync_conflicts_organisation_id", "organisation_id", "created_at", "id"),
        sa.Index("ix_sync_conflicts_run_id", "run_id"),
        Rows(own()).args,
    )  # fmt: skip


class ShopEventRow(Base):
    """An event of a delivery of a shop's webhook, once by the shop's id of it: a hint what to read again."""

    __tablename__ = "shop_events"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    event_id: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    priority: Mapped[int] = mapped_column(sa.SmallInteger)
    product_id: Mapped[str] = mapped_column(sa.String(200), server_default="")
    variant_id: Mapped[str] = mapped_column(sa.String(200), server_default="")
    order_id: Mapped[str] = mapped_column(sa.String(200), server_default="")
    received_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    handled_by: Mapped[uuid.UUID | None]
    """The sync that read what it is about."""
    handled_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.Index("ix_shop_events_open", "account_id", "priority", "received_at",
                 postgresql_where=sa.text("handled_at IS NULL")),
        sa.Index("ix_shop_events_handled_at", "handled_at", postgresql_where=sa.text("handled_at IS NOT NULL")),
        _of_store("shop_events").args,
    )  # fmt: skip
