"""How the answers of Amazon's Selling Partner API are read: listings, orders and refusals. Used by `amazon` alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import bounded_s, count_of, dict_of, dicts_of, moment_of, retry_after_s, text_of
from fleet.adapters.http import Response
from fleet.adapters.network import words
from fleet.adapters.shops import (
    Money,
    OrderCustomer,
    OrderLine,
    OrderState,
    ProductImage,
    ProductStatus,
    ShopOrder,
    ShopProduct,
    ShopVariant,
)
from fleet.core.errors import InvalidInput

OWN_STOCK = "DEFAULT"
"""The channel of what the seller ships. Stock of other channels is in Amazon's warehouses."""
_PICTURES = ("main_product_image_locator", *(f"other_product_image_locator_{at}" for at in range(1, 9)))
_ORDER_STATES = {
    "Pending": OrderState.PENDING, "PendingAvailability": OrderState.PENDING, "Unshipped": OrderState.CONFIRMED,
    "InvoiceUnconfirmed": OrderState.CONFIRMED, "PartiallyShipped": OrderState.PROCESSING,
    "Shipped": OrderState.SHIPPED,
    "Canceled": OrderState.CANCELLED, "Unfulfillable": OrderState.CANCELLED,
}  # fmt: skip


def error_of(response: Response, body: dict[str, Any]) -> base.AdapterError:
    """Translate a refusal by its status."""
    errors, status = dicts_of(body.get("errors")), response.status_code
    said = words(
        response, *(text_of(one.get(name), 150) for one in errors[:2] for name in ("code", "message", "details"))
    )
    if status == 429:
        rate = bounded_s(response.headers.get("x-amzn-ratelimit-limit", ""))
        return base.Throttled(said, retry_after_s=retry_after_s(response) or (math.ceil(1 / rate) if rate else 5.0))
    if status in (401, 403):
        return base.TokenRefused(said)
    if status == 404:
        return base.Vanished(said)
    return base.Refused(said) if 300 <= status < 500 and status != 408 else base.Uncertain(said)


def refusal_of(body: Mapping[str, Any]) -> base.Refused | None:
    """Return why Amazon does not take a listing; None if it does. An accepted one is not live yet."""
    if body.get("status") in ("ACCEPTED", "VALID"):
        return None
    issues = [one for one in dicts_of(body.get("issues")) if one.get("severity") == "ERROR"]
    said = "; ".join(f"{text_of(one.get('code'), 30)} {text_of(one.get('message'), 150)}".strip() for one in issues[:3])
    return base.Refused(said or "Amazon does not take the listing")


def money_of(amount: object, currency: object) -> Money | None:
    """Return an amount that comes as a text or as a number; None for one that makes no sense."""
    if isinstance(amount, bool) or not isinstance(amount, str | int | float) or not isinstance(currency, str):
        return None
    try:
        return Money.parse(str(amount)[:40], currency[:3])
    except InvalidInput:
        return None


def own_stock(found: Mapping[str, Any]) -> int | None:
    """Return the units that the seller ships; None for what Amazon ships."""
    shown = dicts_of(found.get("fulfillmentAvailability"))
    return next(
        (count_of(one.get("quantity")) or 0 for one in shown if one.get("fulfillmentChannelCode") == OWN_STOCK), None
    )


def product_of(found: dict[str, Any], marketplace: str) -> ShopProduct:
    """Return a listing as a product with one variant: both have its SKU as id. Raises Uncertain for one without."""
    sku = text_of(found.get("sku"), 60)
    if not sku:
        raise base.Uncertain("Amazon's listing has no SKU")
    summary = _here(found.get("summaries"), marketplace)
    attributes, offer = dict_of(found.get("attributes")), _here(found.get("offers"), marketplace)
    price = dict_of(offer.get("price"))
    status = summary.get("status")
    shown = [one for one in status if isinstance(one, str)] if isinstance(status, list) else []
    pictures = [(name, text_of(_first(attributes, name).get("media_location"), 2000)) for name in _PICTURES]
    variant = ShopVariant(
        id=sku, sku=sku, price=money_of(price.get("amount"), price.get("currencyCode")), on_hand=own_stock(found),
        barcode=text_of(_first(attributes, "externally_assigned_product_identifier").get("value"), 20),
        updated_at=moment_of(summary.get("lastUpdatedDate")),
    )  # fmt: skip
    return ShopProduct(
        id=sku, key=sku, title=text_of(summary.get("itemName") or _first(attributes, "item_name").get("value"), 500),
        description=text_of(_first(attributes, "product_description").get("value")),
        status=ProductStatus.ACTIVE if shown else ProductStatus.DRAFT,
        images=tuple(ProductImage(url) for _, url in pictures if url), variants=(variant,),
        updated_at=moment_of(summary.get("lastUpdatedDate")),
    )  # fmt: skip


def _here(found: object, marketplace: str) -> dict[str, Any]:
    return next((one for one in dicts_of(found) if one.get("marketplaceId") == marketplace), {})


def _first(attributes: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(iter(dicts_of(attributes.get(name))), {})


def created_of(found: Mapping[str, Any], marketplace: str) -> str:
    """Return when a listing was made, as Amazon writes it."""
    return text_of(_here(found.get("summaries"), marketplace).get("createdDate"), 40)


def order_of(found: dict[str, Any], items: Sequence[dict[str, Any]], currency: str) -> ShopOrder:
    """Return an order. One that is not paid has no total yet. Raises Uncertain for one without an id or a time."""
    order_id, placed_at = text_of(found.get("AmazonOrderId"), 40), moment_of(found.get("PurchaseDate"))
    if not order_id or placed_at is None:
        raise base.Uncertain("Amazon's order has no id or no time")
    total = dict_of(found.get("OrderTotal"))
    paid = money_of(total.get("Amount"), total.get("CurrencyCode")) or Money(0, currency)
    buyer = dict_of(found.get("BuyerInfo"))
    return ShopOrder(
        id=order_id, number=order_id, placed_at=placed_at, total=paid,
        updated_at=moment_of(found.get("LastUpdateDate")),
        state=_ORDER_STATES.get(text_of(found.get("OrderStatus"), 30), OrderState.PROCESSING),
        lines=tuple(_line_of(one, paid.currency) for one in items),
        customer=OrderCustomer(
            name=text_of(buyer.get("BuyerName"), 200), email=text_of(buyer.get("BuyerEmail"), 320),
            country=text_of(dict_of(found.get("ShippingAddress")).get("CountryCode"), 2),
        ),
    )  # fmt: skip


def _line_of(found: dict[str, Any], currency: str) -> OrderLine:
    """Return a line. Amazon gives the price of all its units together."""
    units, sku = count_of(found.get("QuantityOrdered")) or 0, text_of(found.get("SellerSKU"), 60)
    price = dict_of(found.get("ItemPrice"))
    whole = money_of(price.get("Amount"), price.get("CurrencyCode")) or Money(0, currency)
    return OrderLine(
        id=text_of(found.get("OrderItemId"), 60), variant_id=sku, sku=sku, title=text_of(found.get("Title"), 500),
        quantity=units, unit_price=Money(whole.minor // max(1, units), whole.currency),
        fulfilled=count_of(found.get("QuantityShipped")) or 0,
    )  # fmt: skip
