"""The seven jobs that write to stores: what each one sends. The gateway makes the write."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fleet.accounts.models import key_of
from fleet.adapters.base import AnyAction
from fleet.adapters.shops import (
    ADD_VARIANTS,
    CREATE_PRODUCT,
    REMOVE_PRODUCT,
    SET_STOCK,
    UPDATE_ORDER,
    UPDATE_PRODUCT,
    UPDATE_VARIANTS,
    AddVariantsPayload,
    CreateProductPayload,
    OrderState,
    RemoveProductPayload,
    SetStockPayload,
    ShopProduct,
    ShopVariant,
    StockChange,
    UpdateOrderPayload,
    UpdateProductPayload,
    UpdateVariantsPayload,
    VariantChange,
)
from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Held, Skipped
from fleet.engine.jobs.states import JobState
from fleet.features.orders import service as orders
from fleet.features.stores import values
from fleet.features.stores.models import ExternalRefRow, StoreRow
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import context_for
from fleet.features.stores.state.units import known_units
from fleet.features.stores.writes import pictures

_ENDS = (OrderState.CANCELLED, OrderState.REFUNDED)
_LOOK_AGAIN = timedelta(hours=1)
_UNKNOWN = Skipped("the store does not have it any more")
_FEWER = Skipped("the catalogue has fewer units by now")


def create_product(work: Work) -> AnyAction | Skipped:
    """Return the creation of a product with its variants and their first stock. The payload has all values."""
    if work.claim.state is not JobState.UNKNOWN and _is_too_much(work):
        return _FEWER
    payload = work.claim.payload
    with work.deps.db.transaction() as tx:
        found = refs.by_local(tx, key_of(work.claim.account_id), "product", [uuid.UUID(payload["product"])])
    if any(one.state == "mapped" for one in found.values()):
        return Skipped("the store has it already")
    product = _product(payload["values"], payload["key"])
    images = pictures.for_shop(work, uuid.UUID(payload["product"]), product.images)
    return work.action(CREATE_PRODUCT, CreateProductPayload(replace(product, images=images)))


def add_variants(work: Work) -> AnyAction | Skipped:
    """Return the new variants of a product, with their first stock; those that the store has by now are left out."""
    if work.claim.state is not JobState.UNKNOWN and _is_too_much(work):
        return _FEWER
    payload = work.claim.payload
    ref = _mapped(work, "product", [payload["product"]]).get(uuid.UUID(payload["product"]))
    if ref is None or ref.external_id is None:
        return _UNKNOWN
    there = _mapped(work, "variant", [one["variant"] for one in payload["variants"]])
    new = [one for one in payload["variants"] if uuid.UUID(one["variant"]) not in there]
    if not new:
        return Skipped("the store has them already")
    return work.action(ADD_VARIANTS, AddVariantsPayload(ref.external_id, _variants(new)))


def _product(data: dict[str, Any], key: str) -> ShopProduct:
    own = {name: values.typed(name, value) for name, value in data.items() if name in values.PRODUCT_FIELD_NAMES}
    return ShopProduct(key=key, variants=_variants(data["variants"]), **own)


def _variants(data: Sequence[Mapping[str, Any]]) -> tuple[ShopVariant, ...]:
    return tuple(
        ShopVariant(
            sku=one.get("variant.sku", ""), title=one.get("variant.title", ""), options=one.get("variant.options", {}),
            price=values.money_of(one.get(values.PRICE)), barcode=one.get("variant.barcode", ""),
            on_hand=one.get("on_hand"),
        )
        for one in data
    )  # fmt: skip


def update_product(work: Work) -> AnyAction | Skipped:
    """Return new values of a product's fields."""
    payload = work.claim.payload
    ref = _mapped(work, "product", [payload["product"]]).get(uuid.UUID(payload["product"]))
    if ref is None or ref.external_id is None:
        return _UNKNOWN
    changes, expected = ({name: values.typed(name, value) for name, value in payload[part].items()}
                         for part in ("values", "expected"))  # fmt: skip
    if "images" in changes:
        there = payload["expected"].get("images", ())
        changes["images"] = pictures.for_shop(work, uuid.UUID(payload["product"]), changes["images"], there)
    return work.action(UPDATE_PRODUCT, UpdateProductPayload(ref.external_id, changes, expected))


def update_variants(work: Work) -> AnyAction | Skipped:
    """Return new prices and SKUs of variants; those that the store has no more are left out."""
    found = _mapped(work, "variant", [one["variant"] for one in work.claim.payload["changes"]])
    changes = []
    for one in work.claim.payload["changes"]:
        ref = found.get(uuid.UUID(one["variant"]))
        if ref is not None and ref.external_id is not None:
            changes.append(VariantChange(
                variant_id=ref.external_id, product_id=ref.parent_id,
                price=values.money_of(one["values"].get(values.PRICE)), sku=one["values"].get("variant.sku", ""),
                expected_price=values.money_of(one["expected"].get(values.PRICE)),
            ))  # fmt: skip
    return work.action(UPDATE_VARIANTS, UpdateVariantsPayload(tuple(changes))) if changes else _UNKNOWN


def set_stock(work: Work) -> AnyAction | Skipped:
    """Return the units of variants at their locations; skipped if the catalogue has fewer by now."""
    if work.claim.state is not JobState.UNKNOWN and _is_too_much(work):
        return _FEWER
    found = _mapped(work, "variant", [one["variant"] for one in work.claim.payload["changes"]])
    changes = []
    for one in work.claim.payload["changes"]:
        ref = found.get(uuid.UUID(one["variant"]))
        if ref is not None and ref.external_id is not None:
            changes.append(StockChange(
                variant_id=ref.external_id, product_id=ref.parent_id, quantity=one["quantity"],
                location_id=one["location"], stock_item_id=ref.details.get("stock_item", ""),
                expected=one["expected"],
            ))  # fmt: skip
    return work.action(SET_STOCK, SetStockPayload(tuple(changes))) if changes else _UNKNOWN


def _is_too_much(work: Work) -> bool:
    """Say whether a job that waited would tell the store more than there is now.

    An undo writes back what the store had, whatever there is: a person asked for it.
    """
    payload = work.claim.payload
    created = [*payload.get("values", {}).get("variants", ()), *payload.get("variants", ())]
    units = {(uuid.UUID(one["variant"]), one["field"]): one["quantity"]
             for one in payload.get("changes", ()) if not one.get("is_undo")}  # fmt: skip
    units |= {(uuid.UUID(one["variant"]), one["stock_field"]): one["on_hand"] for one in created
              if one.get("stock_field")}  # fmt: skip
    with work.deps.db.transaction() as tx:
        store = tx.session.get(StoreRow, key_of(work.claim.account_id))
        if store is None:
            return False
        context = context_for(work.deps, tx, store)
        known = known_units(tx, context, [variant_id for variant_id, _ in units])
    return any(quantity > known.get(place, 0) for place, quantity in units.items())


def remove_product(work: Work) -> AnyAction | Skipped:
    """Return the removal of a product from the store; the catalogue keeps it."""
    payload = work.claim.payload
    ref = _mapped(work, "product", [payload["product"]]).get(uuid.UUID(payload["product"]))
    if ref is None or ref.external_id is None:
        return _UNKNOWN
    return work.action(REMOVE_PRODUCT, RemoveProductPayload(ref.external_id, ref.key))


def update_order(work: Work) -> AnyAction:
    """Return a new state of an order; its payload has the store's own id of it."""
    payload = work.claim.payload
    return work.action(UPDATE_ORDER, UpdateOrderPayload(
        payload["external_id"], OrderState(payload["state"]), payload.get("tracking", ""), payload.get("reason", ""),
    ))  # fmt: skip


def held_order(tx: Tx, work: Work, _: AnyAction) -> Held | Skipped | None:
    """Say that a state that sends an order waits while the order is held; it can still be cancelled or refunded."""
    payload = work.claim.payload
    if payload["state"] in _ENDS:
        return None
    order = orders.get(tx, uuid.UUID(payload["order"]))
    if order.held_at is None:
        return None
    return Held(f"the order {order.number} is held: {order.held_why}", work.deps.now() + _LOOK_AGAIN)


def _mapped(work: Work, kind: str, local_ids: Collection[str]) -> dict[uuid.UUID, ExternalRefRow]:
    account_id = key_of(work.claim.account_id)
    with work.deps.db.transaction() as tx:
        found = refs.by_local(tx, account_id, kind, [uuid.UUID(one) for one in local_ids])
        return {local_id: one for local_id, one in found.items() if one.state == "mapped"}
