"""What a store has of a listed product, as its adapter reads it now."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.adapters import shops
from fleet.adapters.base import Vanished
from fleet.engine.attempts.work import Work
from fleet.features.listings.models import ListingRow
from fleet.features.listings.preview import found_at
from fleet.features.products import service as catalogue
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import StoreContext
from fleet.features.stores.sync.levels import StockPlace, places_of


@dataclass(frozen=True, slots=True)
class StoreObject:
    """A listed product as its store knows it: its id there, and the ids here of its variants by those of the store."""

    external_id: str
    product_id: uuid.UUID
    variants: Mapping[str, uuid.UUID]
    place: StockPlace | None


def object_of(work: Work, context: StoreContext, row: ListingRow) -> StoreObject | None:
    """Return the object of a listing; None where the store does not have it, as far as is known."""
    with work.deps.db.transaction() as tx:
        ref = refs.by_local(tx, row.account_id, "product", [row.product_id]).get(row.product_id)
        if ref is None or ref.state != "mapped" or ref.external_id is None:
            return None
        own = [one.id for one in catalogue.variants_of(tx, [row.product_id])[row.product_id]]
        found = refs.by_local(tx, row.account_id, "variant", own)
        ids = {one.external_id: local_id for local_id, one in found.items()
               if one.state == "mapped" and one.external_id is not None}  # fmt: skip
    return StoreObject(ref.external_id, row.product_id, ids, next(iter(places_of(context)), None))


def read(work: Work, context: StoreContext, one: StoreObject, *, with_stock: bool) -> dict[str, Any] | None:
    """Return what the store has now, by the keys of fields; None if it does not have the product any more.

    Raises an AdapterError.
    """
    adapter = shops.shop(work.gateway.adapter)
    try:
        product = adapter.product(one.external_id)
        levels = adapter.stock_of([variant.id for variant in product.variants]) if with_stock else ()
    except Vanished:
        return None
    return found_at(product, levels, context, product_id=one.product_id, variants=one.variants, place=one.place)
