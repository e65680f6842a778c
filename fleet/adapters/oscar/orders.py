"""Orders of an Oscar shop, which its API only reads. Each order and its lines are requests of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, dict_of, moment_of, text_of
from fleet.adapters.oscar import wire
from fleet.adapters.oscar.reads import OscarReader
from fleet.adapters.oscar.rest_api import RestApi
from fleet.adapters.shops import Money, OrderCustomer, OrderLine, OrderPage, OrderState, ShopOrder
from fleet.core.errors import InvalidInput

_ORDERS = "/api/admin/orders/"
_MOST_A_PAGE = 50
_MOST_LINES = 200
_OVERLAP = 3
_STATES = {
    "new": OrderState.PENDING, "pending": OrderState.PENDING, "paid": OrderState.CONFIRMED,
    "confirmed": OrderState.CONFIRMED, "authorised": OrderState.CONFIRMED, "authorized": OrderState.CONFIRMED,
    "being processed": OrderState.PROCESSING, "processing": OrderState.PROCESSING, "processed": OrderState.PROCESSING,
    "complete": OrderState.SHIPPED, "completed": OrderState.SHIPPED, "shipped": OrderState.SHIPPED,
    "dispatched": OrderState.SHIPPED, "delivered": OrderState.DELIVERED, "cancelled": OrderState.CANCELLED,
    "canceled": OrderState.CANCELLED, "refunded": OrderState.REFUNDED,
}  # fmt: skip
"""By the words that shops use: each shop defines its own pipeline. Other words are PROCESSING."""


class OrderReader:
    """The orders of one shop."""

    def __init__(self, api: RestApi, reader: OscarReader) -> None:
        self._api = api
        self._reader = reader

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return a page of orders that were placed at or after a time, newest first. One may come twice."""
        offset, limit = _offset(cursor), max(1, min(limit, _MOST_A_PAGE))
        begin = max(0, offset - _OVERLAP)
        rows, total = self._api.rows(_ORDERS, offset=begin, limit=limit + _OVERLAP)
        placed = [(one, moment_of(one.get("date_placed"))) for one in rows]
        chosen = [one for one, at in placed if at is not None and (since is None or at >= since)]
        is_last = len(chosen) < len(rows) or begin + len(rows) >= total
        known: dict[str, tuple[str, str]] = {}
        orders = tuple(self._order_of(one, known) for one in chosen)
        return OrderPage(orders, None if is_last else str(begin + len(rows)))

    def order(self, order_id: str) -> ShopOrder:
        """Return an order. Raises Vanished."""
        return self._order_of(self._api.get(f"{_ORDERS}{wire.path_id(order_id)}/"), {})

    def _order_of(self, row: Mapping[str, Any], known: dict[str, tuple[str, str]]) -> ShopOrder:
        order_id, placed = wire.id_of(row.get("url")), moment_of(row.get("date_placed"))
        currency = text_of(row.get("currency"), 3)
        total = wire.money_of(row.get("total_incl_tax"), currency)
        if not order_id or placed is None or total is None:
            raise base.Uncertain("the shop's answer has an order without id, time or amount")
        lines, _ = self._api.rows(f"{_ORDERS}{order_id}/lines/", offset=0, limit=_MOST_LINES)
        return ShopOrder(
            id=order_id, number=text_of(row.get("number"), LONGEST_NAME_CHARS),
            state=_STATES.get(text_of(row.get("status"), 60).strip().lower(), OrderState.PROCESSING),
            placed_at=placed, updated_at=None, total=total, customer=_customer(row),
            lines=tuple(self._line(one, currency, known) for one in lines),
        )  # fmt: skip

    def _line(self, row: Mapping[str, Any], currency: str, known: dict[str, tuple[str, str]]) -> OrderLine:
        """Return a line. The API names only its product, and nothing once that is deleted."""
        variant, quantity = wire.id_of(row.get("product")), wire.units_of(row.get("quantity"))
        sku, title = self._named(variant, known)
        total = wire.money_of(row.get("price_incl_tax"), currency) or Money(0, currency)
        return OrderLine(
            id=wire.id_of(row.get("url")), variant_id=variant, sku=sku, title=title, quantity=quantity,
            unit_price=Money(total.minor // max(1, quantity), currency),
        )  # fmt: skip

    def _named(self, variant_id: str, known: dict[str, tuple[str, str]]) -> tuple[str, str]:
        if variant_id and variant_id not in known:
            try:
                variant = wire.variant_of(self._reader.row(variant_id))
                known[variant_id] = variant.sku, variant.title
            except base.Vanished:
                known[variant_id] = "", ""
        return known.get(variant_id, ("", ""))


def _customer(row: Mapping[str, Any]) -> OrderCustomer:
    address = dict_of(row.get("shipping_address"))
    name = f"{text_of(address.get('first_name'), 100)} {text_of(address.get('last_name'), 100)}".strip()
    country = text_of(address.get("country"), 500).rstrip("/").rpartition("/")[2]
    return OrderCustomer(
        id=wire.id_of(row.get("owner")), name=name, email=text_of(row.get("email"), 320),
        country=country if len(country) == 2 else "",
    )  # fmt: skip


def _offset(cursor: str | None) -> int:
    text = cursor or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise InvalidInput("This is no cursor of orders.", fix="Begin without a cursor.")
    return int(text)
