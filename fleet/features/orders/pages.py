"""The pages of orders: the list with its filters, and one order with its lines, parcels, customer and actions."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from fleet.access import Permission
from fleet.adapters.shops import OrderState
from fleet.core.errors import FleetError
from fleet.features.orders import api, queries
from fleet.features.orders.api import ActionName, OrderEditor, Viewer
from fleet.features.orders.schema import OrderQuery
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import KeptForm, go, render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_LIST = "/orders"


class OrderListQuery(OrderQuery):
    """Which orders; the empty choices of the form are none."""

    state: Maybe[OrderState] = None
    held: Maybe[bool] = None
    product: Maybe[uuid.UUID] = None


@router.get(_LIST, dependencies=[needs(Permission.FLEET_VIEW)])
def orders(request: Request, deps: TheDeps, which: Annotated[OrderListQuery, Query()]) -> Response:
    """Show orders of all stores, the newest first."""
    found = api.order_page(deps, which)
    with deps.db.transaction() as tx:
        matching, stores = queries.count(tx, which.filter), queries.stores(tx)
    return render(
        request, "orders/list.html", items=found.items, next=found.next, which=which, matching=matching, stores=stores,
        states=list(OrderState),
    )  # fmt: skip


@router.get("/orders/{order_id}")
def order(request: Request, deps: TheDeps, who: Viewer, order_id: uuid.UUID) -> Response:
    """Show an order."""
    return render(request, "orders/order.html", order=api.detail(deps, order_id, who))


@router.post("/orders/{order_id}/release")
def release(request: Request, deps: TheDeps, who: OrderEditor, order_id: uuid.UUID) -> Response:
    """Release an order that is held."""
    done = api.released(deps, order_id, who)
    return go(request, f"{_LIST}/{order_id}", "The order is released." if done else "The order was not held.")


@router.post("/orders/{order_id}/erase-customer")
def erase(request: Request, deps: TheDeps, who: OrderEditor, order_id: uuid.UUID) -> Response:
    """Erase the customer of an order."""
    done = api.erased(deps, order_id, who)
    said = "The customer is erased in all of their orders." if done else "The customer was erased before."
    return go(request, f"{_LIST}/{order_id}", said)


@router.post("/orders/{order_id}/actions/{name}")
async def act(request: Request, deps: TheDeps, who: OrderEditor, order_id: uuid.UUID, name: ActionName) -> Response:
    """Do an action on an order at its store."""
    form = await request.form()
    values = {key: value for key, value in form.items() if isinstance(value, str) and key != "csrf"}
    at = f"{_LIST}/{order_id}"
    try:
        said = await run_in_threadpool(api.acted, deps, order_id, name, values, who)
    except FleetError as error:
        field = error.message.partition(":")[0]
        return go(request, at, str(error), kept=KeptForm(f"action {name}", field, values))
    return go(request, at, said)
