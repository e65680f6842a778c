"""Orders of Shopify: reading them, and moving them to shipped, cancelled and refunded. Used by `shopify` alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import dict_of, dicts_of, text_of
from fleet.adapters.base import Receipt
from fleet.adapters.network import ADOPTED, CallDeadline, before_the_write, read_back
from fleet.adapters.shopify import answers, documents
from fleet.adapters.shopify.answers import end_of, has_more, id_of, nodes_of
from fleet.adapters.shops import OrderLine, OrderPage, OrderState, ShopOrder, UpdateOrderPayload, order_state

Ask = Callable[..., dict[str, Any]]
"""Makes one request: its document, its variables, the seconds it may take."""
_MOST_PAGES = 20
_OPEN = ("OPEN", "IN_PROGRESS", "SCHEDULED")


class OrderCalls:
    """The calls about orders of one shop."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def page(self, query: str | None, cursor: str | None, limit: int) -> OrderPage:
        """Return a page of orders."""
        first = max(1, min(limit, documents.ORDER_PAGE))
        connection = self._ask(documents.ORDERS, {"first": first, "after": cursor, "query": query}).get("orders")
        found = [self._whole(one) for one in nodes_of(connection)]
        return OrderPage(tuple(found), end_of(connection))

    def one(self, order_id: str, timeout_s: float | None = None) -> ShopOrder:
        """Return an order. Raises Vanished."""
        found = dict_of(self._ask(documents.ORDER, {"id": order_id}, timeout_s).get("order"))
        if not id_of(found.get("id")):
            raise base.Vanished("the order is not in the shop")
        order = answers.order_of(found)
        more = tuple(self._more_lines(order, end_of(found.get("lineItems"))))
        return replace(order, lines=order.lines + more)

    def is_in(self, order_id: str, state: OrderState, tracking: str = "", timeout_s: float | None = None) -> bool:
        """Return whether an order is in a state, or beyond it."""
        order = self.one(order_id, timeout_s)
        if state is OrderState.SHIPPED and order.state in (OrderState.SHIPPED, OrderState.DELIVERED):
            return not tracking or any(one.tracking == tracking for one in order.fulfilments)
        return order.state is state

    def move(self, update: UpdateOrderPayload, key: str, deadline: CallDeadline) -> Receipt:
        """Move an order to a state. Raises Refused if the shop does not, for a state that Fleet cannot set."""
        with before_the_write():
            if self.is_in(update.order_id, update.state, timeout_s=deadline.left_s):
                return Receipt(update.order_id, {**ADOPTED, **self.now(update.order_id)})
        try:
            match update.state:
                case OrderState.SHIPPED:
                    self._ship(update, deadline)
                case OrderState.CANCELLED:
                    self._cancel(update, deadline)
                case OrderState.REFUNDED:
                    self._refund(update, key, deadline)
                case _:
                    raise base.Refused(f"Shopify sets {update.state} itself")
        except base.Refused:
            # Shopify cancels in the background: a repeated write is refused once the first one has come through.
            if not self.is_in(update.order_id, update.state, timeout_s=deadline.left_s):
                raise
            return Receipt(update.order_id, {**ADOPTED, **self.now(update.order_id)})
        return Receipt(update.order_id, self.now(update.order_id))

    def now(self, order_id: str) -> dict[str, Any]:
        """Return the state of an order for a receipt."""
        return read_back(lambda: [order_state(self.one(order_id))])

    def _ship(self, update: UpdateOrderPayload, deadline: CallDeadline) -> None:
        """Fulfil what is open. One call each place that sends it; they are not atomic together."""
        with before_the_write():
            data = self._ask(documents.OPEN_PARCELS, {"id": update.order_id}, deadline.left_s)
        parcels = [one for one in nodes_of(dict_of(data.get("order")).get("fulfillmentOrders")) if _is_open(one)]
        if not parcels:
            raise base.Refused("nothing of the order can be shipped")
        for one in parcels:
            request: dict[str, Any] = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": id_of(one.get("id"))}],
                                       "notifyCustomer": False}  # fmt: skip
            request |= {"trackingInfo": {"number": update.tracking}} if update.tracking else {}
            self._mutate(documents.FULFIL, {"fulfillment": request}, "fulfillmentCreate", "userErrors", deadline)

    def _cancel(self, update: UpdateOrderPayload, deadline: CallDeadline) -> None:
        request = {"orderId": update.order_id, "refundMethod": {"originalPaymentMethodsRefund": False},
                   "staffNote": update.reason[:255]}  # fmt: skip
        self._mutate(documents.CANCEL, request, "orderCancel", "orderCancelUserErrors", deadline)

    def _refund(self, update: UpdateOrderPayload, key: str, deadline: CallDeadline) -> None:
        """Refund what Shopify suggests for the whole order."""
        with before_the_write():
            data = self._ask(documents.REFUNDABLE, {"id": update.order_id}, deadline.left_s)
        found = dict_of(dict_of(data.get("order")).get("suggestedRefund"))
        payments = dicts_of(found.get("suggestedTransactions"))
        if not payments:
            raise base.Refused("nothing of the order can be refunded")
        shipping = _amount(dict_of(found.get("shipping")))
        request = {
            "orderId": update.order_id, "note": update.reason[:255], "notify": False,
            "refundLineItems": [_refund_line(one) for one in dicts_of(found.get("refundLineItems"))],
            "transactions": [
                {"orderId": update.order_id, "kind": "REFUND", "gateway": text_of(one.get("gateway"), 100),
                 "amount": _amount(one), "parentId": id_of(dict_of(one.get("parentTransaction")).get("id"))}
                for one in payments
            ],
        }  # fmt: skip
        if shipping and shipping.strip("0.,"):
            request["shipping"] = {"amount": shipping}
        self._mutate(documents.REFUND, {"input": request, "key": key}, "refundCreate", "userErrors", deadline)

    def _mutate(self, document: str, request: dict[str, Any], field: str, errors: str, deadline: CallDeadline) -> None:
        payload = self._ask(document, request, deadline.left_s).get(field)
        if not isinstance(payload, dict):
            raise base.Uncertain("Shopify does not say whether it did it")
        found = dicts_of(payload.get(errors))
        if found:
            raise answers.refusal_of(found)

    def _whole(self, found: dict[str, Any]) -> ShopOrder:
        """Return an order of a page; one with more lines than a page gives is read by itself."""
        if has_more(found.get("lineItems")):
            return self.one(id_of(found.get("id")))
        return answers.order_of(found)

    def _more_lines(self, order: ShopOrder, cursor: str | None) -> Iterator[OrderLine]:
        for _ in range(_MOST_PAGES):
            if cursor is None:
                return
            data = self._ask(documents.LINES, {"id": order.id, "after": cursor})
            connection = dict_of(data.get("order")).get("lineItems")
            yield from (answers.line_of(one, order.total.currency) for one in nodes_of(connection))
            cursor = end_of(connection)


def _is_open(parcel: dict[str, Any]) -> bool:
    actions = [one.get("action") for one in dicts_of(parcel.get("supportedActions"))]
    return parcel.get("status") in _OPEN and (not actions or "CREATE_FULFILLMENT" in actions)


def _amount(found: dict[str, Any]) -> str:
    return text_of(dict_of(dict_of(found.get("amountSet")).get("shopMoney")).get("amount"), 40)


def _refund_line(found: dict[str, Any]) -> dict[str, Any]:
    place = id_of(dict_of(found.get("location")).get("id"))
    return {
        "lineItemId": id_of(dict_of(found.get("lineItem")).get("id")), "quantity": found.get("quantity"),
        "restockType": found.get("restockType") if place else "NO_RESTOCK", **({"locationId": place} if place else {}),
    }  # fmt: skip
