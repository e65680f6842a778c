"""How Printify's answers are read: products, orders and webhooks. Used by `printify` alone."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import count_of, dict_of, dicts_of, moment_of, text_of, texts_of
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
)

_STATES = {
    "on-hold": OrderState.CONFIRMED, "pending": OrderState.CONFIRMED, "payment-not-received": OrderState.PENDING,
    "canceled": OrderState.CANCELLED, "cancelled": OrderState.CANCELLED, "fulfilled": OrderState.SHIPPED,
}  # fmt: skip
"""By Printify's status; all others are steps of the production."""


def number_of(value: object) -> int:
    """Return a number; 0 for anything else."""
    return count_of(value) or 0


def product_of(found: dict[str, Any], currency: str) -> ShopProduct:
    """Return a product with its enabled variants. Raises Uncertain for one without an id.

    One that was given to its sales channel, or is on its way, is active.
    """
    product_id = text_of(found.get("id"), base.LONGEST_ID)
    if not product_id:
        raise base.Uncertain("Printify's product has no id")
    names = {number_of(value.get("id")): (text_of(one.get("name"), 100), text_of(value.get("title"), 100))
             for one in dicts_of(found.get("options")) for value in dicts_of(one.get("values"))}  # fmt: skip
    is_out = bool(dict_of(found.get("external")).get("id")) or found.get("is_locked") is True
    return ShopProduct(
        id=product_id, key=product_id, title=text_of(found.get("title"), 255),
        description=text_of(found.get("description")),
        status=ProductStatus.ACTIVE if is_out else ProductStatus.DRAFT,
        categories=texts_of(found.get("tags"), 100),
        images=tuple(ProductImage(text_of(one.get("src"), 2000)) for one in dicts_of(found.get("images"))),
        variants=tuple(
            _variant_of(one, product_id, names, currency)
            for one in dicts_of(found.get("variants")) if one.get("is_enabled") is not False
        ),
        updated_at=moment_of(found.get("updated_at")),
        url=text_of(dict_of(found.get("external")).get("handle"), 1000),
    )  # fmt: skip


def _variant_of(
    found: dict[str, Any], product_id: str, names: Mapping[int, tuple[str, str]], currency: str
) -> ShopVariant:
    """Return a variant. Its number is the print provider's, the same in many products."""
    picked = found.get("options")
    chosen = [names[one] for one in picked if isinstance(one, int) and one in names] if isinstance(picked, list) else []
    return ShopVariant(
        id=f"{product_id}-{number_of(found.get('id'))}", sku=text_of(found.get("sku"), 255),
        title=text_of(found.get("title"), 255), options=dict(chosen),
        price=Money.of_minor(found.get("price"), currency),
    )  # fmt: skip


def order_of(found: dict[str, Any], currency: str) -> ShopOrder:
    """Return an order. Raises Uncertain for one without an id or a time."""
    order_id, placed_at = text_of(found.get("id"), base.LONGEST_ID), moment_of(found.get("created_at"))
    if not order_id or placed_at is None:
        raise base.Uncertain("Printify's order has no id or no time")
    shipments, address = dicts_of(found.get("shipments")), dict_of(found.get("address_to"))
    state = _STATES.get(text_of(found.get("status"), 40), OrderState.PROCESSING)
    if state is OrderState.SHIPPED and shipments and all(one.get("delivered_at") for one in shipments):
        state = OrderState.DELIVERED
    name = f"{text_of(address.get('first_name'), 100)} {text_of(address.get('last_name'), 100)}".strip()
    total = sum(number_of(found.get(part)) for part in ("total_price", "total_shipping", "total_tax"))
    return ShopOrder(
        id=order_id, number=text_of(dict_of(found.get("metadata")).get("shop_order_label"), 100) or order_id,
        state=state, placed_at=placed_at, total=Money(total, currency),
        lines=tuple(_line_of(one, at, currency) for at, one in enumerate(dicts_of(found.get("line_items")))),
        fulfilments=tuple(
            Fulfilment(id=f"{order_id}-{at}", tracking=text_of(one.get("number"), 255),
                       at=moment_of(one.get("shipped_at")))
            for at, one in enumerate(shipments)
        ),
        customer=OrderCustomer(name=name, email=text_of(address.get("email"), 320),
                               country=text_of(address.get("country"), 2)),
    )  # fmt: skip


def _line_of(found: dict[str, Any], at: int, currency: str) -> OrderLine:
    shown, units = dict_of(found.get("metadata")), number_of(found.get("quantity"))
    product = text_of(found.get("product_id"), base.LONGEST_ID)
    return OrderLine(
        id=str(at), variant_id=f"{product}-{number_of(found.get('variant_id'))}" if product else "",
        sku=text_of(shown.get("sku"), 255), title=text_of(shown.get("title"), 255), quantity=units,
        unit_price=Money(number_of(shown.get("price")), currency), fulfilled=units if found.get("fulfilled_at") else 0,
    )  # fmt: skip


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, _: float) -> bool:
    """Return whether Printify sent a body: it signs it with the secret of the webhook."""
    expected = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
    return bool(secret) and hmac.compare_digest(expected.encode(), headers.get("x-pfy-signature", "").encode())


def events_of(_: Mapping[str, str], body: bytes) -> Sequence[ShopEvent]:
    """Return the event of a delivery; none for a topic that says nothing about goods. Raises ValueError."""
    try:
        found = dict_of(json.loads(body))
    except RecursionError as error:
        raise ValueError("the body is too deep") from error
    event_id, topic = text_of(found.get("id"), 100), text_of(found.get("type"), 100)
    about = text_of(dict_of(found.get("resource")).get("id"), base.LONGEST_ID)
    if not event_id or not about:
        raise ValueError("the delivery names no resource or has no id")
    if topic.startswith("order:"):
        return [ShopEvent(id=event_id, kind=ShopEventKind.ORDER, order_id=about)]
    if topic.startswith("product:"):
        is_gone = topic == "product:deleted"
        kind = ShopEventKind.PRODUCT_DELETED if is_gone else ShopEventKind.PRODUCT
        return [ShopEvent(id=event_id, kind=kind, product_id=about)]
    return []
