"""Which values products and variants take, and what differs between two. Pure.

Values of changes are those of the shop contract (`fleet.adapters.shops`); the results are values of columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from fleet.adapters.shops import MOST_MINOR, Money, ProductImage, ProductStatus
from fleet.core.errors import InvalidInput
from fleet.core.text import storable

LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_SKU, LONGEST_BARCODE = 300, 100_000, 100, 60
LONGEST_NAME, LONGEST_FACT, LONGEST_ADDRESS, LONGEST_ALT = 100, 2000, 2000, 500
MOST_CATEGORIES, MOST_IMAGES, MOST_OPTIONS, MOST_ATTRIBUTES, MOST_VARIANTS = 50, 100, 10, 100, 2048
"""A product of Shopify has 2,048 variants at most; other shops take fewer."""
MOST_UNITS = 1_000_000_000

Columns = dict[str, Any]
_CURRENCY = re.compile(r"[A-Z]{3}")
_SLUG = re.compile(r"[^a-z0-9]+")


def product_columns(changes: Mapping[str, Any]) -> Columns:
    """Return the columns of a product for new values by name. Raises InvalidInput."""
    return {name: _check(_PRODUCT, name)(name, value) for name, value in changes.items()}


def variant_columns(changes: Mapping[str, Any], currency: str) -> Columns:
    """Return the columns of a variant for new values by name; amounts are Money or None. Raises InvalidInput."""
    found: Columns = {}
    for name, value in changes.items():
        if name in AMOUNTS:
            found[f"{name}_minor"] = _minor(name, value, currency)
        else:
            found[name] = _check(_VARIANT, name)(name, value)
    return found


def field_of(column: str) -> str:
    """Return the name of the field of a column: "price" of "price_minor"."""
    return column.removesuffix("_minor")


def checked_currency(currency: str) -> str:
    """Return a currency. Raises InvalidInput for what is no code of ISO 4217."""
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise InvalidInput(f"{str(currency)[:20]!r} is no currency.", fix="Write its code: EUR.")
    return currency


def slug(title: str) -> str:
    """Return a title as shops name it in addresses: "Desk lamp" is "desk-lamp"."""
    return _SLUG.sub("-", title.lower()).strip("-")[:100]


def _check(known: Mapping[str, Callable[[str, Any], Any]], name: str) -> Callable[[str, Any], Any]:
    if name not in known:
        raise InvalidInput(f"There is no field {name[:40]!r}.", fix=f"Fields: {', '.join(known)}.")
    return known[name]


def _text(most: int, *, is_needed: bool = False) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise InvalidInput(f"{name} is a text.")
        if is_needed and not value.strip():
            raise InvalidInput(f"{name} is empty.", fix=f"Write a {name}.")
        if len(value) > most:
            raise InvalidInput(f"{name} has {len(value):,} characters; {most:,} are the most.", fix="Shorten it.")
        return storable(value)

    return check


def _status(name: str, value: Any) -> str:
    if value not in set(ProductStatus):
        raise InvalidInput(f"{str(value)[:40]!r} is no {name}.", fix=f"One of {', '.join(ProductStatus)}.")
    return str(value)


def _categories(name: str, value: Any) -> list[str]:
    found = list(dict.fromkeys(_text(LONGEST_NAME, is_needed=True)("a category", one) for one in value))
    _bounded(name, found, MOST_CATEGORIES)
    return found


def _images(name: str, value: Any) -> list[dict[str, str]]:
    _bounded(name, value, MOST_IMAGES)
    return [_image(one) for one in value]


def _image(image: ProductImage) -> dict[str, str]:
    url = _text(LONGEST_ADDRESS, is_needed=True)("the address of an image", image.url)
    if not url.startswith(("https://", "http://")):
        raise InvalidInput(f"{url[:80]!r} is no address of an image.", fix="Write an address with https://.")
    alt_text = _text(LONGEST_ALT)("the alternative text of an image", image.alt_text)
    return {"url": url, "alt_text": alt_text, "digest": _text(64)("the digest of an image", image.digest)}


def _facts(most: int) -> Callable[[str, Any], dict[str, str]]:
    def check(name: str, value: Any) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{name} has names with values.")
        _bounded(name, value, most)
        title, fact = _text(LONGEST_NAME, is_needed=True), _text(LONGEST_FACT)
        return {title(f"a name in {name}", key): fact(f"{name}: {key[:40]}", one) for key, one in value.items()}

    return check


def _bounded(name: str, value: Collection[Any], most: int) -> None:
    if len(value) > most:
        raise InvalidInput(f"{name} has {len(value):,} entries; {most} are the most.", fix="Leave some out.")


def _minor(name: str, value: Any, currency: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, Money):
        raise InvalidInput(f"{name} is an amount.")
    if value.currency != currency:
        raise InvalidInput(f"{name} is in {value.currency[:3]}, and the variant's currency is {currency}.")
    if not 0 <= value.minor <= MOST_MINOR:
        raise InvalidInput(f"{name} is 0 or more, not {value}.")
    return value.minor


_PRODUCT: Mapping[str, Callable[[str, Any], Any]] = {
    "title": _text(LONGEST_TITLE, is_needed=True),
    "description": _text(LONGEST_DESCRIPTION),
    "status": _status,
    "brand": _text(LONGEST_NAME),
    "categories": _categories,
    "images": _images,
    "attributes": _facts(MOST_ATTRIBUTES),
}
_VARIANT: Mapping[str, Callable[[str, Any], Any]] = {
    "sku": _text(LONGEST_SKU),
    "title": _text(LONGEST_TITLE),
    "options": _facts(MOST_OPTIONS),
    "barcode": _text(LONGEST_BARCODE),
}
AMOUNTS = ("price", "cost", "floor")
"""The amounts of a variant. No agent sets a price below its floor."""
PRODUCT_NAMES = tuple(_PRODUCT)
VARIANT_NAMES = (*_VARIANT, *AMOUNTS)
