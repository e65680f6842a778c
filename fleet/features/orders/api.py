"""Orders for programs: /api/v1/orders."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query

from fleet.access import Permission, Principal
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.orders import customers, queries, schema, service
from fleet.features.orders.schema import OrderActionDone, OrderActionIn, OrderDetail, OrderListPage, OrderQuery
from fleet.features.products.queries import place
from fleet.web.auth import TheDeps, needs

router = APIRouter(prefix="/orders", tags=["orders"])
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
OrderEditor = Annotated[Principal, needs(Permission.ORDERS_EDIT)]
ActionName = Annotated[str, Path(max_length=40)]


def order_page(deps: Deps, which: OrderQuery) -> OrderListPage:
    """Return a page of orders, the newest first."""
    with deps.db.transaction() as tx:
        found = queries.listed(tx, which.filter, limit=which.one_more, below=which.place(place))
    rows, following = which.page(found, queries.place_of)
    return OrderListPage(items=[schema.order_out(one) for one in rows], next=following)


def detail(deps: Deps, order_id: uuid.UUID, who: Principal) -> OrderDetail:
    """Return an order with everything about it that somebody may see. Raises NotFound."""
    with deps.db.transaction() as tx:
        return schema.detail(deps, tx, order_id, who)


def released(deps: Deps, order_id: uuid.UUID, who: Principal) -> bool:
    """Release an order that is held; False if it was not. Raises NotFound, NeedsApproval."""
    return bool(verbs.perform(deps, who, "order", "release", order=order_id))


def acted(deps: Deps, order_id: uuid.UUID, name: str, values: Mapping[str, str], who: Principal) -> str:
    """Do an action on an order at its store; return the message. Raises FleetError, NeedsApproval."""
    return str(verbs.perform(deps, who, "order", "act", order=order_id, name=name, values=dict(values)))


def erased(deps: Deps, order_id: uuid.UUID, who: Principal) -> bool:
    """Erase the customer of an order, in all of their orders; False if it was done before. Raises NotFound."""
    with deps.db.transaction() as tx:
        row = service.get(tx, order_id)
        if row.customer_id is None:
            raise NotFound(f"The order {row.number} names no customer.", fix="There is nothing to erase.")
        return customers.erase(tx, row.customer_id, by=who.by)


@router.get("", dependencies=[needs(Permission.FLEET_VIEW)])
def list_orders(deps: TheDeps, *, which: Annotated[OrderQuery, Query()]) -> OrderListPage:
    """Return a page of orders of all stores, the newest first."""
    return order_page(deps, which)


@router.get("/{order_id}")
def show_order(deps: TheDeps, order_id: uuid.UUID, *, who: Viewer) -> OrderDetail:
    """Return one order with its lines, parcels and customer."""
    return detail(deps, order_id, who)


@router.post("/{order_id}/release")
def release_order(deps: TheDeps, order_id: uuid.UUID, *, who: OrderEditor) -> OrderDetail:
    """Release an order that is held."""
    released(deps, order_id, who)
    return detail(deps, order_id, who)


@router.post("/{order_id}/erase-customer")
def erase_customer(deps: TheDeps, order_id: uuid.UUID, *, who: OrderEditor) -> OrderDetail:
    """Erase the customer of an order, in all of their orders. Their data never comes back from the store."""
    erased(deps, order_id, who)
    return detail(deps, order_id, who)


@router.post("/{order_id}/actions/{name}")
def act_on_order(
    deps: TheDeps, order_id: uuid.UUID, name: ActionName, *, body: OrderActionIn, who: OrderEditor
) -> OrderActionDone:
    """Do an action on an order at its store, such as shipping it."""
    message = acted(deps, order_id, name, body.values, who)
    return OrderActionDone(message=message, order=detail(deps, order_id, who))
