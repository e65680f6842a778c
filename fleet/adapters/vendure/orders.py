"""Orders: read them, ship, deliver, cancel and refund them.

Vendure moves no time of an order when its state changes: `updatedAt` stays when it is paid, shipped or delivered
(docs/shops/vendure.md), so open orders must be read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, dict_of, dicts_of, moment_of, text_of
from fleet.adapters.base import Receipt
from fleet.adapters.network import ADOPTED, CallDeadline, before_the_write
from fleet.adapters.shops import (
    Fulfilment,
    Money,
    OrderCustomer,
    OrderLine,
    OrderPage,
    OrderState,
    ShopOrder,
    UpdateOrderPayload,
    order_state,
)
from fleet.adapters.vendure import documents, wire
from fleet.adapters.vendure.admin_api import AdminApi
from fleet.adapters.vendure.reads import VendureReader, stamp

_STATES = {
    "PaymentAuthorized": OrderState.CONFIRMED, "PaymentSettled": OrderState.CONFIRMED,
    "PartiallyShipped": OrderState.PROCESSING, "Modifying": OrderState.PROCESSING,
    "ArrangingAdditionalPayment": OrderState.PROCESSING, "Shipped": OrderState.SHIPPED,
    "PartiallyDelivered": OrderState.SHIPPED, "Delivered": OrderState.DELIVERED, "Cancelled": OrderState.CANCELLED,
}  # fmt: skip
_PACKED = "Pending"
_MOST_A_PAGE = 50
_SHIPPED = (OrderState.SHIPPED, OrderState.DELIVERED)


class OrderDesk:
    """The orders of one shop."""

    def __init__(self, api: AdminApi, reader: VendureReader) -> None:
        self._api = api
        self._reader = reader

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return a page of orders that were placed, or changed by more than their state, at or after a time."""
        placed: dict[str, Any] = {"orderPlacedAt": {"isNull": False}}
        if since is not None:
            after = {"after": stamp(since.replace(microsecond=0) - timedelta(milliseconds=1))}
            placed = {"_and": [placed, {"_or": [{"updatedAt": after}, {"orderPlacedAt": after}]}]}
        found, following, _ = self._reader.page(documents.ORDERS, "orders", placed, cursor, min(limit, _MOST_A_PAGE))
        return OrderPage(tuple(order_of(one) for one in found), following)

    def order(self, order_id: str, *, timeout_s: float | None = None) -> ShopOrder:
        """Return an order. Raises Vanished."""
        return order_of(self._raw(order_id, timeout_s))

    def update(self, payload: UpdateOrderPayload, deadline: CallDeadline) -> Receipt:
        """Move an order to a state. What was done already is not repeated."""
        with before_the_write():
            found = self._raw(payload.order_id, deadline.left_s)
        if _is_reached(order_of(found).state, payload.state):
            return Receipt(payload.order_id, {"was": "done already", "now": [order_state(order_of(found))]})
        match payload.state:
            case OrderState.SHIPPED:
                self._ship(found, payload, deadline)
            case OrderState.DELIVERED:
                self._deliver(found, deadline)
            case OrderState.CANCELLED:
                request = {"orderId": payload.order_id, "reason": payload.reason, "cancelShipping": True}
                self._api.write(documents.CANCEL_ORDER, {"input": request}, timeout_s=deadline.left_s)
            case OrderState.REFUNDED:
                self._refund(found, payload, deadline)
            case _:
                raise base.Refused(f"an order of this shop cannot be made {payload.state}")
        return Receipt(
            payload.order_id, {"now": [order_state(self.order(payload.order_id, timeout_s=deadline.left_s))]}
        )

    def probe(self, payload: UpdateOrderPayload) -> Receipt | None:
        """Return a receipt if the order has reached the state."""
        found = self.order(payload.order_id)
        if not _is_reached(found.state, payload.state):
            return None
        return Receipt(found.id, {**ADOPTED, "now": [order_state(found)]})

    def _raw(self, order_id: str, timeout_s: float | None) -> dict[str, Any]:
        found = self._api.read(documents.ORDER, {"id": order_id}, timeout_s=timeout_s).get("order")
        if not isinstance(found, dict) or moment_of(found.get("orderPlacedAt")) is None:
            raise base.Vanished("the shop has no such order")
        return found

    def _ship(self, found: Mapping[str, Any], payload: UpdateOrderPayload, deadline: CallDeadline) -> None:
        """Ship everything: parcels that were made are sent, what is in none becomes one. Two requests at least."""
        parcels = [wire.id_of(one.get("id")) for one in _parcels(found) if one.get("state") == _PACKED]
        rest = _unpacked(found)
        if rest:
            tracking = [{"name": "method", "value": "Fleet"}, {"name": "trackingCode", "value": payload.tracking}]
            handler = {"code": "manual-fulfillment", "arguments": tracking}
            request = {"lines": rest, "handler": handler}
            made = self._api.write(documents.ADD_FULFILMENT, {"input": request}, timeout_s=deadline.left_s)
            parcels.append(wire.id_of(dict_of(made).get("id")))
        for one in parcels:
            variables = {"id": one, "state": "Shipped"}
            self._api.write(documents.MOVE_FULFILMENT, variables, timeout_s=deadline.left_s)

    def _deliver(self, found: Mapping[str, Any], deadline: CallDeadline) -> None:
        for one in _parcels(found):
            if one.get("state") == "Shipped":
                variables = {"id": wire.id_of(one.get("id")), "state": "Delivered"}
                self._api.write(documents.MOVE_FULFILMENT, variables, timeout_s=deadline.left_s)

    def _refund(self, found: Mapping[str, Any], payload: UpdateOrderPayload, deadline: CallDeadline) -> None:
        """Refund what is left of each payment. The shop refuses to refund more than was paid."""
        for one in dicts_of(found.get("payments")):
            left = wire.units_of(one.get("amount")) - _refunded([one])
            if one.get("state") == "Settled" and left > 0:
                request = {"paymentId": wire.id_of(one.get("id")), "amount": left, "reason": payload.reason,
                           "shipping": 0, "adjustment": 0}  # fmt: skip
                self._api.write(documents.REFUND_ORDER, {"input": request}, timeout_s=deadline.left_s)


def order_of(found: Mapping[str, Any]) -> ShopOrder:
    """Return an order. Raises Uncertain for one without an id, a time or an amount."""
    order_id, placed = wire.id_of(found.get("id")), moment_of(found.get("orderPlacedAt"))
    currency = text_of(found.get("currencyCode"), 3)
    total = wire.money_of(found.get("totalWithTax"), currency)
    if not order_id or placed is None or total is None:
        raise base.Uncertain("the shop's answer has an order without id, time or amount")
    payments, fulfilments = dicts_of(found.get("payments")), [_fulfilment(one) for one in _parcels(found)]
    state = _STATES.get(text_of(found.get("state"), 60), OrderState.PENDING)
    paid = sum(wire.units_of(one.get("amount")) for one in payments if one.get("state") == "Settled")
    if paid and _refunded(payments) >= paid:
        state = OrderState.REFUNDED
    times = [placed, moment_of(found.get("updatedAt")), *(moment_of(one.get("updatedAt")) for one in _parcels(found))]
    return ShopOrder(
        id=order_id, number=text_of(found.get("code"), LONGEST_NAME_CHARS), state=state, placed_at=placed,
        updated_at=max(one for one in times if one is not None), total=total, customer=_customer(found),
        lines=tuple(_line(one, state, currency, fulfilments) for one in dicts_of(found.get("lines"))),
        fulfilments=tuple(fulfilments),
    )  # fmt: skip


def _line(found: Mapping[str, Any], state: OrderState, currency: str, fulfilments: Sequence[Fulfilment]) -> OrderLine:
    """Return a line. Those of a cancelled order have the units that were ordered; the shop has 0 then."""
    variant, line = dict_of(found.get("productVariant")), wire.id_of(found.get("id"))
    is_off = state in (OrderState.CANCELLED, OrderState.REFUNDED) and not found.get("quantity")
    price = wire.money_of(found.get("discountedUnitPriceWithTax"), currency)
    return OrderLine(
        id=line, variant_id=wire.id_of(variant.get("id")), sku=text_of(variant.get("sku"), LONGEST_NAME_CHARS),
        title=text_of(variant.get("name"), LONGEST_NAME_CHARS),
        quantity=wire.units_of(found.get("orderPlacedQuantity" if is_off else "quantity")),
        unit_price=price or Money(0, currency), fulfilled=sum(one.quantities.get(line, 0) for one in fulfilments),
    )  # fmt: skip


def _fulfilment(found: Mapping[str, Any]) -> Fulfilment:
    lines = dicts_of(found.get("lines"))
    return Fulfilment(
        id=wire.id_of(found.get("id")), tracking=text_of(found.get("trackingCode"), LONGEST_NAME_CHARS),
        quantities={wire.id_of(one.get("orderLineId")): wire.units_of(one.get("quantity")) for one in lines},
        at=moment_of(found.get("createdAt")),
    )  # fmt: skip


def _customer(found: Mapping[str, Any]) -> OrderCustomer:
    person, address = dict_of(found.get("customer")), dict_of(found.get("shippingAddress"))
    name = f"{text_of(person.get('firstName'), 100)} {text_of(person.get('lastName'), 100)}".strip()
    return OrderCustomer(
        id=wire.id_of(person.get("id")), name=name or text_of(address.get("fullName"), LONGEST_NAME_CHARS),
        email=text_of(person.get("emailAddress"), 320), country=text_of(address.get("countryCode"), 2),
    )  # fmt: skip


def _parcels(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in dicts_of(found.get("fulfillments")) if one.get("state") != "Cancelled"]


def _unpacked(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    packed: dict[str, int] = {}
    for one in map(_fulfilment, _parcels(found)):
        for line, quantity in one.quantities.items():
            packed[line] = packed.get(line, 0) + quantity
    left = {wire.id_of(one.get("id")): wire.units_of(one.get("quantity")) for one in dicts_of(found.get("lines"))}
    return [
        {"orderLineId": line, "quantity": quantity - packed.get(line, 0)}
        for line, quantity in left.items() if quantity > packed.get(line, 0)
    ]  # fmt: skip


def _refunded(payments: Sequence[Mapping[str, Any]]) -> int:
    return sum(
        wire.units_of(refund.get("total"))
        for one in payments for refund in dicts_of(one.get("refunds")) if refund.get("state") != "Failed"
    )  # fmt: skip


def _is_reached(found: OrderState, wanted: OrderState) -> bool:
    return found is wanted or (wanted is OrderState.SHIPPED and found in _SHIPPED)
