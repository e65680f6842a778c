"""Products without units at stores that cannot have them: hidden in place of writing 0, shown again with new units.

The store keeps the units that it had; while the product is hidden they count as 0, here and in every reading. The note
"sold_out" in the details of the product's identity says so.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.adapters.shops import ProductStatus
from fleet.core.db import Tx
from fleet.features.products.models import ProductRow
from fleet.features.stores import rules
from fleet.features.stores.models import ExternalRefRow
from fleet.features.stores.rules import SoldOut
from fleet.features.stores.state import pins, refs
from fleet.features.stores.state.context import StoreContext

NOTE, NOTED_AT = "sold_out", "sold_out_at"
BY_FLEET, SHOWING, BEFORE = "by_fleet", "showing", "before"
"""Fleet has hidden the product; it has units again and is about to be shown; or customers did not see it anyhow, and
Fleet leaves its status alone."""
_WITHOUT_UNITS, _OWN_STATUS = (BY_FLEET, BEFORE), (BY_FLEET, SHOWING)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockWrite:
    """The units that a variant is to have at a location of a store."""

    variant_id: uuid.UUID
    field: str
    location: str
    quantity: int
    expected: int | None
    is_undo: bool = False
    """Whether it writes back what the store had before a fix."""


def _noted(tx: Tx, account_id: uuid.UUID, notes: Sequence[str]) -> dict[uuid.UUID, str]:
    """Return products with a note, by id here, with their ids there."""
    row = ExternalRefRow
    query = sa.select(row.local_id, row.external_id).where(
        row.account_id == account_id, row.kind == "product", row.state == "mapped", row.external_id.is_not(None),
        row.details[NOTE].astext.in_(notes),
    )  # fmt: skip
    return {one.local_id: str(one.external_id) for one in tx.execute(query)}


def without_units(tx: Tx, account_id: uuid.UUID) -> frozenset[str]:
    """Return the ids at a store of products of which all units count as 0, whatever the store shows."""
    return frozenset(_noted(tx, account_id, _WITHOUT_UNITS).values())


def pinned(tx: Tx, account_id: uuid.UUID, local_ids: Collection[uuid.UUID]) -> frozenset[tuple[uuid.UUID, str]]:
    """Return the statuses that Fleet sets by the units: none that a person chose. Of "stores.pinned"."""
    wanted = set(local_ids)
    return frozenset((one, "status") for one in _noted(tx, account_id, _OWN_STATUS) if one in wanted)


def seen_shown(tx: Tx, account_id: uuid.UUID, product_ids: Collection[str], began: datetime) -> None:
    """Forget the notes of products that somebody has shown again at the store: their units count as what they are."""
    row = ExternalRefRow
    tx.execute(sa.update(row).where(
        row.account_id == account_id, row.kind == "product", row.external_id.in_(product_ids),
        row.details[NOTE].astext == BY_FLEET, row.details[NOTED_AT].astext.cast(sa.DateTime(timezone=True)) < began,
    ).values(details=row.details - NOTE).execution_options(synchronize_session=False))  # fmt: skip


def split(
    tx: Tx, context: StoreContext, writes: Sequence[StockWrite]
) -> tuple[list[StockWrite], list[dict[str, Any]]]:  # fmt: skip
    """Return the units to write, and what to hide in place of writing 0, as payloads of `update_product`."""
    own = refs.by_local(tx, context.account_id, "variant", [one.variant_id for one in writes])
    parents = {one.variant_id: own[one.variant_id].parent_id for one in writes if one.variant_id in own}
    products = refs.by_external(tx, context.account_id, "product", set(parents.values()))
    siblings: dict[str, list[uuid.UUID]] = defaultdict(list)
    for ref in refs.variants_of_product(tx, context.account_id, set(parents.values())):
        siblings[ref.parent_id].append(ref.local_id)
    states = refs.states_of(tx, context.account_id, [
        *(one for several in siblings.values() for one in several), *(one.local_id for one in products.values()),
    ])  # fmt: skip
    planned: dict[str, list[StockWrite]] = defaultdict(list)
    for one in writes:
        planned[parents.get(one.variant_id, "")].append(one)
    found, hides = list(planned.pop("", ())), []
    for parent, several in planned.items():
        product = products.get(parent)
        if product is None:
            found += several
            continue
        units = {one: _units(states.get((one, several[0].field))) for one in siblings[parent]}
        units |= {one.variant_id: one.quantity for one in several}
        match rules.sold_out(units.values(), is_hidden=product.details.get(NOTE) in _WITHOUT_UNITS):
            case SoldOut.WRITE:
                found += several
            case SoldOut.SHOW:  # the store still has old units, of all variants
                whole = [replace(several[0], variant_id=one, quantity=number) for one, number in units.items()]
                found += [replace(one, expected=None) for one in sorted(whole, key=lambda one: -one.quantity)]
            case SoldOut.HIDE:
                status = states.get((product.local_id, "status"))
                is_shown = status is None or status.remote in (None, ProductStatus.ACTIVE.value)
                stock = [(one, several[0].field) for one in units]
                if is_shown:
                    hides.append({
                        "product": str(product.local_id), "external_id": parent, "values": {"status": "archived"},
                        "expected": {}, NOTE: BY_FLEET, "stock": [[str(one), name] for one, name in stock],
                        "fields": refs.written([(product.local_id, "status"), *stock]),
                    })  # fmt: skip
                else:
                    note(tx, context.account_id, product.local_id, BEFORE, stock)
    return found, hides


def _units(state: refs.FieldState | None) -> int:
    """Return the units that a store has of a variant; of one that was not read yet, perhaps some."""
    return state.remote if state is not None and isinstance(state.remote, int) else 1


def note(
    tx: Tx, account_id: uuid.UUID, product_id: uuid.UUID, what: str, stock: Sequence[tuple[uuid.UUID, str]] = ()
) -> None:  # fmt: skip
    """Note what a product without units is at a store; `stock` counts as 0 on both sides from now on."""
    row, now = ExternalRefRow, tx.now()
    which = (row.account_id == account_id, row.kind == "product", row.local_id == product_id)
    new = sa.func.jsonb_build_object(NOTE, what, NOTED_AT, now.isoformat())
    tx.execute(sa.update(row).where(*which).values(details=row.details.op("||")(new))
               .execution_options(synchronize_session=False))  # fmt: skip
    refs.save_states(tx, account_id, [
        {"local_id": one, "field": name, "base": 0, "remote": 0, "remote_at": now, "base_at": now}
        for one, name in stock
    ])  # fmt: skip


def show_again(tx: Tx, account_id: uuid.UUID, variants: Collection[uuid.UUID]) -> list[dict[str, Any]]:
    """Note that units of variants were written; return the payloads of `update_product` that show their products."""
    parents = {one.parent_id for one in refs.by_local(tx, account_id, "variant", variants).values()}
    own_status = _noted(tx, account_id, _OWN_STATUS)
    payloads = []
    for product_id, external_id in {**own_status, **_noted(tx, account_id, _WITHOUT_UNITS)}.items():
        if external_id not in parents:
            continue
        note(tx, account_id, product_id, "")
        status = tx.scalar(sa.select(ProductRow.status).where(ProductRow.id == product_id))
        is_delisted = bool(pins.pinned(tx, account_id, [product_id]) & {(product_id, "status")})
        if product_id in own_status and status == ProductStatus.ACTIVE.value and not is_delisted:
            note(tx, account_id, product_id, SHOWING)
            payloads.append({
                "product": str(product_id), "external_id": external_id, "values": {"status": "active"},
                "expected": {}, NOTE: SHOWING, "fields": refs.written([(product_id, "status")]),
            })  # fmt: skip
    return payloads


def written(tx: Tx, account_id: uuid.UUID, payload: Mapping[str, Any]) -> None:
    """Note that a product was hidden, or shown again, by an `update_product` with these values."""
    product_id = uuid.UUID(payload["product"])
    if payload[NOTE] == BY_FLEET:
        note(tx, account_id, product_id, BY_FLEET, [(uuid.UUID(one), name) for one, name in payload["stock"]])
        return
    note(tx, account_id, product_id, "")
    state = refs.states_of(tx, account_id, [product_id]).get((product_id, "status"))
    if state is not None:  # what was read while it was hidden is no change of the store
        refs.save_states(tx, account_id, [{
            "local_id": product_id, "field": "status", "base": refs.base_of(state.here, state.there),
            "remote": ProductStatus.ACTIVE.value, "remote_at": tx.now(),
        }])  # fmt: skip
