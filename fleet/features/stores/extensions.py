"""What stores add to products and orders: at which stores a product is, and what a store does with an order."""

from __future__ import annotations

import contextlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from fleet.access import Principal, audit
from fleet.accounts import service as accounts
from fleet.accounts.models import AccountRow
from fleet.adapters import registry as adapters
from fleet.adapters.shops import UPDATE_ORDER, OrderState
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine import publish
from fleet.engine.deps import Deps
from fleet.engine.points.sandbox_shop import SandboxShopSetup
from fleet.features.orders import service as orders
from fleet.features.orders.models import StoreOrderRow
from fleet.features.orders.points import OrderAction, OrderField
from fleet.features.products.models import ProductRow
from fleet.features.products.points import ProductStores, StoreState
from fleet.features.stores import service
from fleet.features.stores.models import ExternalRefRow, StoreRow
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import context_for
from fleet.features.stores.writes.plan import new_job

_OPEN = (OrderState.PENDING, OrderState.CONFIRMED, OrderState.PROCESSING)
_PAID = (OrderState.CONFIRMED, OrderState.PROCESSING)
_SENT = (OrderState.SHIPPED, OrderState.DELIVERED)


def _names(tx: Tx) -> Sequence[str]:
    query = sa.select(AccountRow.name).join(StoreRow, StoreRow.account_id == AccountRow.id)
    return list(tx.session.scalars(query.where(StoreRow.removed_at.is_(None)).order_by(AccountRow.name)))


def _is_at(name: str) -> sa.ColumnElement[bool]:
    ref = ExternalRefRow
    here = sa.select(ref.local_id).join(AccountRow, AccountRow.id == ref.account_id)
    return ProductRow.id.in_(here.where(ref.kind == "product", ref.state == "mapped", AccountRow.name == name))


def _states(tx: Tx, product_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Sequence[StoreState]]:
    ref = ExternalRefRow
    query = sa.select(ref.local_id, ref.state, AccountRow.name).join(AccountRow, AccountRow.id == ref.account_id)
    query = query.where(ref.kind == "product", ref.local_id.in_(product_ids)).order_by(AccountRow.name)
    found: dict[uuid.UUID, list[StoreState]] = defaultdict(list)
    for one in tx.execute(query):
        found[one.local_id].append(StoreState(one.name, one.state, f"/stores/{one.name}"))
    return found


PRODUCT_STORES = ProductStores(names=_names, is_at=_is_at, states=_states)


def _is_written(tx: Tx, order: StoreOrderRow) -> bool:
    """Say whether the store of an order is there, and its shop takes new states of orders."""
    row = tx.session.get(StoreRow, order.account_id)
    if row is None or row.removed_at is not None:
        return False
    adapter = accounts.get(tx, order.account_id).adapter
    return adapter in adapters.names() and UPDATE_ORDER.name in adapters.get(adapter).writes


def _offer(tx: Tx, order: StoreOrderRow, states: Sequence[OrderState]) -> bool:
    if order.state not in states or not _is_written(tx, order):
        return False
    row = tx.session.get_one(StoreRow, order.account_id)
    return not any(local_id == order.id for local_id, _ in refs.open_writes(tx, row.agent_id))


def move_order(
    deps: Deps, order_id: uuid.UUID, state: OrderState, who: Principal, *, tracking: str = "", reason: str = ""
) -> uuid.UUID:  # fmt: skip
    """Have a store move an order to a new state; return the id of the job. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        order = orders.get(tx, order_id)
        if not _is_written(tx, order):
            raise Conflict("The store of this order does not take new states of orders.", fix="Move it in the shop.")
        context = context_for(deps, tx, tx.session.get_one(StoreRow, order.account_id), requested_by=who.by)
        job = new_job(context, UPDATE_ORDER.name, target=order.external_id, payload={
            "order": str(order.id), "external_id": order.external_id, "state": state.value, "tracking": tracking,
            "reason": reason, "fields": refs.written([(order.id, "state")]),
        })  # fmt: skip
        publish.add_jobs(tx, deps.publisher, [job])
        audit.note(
            tx, "order.moved", f"order:{order.number}", before={"state": order.state}, after={"state": state.value}
        )
        return job.id


def _ship(deps: Deps, order_id: uuid.UUID, given: Mapping[str, str], who: Principal) -> str:
    move_order(deps, order_id, OrderState.SHIPPED, who, tracking=given.get("tracking", ""))
    return "The store is told that the order is shipped."


def _cancel(deps: Deps, order_id: uuid.UUID, given: Mapping[str, str], who: Principal) -> str:
    move_order(deps, order_id, OrderState.CANCELLED, who, reason=given.get("reason", ""))
    return "The store is told to cancel the order."


def _refund(deps: Deps, order_id: uuid.UUID, given: Mapping[str, str], who: Principal) -> str:
    move_order(deps, order_id, OrderState.REFUNDED, who, reason=given.get("reason", ""))
    return "The store is told to refund the order."


_REASON = OrderField(name="reason", label="Reason")
SHIP = OrderAction(
    name="ship", label="Ship", is_offered=lambda _, tx, order: _offer(tx, order, _PAID), run=_ship,
    fields=(OrderField(name="tracking", label="Tracking number"),),
)  # fmt: skip
CANCEL = OrderAction(
    name="cancel", label="Cancel", is_offered=lambda _, tx, order: _offer(tx, order, _OPEN), run=_cancel,
    fields=(_REASON,), confirm="Cancel this order at its store?", is_dangerous=True, is_allowed_while_held=True,
)  # fmt: skip
REFUND = OrderAction(
    name="refund", label="Refund", is_offered=lambda _, tx, order: _offer(tx, order, _SENT), run=_refund,
    fields=(_REASON,), confirm="Refund this order at its store?", is_dangerous=True, is_allowed_while_held=True,
)  # fmt: skip


def _prepare_sandbox(deps: Deps, account_id: uuid.UUID) -> None:
    with deps.db.transaction() as tx:
        name = accounts.get(tx, account_id).name
    with contextlib.suppress(Conflict):  # it is a store already
        service.add(deps, name, by="fleet up")


SANDBOX_SHOP = SandboxShopSetup(prepare=_prepare_sandbox, hook_path="/hooks/in/store/{account}")
