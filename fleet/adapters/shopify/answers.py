"""How Shopify's answers are read: products, stock, orders, refusals, costs and webhooks. Used by `shopify` alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import (
    LONGEST_NAME_CHARS,
    LONGEST_TEXT_CHARS,
    MOST,
    GraphQLProblem,
    bounded_s,
    count_of,
    dict_of,
    dicts_of,
    graphql_problems,
    moment_of,
    retry_after_s,
    storable,
    text_of,
    texts_of,
)
from fleet.adapters.http import Response
from fleet.adapters.limits import Observation
from fleet.adapters.network import words
from fleet.adapters.shops import (
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
    Stale,
    StockLevel,
)
from fleet.core.errors import InvalidInput

POINTS = "points"
"""The name of the limit that Shopify counts in points."""
LOW = 0.2
"""The part of the bucket below which Fleet waits: what is left is for people and other apps."""
DEFAULT_OPTION, DEFAULT_VALUE = "Title", "Default Title"
"""The option of a product without options."""
_GONE = ("PRODUCT_DOES_NOT_EXIST", "PRODUCT_VARIANT_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_INVENTORY_ITEM",
         "PRODUCT_NOT_FOUND")  # fmt: skip
_STALE = ("CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE")
_BUSY = ("IDEMPOTENCY_CONCURRENT_REQUEST", "OPERATION_IN_PROGRESS")
_BUSY_S = 2.0
_PRIVATE = ("customer", "shippingAddress")
"""Fields of an order that an app sees only after Shopify's review of it. They come empty, with an error each."""


# Refusals


def problems_of(body: dict[str, Any]) -> list[GraphQLProblem]:
    """Return the errors that fail a request: not those about fields that the app may not see."""
    return [
        one for one in graphql_problems(body)
        if not (one.code == "ACCESS_DENIED" and any(step in _PRIVATE for step in one.path))
    ]  # fmt: skip


def error_of(response: Response, body: dict[str, Any]) -> base.AdapterError:
    """Translate a refusal by its status, or by the code of its error."""
    status, problems = response.status_code, problems_of(body)
    code = next((one.code for one in problems if one.code), "")
    said = words(response, code, next((one.message for one in problems if one.message), ""))
    if code == "THROTTLED" or status == 429:
        return base.Throttled(said, retry_after_s=retry_after_s(response) or _restored_s(body))
    if status in (401, 403):
        return base.TokenRefused(said)
    if status in (402, 423) or code == "SHOP_INACTIVE":
        return base.SurfacePaused(f"the shop is frozen or locked: {said}")
    if code in _BUSY:
        return base.Throttled(said, retry_after_s=_BUSY_S)
    if code == "NOT_FOUND":
        return base.Vanished(said)
    # An error below a mutation's own field came after the mutation was done.
    if status >= 500 or status == 408 or code == "INTERNAL_SERVER_ERROR" or any(len(one.path) > 1 for one in problems):
        return base.Uncertain(said)
    return base.Refused(said)


def _restored_s(body: dict[str, Any]) -> float:
    """Return after how many seconds the bucket has the points of a refused request."""
    cost = dict_of(dict_of(body.get("extensions")).get("cost"))
    bucket = dict_of(cost.get("throttleStatus"))
    needed, left, rate = (
        bounded_s(value) or 0.0
        for value in (cost.get("requestedQueryCost"), bucket.get("currentlyAvailable"), bucket.get("restoreRate"))
    )
    return max(1.0, math.ceil((needed - left) / rate)) if rate else 1.0


def seen_cost(body: dict[str, Any]) -> Observation | None:
    """Return what an answer says about the bucket of points; None if it says nothing.

    Below a fifth of the bucket every call waits until there is a fifth again.
    """
    bucket = dict_of(dict_of(dict_of(body.get("extensions")).get("cost")).get("throttleStatus"))
    most, left, rate = (
        bounded_s(bucket.get(name)) for name in ("maximumAvailable", "currentlyAvailable", "restoreRate")
    )
    if not most or left is None or not rate:
        return None
    blocked_s = (LOW * most - left) / rate
    return Observation(
        limit=POINTS, most=int(most), remaining=int(left), reset_in=timedelta(seconds=max(0.0, (most - left) / rate)),
        blocked_for=timedelta(seconds=blocked_s) if blocked_s > 0 else None,
    )  # fmt: skip


def refusal_of(errors: Sequence[Mapping[str, Any]], found: Mapping[str, Any] | None = None) -> base.AdapterError:
    """Translate the `userErrors` of a mutation, of which nothing was done."""
    codes = [text_of(one.get("code"), 100) for one in errors]
    said = "; ".join(" ".join(filter(None, (code, text_of(one.get("message"), 200))))
                     for code, one in zip(codes, errors, strict=True))[:300]  # fmt: skip
    if any(code in _BUSY for code in codes):
        return base.Throttled(said, retry_after_s=_BUSY_S)
    if any(code in _STALE for code in codes):
        return Stale(said, found=found)
    if codes and all(code in _GONE for code in codes):
        return base.Vanished(said)
    return base.Refused(said or "the shop refuses it")


# Products and stock


def id_of(value: object) -> str:
    """Return an id of an object."""
    return text_of(value, base.LONGEST_ID)


def number_of(gid: str) -> int:
    """Return the number in an id; 0 for one without."""
    text = gid.rpartition("/")[2]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def nodes_of(connection: object) -> list[dict[str, Any]]:
    """Return the objects of a list; those that are not there are null."""
    return dicts_of(dict_of(connection).get("nodes"))


def has_more(connection: object) -> bool:
    """Return whether a list goes on."""
    return bool(dict_of(dict_of(connection).get("pageInfo")).get("hasNextPage"))


def end_of(connection: object) -> str | None:
    """Return the cursor after a list; None if it ends."""
    cursor = text_of(dict_of(dict_of(connection).get("pageInfo")).get("endCursor"), 500)
    return cursor if cursor and has_more(connection) else None


def money_of(amount: object, currency: object) -> Money | None:
    """Return an amount; None for one that makes no sense."""
    try:
        return Money.parse(text_of(amount, 40), text_of(currency, 3)) if amount and currency else None
    except InvalidInput:
        return None


def product_of(found: dict[str, Any], currency: str) -> ShopProduct:
    """Return a product. Its tags are its categories."""
    status = text_of(found.get("status"), 20).lower()
    return ShopProduct(
        id=id_of(found.get("id")), key=text_of(found.get("handle"), 255), title=text_of(found.get("title"), 255),
        description=text_of(found.get("descriptionHtml"), LONGEST_TEXT_CHARS),
        status=ProductStatus(status) if status in set(ProductStatus) else ProductStatus.DRAFT,
        categories=texts_of(found.get("tags"), 255),
        images=tuple(_image_of(one) for one in nodes_of(found.get("media")) if "image" in one),
        variants=tuple(variant_of(one, currency) for one in nodes_of(found.get("variants"))),
        updated_at=moment_of(found.get("updatedAt")), url=text_of(found.get("onlineStoreUrl"), 1000),
    )  # fmt: skip


def _image_of(found: dict[str, Any]) -> ProductImage:
    url = text_of(dict_of(found.get("image")).get("url"), 2000)
    return ProductImage(url, text_of(found.get("alt"), 512), id=id_of(found.get("id")))


def variant_of(found: dict[str, Any], currency: str) -> ShopVariant:
    """Return a variant."""
    options = {
        text_of(one.get("name"), 255): text_of(one.get("value"), 255) for one in dicts_of(found.get("selectedOptions"))
    }
    is_only = options == {DEFAULT_OPTION: DEFAULT_VALUE}
    item = dict_of(found.get("inventoryItem"))
    return ShopVariant(
        id=id_of(found.get("id")), sku=text_of(found.get("sku"), 255), options={} if is_only else options,
        title="" if is_only else text_of(found.get("title"), 255), price=money_of(found.get("price"), currency),
        barcode=text_of(found.get("barcode"), 255), updated_at=moment_of(found.get("updatedAt")),
        on_hand=_on_hand(item.get("inventoryLevels")), stock_item_id=id_of(item.get("id")),
    )  # fmt: skip


def _units(value: object) -> int | None:
    """Return a number of units, which can be below zero; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST else None


def _on_hand(levels: object) -> int | None:
    """Return the units on hand in all locations together; None where they have more than a page shows."""
    units = [_units(each.get("quantity")) for one in nodes_of(levels) for each in dicts_of(one.get("quantities"))
             if each.get("name") == "on_hand"]  # fmt: skip
    whole = [one for one in units if one is not None]
    return sum(whole) if whole and not has_more(levels) else None


def levels_of(variant_id: str, levels: object) -> list[StockLevel]:
    """Return the stock of a variant at its locations: what is on hand and not available is allocated."""
    found = []
    for one in nodes_of(levels):
        units = {
            text_of(each.get("name"), 30): _units(each.get("quantity")) for each in dicts_of(one.get("quantities"))
        }
        on_hand, available = units.get("on_hand"), units.get("available")
        if on_hand is not None and available is not None:
            place = id_of(dict_of(one.get("location")).get("id"))
            found.append(StockLevel(variant_id=variant_id, location_id=place, on_hand=on_hand,
                                    allocated=on_hand - available))  # fmt: skip
    return found


# Orders


def order_of(found: dict[str, Any]) -> ShopOrder:
    """Return an order. Raises Uncertain for an answer without its total or time."""
    total, placed_at = _shop_money(found.get("totalPriceSet")), moment_of(found.get("createdAt"))
    if total is None or placed_at is None:
        raise base.Uncertain("Shopify's order has no total or no time")
    parcels = [one for one in dicts_of(found.get("fulfillments")) if one.get("status") != "CANCELLED"]
    customer = dict_of(found.get("customer"))
    return ShopOrder(
        id=id_of(found.get("id")), number=text_of(found.get("name"), 200), state=state_of(found, parcels),
        placed_at=placed_at, updated_at=moment_of(found.get("updatedAt")), total=total,
        lines=tuple(line_of(one, total.currency) for one in nodes_of(found.get("lineItems"))),
        fulfilments=tuple(_parcel_of(one) for one in parcels),
        customer=OrderCustomer(
            id=id_of(customer.get("id")), name=text_of(customer.get("displayName"), LONGEST_NAME_CHARS),
            email=text_of(dict_of(customer.get("defaultEmailAddress")).get("emailAddress"), 320),
            country=text_of(dict_of(found.get("shippingAddress")).get("countryCodeV2"), 2),
        ),
    )  # fmt: skip


def state_of(found: dict[str, Any], parcels: Sequence[Mapping[str, Any]]) -> OrderState:
    """Return the state of an order by its two states at Shopify, of money and of parcels."""
    money, goods = found.get("displayFinancialStatus"), found.get("displayFulfillmentStatus")
    if money == "REFUNDED":
        return OrderState.REFUNDED
    if found.get("cancelledAt"):
        return OrderState.CANCELLED
    if goods == "FULFILLED":
        is_there = bool(parcels) and all(one.get("displayStatus") == "DELIVERED" for one in parcels)
        return OrderState.DELIVERED if is_there else OrderState.SHIPPED
    if goods in ("PARTIALLY_FULFILLED", "IN_PROGRESS"):
        return OrderState.PROCESSING
    paid = ("PAID", "PARTIALLY_REFUNDED", "AUTHORIZED")
    return OrderState.CONFIRMED if money in paid else OrderState.PENDING


def line_of(found: dict[str, Any], currency: str) -> OrderLine:
    """Return a line of an order."""
    left, current = count_of(found.get("unfulfilledQuantity")) or 0, count_of(found.get("currentQuantity")) or 0
    return OrderLine(
        id=id_of(found.get("id")), variant_id=id_of(dict_of(found.get("variant")).get("id")),
        sku=text_of(found.get("sku"), 255), title=text_of(found.get("title"), 255),
        quantity=count_of(found.get("quantity")) or 0, fulfilled=max(0, current - left),
        unit_price=_shop_money(found.get("originalUnitPriceSet")) or Money(0, currency),
    )  # fmt: skip


def _parcel_of(found: dict[str, Any]) -> Fulfilment:
    tracking = dicts_of(found.get("trackingInfo"))
    quantities = {
        id_of(dict_of(one.get("lineItem")).get("id")): count_of(one.get("quantity")) or 0
        for one in nodes_of(found.get("fulfillmentLineItems"))
    }
    return Fulfilment(
        id=id_of(found.get("id")), quantities=quantities, at=moment_of(found.get("createdAt")),
        tracking=text_of(tracking[0].get("number"), 255) if tracking else "",
    )  # fmt: skip


def _shop_money(found: object) -> Money | None:
    shown = dict_of(dict_of(found).get("shopMoney"))
    return money_of(shown.get("amount"), shown.get("currencyCode"))


# Webhooks


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, _: float) -> bool:
    """Return whether Shopify sent a body: it signs the raw body with the client secret of the app."""
    expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    return bool(secret) and hmac.compare_digest(expected, headers.get("x-shopify-hmac-sha256", "").encode())


def events_of(headers: Mapping[str, str], body: bytes) -> Sequence[ShopEvent]:
    """Return the event of a delivery; none for a topic that says nothing about a shop's goods. Raises ValueError.

    Its id is that of the delivery, which a repeated one has too: one event can have deliveries on several topics.
    """
    topic, event_id = headers.get("x-shopify-topic", ""), headers.get("x-shopify-webhook-id", "")[:100]
    try:
        found = storable(json.loads(body))
    except RecursionError as error:
        raise ValueError("the body is too deep") from error
    if not isinstance(found, dict) or not event_id:
        raise ValueError("the delivery has no object or no id")
    subject, gid = topic.partition("/")[0], id_of(found.get("admin_graphql_api_id"))
    number = str(found.get("id", ""))[:30]
    if subject == "products":
        kind = ShopEventKind.PRODUCT_DELETED if topic == "products/delete" else ShopEventKind.PRODUCT
        return [ShopEvent(id=event_id, kind=kind, product_id=gid or f"gid://shopify/Product/{number}")]
    if subject in ("orders", "fulfillments", "refunds"):
        number = number if subject == "orders" else str(found.get("order_id", ""))[:30]
        order = gid if subject == "orders" and gid else f"gid://shopify/Order/{number}"
        return [ShopEvent(id=event_id, kind=ShopEventKind.ORDER, order_id=order)]
    if subject == "inventory_levels":
        item = f"gid://shopify/InventoryItem/{str(found.get('inventory_item_id', ''))[:30]}"
        return [ShopEvent(id=event_id, kind=ShopEventKind.STOCK, stock_item_id=item)]
    return []
