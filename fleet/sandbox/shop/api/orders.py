"""Endpoints of orders, and what is done with an order elsewhere: by customers, and by the simulated staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends

from fleet.sandbox.shop.api import bodies
from fleet.sandbox.shop.api.bodies import OrderBody, OrderStateBody
from fleet.sandbox.shop.state import Shop, ShopDep, authorised
from fleet.sandbox.shop.store import orders, products

router = APIRouter(prefix="/api/orders", dependencies=[Depends(authorised)])


@router.get("")
def list_orders(shop: ShopDep, cursor: bodies.CursorText = "", limit: bodies.Limit = 50,
                since: datetime | None = None) -> dict[str, Any]:  # fmt: skip
    """Return a page of orders that were placed or changed at or after a time, those that changed first."""
    after = bodies.change_position(cursor)
    with shop.storage.transaction() as tx:
        found = orders.changed(tx, since=bodies.aware(since) if since else None, after=after, limit=limit)
    position = bodies.written(found[-1]["updatedAt"], found[-1]["id"]) if len(found) == limit else None
    return {"items": found, "cursor": position}


@router.get("/{order_id}")
def show_order(order_id: str, shop: ShopDep) -> dict[str, Any]:
    """Return one order."""
    with shop.storage.transaction() as tx:
        return {"order": orders.get(tx, bodies.row_id(order_id, "Order"))}


@router.post("", status_code=201)
def place_order(body: OrderBody, shop: ShopDep) -> dict[str, Any]:
    """Place an order, as a customer does."""
    lines = [(int(one.variant_id), one.quantity) for one in body.lines]
    with shop.change() as tx:
        return {"order": place(tx, shop, lines, body.customer.model_dump(), is_paid=body.is_paid)}


@router.patch("/{order_id}")
def move_order(order_id: str, body: OrderStateBody, shop: ShopDep) -> dict[str, Any]:
    """Give an order another state. The same state again changes nothing."""
    with shop.change() as tx:
        return {"order": move(tx, shop, bodies.row_id(order_id, "Order"), body)}


def place(tx: sa.Connection, shop: Shop, lines: Sequence[tuple[int, int]], customer: dict[str, str], *,
          is_paid: bool) -> dict[str, Any]:  # fmt: skip
    """Place an order, with the event for webhooks. Raises ApiError."""
    order = orders.place(tx, lines, customer, shop.config.currency, is_paid=is_paid)
    _tell(tx, shop, order)
    return order


def move(tx: sa.Connection, shop: Shop, order_id: int, body: OrderStateBody) -> dict[str, Any]:
    """Give an order another state, with the event for webhooks. Raises ApiError."""
    is_changed, order = orders.move(tx, order_id, body.state, tracking=body.tracking, reason=body.reason)
    if is_changed:
        _tell(tx, shop, order)
    return order


def _tell(tx: sa.Connection, shop: Shop, order: dict[str, Any]) -> None:
    """Add the events of an order, and of the stock that it may have moved."""
    shop.events.add(tx, "order", order_id=order["id"])
    sold = [int(line["variantId"]) for line in order["lines"] if line["variantId"]]
    for variant_id, product_id in products.owners(tx, sold).items():
        shop.events.add(tx, "stock", product_id=product_id, variant_id=variant_id)
