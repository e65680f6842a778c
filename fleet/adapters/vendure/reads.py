"""Read a Vendure shop: pages that lose no row while others are added or removed, and single objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.answers import dict_of, text_of
from fleet.adapters.shops import ProductPage, ShopInfo, ShopProduct, ShopVariant, StockLevel, StockPage
from fleet.adapters.vendure import documents, wire
from fleet.adapters.vendure.admin_api import AdminApi
from fleet.core.errors import InvalidInput

MOST_A_PAGE = 100
MOST_VARIANTS_A_PAGE = 500
_MOST_A_LIST = 1000
"""`adminListQueryLimit` as Vendure is shipped."""
_MOST_LISTS = 20
_OVERLAP = 3
Filter = Mapping[str, Any] | None


class VendureReader:
    """The reads of one shop. Safe to use from many threads."""

    def __init__(self, api: AdminApi, address: str) -> None:
        self._api = api
        self._address = address
        self._shop: ShopInfo | None = None
        self._language = "en"

    def shop(self, *, timeout_s: float | None = None) -> ShopInfo:
        """Return the shop as it is now."""
        data = self._api.read(documents.SHOP, {}, timeout_s=timeout_s)
        language = dict_of(data.get("activeChannel")).get("defaultLanguageCode")
        self._language = text_of(language, 20) or "en"
        self._shop = wire.shop_of(data, self._address)
        return self._shop

    def known_shop(self, timeout_s: float | None = None) -> ShopInfo:
        """Return the shop as it was at the first call."""
        return self._shop or self.shop(timeout_s=timeout_s)

    def language(self, timeout_s: float | None = None) -> str:
        """Return the language of texts: the channel's default one."""
        self.known_shop(timeout_s)
        return self._language

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products, by id."""
        found, following, total = self.page(documents.PRODUCTS, "products", None, cursor, min(limit, MOST_A_PAGE))
        return ProductPage(tuple(self._with_variants(found)), following, total)

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return products that changed, and then those with a variant that changed: neither moves the other's time."""
        # Inserts are stored to the second.
        after = since.replace(microsecond=0) - timedelta(milliseconds=1)
        changed = {"updatedAt": {"after": stamp(after)}}
        limit, (kind, _, place) = min(limit, MOST_A_PAGE), (cursor or "products:").partition(":")
        if kind == "products":
            found, following, _ = self.page(documents.PRODUCTS, "products", changed, place or None, limit)
            onward = f"products:{following}" if following else "variants:"
            return ProductPage(tuple(self._with_variants(found)), onward)
        if kind != "variants":
            raise InvalidInput("This is no cursor of changes.", fix="Begin without a cursor.")
        variants, following, _ = self.page(documents.VARIANT_PRODUCTS, "productVariants", changed, place or None, limit)
        ids = list(dict.fromkeys(wire.id_of(one.get("productId")) for one in variants))
        return ProductPage(tuple(self.products_of(ids)), f"variants:{following}" if following else None)

    def product(self, product_id: str, *, timeout_s: float | None = None) -> ShopProduct:
        """Return a product. Raises Vanished."""
        found = self.products_of([product_id], timeout_s=timeout_s)
        if not found:
            raise base.Vanished("the shop has no such product")
        return found[0]

    def products_of(self, ids: Sequence[str], *, timeout_s: float | None = None) -> list[ShopProduct]:
        """Return the products of these ids that are there."""
        found = self._all(documents.PRODUCTS, "products", {"id": {"in": list(ids)}}, timeout_s) if ids else []
        return self._with_variants(found, timeout_s)

    def find_products(
        self, *, skus: Sequence[str] = (), key: str = "", timeout_s: float | None = None
    ) -> list[ShopProduct]:
        """Return the products that have one of these SKUs, or the key."""
        ids: dict[str, None] = {}
        if skus:
            matches = {"sku": {"in": list(skus)}}
            variants = self._all(documents.VARIANT_PRODUCTS, "productVariants", matches, timeout_s)
            ids |= dict.fromkeys(wire.id_of(one.get("productId")) for one in variants)
        found = self.products_of(list(ids), timeout_s=timeout_s)
        if key:
            named = self._all(documents.PRODUCTS, "products", {"slug": {"eq": key}}, timeout_s)
            found += self._with_variants([one for one in named if wire.id_of(one.get("id")) not in ids], timeout_s)
        return found

    def priced(self, ids: Sequence[str], *, timeout_s: float | None = None) -> dict[str, dict[str, Any]]:
        """Return the shop's own objects of the variants that are there, by id, with SKUs and prices only."""
        found = self._all(documents.PRICES, "productVariants", {"id": {"in": list(ids)}}, timeout_s) if ids else []
        return {wire.id_of(one["id"]): one for one in found}

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return a page of the stock of all variants, by id."""
        most = min(limit, MOST_VARIANTS_A_PAGE)
        found, following, _ = self.page(documents.LEVELS, "productVariants", None, cursor, most)
        return StockPage(tuple(level for one in found for level in wire.levels_of(one)), following)

    def stock_of(self, ids: Sequence[str], *, timeout_s: float | None = None) -> list[StockLevel]:
        """Return the stock of variants at each location; nothing for those that are gone."""
        found = self._all(documents.LEVELS, "productVariants", {"id": {"in": list(ids)}}, timeout_s) if ids else []
        return [level for one in found for level in wire.levels_of(one)]

    def _with_variants(self, found: Sequence[Mapping[str, Any]], timeout_s: float | None = None) -> list[ShopProduct]:
        variants: dict[str, list[ShopVariant]] = {wire.id_of(one.get("id")): [] for one in found}
        if variants:
            owned = {"productId": {"in": list(variants)}}
            for one in self._all(documents.VARIANTS, "productVariants", owned, timeout_s):
                variants.setdefault(wire.id_of(one.get("productId")), []).append(wire.variant_of(one))
        return [
            wire.product_of(one, variants[wire.id_of(one.get("id"))], self.url_of(wire.id_of(one.get("id"))))
            for one in found
        ]

    def url_of(self, product_id: str) -> str:
        """Return the page of a product in the shop's Dashboard, at the route that it has as shipped."""
        return f"{self._address}/dashboard/products/{quote(product_id, safe='')}"

    def page(
        self, document: str, name: str, chosen: Filter, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None, int]:
        """Return the rows after a cursor in the order of their ids, the next cursor, and the number of rows in all.

        Pages are counted by the shop, so a removed row moves all later ones forward. Each page begins a few rows early:
        if it does not begin at or before the last row that was read, rows were removed, and the page moves back.
        """
        skip, last = _place(cursor)
        limit = max(1, limit)
        begin = max(0, skip - _OVERLAP) if last else 0
        while True:
            take = limit + skip - begin if begin < skip else limit
            variables = {"skip": begin, "take": min(take, _MOST_A_LIST), "filter": chosen}
            found, total = wire.items_of(self._api.read(document, variables), name)
            if not begin or not last or (found and not is_after(wire.id_of(found[0]["id"]), last)):
                break
            begin = max(0, begin - limit)
        rows = [one for one in found if not last or is_after(wire.id_of(one["id"]), last)]
        end = begin + len(found)
        if not found or end >= total:
            return rows, None, total
        newest = wire.id_of(found[-1]["id"])
        return rows, f"{end}:{newest if rows else last}", total

    def _all(self, document: str, name: str, chosen: Filter, timeout_s: float | None = None) -> list[dict[str, Any]]:
        """Return all rows that a filter chooses. Raises Uncertain for more than a few thousand."""
        rows: list[dict[str, Any]] = []
        for _ in range(_MOST_LISTS):
            variables = {"skip": len(rows), "take": _MOST_A_LIST, "filter": chosen}
            found, total = wire.items_of(self._api.read(document, variables, timeout_s=timeout_s), name)
            rows += found
            if not found or len(rows) >= total:
                return rows
        raise base.Uncertain(f"the shop has more {name} than one read takes")


def is_after(one: str, other: str) -> bool:
    """Say whether an id comes after another in the shop's order: numbers by value, texts by letter."""
    if one.isdecimal() and other.isdecimal():
        return int(one) > int(other)
    return one > other


def stamp(moment: datetime) -> str:
    """Return a time as Vendure's filters take it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _place(cursor: str | None) -> tuple[int, str]:
    skip, colon, last = (cursor or "0:").partition(":")
    if not colon or not (skip.isascii() and skip.isdigit()) or len(skip) > 12 or len(last) > base.LONGEST_ID:
        raise InvalidInput("This is no cursor of a Vendure shop.", fix="Begin without a cursor.")
    return int(skip), last
