"""What people type in the forms of products, read into what the API takes. Errors name the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fleet.core.errors import InvalidInput
from fleet.features.products import rules
from fleet.features.products.schema import (
    BulkChangeIn,
    ProductChanges,
    ProductDetail,
    ProductIn,
    StockIn,
    VariantChanges,
    VariantIn,
    VariantOut,
)

T = TypeVar("T", bound=BaseModel)


class FilledVariant(BaseModel):
    """The form of a variant, as it was filled in. Options are lines such as Colour: black."""

    sku: str = ""
    variant_title: str = ""
    options: str = ""
    barcode: str = ""
    currency: str = ""
    price: str = ""
    cost: str = ""
    floor: str = ""
    on_hand: str = ""


class FilledProduct(FilledVariant):
    """The form of a product; a new one has a first variant as well."""

    title: str = ""
    description: str = ""
    status: str = "active"
    brand: str = ""
    categories: str = ""
    images: str = ""
    attributes: str = ""
    version: str = ""


class FilledStock(BaseModel):
    """The form of the stock of a variant."""

    location: str = ""
    way: str = "count"
    units: str = ""
    reason: str = ""


class FilledBulk(BaseModel):
    """The form of a change of many products: those checked, or all that match the filter."""

    one: list[str] = []
    all: str = ""
    q: str = ""
    filter_status: str = ""
    category: str = ""
    store: str = ""
    stock: str = ""
    status: str = ""
    brand: str = ""
    is_brand_set: str = ""
    add_category: str = ""
    remove_category: str = ""
    price_percent: str = ""
    expected: str = ""


def of_product(product: ProductDetail) -> FilledProduct:
    """Return the form of a product with its values."""
    images = [f"{one.url} {one.alt_text}".strip() for one in product.pictures]
    return FilledProduct(
        title=product.title, description=product.description, status=product.status, brand=product.brand,
        categories="\n".join(product.categories), images="\n".join(images), attributes=_pairs(product.attributes),
        version=str(product.version),
    )  # fmt: skip


def of_variant(variant: VariantOut) -> FilledVariant:
    """Return the form of a variant with its values."""
    return FilledVariant(
        sku=variant.sku, variant_title=variant.title, options=_pairs(variant.options), barcode=variant.barcode,
        currency=variant.currency, price=variant.price or "", cost=variant.cost or "", floor=variant.floor or "",
    )  # fmt: skip


def changes(filled: FilledProduct) -> ProductChanges:
    """Return the new values of a product. Raises InvalidInput."""
    version = {"version": _whole("version", filled.version)} if filled.version else {}
    return _valid(ProductChanges, {**_product(filled), **version})


def product(filled: FilledProduct) -> ProductIn:
    """Return a new product with its first variant. Raises InvalidInput."""
    return _valid(ProductIn, {**_product(filled), "variants": [variant(filled)]})


def variant(filled: FilledVariant) -> VariantIn:
    """Return a new variant. Raises InvalidInput."""
    units = {"on_hand": _whole("on_hand", filled.on_hand)} if filled.on_hand.strip() else {}
    currency = filled.currency.strip().upper()
    return _valid(VariantIn, {**_variant(filled), "currency": currency, **units})


def variant_changes(filled: FilledVariant) -> VariantChanges:
    """Return the new values of a variant. Raises InvalidInput."""
    return _valid(VariantChanges, _variant(filled))


def stock(filled: FilledStock) -> StockIn:
    """Return a change of stock. Raises InvalidInput."""
    units = _whole("units", filled.units)
    signed = {"count": {"on_hand": units}, "add": {"delta": units}, "take": {"delta": -units}}.get(filled.way)
    if signed is None:
        raise InvalidInput("way: count, add or take.")
    return _valid(StockIn, {"location": filled.location, "reason": filled.reason.strip(), **signed})


def bulk(filled: FilledBulk, *, dry_run: bool) -> BulkChangeIn:
    """Return a change of many products. Raises InvalidInput."""
    values: dict[str, Any] = {
        "add_category": filled.add_category.strip(), "remove_category": filled.remove_category.strip(),
        "dry_run": dry_run, "status": filled.status or None,
    }  # fmt: skip
    if filled.all:
        chosen = {"filter_status": filled.filter_status or None, "stock": filled.stock or None}
        values |= {"q": filled.q, "category": filled.category, "store": filled.store, **chosen}
    else:
        values["ids"] = filled.one
    if filled.is_brand_set:
        values["brand"] = filled.brand.strip()
    if filled.price_percent.strip():
        values["price_percent"] = _percent(filled.price_percent)
    if filled.expected:
        values["expected"] = _whole("expected", filled.expected)
    return _valid(BulkChangeIn, values)


def field_of(error: InvalidInput) -> str:
    """Return the field that an error names, as in "price: ..." or "title is empty."; empty for none."""
    named = error.message.partition(":")[0].partition(" ")[0]
    return {"variants.sku": "sku"}.get(named, named if named in FilledProduct.model_fields else "")


def _product(filled: FilledProduct) -> dict[str, Any]:
    return {
        "title": filled.title.strip(), "description": filled.description.replace("\r\n", "\n"),
        "status": filled.status, "brand": filled.brand.strip(), "categories": _lines(filled.categories),
        "images": [_image(one) for one in _lines(filled.images)],
        "attributes": _facts("attributes", filled.attributes),
    }  # fmt: skip


def _variant(filled: FilledVariant) -> dict[str, Any]:
    return {
        "sku": filled.sku.strip(), "title": filled.variant_title.strip(), "barcode": filled.barcode.strip(),
        "options": _facts("options", filled.options),
        **{name: getattr(filled, name).strip() for name in rules.AMOUNTS},
    }  # fmt: skip


def _lines(written: str) -> list[str]:
    return [one.strip() for one in written.splitlines() if one.strip()]


def _image(written: str) -> dict[str, str]:
    url, _, alt_text = written.partition(" ")
    return {"url": url, "alt_text": alt_text.strip()}


def _facts(name: str, written: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in _lines(written):
        key, colon, value = one.partition(":")
        if not colon or not key.strip():
            raise InvalidInput(f"{name}: {one[:40]!r} has no colon.", fix="Write lines such as Colour: black.")
        found[key.strip()] = value.strip()
    return found


def _pairs(facts: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def _whole(name: str, written: str) -> int:
    plain = written.strip()
    if not (plain.isascii() and plain.isdigit() and len(plain) < 11):
        raise InvalidInput(f"{name}: {written[:40]!r} is no whole number.", fix="Write a number such as 12.")
    return int(plain)


def _percent(written: str) -> float:
    try:
        return float(written.strip().removesuffix("%").replace(",", "."))
    except ValueError:
        raise InvalidInput(f"price_percent: {written[:40]!r} is no number.", fix="Write 5, or -10.") from None


def _valid(model: type[T], values: Mapping[str, Any]) -> T:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(one) for one in first["loc"] if not isinstance(one, int)) or "form"
        raise InvalidInput(f"{name}: {_said(first)}.") from None


def _said(error: Any) -> str:
    say: Mapping[str, Callable[[Any], str]] = {
        "string_too_short": lambda _: "is empty",
        "string_too_long": lambda ctx: f"has more than {ctx['max_length']:,} characters",
        "string_pattern_mismatch": lambda _: "is one line of text",
        "too_long": lambda ctx: f"has more than {ctx['max_length']:,} entries",
    }
    known = say.get(error["type"])
    return known(error.get("ctx", {})) if known else str(error["msg"])[:200]
