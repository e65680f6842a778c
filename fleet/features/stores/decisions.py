"""Decisions of people about conflicts: which side of a field wins, and which product of the catalogue an object is."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound
from fleet.engine.agents import loop
from fleet.engine.deps import Deps
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import VariantRow
from fleet.features.products.stock import StockEntry
from fleet.features.stores import service, values
from fleet.features.stores.models import ExternalRefRow, ShopEventRow, StoreRow, SyncConflictRow
from fleet.features.stores.rules import Direction
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import StoreContext, context_for, now_of
from fleet.features.stores.sync.levels import places_of
from fleet.features.stores.writes.plan import WritePlan
from fleet.features.stores.writes.sold_out import StockWrite

PUSH, PULL, IGNORE = "push", "pull", "ignore"
MOST = 1000
"""Conflicts that one request decides, at most."""


@dataclass(frozen=True, slots=True)
class DecidedConflicts:
    """What came of decisions: how many were carried out, and why others were not."""

    decided: int
    problems: Sequence[str]


def decide(deps: Deps, conflict_ids: Sequence[uuid.UUID], decision: str, *, by: str) -> DecidedConflicts:
    """Decide conflicts alike. A conflict that is decided already, or that the decision does not fit, is left out.

    `decision`: push (the catalogue's value goes to the store), pull (the store's value comes here); for an object that
    matching could not decide the id of a candidate, or ignore. Raises InvalidInput.
    """
    if not 0 < len(conflict_ids) <= MOST:
        raise InvalidInput(f"Name 1 to {MOST:,} conflicts.")
    decided, problems = 0, []
    for conflict_id in conflict_ids:
        try:
            _decide_one(deps, conflict_id, decision, by=by)
            decided += 1
        except FleetError as error:
            problems.append(error.plain)
    return DecidedConflicts(decided, problems)


def of_filter(deps: Deps, *, store: str = "", field: str = "") -> list[uuid.UUID]:
    """Return the open conflicts of fields that a filter names, oldest first. Raises NotFound."""
    row = SyncConflictRow
    query = sa.select(row.id).where(row.state == "open", row.kind == "field")
    with deps.db.transaction() as tx:
        if store:
            query = query.where(row.account_id == service.named(tx, store)[0].account_id)
        if field:
            query = query.where(row.field == field)
        return list(tx.session.scalars(query.order_by(row.created_at, row.id).limit(MOST)))


def _decide_one(deps: Deps, conflict_id: uuid.UUID, decision: str, *, by: str) -> None:
    with deps.db.transaction() as tx:
        query = sa.select(SyncConflictRow).where(SyncConflictRow.id == conflict_id).with_for_update()
        row = tx.session.scalars(query).one_or_none()
        if row is None:
            raise NotFound("There is no such conflict.", fix="`fleet stores conflicts` lists them.")
        if row.state != "open":
            raise Conflict(f"The conflict about {row.about or row.field} is {row.state} already.")
        store = tx.session.get_one(StoreRow, row.account_id)
        context = replace(context_for(deps, tx, store, requested_by=by), direction=Direction.BOTH)
        if row.kind == "field":
            _decide_field(tx, context, row, decision, by)
        else:
            _decide_object(tx, context, row, decision)
        row.state, row.decision, row.decided_by, row.decided_at = "settled", decision[:20], by[:100], tx.now()
        tx.session.flush()
        events.emit(tx, "sync.decided", store=context.name, about=row.about, decision=_words(decision), by=by,
                    organisation=str(context.organisation_id), page="/stores/conflicts")  # fmt: skip
        audit.note(tx, "sync_conflict.decided", f"store:{context.name}",
                   before={"local": row.local, "remote": row.remote},
                   after={"field": row.field, "about": row.about, "decision": decision})  # fmt: skip


def _words(decision: str) -> str:
    return {PUSH: "the catalogue's value", PULL: "the store's value",
            IGNORE: "to leave it alone"}.get(decision, "one of its candidates")  # fmt: skip


def _decide_field(tx: Tx, context: StoreContext, row: SyncConflictRow, decision: str, by: str) -> None:
    """Make one side the agreed one: the other side has moved then, and follows by the usual way."""
    if decision not in (PUSH, PULL):
        raise InvalidInput("Decide a field by push or pull.")
    assert row.local_id is not None
    is_stock = row.field == values.STOCK or row.field.startswith("s:")
    if decision == PULL and is_stock:
        _pull_stock(tx, context, row, by)
    elif decision == PULL:
        _pull(tx, context, row, by)
    else:
        _push(tx, context, row, is_stock=is_stock)


def _pull(tx: Tx, context: StoreContext, row: SyncConflictRow, by: str) -> None:
    assert row.local_id is not None
    origin = f"user:{by.rpartition(':')[2]}"[:120]
    is_variant = row.field.startswith(values.VARIANT)
    change = catalogue.change_variants if is_variant else catalogue.change_many
    change(tx, {row.local_id: values.changes_of({row.field: row.remote}, of_variant=is_variant)}, origin=origin,
           is_audited=False)  # fmt: skip
    refs.save_states(tx, context.account_id, [{"local_id": row.local_id, "field": row.field, "base": row.remote,
                                               "remote": row.remote, "remote_at": now_of(tx)}])  # fmt: skip


def _pull_stock(tx: Tx, context: StoreContext, row: SyncConflictRow, by: str) -> None:
    assert row.local_id is not None
    place = next((one for one in places_of(context) if one.field == row.field), None)
    if place is None:
        raise Conflict("The location of this stock is not known any more.")
    stock.post(tx, [StockEntry(variant_id=row.local_id, location_id=place.here, on_hand=int(row.remote or 0),
                               reason="store", by=by[:100], account_id=context.account_id)])  # fmt: skip
    now = now_of(tx)
    refs.save_states(tx, context.account_id, [{"local_id": row.local_id, "field": row.field, "base": row.remote,
                                               "remote": row.remote, "remote_at": now, "base_at": now}])  # fmt: skip


def _push(tx: Tx, context: StoreContext, row: SyncConflictRow, *, is_stock: bool) -> None:
    """Write the catalogue's value, if the store still has the one that the person saw."""
    assert row.local_id is not None
    of_variant = is_stock or row.field.startswith(values.VARIANT)
    ref = refs.by_local(tx, context.account_id, "variant" if of_variant else "product", [row.local_id]).get(
        row.local_id
    )
    if ref is None or ref.external_id is None or ref.state != "mapped":
        raise Conflict(f"{context.name} does not have {row.about or 'it'} any more.")
    if of_variant and not is_stock and row.field not in values.PUSHABLE_OF_VARIANTS:
        raise InvalidInput(f"{row.field.removeprefix(values.VARIANT)} of a variant cannot be written to a shop.",
                           fix="Decide by pull.")  # fmt: skip
    plan = WritePlan()
    local = _local(tx, context, row) if not is_stock else row.local
    if is_stock:
        place = next((one for one in places_of(context) if one.field == row.field), None)
        if place is None:
            raise Conflict("The location of this stock is not known any more.")
        plan.stock.append(StockWrite(variant_id=row.local_id, field=row.field, location=place.there,
                                     quantity=int(row.local or 0), expected=row.remote))  # fmt: skip
    elif of_variant:
        plan.variants[row.local_id] = {"values": {row.field: local}, "expected": _expected(row)}
    else:
        plan.product(row.local_id, ref.external_id, row.field, local, row.remote)
    if not plan.add(tx, context):
        raise Conflict("The catalogue has no value to write.", fix="Decide by pull.")


def _expected(row: SyncConflictRow) -> dict[str, Any]:
    return {} if row.remote is None else {row.field: row.remote}


def _local(tx: Tx, context: StoreContext, row: SyncConflictRow) -> Any:
    """Return the catalogue's value as it is now. Raises Conflict if it is not the one that the person saw."""
    assert row.local_id is not None
    if row.field.startswith(values.VARIANT):
        variant = tx.session.get(VariantRow, row.local_id)
        shown = None if variant is None else values.variant_values(catalogue.variant_values(variant), context.traits)
    else:
        product = catalogue.get(tx, row.local_id)
        shown = values.product_values(catalogue.product_values(product, ()), context.traits)
    found = None if shown is None else shown.get(row.field)
    if not values.same_of(row.field)(found, row.local):
        raise Conflict(f"{row.about or row.field} was changed since the conflict was found.", fix="Sync it again.")
    return found


def _decide_object(tx: Tx, context: StoreContext, row: SyncConflictRow, decision: str) -> None:
    """Map an object of the store to a candidate, or leave it alone."""
    if not row.external_id:
        raise InvalidInput("Mend the SKU in the catalogue or in the shop; the next sync settles this.")
    ref = ExternalRefRow
    if decision == IGNORE:
        tx.execute(
            insert(ref)
            .values(
                account_id=context.account_id,
                kind="product",
                local_id=ids.new(),
                external_id=row.external_id,
                state="ignored",
            )
            .on_conflict_do_nothing()
        )
        return
    if decision not in row.candidates:
        raise InvalidInput("Decide by one of the candidates, or ignore.", fix="Its page lists them.")
    product_id = uuid.UUID(decision)
    known = refs.by_local(tx, context.account_id, "product", [product_id]).get(product_id)
    if known is not None and known.state == "mapped" and known.external_id != row.external_id:
        raise Conflict("That product is another one of this store already.",
                       fix="Give one of the two another SKU, or ignore this one.")  # fmt: skip
    catalogue.get(tx, product_id)
    refs.save_refs(tx, context.account_id, [{"kind": "product", "local_id": product_id, "state": "mapped",
                                             "external_id": row.external_id}])  # fmt: skip
    read_again(tx, context, f"decision:{row.id}", product_id=row.external_id)


def read_again(tx: Tx, context: StoreContext, event_id: str, *, product_id: str) -> None:
    """Have the store's agent read a product at once."""
    tx.execute(insert(ShopEventRow).values(account_id=context.account_id, event_id=event_id, kind="product",
                                           priority=10, product_id=product_id).on_conflict_do_nothing())  # fmt: skip
    loop.wake(tx, context.agent_id)
