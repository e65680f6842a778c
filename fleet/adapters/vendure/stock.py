"""Write prices, SKUs and stock of variants: one atomic batch, compared before and read back. And their probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import dicts_of, moment_of
from fleet.adapters.base import Receipt
from fleet.adapters.network import ADOPTED, CallDeadline, before_the_write
from fleet.adapters.shops import (
    SetStockPayload,
    ShopVariant,
    Stale,
    StockChange,
    StockLevel,
    UpdateVariantsPayload,
    VariantChange,
    stock_state,
    variant_state,
)
from fleet.adapters.vendure import documents, wire
from fleet.adapters.vendure.admin_api import AdminApi
from fleet.adapters.vendure.reads import VendureReader

BATCH = 100
_MOST_UNITS = 2**31 - 1


class VariantWriter:
    """The writes of variants of one shop."""

    def __init__(self, api: AdminApi, reader: VendureReader) -> None:
        self._api = api
        self._reader = reader

    def update(self, payload: UpdateVariantsPayload, deadline: CallDeadline) -> Receipt:
        """Set prices and SKUs. Raises Stale, Refused, Vanished; then the whole batch is as it was."""
        ids = _batch_of(payload.changes)
        with before_the_write():
            currency = self._reader.known_shop(deadline.left_s).currency
            if any(one.expected_price is not None for one in payload.changes):
                self._require_prices(payload.changes, deadline)
        wanted = [one for one in payload.changes if one.price is not None and one.price.currency != currency]
        if wanted:
            raise base.Refused(f"the shop's prices are in {currency}")
        changes = [_fields_of(one) for one in payload.changes]
        found = self._send(documents.UPDATE_PRICES, [one for one in changes if len(one) > 1], deadline)
        return Receipt(ids[0], {"now": [_state(one) for one in found]})

    def set_stock(self, payload: SetStockPayload, deadline: CallDeadline) -> Receipt:
        """Set the units on hand. Raises Stale, Refused, Vanished; then the whole batch is as it was."""
        places = [(one.variant_id, one.location_id) for one in payload.changes]
        if len(set(places)) != len(places):
            raise base.Refused("a variant is in the batch twice for the same location")
        _require_size(places)
        with before_the_write():
            located = {one: self._location(one, deadline) for _, one in places}
            if any(one.expected is not None for one in payload.changes):
                self._require_units(payload.changes, located, deadline)
        levels: dict[str, list[dict[str, Any]]] = {}
        for one in payload.changes:
            if not 0 <= one.quantity <= _MOST_UNITS:
                raise base.Refused(f"the shop takes no stock of {one.quantity}")
            level = {"stockLocationId": located[one.location_id], "stockOnHand": one.quantity}
            levels.setdefault(one.variant_id, []).append(level)
        changes = [{"id": one, "stockLevels": level} for one, level in levels.items()]
        found = self._send(documents.UPDATE_LEVELS, changes, deadline)
        written = {(one, level["stockLocationId"]) for one in levels for level in levels[one]}
        now = [
            stock_state(level, moment_of(one.get("updatedAt")))
            for one in found for level in wire.levels_of(one)
            if (level.variant_id, level.location_id) in written
        ]  # fmt: skip
        return Receipt(places[0][0], {"now": now})

    def probe_update(self, payload: UpdateVariantsPayload) -> Receipt | None:
        """Return a receipt if all variants have exactly the values that were sent."""
        found = self._reader.priced([one.variant_id for one in payload.changes])
        variants = {one: wire.variant_of(raw) for one, raw in found.items()}
        if not all(_has(variants.get(one.variant_id), one) for one in payload.changes):
            return None
        return Receipt(payload.changes[0].variant_id, {**ADOPTED, "now": [_state(one) for one in found.values()]})

    def probe_stock(self, payload: SetStockPayload) -> Receipt | None:
        """Return a receipt if the shop took the batch: it takes all of it or nothing.

        Orders and people change single levels meanwhile, so the majority tells: levels with the units that were sent
        against levels with the units that were expected before.
        """
        levels = self._levels([one.variant_id for one in payload.changes])
        found = [levels.get((one.variant_id, self._location(one.location_id, None))) for one in payload.changes]
        pairs = [(one, level.on_hand) for one, level in zip(payload.changes, found, strict=True) if level is not None]
        taken = sum(units == one.quantity for one, units in pairs)
        if any(one.expected is None for one in payload.changes):
            is_taken = taken == len(payload.changes)
        else:
            is_taken = taken > sum(units == one.expected != one.quantity for one, units in pairs)
        if not is_taken:
            return None
        now = [stock_state(level) for level in found if level is not None]
        return Receipt(payload.changes[0].variant_id, {**ADOPTED, "now": now})

    def _send(
        self, document: str, changes: Sequence[Mapping[str, Any]], deadline: CallDeadline
    ) -> list[dict[str, Any]]:
        """Send one batch and return the variants as they are after it. The shop reads them once it has committed."""
        if not changes:
            raise base.Refused("the batch changes nothing")
        found = self._api.write(document, {"input": list(changes)}, timeout_s=deadline.left_s)
        return dicts_of(found)

    def _require_prices(self, changes: Sequence[VariantChange], deadline: CallDeadline) -> None:
        found = self._reader.priced([one.variant_id for one in changes], timeout_s=deadline.left_s)
        prices = {one: wire.variant_of(raw).price for one, raw in found.items()}
        _require_all(changes, prices)
        moved = {one.variant_id: prices[one.variant_id] for one in changes
                 if one.expected_price is not None and prices[one.variant_id] != one.expected_price}  # fmt: skip
        if moved:
            raise Stale(f"{len(moved)} prices changed since they were compared", found=moved)

    def _require_units(
        self, changes: Sequence[StockChange], located: Mapping[str, str], deadline: CallDeadline
    ) -> None:
        levels = self._levels([one.variant_id for one in changes], deadline)
        _require_all(changes, {one for one, _ in levels})
        units = {place: level.on_hand for place, level in levels.items()}
        moved = {
            one.variant_id: units.get((one.variant_id, located[one.location_id]), 0)
            for one in changes
            if one.expected is not None
            and units.get((one.variant_id, located[one.location_id]), 0) != one.expected
        }  # fmt: skip
        if moved:
            raise Stale(f"{len(moved)} stock levels changed since they were compared", found=moved)

    def _levels(self, ids: Sequence[str], deadline: CallDeadline | None = None) -> dict[tuple[str, str], StockLevel]:
        found = self._reader.stock_of(ids, timeout_s=None if deadline is None else deadline.left_s)
        return {(one.variant_id, one.location_id): one for one in found}

    def _location(self, location_id: str, deadline: CallDeadline | None) -> str:
        """Return a location's id; of the first one for an empty id. Raises Refused for one that the shop has not."""
        left_s = None if deadline is None else deadline.left_s
        ids = [one.id for one in self._reader.known_shop(left_s).locations]
        if location_id and location_id not in ids:  # a new one, perhaps
            ids = [one.id for one in self._reader.shop(timeout_s=left_s).locations]
        if not ids or (location_id and location_id not in ids):
            raise base.Refused("the shop has no such stock location")
        return location_id or ids[0]


def _batch_of(changes: Sequence[VariantChange]) -> list[str]:
    ids = [one.variant_id for one in changes]
    if len(set(ids)) != len(ids):
        raise base.Refused("a variant is in the batch twice")
    _require_size(ids)
    return ids


def _require_size(batch: Sequence[object]) -> None:
    if not 1 <= len(batch) <= BATCH:
        raise base.Refused(f"a batch has 1 to {BATCH} variants, not {len(batch)}")


def _require_all(changes: Sequence[VariantChange | StockChange], ids: Any) -> None:
    gone = [one.variant_id for one in changes if one.variant_id not in ids]
    if gone:
        raise base.Vanished(f"the shop has no variant {gone[0][:40]}")


def _fields_of(change: VariantChange) -> dict[str, Any]:
    fields: dict[str, Any] = {"id": change.variant_id}
    if change.price is not None:
        if change.price.minor < 0:
            raise base.Refused("a price is negative")  # the shop would take it
        fields["price"] = change.price.minor
    if change.sku:
        fields["sku"] = change.sku
    return fields


def _has(variant: ShopVariant | None, change: VariantChange) -> bool:
    if variant is None:
        return False
    return change.price in (None, variant.price) and change.sku in ("", variant.sku)


def _state(found: Mapping[str, Any]) -> dict[str, Any]:
    return variant_state(wire.variant_of(found), wire.id_of(found.get("productId")))
