"""Orders as pages, the API and commands show them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.adapters.shops import OrderState
from fleet.core.db import Tx
from fleet.features.orders import service
from fleet.features.orders.models import CustomerRow, FulfilmentRow, OrderLineRow, StoreOrderRow
from fleet.features.products.models import VariantRow


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders; empty fields match all. `number` is how an order's number begins."""

    number: str = ""
    state: OrderState | None = None
    store: str = ""
    is_held: bool | None = None
    product_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class ListedStoreOrder:
    """An order with the name of its store's account, and how many units it has."""

    row: StoreOrderRow
    store: str
    units: int


@dataclass(frozen=True, slots=True)
class FullOrder:
    """An order with everything about it. `products` has the product of a line by the line's id at the store."""

    listed: ListedStoreOrder
    lines: Sequence[OrderLineRow]
    products: Mapping[str, uuid.UUID]
    fulfilments: Sequence[FulfilmentRow]
    customer: CustomerRow | None
    other_orders: int
    """How many other orders this customer has."""


Place = tuple[datetime, uuid.UUID]


def listed(tx: Tx, which: OrderFilter, *, limit: int, below: Place | None = None) -> list[ListedStoreOrder]:
    """Return orders, the newest first."""
    row = StoreOrderRow
    query = _query().where(*_conditions(which)).order_by(row.placed_at.desc(), row.id.desc()).limit(limit)
    if below is not None:
        query = query.where(sa.tuple_(row.placed_at, row.id) < sa.tuple_(*below))
    return [ListedStoreOrder(*found) for found in tx.execute(query)]


def place_of(one: ListedStoreOrder) -> str:
    """Return where a page ends that ends with an order."""
    return f"{one.row.placed_at.isoformat()} {one.row.id}"


def count(tx: Tx, which: OrderFilter) -> int:
    """Return how many orders match."""
    query = sa.select(sa.func.count()).select_from(StoreOrderRow)
    query = query.join(AccountRow, AccountRow.id == StoreOrderRow.account_id)
    return tx.scalar(query.where(*_conditions(which))) or 0


def held(tx: Tx) -> int | None:
    """Return how many orders wait for a person, for the navigation."""
    return count(tx, OrderFilter(is_held=True))


def stores(tx: Tx) -> list[str]:
    """Return the names of the accounts that have orders."""
    has_orders = sa.exists(sa.select(StoreOrderRow.id).where(StoreOrderRow.account_id == AccountRow.id))
    return list(tx.session.scalars(sa.select(AccountRow.name).where(has_orders).order_by(AccountRow.name)))


def full(tx: Tx, order_id: uuid.UUID) -> FullOrder:
    """Return an order with everything about it. Raises NotFound."""
    row = service.get(tx, order_id)
    found = tx.execute(_query().where(StoreOrderRow.id == order_id)).one()
    line, parcel = OrderLineRow, FulfilmentRow
    lines = tx.session.scalars(sa.select(line).where(line.order_id == order_id).order_by(line.external_id)).all()
    parcels = sa.select(parcel).where(parcel.order_id == order_id).order_by(parcel.at, parcel.external_id)
    known = sa.select(line.external_id, VariantRow.product_id).join(VariantRow, VariantRow.id == line.variant_id)
    products = {one.external_id: one.product_id for one in tx.execute(known.where(line.order_id == order_id))}
    customer = None if row.customer_id is None else tx.session.get(CustomerRow, row.customer_id)
    others = 0
    if customer is not None:
        same = (StoreOrderRow.customer_id == customer.id, StoreOrderRow.id != order_id)
        others = tx.scalar(sa.select(sa.func.count()).select_from(StoreOrderRow).where(*same)) or 0
    return FullOrder(ListedStoreOrder(*found), lines, products, tx.session.scalars(parcels).all(), customer, others)


def _query() -> sa.Select[tuple[StoreOrderRow, str, int]]:
    line = OrderLineRow
    units = sa.select(sa.func.coalesce(sa.func.sum(line.quantity), 0)).where(line.order_id == StoreOrderRow.id)
    query = sa.select(StoreOrderRow, AccountRow.name, units.correlate(StoreOrderRow).scalar_subquery())
    return query.join(AccountRow, AccountRow.id == StoreOrderRow.account_id)


def _conditions(which: OrderFilter) -> list[sa.ColumnElement[bool]]:
    row = StoreOrderRow
    found: list[sa.ColumnElement[bool]] = []
    if which.number.strip():
        found.append(row.number.istartswith(which.number.strip(), autoescape=True))
    if which.state is not None:
        found.append(row.state == which.state)
    if which.store:
        found.append(AccountRow.name == which.store)
    if which.is_held is not None:
        found.append(row.held_at.is_not(None) if which.is_held else row.held_at.is_(None))
    if which.product_id is not None:
        line = OrderLineRow
        of_product = sa.select(VariantRow.id).where(VariantRow.product_id == which.product_id)
        found.append(row.id.in_(sa.select(line.order_id).where(line.variant_id.in_(of_product))))
    return found
