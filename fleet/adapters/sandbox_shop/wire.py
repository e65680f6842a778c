"""How the sandbox shop writes its objects, and what they are for Fleet. Called by `sandbox_shop` alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import count_of, dict_of, dicts_of, moment_of, text_of
from fleet.adapters.base import LONGEST_ID
from fleet.adapters.shops import (
    MOST_MINOR,
    Fulfilment,
    Money,
    OrderCustomer,
    OrderLine,
    OrderState,
    ProductImage,
    ProductStatus,
    ShopOrder,
    ShopProduct,
    ShopVariant,
    StockLevel,
)

_LONGEST_TITLE, _LONGEST_URL = 500, 2000


def product_of(value: object) -> ShopProduct:
    """Return a product. Raises Uncertain for anything else."""
    one = dict_of(value)
    try:
        status = ProductStatus(str(one.get("status")))
    except ValueError:
        raise base.Uncertain("the shop's product has an unknown status") from None
    categories = one.get("categories")
    return ShopProduct(
        id=id_of(one.get("id")), key=text_of(one.get("key"), _LONGEST_TITLE),
        title=text_of(one.get("title"), _LONGEST_TITLE), description=text_of(one.get("description")), status=status,
        categories=tuple(text_of(name, 200) for name in categories) if isinstance(categories, list) else (),
        images=tuple(_image_of(image) for image in dicts_of(one.get("images"))),
        variants=tuple(variant_of(variant) for variant in dicts_of(one.get("variants"))),
        updated_at=moment_of(one.get("updatedAt")), url=text_of(one.get("url"), _LONGEST_URL),
    )  # fmt: skip


def variant_of(one: Mapping[str, Any]) -> ShopVariant:
    """Return a variant."""
    return ShopVariant(
        id=id_of(one.get("id")), sku=text_of(one.get("sku"), 200), title=text_of(one.get("title"), _LONGEST_TITLE),
        options={text_of(name, 200): text_of(value, 200) for name, value in dict_of(one.get("options")).items()},
        price=money_of(one.get("priceMinor"), one.get("currency")), on_hand=count_of(one.get("onHand")),
        barcode=text_of(one.get("barcode"), 200), updated_at=moment_of(one.get("updatedAt")),
    )  # fmt: skip


def level_of(one: Mapping[str, Any]) -> StockLevel:
    """Return a stock level. Raises Uncertain for one without a count."""
    on_hand = count_of(one.get("onHand"))
    if on_hand is None:
        raise base.Uncertain("the shop's stock level has no count")
    return StockLevel(
        variant_id=id_of(one.get("variantId")), location_id=id_of(one.get("locationId")), on_hand=on_hand,
        allocated=count_of(one.get("allocated")) or 0,
    )  # fmt: skip


def order_of(value: object) -> ShopOrder:
    """Return an order. Raises Uncertain for anything else."""
    one = dict_of(value)
    currency, placed_at = one.get("currency"), moment_of(one.get("placedAt"))
    try:
        state = OrderState(str(one.get("state")))
    except ValueError:
        raise base.Uncertain("the shop's order has an unknown state") from None
    if placed_at is None:
        raise base.Uncertain("the shop's order has no time")
    customer = dict_of(one.get("customer"))
    return ShopOrder(
        id=id_of(one.get("id")), number=text_of(one.get("number"), 200), state=state, placed_at=placed_at,
        updated_at=moment_of(one.get("updatedAt")), total=money_of(one.get("totalMinor"), currency),
        lines=tuple(_line_of(line, currency) for line in dicts_of(one.get("lines"))),
        fulfilments=tuple(_fulfilment_of(parcel) for parcel in dicts_of(one.get("fulfilments"))),
        customer=OrderCustomer(
            name=text_of(customer.get("name"), 200), email=text_of(customer.get("email"), 200),
            country=text_of(customer.get("country"), 2),
        ),
    )  # fmt: skip


def id_of(value: object) -> str:
    """Return an id. Raises Uncertain for anything else, since nothing can be done with its object."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise base.Uncertain("an object of the shop has no id")
    return value


def money_of(minor: object, currency: object) -> Money:
    """Return an amount. Raises Uncertain for anything else."""
    if not isinstance(minor, int) or isinstance(minor, bool) or abs(minor) > MOST_MINOR:
        raise base.Uncertain("an amount of the shop is no number of minor units")
    if not isinstance(currency, str) or len(currency) != 3:
        raise base.Uncertain("an amount of the shop has no currency")
    return Money(minor, currency)


def written(product: ShopProduct) -> dict[str, Any]:
    """Return a product as the shop takes it."""
    return {
        "key": product.key, **{name: field(name, getattr(product, name)) for name in
                               ("title", "description", "status", "categories", "images")},
        "variants": [variant(one) for one in product.variants],
    }  # fmt: skip


def field(name: str, value: Any) -> Any:
    """Return the value of a field of a product as the shop takes it."""
    match name:
        case "status":
            return ProductStatus(value).value
        case "categories":
            return list(value)
        case "images":
            return [{"url": one.url, "altText": one.alt_text, "id": one.id} for one in value]
    return value


def comparable(name: str, value: Any) -> Any:
    """Return the value of a field as it is compared: categories in any order, images without their ids."""
    match name:
        case "categories":
            return sorted(value)
        case "images":
            return [(one.url, one.alt_text) for one in value]
    return value


def variant(one: ShopVariant) -> dict[str, Any]:
    """Return a variant as the shop takes it. Raises Refused for one without a price."""
    if one.price is None:
        raise base.Refused(f"the variant {one.sku} has no price, and the shop sells nothing without one")
    return {
        "sku": one.sku, "title": one.title, "options": dict(one.options), "priceMinor": one.price.minor,
        "barcode": one.barcode, "onHand": one.on_hand or 0,
    }  # fmt: skip


def _image_of(one: Mapping[str, Any]) -> ProductImage:
    return ProductImage(text_of(one.get("url"), _LONGEST_URL), text_of(one.get("altText"), 1000),
                        id=text_of(one.get("id"), LONGEST_ID))  # fmt: skip


def _line_of(one: Mapping[str, Any], currency: object) -> OrderLine:
    return OrderLine(
        id=id_of(one.get("id")), variant_id=text_of(one.get("variantId"), LONGEST_ID), sku=text_of(one.get("sku"), 200),
        title=text_of(one.get("title"), _LONGEST_TITLE), quantity=count_of(one.get("quantity")) or 0,
        unit_price=money_of(one.get("unitPriceMinor"), currency), fulfilled=count_of(one.get("fulfilled")) or 0,
    )  # fmt: skip


def _fulfilment_of(one: Mapping[str, Any]) -> Fulfilment:
    at: datetime | None = moment_of(one.get("at"))
    quantities = {
        text_of(line, LONGEST_ID): count_of(units) or 0 for line, units in dict_of(one.get("quantities")).items()
    }
    return Fulfilment(id=id_of(one.get("id")), quantities=quantities, tracking=text_of(one.get("tracking"), 200), at=at)
