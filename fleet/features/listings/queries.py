"""What pages, the API and commands show of listings."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.access import Principal
from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.core.errors import FleetError, NotFound
from fleet.engine.deps import Deps
from fleet.features.listings import listings, rules
from fleet.features.listings.models import ListingHistoryRow, ListingRow
from fleet.features.listings.preview import ListingPreview, preview
from fleet.features.listings.service import MOST
from fleet.features.listings.states import ListingState
from fleet.features.products.models import ProductRow, VariantRow, among
from fleet.features.products.points import ProductSection
from fleet.features.stores import service as stores
from fleet.features.stores.models import StoreRow
from fleet.features.stores.queries import words_of


@dataclass(frozen=True, slots=True)
class ListingView:
    """One listing with the names of its product and store."""

    id: uuid.UUID
    product_id: uuid.UUID
    title: str
    store: str
    state: str
    action: str
    problem: str
    publish_at: datetime | None
    published_at: datetime | None
    verified_at: datetime | None
    updated_at: datetime
    overrides: Mapping[str, Any]
    differences: Sequence[Mapping[str, Any]]
    can_rollback: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingFilter:
    """Which listings; empty fields match all."""

    state: ListingState | None = None
    store: str = ""
    product_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class ListingDetailView:
    """A listing with its preview and what happened to it. `why_not`: why there is no preview."""

    view: ListingView
    preview: ListingPreview | None
    why_not: str
    history: Sequence[ListingHistoryRow]
    previous: Sequence[tuple[str, str, str]] | None
    """What a roll back writes: field, the value before, the value that was sent; None: nothing is kept."""


def listed(
    deps: Deps, which: ListingFilter, *, limit: int, below: uuid.UUID | None = None
) -> list[ListingView]:  # fmt: skip
    """Return listings, those changed last first; `below` is the last one of the page above. Raises NotFound."""
    row = ListingRow
    with deps.db.transaction() as tx:
        query = _query().where(*_conditions(tx, which))
        if below is not None:
            last = tx.session.get(row, below)
            if last is None:
                raise NotFound("The row at which the page above ended is gone.", fix="Begin at the first page.")
            query = query.where(sa.tuple_(row.updated_at, row.id) < sa.tuple_(sa.literal(last.updated_at),
                                                                             sa.literal(last.id)))  # fmt: skip
        query = query.order_by(row.updated_at.desc(), row.id.desc()).limit(limit)
        return [_view(*found) for found in tx.execute(query).tuples()]


def one(deps: Deps, listing_id: uuid.UUID) -> ListingView:
    """Return a listing. Raises NotFound."""
    with deps.db.transaction() as tx:
        return _one(tx, listing_id)


def detail(deps: Deps, listing_id: uuid.UUID) -> ListingDetailView:
    """Return a listing with its preview and its history. Raises NotFound."""
    with deps.db.transaction() as tx:
        view = _one(tx, listing_id)
        row = listings.get(tx, listing_id)
        seen, why_not = None, ""
        try:
            seen = preview(tx, listings.context_of(deps, tx, row), row)
        except FleetError as error:
            why_not = error.plain
        history = listings.history(tx, listing_id)
        return ListingDetailView(view, seen, why_not, history, _previous(tx, row))


def _previous(tx: Tx, row: ListingRow) -> list[tuple[str, str, str]] | None:
    if row.previous is None:
        return None
    skus = dict(tx.execute(sa.select(VariantRow.id, VariantRow.sku).where(VariantRow.product_id == row.product_id))
                .tuples().all())  # fmt: skip
    found = []
    for key, value in row.previous.items():
        local_id, name = rules.field_of(key)
        if value != row.sent.get(key) and value is not None:
            label = f"{name.removeprefix('variant.')} {skus.get(local_id, '')}".strip()
            found.append((label, words_of(value), words_of(row.sent.get(key))))
    return found


def _one(tx: Tx, listing_id: uuid.UUID) -> ListingView:
    found = tx.execute(_query().where(ListingRow.id == listing_id)).tuples().one_or_none()
    if found is None:
        raise NotFound(f"There is no listing {listing_id}.", fix="`fleet listings list` shows them.")
    return _view(*found)


def _query() -> Any:
    row = ListingRow
    return (
        sa.select(row, ProductRow.title, AccountRow.name)
        .join(ProductRow, ProductRow.id == row.product_id)
        .join(AccountRow, AccountRow.id == row.account_id)
        .execution_options(populate_existing=True)
    )


def _view(row: ListingRow, title: str, store: str) -> ListingView:
    can = row.state in (ListingState.PUBLISHED, ListingState.FAILED) and row.action == "publish"
    return ListingView(
        row.id, row.product_id, title, store, row.state, row.action, row.problem, row.publish_at, row.published_at,
        row.verified_at, row.updated_at, row.overrides, row.differences, can and row.previous is not None,
    )  # fmt: skip


def _conditions(tx: Tx, which: ListingFilter) -> list[sa.ColumnElement[bool]]:
    row = ListingRow
    found: list[sa.ColumnElement[bool]] = []
    if which.state is not None:
        found.append(row.state == which.state)
    if which.store:
        found.append(row.account_id == stores.named(tx, which.store)[0].account_id)
    if which.product_id is not None:
        found.append(row.product_id == which.product_id)
    return found


def chosen(
    deps: Deps, listing_ids: Collection[uuid.UUID], product_ids: Collection[uuid.UUID], store_names: Collection[str]
) -> list[uuid.UUID]:  # fmt: skip
    """Return the listings that a selection means: those named, and those of products at stores. Raises NotFound."""
    row = ListingRow
    found = set(listing_ids)
    with deps.db.transaction() as tx:
        if product_ids and store_names:
            accounts = [stores.named(tx, name)[0].account_id for name in store_names]
            query = sa.select(row.id).where(among(row.product_id, product_ids), row.account_id.in_(accounts))
            found |= set(tx.session.scalars(query.limit(MOST + 1)))
    return sorted(found)


def states_of(deps: Deps, listing_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, tuple[str, str]]:
    """Return the state and the store of listings."""
    with deps.db.transaction() as tx:
        query = _query().where(among(ListingRow.id, listing_ids))
        return {row.id: (row.state, store) for row, _, store in tx.execute(query).tuples()}


def cells(tx: Tx, product_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Mapping[str, ListingView]]:
    """Return the listings of products, by product and store."""
    found: dict[uuid.UUID, dict[str, ListingView]] = {one: {} for one in product_ids}
    for row in tx.execute(_query().where(among(ListingRow.product_id, product_ids))).tuples():
        view = _view(*row)
        found[view.product_id][view.store] = view
    return found


def products_in(tx: Tx, state: ListingState) -> list[uuid.UUID]:
    """Return the products that have a listing in a state."""
    query = sa.select(ListingRow.product_id).where(ListingRow.state == state).distinct().limit(10 * MOST)
    return list(tx.session.scalars(query))


def store_names(deps: Deps) -> list[str]:
    """Return the stores that the caller sees."""
    query = sa.select(AccountRow.name).join(StoreRow, StoreRow.account_id == AccountRow.id)
    with deps.db.transaction() as tx:
        return list(tx.session.scalars(query.where(StoreRow.removed_at.is_(None)).order_by(AccountRow.name)))


def tally(tx: Tx) -> int | None:
    """Return how many listings failed."""
    failed = ListingRow.state == ListingState.FAILED
    return int(tx.scalar(sa.select(sa.func.count()).select_from(ListingRow).where(failed)) or 0)


def is_shown(tx: Tx) -> bool:
    """Say whether there is a store."""
    return bool(tx.scalar(sa.select(sa.exists(sa.select(StoreRow.account_id).where(StoreRow.removed_at.is_(None))))))


def _section(
    deps: Deps, tx: Tx, who: Principal, product: ProductRow, variants: Sequence[VariantRow]
) -> Mapping[str, Any] | None:  # fmt: skip
    del deps, who, variants
    own = sa.select(AccountRow.name).join(StoreRow, StoreRow.account_id == AccountRow.id).where(
        StoreRow.removed_at.is_(None), StoreRow.organisation_id == product.organisation_id
    )  # fmt: skip
    names = list(tx.session.scalars(own.order_by(AccountRow.name)))
    return {"stores": names, "cells": cells(tx, [product.id])[product.id]} if names else None


SECTION = ProductSection(title="Listings", template="listings/_section.html", build=_section)
