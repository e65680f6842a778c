"""Values of fields as JSON, from shops and from the catalogue, so that three of them can be compared. Pure.

A field of a variant is named "variant.price" as in `ShopTraits.fields`; stock has a name of its own per location.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.adapters.shops import (
    PRODUCT_FIELDS,
    VARIANT_FIELDS,
    Money,
    ProductImage,
    ProductStatus,
    ShopProduct,
    ShopTraits,
    ShopVariant,
)
from fleet.core.text import storable
from fleet.features.stores.rules import equal

VARIANT = "variant."
PRICE, VARIANT_TITLE = "variant.price", "variant.title"
STOCK = "stock"
PUSHABLE_OF_VARIANTS = frozenset({PRICE, "variant.sku"})
"""The fields of variants that `UPDATE_VARIANTS` changes."""
LONGEST_TITLE, LONGEST_SKU, LONGEST_TEXT = 300, 100, 100_000


def product_values(product: ShopProduct, traits: ShopTraits) -> dict[str, Any]:
    """Return the fields of a product that its shop stores."""
    found: dict[str, Any] = {
        "title": cut(product.title, LONGEST_TITLE), "description": cut(product.description, LONGEST_TEXT),
        "status": status_value(product.status.value, traits),
        "categories": sorted({cut(one, 100) for one in product.categories if one.strip()}),
        "images": [image_value(one) for one in product.images],
    }  # fmt: skip
    return {name: value for name, value in found.items() if name in traits.fields}


def status_value(status: str, traits: ShopTraits) -> str:
    """Return a status as a shop has it: one that archives no products hides them."""
    return status if status in traits.statuses else ProductStatus.DRAFT.value


def variant_values(variant: ShopVariant, traits: ShopTraits) -> dict[str, Any]:
    """Return the fields of a variant that its shop stores, without stock. None: the shop did not give the value."""
    found: dict[str, Any] = {
        "sku": cut(variant.sku, LONGEST_SKU), "title": cut(variant.title, LONGEST_TITLE),
        "options": {cut(name, 100): cut(value, 100) for name, value in sorted(variant.options.items())},
        "price": None if variant.price is None else money_value(variant.price), "barcode": cut(variant.barcode, 60),
    }  # fmt: skip
    return {f"{VARIANT}{name}": found[name] for name in VARIANT_FIELDS if f"{VARIANT}{name}" in traits.fields}


def cut(text: str, longest: int) -> str:
    """Return a text without characters that the database refuses, at most so long."""
    return storable(text)[:longest]


def image_value(image: ProductImage) -> dict[str, str]:
    """Return an image as data."""
    found = {"url": cut(image.url, 2000), "alt_text": cut(image.alt_text, 500), "digest": image.digest, "id": image.id}
    return {name: value for name, value in found.items() if value or name == "url"}


def money_value(money: Money) -> dict[str, Any]:
    """Return an amount as data."""
    return {"minor": money.minor, "currency": money.currency}


def money_of(value: Mapping[str, Any] | None) -> Money | None:
    """Return the amount that `money_value` wrote."""
    return None if value is None else Money(int(value["minor"]), str(value["currency"]))


def image_of(value: Mapping[str, str]) -> ProductImage:
    """Return the image that `image_value` wrote."""
    return ProductImage(value["url"], value.get("alt_text", ""), value.get("digest", ""), value.get("id", ""))


def typed(field: str, value: Any) -> Any:
    """Return a value of a product's field as `UpdateProductPayload.changes` and the catalogue's verbs have it."""
    if field == "status":
        return ProductStatus(value)
    if field == "images":
        return tuple(image_of(one) for one in value)
    if field == "categories":
        return tuple(value)
    if field == PRICE:
        return money_of(value)
    return value


def same_of(field: str) -> Callable[[Any, Any], bool]:
    """Return how two values of a field are compared."""
    return _same_images if field == "images" else equal


def _same_images(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(_same_image(a, b) for a, b in zip(one, other, strict=True))


def _same_image(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    if one.get("digest") and other.get("digest"):
        return one["digest"] == other["digest"]
    if one.get("id") and other.get("id"):
        return one["id"] == other["id"]
    return one.get("url") == other.get("url")


def stock_field(location: str, location_id: uuid.UUID) -> str:
    """Return the name of the field of stock; `location` is the shop's id of the location, empty without one."""
    return f"s:{location_id}" if location else STOCK


def content_digest(product: ShopProduct, traits: ShopTraits) -> str:
    """Return a hash of all that a shop shows of a product, without stock: two equal ones need no further look."""
    content = {
        "product": product_values(product, traits), "key": product.key,
        "variants": [[one.id, one.stock_item_id, variant_values(one, traits)] for one in product.variants],
    }  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def problem_of(product: ShopProduct) -> str:
    """Return why the catalogue cannot take a product; empty if it can. Shops hold what nobody checked."""
    if not product.title.strip():
        return "it has no title"
    if not product.variants:
        return "it has no variants"
    if len({one.id for one in product.variants}) < len(product.variants):
        return "two of its variants have the same id"
    if any(one.price is not None and one.price.minor < 0 for one in product.variants):
        return "a price is negative"
    return ""


def changes_of(fields: Mapping[str, Any], *, of_variant: bool) -> dict[str, Any]:
    """Return values by the names that the catalogue's verbs take."""
    if of_variant:
        return {name.removeprefix(VARIANT): typed(name, value) for name, value in fields.items()}
    return {name: typed(name, value) for name, value in fields.items()}


def duplicates(skus: Sequence[str]) -> set[str]:
    """Return the SKUs that occur more than once."""
    seen: set[str] = set()
    return {sku for sku in skus if sku and (sku in seen or seen.add(sku))}  # type: ignore[func-returns-value]


PRODUCT_FIELD_NAMES = frozenset(PRODUCT_FIELDS)
