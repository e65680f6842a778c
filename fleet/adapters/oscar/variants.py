"""Write prices, SKUs and stock: one stock record a request, compared before, and read from the shop's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import moment_of
from fleet.adapters.base import Receipt
from fleet.adapters.network import ADOPTED, CallDeadline, before_the_write
from fleet.adapters.oscar import wire
from fleet.adapters.oscar.reads import OscarReader
from fleet.adapters.oscar.rest_api import RestApi
from fleet.adapters.shops import (
    Money,
    SetStockPayload,
    ShopVariant,
    Stale,
    StockChange,
    UpdateVariantsPayload,
    VariantChange,
    stock_state,
    variant_state,
)

BATCH = 1
LONGEST_SKU = 128
_RECORDS = "/api/admin/stockrecords/"
_MOST_UNITS = 2**31 - 1


class StockRecordWriter:
    """The writes of stock records of one shop."""

    def __init__(self, api: RestApi, reader: OscarReader) -> None:
        self._api = api
        self._reader = reader

    def update(self, payload: UpdateVariantsPayload, deadline: CallDeadline) -> Receipt:
        """Set the price or the SKU of a variant. Raises Stale, Refused, Vanished."""
        change = _only(payload.changes)
        with before_the_write():
            row = self._reader.row(change.variant_id, timeout_s=deadline.left_s)
            record = _record_of(row, "")
        found = wire.variant_of(row)
        if change.expected_price is not None and found.price != change.expected_price:
            raise Stale("the price changed since it was compared", found={change.variant_id: found.price})
        body: dict[str, Any] = {}
        if change.price is not None:
            body["price"] = price_text(change.price, str(record.get("price_currency")))
        if change.sku:
            body["partner_sku"] = require_sku(change.sku)
        if not body:
            raise base.Refused("the change names no value")
        now = self._patch(record, body, deadline)
        others = [one for one in wire.records_of(row) if one.get("url") != record.get("url")]
        variant = wire.variant_of({**row, "stockrecords": [now, *others]})
        return Receipt(change.variant_id, {"now": [variant_state(variant, _product_of(row))]})

    def set_stock(self, payload: SetStockPayload, deadline: CallDeadline) -> Receipt:
        """Set the units on hand of a variant. Raises Stale, Refused, Vanished."""
        change = _only(payload.changes)
        if not 0 <= change.quantity <= _MOST_UNITS:
            raise base.Refused(f"the shop takes no stock of {change.quantity}")
        record: Mapping[str, Any]
        if change.stock_item_id and change.expected is None:
            record = {"url": f"/{wire.path_id(change.stock_item_id)}/"}
        else:
            with before_the_write():
                record = self._record(change, deadline)
            units = wire.units_of(record.get("num_in_stock"))
            if change.expected is not None and units != change.expected:
                raise Stale("the stock changed since it was compared", found={change.variant_id: units})
        now = self._patch(record, {"num_in_stock": change.quantity}, deadline)
        return Receipt(change.variant_id, {"now": [_state(now, change.variant_id)]})

    def probe_update(self, payload: UpdateVariantsPayload) -> Receipt | None:
        """Return a receipt if the variant has exactly the values that were sent."""
        change = _only(payload.changes)
        row = self._reader.row(change.variant_id)
        variant = wire.variant_of(row)
        if not _has(variant, change):
            return None
        return Receipt(change.variant_id, {**ADOPTED, "now": [variant_state(variant, _product_of(row))]})

    def probe_stock(self, payload: SetStockPayload) -> Receipt | None:
        """Return a receipt if the shop has exactly the units that were sent."""
        change = _only(payload.changes)
        record = self._record(change, None)
        if wire.units_of(record.get("num_in_stock")) != change.quantity:
            return None
        return Receipt(change.variant_id, {**ADOPTED, "now": [_state(record, change.variant_id)]})

    def _record(self, change: StockChange, deadline: CallDeadline | None) -> Mapping[str, Any]:
        left_s = None if deadline is None else deadline.left_s
        if change.stock_item_id:
            return self._api.get(f"{_RECORDS}{wire.path_id(change.stock_item_id)}/", timeout_s=left_s)
        return _record_of(self._reader.row(change.variant_id, timeout_s=left_s), change.location_id)

    def _patch(self, record: Mapping[str, Any], body: Mapping[str, Any], deadline: CallDeadline) -> dict[str, Any]:
        path = f"{_RECORDS}{wire.id_of(record.get('url'))}/"
        found = self._api.send("PATCH", path, body, timeout_s=deadline.left_s)
        if not wire.id_of(found.get("url")):
            raise base.Uncertain("the shop's answer is no stock record")
        return found


def price_text(price: Money, currency: str) -> str:
    """Return a price as the shop takes it. Raises Refused for another currency, or more than two decimals."""
    if price.currency != currency:
        raise base.Refused(f"the shop's price is in {currency}")
    if price.minor < 0 or price.decimal != round(price.decimal, 2):
        raise base.Refused("the shop takes prices of two decimals that are not negative")
    return f"{price.decimal:.2f}"


def require_sku(sku: str) -> str:
    """Return a SKU. Raises Refused for one that the shop cannot store."""
    if not 0 < len(sku) <= LONGEST_SKU:
        raise base.Refused(f"a SKU has 1 to {LONGEST_SKU} characters")
    return sku


def _only(changes: Sequence[Any]) -> Any:
    if len(changes) != BATCH:
        raise base.Refused(f"this shop changes one variant at a time, not {len(changes)}")
    return changes[0]


def _record_of(row: Mapping[str, Any], location_id: str) -> dict[str, Any]:
    found = [one for one in wire.records_of(row) if location_id in ("", wire.id_of(one.get("partner")))]
    if not found:
        raise base.Refused("the variant has no stock record there")
    return found[0]


def _product_of(row: Mapping[str, Any]) -> str:
    return wire.id_of(row.get("parent")) or wire.id_of(row.get("id"))


def _state(record: Mapping[str, Any], variant_id: str) -> dict[str, Any]:
    return stock_state(wire.level_of(record, variant_id), moment_of(record.get("date_updated")))


def _has(variant: ShopVariant, change: VariantChange) -> bool:
    return change.price in (None, variant.price) and change.sku in ("", variant.sku)
