"""Listings inside the caller's transaction: find, create, move between states, and note what happened.

A change of state is one guarded UPDATE, recorded in the history and as an event.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.accounts.models import AccountRow
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.engine.deps import Deps
from fleet.features.listings import rules
from fleet.features.listings.models import ListingHistoryRow, ListingRow
from fleet.features.listings.states import MOVES, ListingEvent, ListingState, after
from fleet.features.products.models import ProductRow
from fleet.features.stores.models import StoreRow
from fleet.features.stores.state.context import StoreContext, context_for

FLEET = "fleet"
_LONGEST = 500


def get(tx: Tx, listing_id: uuid.UUID, *, is_locked: bool = False) -> ListingRow:
    """Return a listing as it is now. Raises NotFound."""
    found = tx.session.get(ListingRow, listing_id, populate_existing=True, with_for_update=is_locked or None)
    if found is None:
        raise NotFound(f"There is no listing {listing_id}.", fix="`fleet listings list` shows them.")
    return found


def find(tx: Tx, product_id: uuid.UUID, account_id: uuid.UUID) -> ListingRow | None:
    """Return the listing of a product at a store, locked, if there is one."""
    query = sa.select(ListingRow).where(ListingRow.product_id == product_id, ListingRow.account_id == account_id)
    return tx.session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).one_or_none()


def create(tx: Tx, product: ProductRow, store: StoreRow, *, by: str) -> ListingRow:
    """Create a listing, locked; one that another transaction creates meanwhile is returned instead."""
    new = insert(ListingRow).values(
        id=ids.new(), product_id=product.id, account_id=store.account_id, organisation_id=product.organisation_id,
        state=ListingState.DRAFT, created_by=by[:100],
    )  # fmt: skip
    tx.execute(new.on_conflict_do_nothing())
    found = find(tx, product.id, store.account_id)
    assert found is not None
    return found


def move(
    tx: Tx, row: ListingRow, event: ListingEvent, *, by: str = FLEET, words: str = "",
    details: Mapping[str, Any] | None = None, job_id: uuid.UUID | None = None, **values: Any,
) -> ListingRow:  # fmt: skip
    """Move a listing by an event and set values. Raises Conflict if its state does not have the event."""
    into = after(ListingState(row.state), event)
    given: dict[str, Any] = {**values, "state": into, "updated_at": tx.sql_now}
    guarded = sa.update(ListingRow).where(ListingRow.id == row.id, ListingRow.state.in_(MOVES[event].sources))
    guarded = guarded.values(**given).returning(ListingRow.id).execution_options(synchronize_session=False)
    if tx.scalar(guarded) is None:
        raise Conflict("The listing was changed meanwhile.", fix="Look at it again.")
    changed = get(tx, row.id)
    note(tx, changed, event, by=by, words=words, details=details, job_id=job_id)
    return changed


def change(tx: Tx, row: ListingRow, **values: Any) -> ListingRow:
    """Set values of a listing that the caller has locked; its state stays."""
    statement = sa.update(ListingRow).where(ListingRow.id == row.id).values(**values, updated_at=tx.sql_now)
    tx.execute(statement.execution_options(synchronize_session=False))
    return get(tx, row.id)


def note(
    tx: Tx, row: ListingRow, event: str, *, by: str = FLEET, words: str = "",
    details: Mapping[str, Any] | None = None, job_id: uuid.UUID | None = None,
) -> None:  # fmt: skip
    """Record what happened to a listing: for its page, as an event, and in the audit log if a person did it."""
    tx.execute(sa.insert(ListingHistoryRow).values(
        listing_id=row.id, event=str(event), state=row.state, publication=row.publication, by=by[:100],
        words=words[:_LONGEST], details=dict(details or {}),
    ))  # fmt: skip
    store = tx.scalar(sa.select(AccountRow.name).where(AccountRow.id == row.account_id))
    title = tx.scalar(sa.select(ProductRow.title).where(ProductRow.id == row.product_id))
    agent_id = tx.scalar(sa.select(StoreRow.agent_id).where(StoreRow.account_id == row.account_id))
    events.emit(tx, f"listing.{event}", agent_id=agent_id, job_id=job_id, listing=str(row.id), store=store,
                title=title, by=by, why=words[:300], organisation=str(row.organisation_id),
                page=f"/listings/{row.id}")  # fmt: skip
    if by != FLEET:
        audit.note(tx, "listing.moved", f"listing:{row.id}",
                   after={"event": str(event), "store": store, "title": title, "state": row.state,
                          "why": words[:300]})  # fmt: skip


def context_of(deps: Deps, tx: Tx, row: ListingRow, *, requested_by: str | None = None) -> StoreContext:
    """Return the store of a listing as its writes see it. Raises NotFound for one that is no store any more."""
    store = tx.session.get(StoreRow, row.account_id)
    if store is None or store.removed_at is not None:
        raise NotFound("Its store is removed.", fix="`fleet stores add` makes it one again.")
    return context_for(deps, tx, store, requested_by=requested_by)


def pinned(tx: Tx, account_id: uuid.UUID, local_ids: Collection[uuid.UUID]) -> frozenset[tuple[uuid.UUID, str]]:
    """Return the fields of a store that syncs leave alone: its own values, and those that were rolled back."""
    row = ListingRow
    wanted = set(local_ids)
    query = sa.select(row.pinned).where(row.account_id == account_id, row.pinned != sa.text("'[]'::jsonb"))
    found = (rules.field_of(key) for keys in tx.session.scalars(query) for key in keys)
    return frozenset(pair for pair in found if pair[0] in wanted)


def history(tx: Tx, listing_id: uuid.UUID, *, limit: int = 100) -> Sequence[ListingHistoryRow]:
    """Return what happened to a listing, newest first."""
    row = ListingHistoryRow
    return tx.session.scalars(sa.select(row).where(row.listing_id == listing_id).order_by(row.id.desc()).limit(limit)) \
        .all()  # fmt: skip


def id_of(written: str) -> uuid.UUID:
    """Return the id of a listing as people write it. Raises NotFound."""
    with contextlib.suppress(ValueError):
        return uuid.UUID(written)
    raise NotFound(f"There is no listing {written[:60]!r}.", fix="`fleet listings list` shows them.")


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete history that is older than `days`."""
    row = ListingHistoryRow
    old = sa.select(row.id).where(row.at < tx.now() - timedelta(days=days)).order_by(row.id).limit(limit)
    return tx.execute(sa.delete(row).where(row.id.in_(old)).execution_options(synchronize_session=False)).rowcount
