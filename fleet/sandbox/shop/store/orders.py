"""Orders: placed by customers, moved through their states, shipped in parcels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.core import clock
from fleet.sandbox.gallery.errors import ApiError, not_found
from fleet.sandbox.shop.store import stock
from fleet.sandbox.shop.store.tables import fulfilments, order_lines, order_numbers, orders, products, variants

MOVES: Mapping[str, tuple[str, ...]] = {
    "pending": ("confirmed", "cancelled"),
    "confirmed": ("processing", "shipped", "cancelled", "refunded"),
    "processing": ("shipped", "cancelled", "refunded"),
    "shipped": ("delivered", "refunded"),
    "delivered": ("refunded",),
    "cancelled": (),
    "refunded": (),
}
"""The states that may follow each state, the usual one first."""
_UNSHIPPED = frozenset({"pending", "confirmed", "processing"})


def place(tx: sa.Connection, lines: Sequence[tuple[int, int]], customer: Mapping[str, str], currency: str, *,
          is_paid: bool) -> dict[str, Any]:  # fmt: skip
    """Place an order of (variant, quantity) lines and allocate its units.

    Raises ApiError 404 for a variant that is not for sale, 409 for one with too little stock.
    """
    chosen = []
    for variant_id, quantity in sorted(lines):
        row = tx.execute(
            sa.select(variants, products.c.title.label("product_title"))
            .join(products, products.c.id == variants.c.product_id)
            .where(variants.c.id == variant_id, products.c.status == "active")
        ).one_or_none()  # fmt: skip
        if row is None:
            raise not_found(f"Variant {variant_id}")
        location_id = stock.allocate(tx, variant_id, quantity)
        if location_id is None:
            raise ApiError(409, "OUT_OF_STOCK", f"There are fewer than {quantity} of {row.sku}.")
        title = f"{row.product_title}, {row.title}" if row.title else row.product_title
        chosen.append({"variant_id": variant_id, "location_id": location_id, "sku": row.sku, "title": title,
                       "quantity": quantity, "unit_price_minor": row.price_minor})  # fmt: skip
    now = clock.now()
    total = sum(one["quantity"] * one["unit_price_minor"] for one in chosen)
    values = {
        "number": str(tx.scalar(order_numbers.next_value())), "state": "confirmed" if is_paid else "pending",
        "currency": currency, "total_minor": total, "customer": dict(customer), "placed_at": now, "updated_at": now,
    }  # fmt: skip
    order_id = int(tx.scalar(sa.insert(orders).values(values).returning(orders.c.id)) or 0)
    tx.execute(sa.insert(order_lines), [{**one, "order_id": order_id} for one in chosen])
    return get(tx, order_id)


def move(
    tx: sa.Connection, order_id: int, state: str, *, tracking: str = "", reason: str = ""
) -> tuple[bool, dict[str, Any]]:
    """Give an order another state; return whether it changed, and the order. Raises ApiError 404, 409.

    Shipping takes its units out of the stock; cancelling, and a refund before shipping, give them back.
    """
    row = tx.execute(sa.select(orders).where(orders.c.id == order_id).with_for_update()).one_or_none()
    if row is None:
        raise not_found("Order")
    if row.state == state:
        return False, get(tx, order_id)
    if state not in MOVES[row.state]:
        raise ApiError(409, "WRONG_STATE", f"An order that is {row.state} cannot become {state}.")
    lines = tx.execute(sa.select(order_lines).where(order_lines.c.order_id == order_id)).all()
    if row.state in _UNSHIPPED and state not in _UNSHIPPED:
        act = stock.ship if state == "shipped" else stock.release
        for line in sorted(lines, key=lambda one: (one.variant_id or 0, one.location_id)):
            if line.variant_id is not None:
                act(tx, line.variant_id, line.location_id, line.quantity)
    now = clock.now()
    if state == "shipped":
        quantities = {str(line.id): line.quantity for line in lines}
        tx.execute(sa.insert(fulfilments).values(order_id=order_id, quantities=quantities, tracking=tracking, at=now))
        tx.execute(
            sa.update(order_lines).where(order_lines.c.order_id == order_id).values(fulfilled=order_lines.c.quantity)
        )
    tx.execute(sa.update(orders).where(orders.c.id == order_id).values(state=state, reason=reason, updated_at=now))
    return True, get(tx, order_id)


def get(tx: sa.Connection, order_id: int) -> dict[str, Any]:
    """Return an order. Raises ApiError 404."""
    row = tx.execute(sa.select(orders).where(orders.c.id == order_id)).one_or_none()
    if row is None:
        raise not_found("Order")
    return _with_lines(tx, [row])[0]


def changed(tx: sa.Connection, *, since: datetime | None, after: tuple[datetime, int] | None,
            limit: int) -> list[dict[str, Any]]:  # fmt: skip
    """Return orders that were placed or changed at or after a time, those that changed first."""
    query = sa.select(orders)
    if since is not None:
        query = query.where(orders.c.updated_at >= since)
    if after is not None:
        query = query.where(sa.tuple_(orders.c.updated_at, orders.c.id) > sa.tuple_(*map(sa.literal, after)))
    return _with_lines(tx, tx.execute(query.order_by(orders.c.updated_at, orders.c.id).limit(limit)).all())


def newest(tx: sa.Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return the orders that were placed last."""
    return _with_lines(tx, tx.execute(sa.select(orders).order_by(orders.c.id.desc()).limit(limit)).all())


def oldest_in(tx: sa.Connection, states: Sequence[str], *, limit: int) -> list[tuple[int, str]]:
    """Return id and state of the orders that have been in one of some states for longest."""
    query = sa.select(orders.c.id, orders.c.state).where(orders.c.state.in_(states)).order_by(orders.c.updated_at)
    return [(int(row.id), str(row.state)) for row in tx.execute(query.limit(limit))]


def _with_lines(tx: sa.Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    ids = [row.id for row in rows]
    lines: dict[int, list[dict[str, Any]]] = {order_id: [] for order_id in ids}
    parcels: dict[int, list[dict[str, Any]]] = {order_id: [] for order_id in ids}
    if ids:
        for one in tx.execute(sa.select(order_lines).where(order_lines.c.order_id.in_(ids)).order_by(order_lines.c.id)):
            lines[one.order_id].append(
                {
                    "id": str(one.id),
                    "variantId": str(one.variant_id or ""),
                    "sku": one.sku,
                    "title": one.title,
                    "quantity": one.quantity,
                    "unitPriceMinor": one.unit_price_minor,
                    "fulfilled": one.fulfilled,
                }
            )
        for one in tx.execute(sa.select(fulfilments).where(fulfilments.c.order_id.in_(ids)).order_by(fulfilments.c.id)):
            parcels[one.order_id].append(
                {"id": str(one.id), "quantities": one.quantities, "tracking": one.tracking, "at": one.at.isoformat()}
            )
    return [
        {
            "id": str(row.id),
            "number": row.number,
            "state": row.state,
            "currency": row.currency,
            "totalMinor": row.total_minor,
            "customer": row.customer,
            "reason": row.reason,
            "placedAt": row.placed_at.isoformat(),
            "updatedAt": row.updated_at.isoformat(),
            "lines": lines[row.id],
            "fulfilments": parcels[row.id],
        }
        for row in rows
    ]
