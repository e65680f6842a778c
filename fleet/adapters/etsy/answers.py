"""How Etsy's answers are read: listings, inventories, receipts, refusals and webhooks. Used by `etsy` alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import count_of, dict_of, dicts_of, epoch_of, retry_after_s, text_of, texts_of
from fleet.adapters.http import Response
from fleet.adapters.limits import Observation
from fleet.adapters.network import words
from fleet.adapters.shops import (
    MOST_MINOR,
    Fulfilment,
    Money,
    OrderCustomer,
    OrderLine,
    OrderState,
    ProductImage,
    ProductStatus,
    ShopEvent,
    ShopEventKind,
    ShopOrder,
    ShopProduct,
    ShopVariant,
    StockLevel,
    decimals_of,
)

DAY = "day"
"""The name of the limit of requests in 24 hours."""
STATES = ("active", "sold_out", "inactive", "expired", "draft")
_STATUS = {"active": ProductStatus.ACTIVE, "sold_out": ProductStatus.ACTIVE, "draft": ProductStatus.DRAFT}
_TOLERANCE_S = 300
_RECEIPT = re.compile(r"/receipts/([0-9]{1,19})(?:$|[/?])", re.A)
_BUSY_S = 2.0
_A_WHILE = timedelta(hours=1)
"""Etsy's day is a sliding one, and answers do not say when the oldest requests leave it."""


def error_of(response: Response, body: dict[str, Any]) -> base.AdapterError:
    """Translate a refusal by its status and code."""
    status, code = response.status_code, text_of(body.get("error"), 200)
    said = words(response, code, text_of(body.get("error_description"), 200))
    if status == 429:
        return base.Throttled(said, retry_after_s=retry_after_s(response) or 1.0)
    if status == 401 or (status == 403 and "scope" not in said):
        return base.TokenRefused(said)
    if status == 404:
        return base.Vanished(said)
    if status == 409:  # somebody else changes the same listing
        return base.Throttled(said, retry_after_s=_BUSY_S)
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)


def seen_limits(response: Response) -> Observation | None:
    """Return what an answer says about the requests of the day."""
    most, left = (count_of(response.headers.get(name)) for name in ("x-limit-per-day", "x-remaining-today"))
    if most is None or left is None:
        return None
    return Observation(limit=DAY, most=most, remaining=left, reset_in=_A_WHILE)


def number_of(value: object) -> int:
    """Return an id; 0 for anything that is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**19 else 0


def money_of(found: object) -> Money | None:
    """Return an amount in `amount` parts of `divisor`; None for one that is no whole number of minor units."""
    price = dict_of(found)
    amount, divisor, currency = price.get("amount"), price.get("divisor"), text_of(price.get("currency_code"), 3)
    if not isinstance(amount, int) or not isinstance(divisor, int) or divisor < 1 or not currency:
        return None
    minor, rest = divmod(amount * 10 ** decimals_of(currency), divisor)
    return Money(minor, currency) if not rest and abs(minor) <= MOST_MINOR else None


def products_of(inventory: object) -> list[dict[str, Any]]:
    """Return the products of an inventory that are not deleted: its variants."""
    return [one for one in dicts_of(dict_of(inventory).get("products")) if not one.get("is_deleted")]


def offering_of(product: Mapping[str, Any]) -> dict[str, Any]:
    """Return the offering of a variant: Etsy has one for each."""
    return next((one for one in dicts_of(product.get("offerings")) if not one.get("is_deleted")), {})


def variant_id(listing_id: int | str, product_id: int) -> str:
    """Return the id of a variant: Etsy's stock is written by listing."""
    return f"{listing_id}-{product_id}"


def listing_of(found: dict[str, Any]) -> ShopProduct:
    """Return a listing. Raises Uncertain for one without an id."""
    listing_id = number_of(found.get("listing_id"))
    if not listing_id:
        raise base.Uncertain("Etsy's listing has no id")
    updated = epoch_of(found.get("updated_timestamp") or found.get("last_modified_timestamp"))
    return ShopProduct(
        id=str(listing_id), key=str(listing_id), title=_plain(found.get("title"), 255),
        description=_plain(found.get("description"), 20_000),
        status=_STATUS.get(text_of(found.get("state"), 20), ProductStatus.ARCHIVED),
        categories=tuple(_plain(one, 100) for one in texts_of(found.get("tags"))),
        images=tuple(
            ProductImage(text_of(one.get("url_fullxfull"), 2000), text_of(one.get("alt_text"), 500),
                         id=str(number_of(one.get("listing_image_id"))))
            for one in sorted(dicts_of(found.get("images")), key=lambda one: count_of(one.get("rank")) or 0)
        ),
        variants=tuple(
            replace(variant_of(one, listing_id), updated_at=updated) for one in products_of(found.get("inventory"))
        ),
        updated_at=updated, url=text_of(found.get("url"), 1000),
    )  # fmt: skip


def _plain(value: object, most: int) -> str:
    """Return a text. Etsy gives some characters as HTML entities."""
    return html.unescape(text_of(value, most))


def variant_of(found: dict[str, Any], listing_id: int | str) -> ShopVariant:
    """Return a variant."""
    options = {
        _plain(one.get("property_name"), 100): ", ".join(texts_of(one.get("values"), 100))
        for one in dicts_of(found.get("property_values"))
    }
    offering = offering_of(found)
    return ShopVariant(
        id=variant_id(listing_id, number_of(found.get("product_id"))), sku=_plain(found.get("sku"), 255),
        title=" / ".join(options.values()), options=options, price=money_of(offering.get("price")),
        on_hand=count_of(offering.get("quantity")),
    )  # fmt: skip


def levels_of(product: ShopProduct) -> list[StockLevel]:
    """Return the stock of a listing: what is for sale. Etsy takes units off when they are bought."""
    return [StockLevel(variant_id=one.id, on_hand=one.on_hand) for one in product.variants if one.on_hand is not None]


# Receipts


def order_of(found: dict[str, Any]) -> ShopOrder:
    """Return a receipt as an order. Raises Uncertain for one without its total or time."""
    total = money_of(found.get("grandtotal"))
    placed_at = epoch_of(found.get("created_timestamp") or found.get("create_timestamp"))
    number = number_of(found.get("receipt_id"))
    if total is None or placed_at is None or not number:
        raise base.Uncertain("Etsy's receipt has no id, total or time")
    shipments = dicts_of(found.get("shipments"))
    lines = [line_of(one, total.currency, is_shipped=bool(found.get("is_shipped")))
             for one in dicts_of(found.get("transactions"))]  # fmt: skip
    return ShopOrder(
        id=str(number), number=str(number), state=state_of(found), placed_at=placed_at, total=total,
        updated_at=epoch_of(found.get("updated_timestamp") or found.get("update_timestamp")), lines=tuple(lines),
        fulfilments=tuple(
            Fulfilment(id=str(number_of(one.get("receipt_shipping_id"))),
                       at=epoch_of(one.get("shipment_notification_timestamp")),
                       tracking=text_of(one.get("tracking_code"), 255))
            for one in shipments
        ),
        customer=OrderCustomer(
            id=str(number_of(found.get("buyer_user_id")) or ""), name=_plain(found.get("name"), 200),
            email=text_of(found.get("buyer_email"), 320), country=text_of(found.get("country_iso"), 2),
        ),
    )  # fmt: skip


def state_of(found: Mapping[str, Any]) -> OrderState:
    """Return the state of a receipt. Etsy does not say when a parcel arrived, but `Completed` when it is sent."""
    status = text_of(found.get("status"), 40).lower()
    if status == "fully refunded":
        return OrderState.REFUNDED
    if status == "canceled":
        return OrderState.CANCELLED
    if found.get("is_shipped") or status == "completed":
        return OrderState.SHIPPED
    return OrderState.CONFIRMED if found.get("is_paid") else OrderState.PENDING


def line_of(found: dict[str, Any], currency: str, *, is_shipped: bool) -> OrderLine:
    """Return a transaction as a line of an order."""
    listing, product = number_of(found.get("listing_id")), number_of(found.get("product_id"))
    units = count_of(found.get("quantity")) or 0
    return OrderLine(
        id=str(number_of(found.get("transaction_id"))), sku=_plain(found.get("sku"), 255),
        variant_id=variant_id(listing, product) if listing and product else "", title=_plain(found.get("title"), 255),
        quantity=units, fulfilled=units if is_shipped else 0,
        unit_price=money_of(found.get("price")) or Money(0, currency),
    )  # fmt: skip


# Webhooks


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> bool:
    """Return whether Etsy sent a body: it signs id, time and body with a secret in base64 (`whsec_...`)."""
    stamp = headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp, re.A) or abs(now_s - int(stamp)) > _TOLERANCE_S:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return False
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "")[:2000].encode().split()
    return bool(key) and any(hmac.compare_digest(expected, one) for one in given)


def events_of(headers: Mapping[str, str], body: bytes) -> Sequence[ShopEvent]:
    """Return the event of a delivery: an order to read. Raises ValueError."""
    try:
        found = json.loads(body)
    except RecursionError as error:
        raise ValueError("the body is too deep") from error
    event_id = headers.get("webhook-id", "")[:100]
    receipt = _RECEIPT.search(text_of(dict_of(found).get("resource_url"), 1000))
    if not event_id or receipt is None:
        raise ValueError("the delivery names no receipt")
    return [ShopEvent(id=event_id, kind=ShopEventKind.ORDER, order_id=receipt[1])]
