"""Read an Oscar shop: a sweep that loses no row while others are added or removed, and single objects.

The shop's list is ordered by the time of creation, newest first, and paged by numbers: a new product moves all others
one place on, a removed one moves them back. It ignores filters that it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import moment_of, text_of
from fleet.adapters.oscar import wire
from fleet.adapters.oscar.rest_api import RestApi
from fleet.adapters.shops import ProductPage, ShopInfo, ShopLocation, ShopProduct, StockLevel, StockPage
from fleet.core.errors import InvalidInput

MOST_A_PAGE = 100
PRODUCTS = "/api/admin/products/"
_PARTNERS = "/api/admin/partners/"
_OVERLAP = 3
_MOST_PARTNERS = 100
_MOST_CHILDREN = 100
_LONGEST_CURSOR = 4_000


class OscarReader:
    """The reads of one shop. Safe to use from many threads."""

    def __init__(self, api: RestApi, address: str, host: str) -> None:
        self._api = api
        self.address = address
        self._host = host
        self._shop: ShopInfo | None = None

    def shop(self, *, timeout_s: float | None = None) -> ShopInfo:
        """Return the shop as it is now. Its currency is that of a stock record: its API does not tell it."""
        partners, _ = self._api.rows(_PARTNERS, offset=0, limit=_MOST_PARTNERS, timeout_s=timeout_s)
        rows, _ = self._api.rows(PRODUCTS, offset=0, limit=20, timeout_s=timeout_s)
        found = [text_of(record.get("price_currency"), 3) for row in rows for record in wire.records_of(row)]
        currency = self._api.keys.currency or next((one for one in found if len(one) == 3), "")
        if not currency:
            raise base.Refused("the shop has no stock record that tells its currency: name it in the credentials")
        locations = tuple(
            ShopLocation(id=wire.id_of(one.get("url")), name=text_of(one.get("name"), 200))
            for one in sorted(partners, key=lambda one: one.get("code") != self._api.keys.partner)
            if wire.id_of(one.get("url"))
        )
        self._shop = ShopInfo(name=self._host, currency=currency, locations=locations, url=self.address,
                              clock=self._api.clock)  # fmt: skip
        return self._shop

    def known_shop(self, timeout_s: float | None = None) -> ShopInfo:
        """Return the shop as it was at the first call."""
        return self._shop or self.shop(timeout_s=timeout_s)

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products, newest first. Children come with their parents."""
        rows, following, total = self._page(cursor, limit)
        return ProductPage(tuple(self._whole(rows)), following, total)

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return products that changed: from the shop's own view where it has one, else by a whole sweep."""
        if self._api.keys.lookup:
            return self._looked_up(since, cursor, limit)
        rows, following, _ = self._page(cursor, limit)
        changed = [one for one in self._whole(rows) if _changed_at(one) >= since]
        return ProductPage(tuple(changed), following)

    def product(self, product_id: str, *, timeout_s: float | None = None) -> ShopProduct:
        """Return a product; for a child its parent's. Raises Vanished."""
        row = self.row(product_id, timeout_s=timeout_s)
        if row.get("structure") == wire.CHILD:
            row = self.row(wire.id_of(row.get("parent")), timeout_s=timeout_s)
        return self._of_row(row, {}, timeout_s)

    def row(self, product_id: str, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Return the shop's own object of a product or a child. Raises Vanished."""
        return self._api.get(f"{PRODUCTS}{wire.path_id(product_id)}/", timeout_s=timeout_s)

    def find_by_key(self, key: str, *, timeout_s: float | None = None) -> ShopProduct | None:
        """Return the product with a UPC. Without a view of its own, the shop moves the product's time by that."""
        row = self.row_of_upc(key, timeout_s)
        if row is None or row.get("structure") == wire.CHILD:
            return None
        return self._of_row(row, {}, timeout_s)

    def find_by_sku(self, sku: str) -> list[ShopProduct]:
        """Return the products with a SKU: where it is a UPC as well this takes one call, else a sweep."""
        row = self.row_of_upc(sku, None)
        if row is not None and wire.variant_of(row).sku == sku:
            return [self.product(wire.id_of(row.get("id")))]
        found: dict[str, ShopProduct] = {}
        cursor: str | None = None
        while True:
            page = self.products(cursor=cursor, limit=MOST_A_PAGE)
            found |= {one.id: one for one in page.items if any(variant.sku == sku for variant in one.variants)}
            cursor = page.cursor
            if cursor is None:
                return list(found.values())

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return a page of the stock of all variants."""
        rows, following, _ = self._page(cursor, limit)
        return StockPage(tuple(level for row in rows for level in wire.levels_of(row)), following)

    def stock_of(self, ids: Sequence[str]) -> list[StockLevel]:
        """Return the stock of variants at each partner, one call for each; nothing for those that are gone."""
        levels: list[StockLevel] = []
        for one in ids:
            try:
                levels += wire.levels_of(self.row(one))
            except base.Vanished:
                continue
        return levels

    def row_of_upc(self, upc: str, timeout_s: float | None) -> dict[str, Any] | None:
        """Return the shop's own object with a UPC; None if there is none."""
        if not 0 < len(upc) <= 64:
            return None
        try:
            if self._api.keys.lookup:
                found = self._api.get(self._lookup_path, timeout_s=timeout_s, upc=upc)
                ids = [wire.id_of(one.get("id")) for one in _results(found)]
                return self.row(ids[0], timeout_s=timeout_s) if ids else None
            return self._api.send("PATCH", PRODUCTS, {"upc": upc}, timeout_s=timeout_s or 30.0)
        except base.Vanished:
            return None

    @property
    def _lookup_path(self) -> str:
        return f"/{self._api.keys.lookup.strip('/')}/"

    def _looked_up(self, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        offset, limit = int(_number(cursor or "0")), max(1, min(limit, MOST_A_PAGE))
        found = self._api.get(self._lookup_path, since=since.isoformat(), limit=limit, offset=offset)
        rows = _results(found)
        products: dict[str, ShopProduct] = {}
        for one in rows:
            try:
                product = self.product(wire.id_of(one.get("id")))
            except base.Vanished:  # meanwhile
                continue
            products[product.id] = product
        return ProductPage(tuple(products.values()), str(offset + len(rows)) if len(rows) == limit else None)

    def _whole(self, rows: Sequence[Mapping[str, Any]]) -> list[ShopProduct]:
        """Return the products among rows. Children that are not among them are read one by one."""
        known = {wire.id_of(one.get("id")): one for one in rows if one.get("structure") == wire.CHILD}
        products = []
        for row in rows:
            if row.get("structure") != wire.CHILD:
                try:
                    products.append(self._of_row(row, known, None))
                except base.Vanished:  # a child was removed while they were read
                    products.append(self._of_row(self.row(wire.id_of(row.get("id"))), {}, None))
        return products

    def _of_row(
        self, row: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], timeout_s: float | None
    ) -> ShopProduct:
        urls = row.get("children")
        ids = [wire.id_of(one) for one in urls[:_MOST_CHILDREN]] if isinstance(urls, list) else []
        children = [known.get(one) or self.row(one, timeout_s=timeout_s) for one in ids if one]
        return wire.product_of(row, children, self.address)

    def _page(self, cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None, int]:
        """Return the rows after a cursor, the next cursor, and the number of rows in all.

        A page begins a few rows early. If its first row is older than the last one that was read, rows were removed,
        and it moves back. Rows that were read before are left out: those of the same time by their ids.
        """
        offset, last, seen = _place(cursor)
        limit = max(1, min(limit, MOST_A_PAGE))
        begin = max(0, offset - _OVERLAP) if last is not None else 0
        while True:
            rows, total = self._api.rows(PRODUCTS, offset=begin, limit=limit + _OVERLAP)
            first = wire.created_of(rows[0]) if rows else None
            if not begin or last is None or (first is not None and first >= last):
                break
            begin = max(0, begin - limit)
        fresh = [
            one for one in rows
            if last is None or ((wire.created_of(one) or last) <= last and wire.id_of(one.get("id")) not in seen)
        ]  # fmt: skip
        end = begin + len(rows)
        if not rows or end >= total:
            return fresh, None, total
        oldest = wire.created_of(fresh[-1]) if fresh else last
        if oldest is None:
            raise base.Uncertain("the shop's products have no time of creation")
        ids = [wire.id_of(one.get("id")) for one in fresh if wire.created_of(one) == oldest]
        ids += list(seen) if oldest == last else []
        return fresh, json.dumps([end, oldest.isoformat(), ids]), total


def _changed_at(product: ShopProduct) -> datetime:
    times = [product.updated_at, *(one.updated_at for one in product.variants)]
    return max((one for one in times if one is not None), default=datetime.max.replace(tzinfo=UTC))


def _results(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = found.get("results")
    if not isinstance(rows, list):
        raise base.Uncertain("the shop's own view answers no list")
    return [one for one in rows if isinstance(one, dict) and wire.id_of(one.get("id"))]


def _number(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise InvalidInput("This is no cursor of an Oscar shop.", fix="Begin without a cursor.")
    return text


def _place(cursor: str | None) -> tuple[int, datetime | None, frozenset[str]]:
    if cursor is None:
        return 0, None, frozenset()
    try:
        offset, last, seen = json.loads(cursor[: 10 * _LONGEST_CURSOR])
        return int(_number(str(offset))), moment_of(last), frozenset(map(str, seen))
    except (ValueError, TypeError, RecursionError):
        raise InvalidInput("This is no cursor of an Oscar shop.", fix="Begin without a cursor.") from None
