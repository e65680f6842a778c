"""Read Oscar's answers into the values of shops. Pure.

A product of Oscar is one of three: it stands alone, or it is a parent with children, which are its variants. SKU, price
and stock are in stock records, one for each partner: partners are the locations. Prices are decimals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, dicts_of, moment_of, text_of
from fleet.adapters.shops import (
    Money,
    ProductImage,
    ProductStatus,
    ShopProduct,
    ShopVariant,
    StockLevel,
)
from fleet.core.errors import InvalidInput

CHILD, PARENT, STANDALONE = "child", "parent", "standalone"
LONGEST_DESCRIPTION = 100_000
MOST_IMAGES = 50
_MOST_UNITS = 2**31 - 1
_ID = re.compile(r"[0-9]{1,18}", re.A)
_URL_ID = re.compile(r"/([0-9]{1,18})/?$", re.A)
_CODE = re.compile(r"fleet-([0-9a-f]{64})-.*", re.DOTALL)


def path_id(value: str) -> str:
    """Return an id as a part of a path. Raises Vanished for one that Oscar cannot have."""
    if not _ID.fullmatch(value):
        raise base.Vanished("this is no id of an Oscar shop")
    return value


def id_of(value: object) -> str:
    """Return the id in a number, or at the end of an address; empty for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return str(value)
    match = _URL_ID.search(value[-100:]) if isinstance(value, str) else None
    return match[1] if match else ""


def units_of(value: object) -> int:
    """Return a number of units; 0 for none, as Oscar has it before the first order."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return max(-_MOST_UNITS, min(int(str(value)), _MOST_UNITS)) if is_number else 0


def money_of(amount: object, currency: object) -> Money | None:
    """Return a decimal amount; None for anything that is none."""
    code, written = text_of(currency, 3), text_of(amount, 40)
    try:
        return Money.parse(written, code) if written and len(code) == 3 else None
    except InvalidInput:
        return None


def records_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the stock records of a product, oldest first."""
    found = [one for one in dicts_of(row.get("stockrecords")) if id_of(one.get("url"))]
    return sorted(found, key=lambda one: int(id_of(one.get("url"))))


def levels_of(row: Mapping[str, Any]) -> list[StockLevel]:
    """Return the stock of a variant at each partner."""
    return [level_of(one, id_of(row.get("id"))) for one in records_of(row)]


def level_of(record: Mapping[str, Any], variant_id: str) -> StockLevel:
    """Return a stock record as a stock level."""
    return StockLevel(
        variant_id=variant_id, location_id=id_of(record.get("partner")), on_hand=units_of(record.get("num_in_stock")),
        allocated=units_of(record.get("num_allocated")),
    )  # fmt: skip


def variant_of(row: Mapping[str, Any]) -> ShopVariant:
    """Return a product that stands alone, or a child, as a variant. Price and SKU are those of its first record.

    Only a child has a title and options of its own.
    """
    records, is_child = records_of(row), row.get("structure") == CHILD
    first: Mapping[str, Any] = records[0] if records else {}
    options = {
        _name(one.get("name")) or _name(one.get("code")): _name(str(one.get("value", ""))[:LONGEST_NAME_CHARS])
        for one in dicts_of(row.get("attributes"))[:20]
    }
    times = [moment_of(one.get("date_updated")) for one in (row, *records)]
    return ShopVariant(
        id=id_of(row.get("id")), sku=_name(first.get("partner_sku")) or _name(row.get("upc")),
        title=text_of(row.get("title"), 1000) if is_child else "", options=options if is_child else {},
        price=money_of(first.get("price"), first.get("price_currency")),
        on_hand=sum(units_of(one.get("num_in_stock")) for one in records) if records else None,
        updated_at=max((one for one in times if one is not None), default=None),
        stock_item_id=id_of(first.get("url")),
    )  # fmt: skip


def product_of(row: Mapping[str, Any], children: Sequence[Mapping[str, Any]], address: str) -> ShopProduct:
    """Return a product with its variants."""
    is_parent = row.get("structure") == PARENT
    variants = [variant_of(one) for one in sorted(children, key=lambda one: int(id_of(one.get("id")) or 0))]
    names = row.get("categories")
    categories = [_name(one) for one in names if isinstance(one, str)] if isinstance(names, list) else []
    product_id = id_of(row.get("id"))
    return ShopProduct(
        id=product_id, key=_name(row.get("upc")), title=text_of(row.get("title"), 1000),
        description=text_of(row.get("description"), LONGEST_DESCRIPTION),
        status=ProductStatus.ACTIVE if row.get("is_public") is True else ProductStatus.DRAFT,
        categories=tuple(sorted(one for one in categories if one)), images=images_of(row),
        variants=tuple(variants) if is_parent else (variant_of(row),), updated_at=moment_of(row.get("date_updated")),
        url=f"{address}/catalogue/product_{product_id}/",
    )  # fmt: skip


def images_of(row: Mapping[str, Any]) -> tuple[ProductImage, ...]:
    """Return the images of a product in their order. Their codes carry the digests of those that Fleet sent."""
    found = sorted(dicts_of(row.get("images")), key=lambda one: units_of(one.get("display_order")))
    images = []
    for one in found[:MOST_IMAGES]:
        match = _CODE.fullmatch(text_of(one.get("code"), 300))
        images.append(
            ProductImage(
                url=text_of(one.get("original"), 2000), alt_text=text_of(one.get("caption"), 200),
                digest=match[1] if match else "", id=id_of(one.get("id")),
            )
        )  # fmt: skip
    return tuple(images)


def image_code(digest: str, key: str) -> str:
    """Return the code of an image, which is unique in a shop: the same picture of two products has two."""
    return f"fleet-{digest}-{key}"[:255]


def created_of(row: Mapping[str, Any]) -> datetime | None:
    """Return when a product was created, by which the shop orders its list."""
    return moment_of(row.get("date_created"))


def _name(value: object) -> str:
    return text_of(value, LONGEST_NAME_CHARS)
