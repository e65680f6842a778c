"""Read Vendure's answers into the values of shops. Pure.

Money is in minor units already. Texts are cut to what Fleet stores, and an object without an id is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, dict_of, dicts_of, moment_of, text_of
from fleet.adapters.shops import (
    MOST_MINOR,
    Money,
    ProductImage,
    ProductStatus,
    ShopInfo,
    ShopLocation,
    ShopProduct,
    ShopVariant,
    StockLevel,
    currency_of,
)

CATEGORY = "category"
"""The code of the facet whose values are the categories of a product. Vendure's collections follow from filters."""
LONGEST_DESCRIPTION = 100_000
MOST_IMAGES = 50
_MOST_OPTIONS = 20
_DIGEST = re.compile(r"fleet-([0-9a-f]{64})\.[a-z0-9]{1,5}")
_MOST_UNITS = 2**31 - 1


def id_of(value: object) -> str:
    """Return an id; empty for anything that is none."""
    found = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return found if isinstance(found, str) and 0 < len(found) <= base.LONGEST_ID else ""


def units_of(value: object) -> int:
    """Return a number of units, which may be negative; 0 for anything that is none."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return max(-_MOST_UNITS, min(int(str(value)), _MOST_UNITS)) if is_number else 0


def money_of(amount: object, currency: object) -> Money | None:
    """Return an amount in minor units; None for anything that is none."""
    code = currency_of(currency)
    if not isinstance(amount, int) or isinstance(amount, bool) or abs(amount) > MOST_MINOR or not code:
        return None
    return Money(amount, code)


def shop_of(data: Mapping[str, Any], url: str) -> ShopInfo:
    """Return the shop. Raises Uncertain for an answer without a currency."""
    channel = dict_of(data.get("activeChannel"))
    currency = currency_of(channel.get("defaultCurrencyCode"))
    if not currency:
        raise base.Uncertain("the shop does not name its currency")
    found = dicts_of(dict_of(data.get("stockLocations")).get("items"))
    locations = [ShopLocation(id=id_of(one.get("id")), name=_name(one.get("name"))) for one in found]
    name = _name(dict_of(channel.get("seller")).get("name")) or _name(channel.get("code"))
    return ShopInfo(name=name, currency=currency, url=url, locations=tuple(one for one in locations if one.id))


def items_of(data: Mapping[str, Any], name: str) -> tuple[list[dict[str, Any]], int]:
    """Return the items of a list that have ids, and how many there are in all. Raises Uncertain without a list."""
    found = dict_of(data.get(name))
    if not isinstance(found.get("items"), list):
        raise base.Uncertain(f"the shop's answer has no list of {name}")
    total = found.get("totalItems")
    return [one for one in dicts_of(found["items"]) if id_of(one.get("id"))], units_of(total)


def product_of(found: Mapping[str, Any], variants: Iterable[ShopVariant], url: str) -> ShopProduct:
    """Return a product with its variants."""
    values = dicts_of(found.get("facetValues"))
    categories = [_name(one.get("name")) for one in values if dict_of(one.get("facet")).get("code") == CATEGORY]
    return ShopProduct(
        id=id_of(found.get("id")), key=_name(found.get("slug")), title=text_of(found.get("name"), 1000),
        description=text_of(found.get("description"), LONGEST_DESCRIPTION),
        status=ProductStatus.ACTIVE if found.get("enabled") is True else ProductStatus.DRAFT,
        categories=tuple(sorted(one for one in categories if one)), images=images_of(found),
        variants=tuple(variants), updated_at=moment_of(found.get("updatedAt")), url=url,
    )  # fmt: skip


def images_of(found: Mapping[str, Any]) -> tuple[ProductImage, ...]:
    """Return the images of a product, the featured one first. Their names carry the digests of those Fleet uploaded."""
    first = id_of(dict_of(found.get("featuredAsset")).get("id"))
    assets = sorted(dicts_of(found.get("assets")), key=lambda one: id_of(one.get("id")) != first)
    return tuple(
        ProductImage(
            url=text_of(one.get("source"), 2000), digest=digest_of(text_of(one.get("name"), 200)), id=id_of(one["id"])
        )
        for one in assets[:MOST_IMAGES]
        if id_of(one.get("id"))
    )


def digest_of(name: str) -> str:
    """Return the digest in the name of an asset; empty for one that Fleet did not upload."""
    match = _DIGEST.fullmatch(name)
    return match[1] if match else ""


def variant_of(found: Mapping[str, Any]) -> ShopVariant:
    """Return a variant. Its stock is that of all locations together; None if the answer has no stock."""
    options = {
        _name(dict_of(one.get("group")).get("name")): _name(one.get("name"))
        for one in dicts_of(found.get("options"))[:_MOST_OPTIONS]
    }
    levels, currency = found.get("stockLevels"), found.get("currencyCode")
    prices = [one.get("price") for one in dicts_of(found.get("prices")) if one.get("currencyCode") == currency]
    return ShopVariant(
        id=id_of(found.get("id")), sku=_name(found.get("sku")), title=text_of(found.get("name"), 1000),
        options=options, price=money_of(prices[0], currency) if prices else None,
        on_hand=None if levels is None else sum(units_of(one.get("stockOnHand")) for one in dicts_of(levels)),
        updated_at=moment_of(found.get("updatedAt")),
    )  # fmt: skip


def levels_of(found: Mapping[str, Any]) -> list[StockLevel]:
    """Return the stock of a variant at each location."""
    return [
        StockLevel(
            variant_id=id_of(found.get("id")), location_id=id_of(one.get("stockLocationId")),
            on_hand=units_of(one.get("stockOnHand")), allocated=units_of(one.get("stockAllocated")),
        )
        for one in dicts_of(found.get("stockLevels"))
        if id_of(one.get("stockLocationId"))
    ]  # fmt: skip


def _name(value: object) -> str:
    return text_of(value, LONGEST_NAME_CHARS)
