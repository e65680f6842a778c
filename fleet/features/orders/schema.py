"""What the API and pages take and show of orders: one schema for both. Amounts are decimal texts: "27.99"."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.accounts.keys import ring
from fleet.adapters.shops import Money, OrderState
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.features.orders import customers, points, queries
from fleet.features.orders.models import CustomerRow
from fleet.features.orders.queries import FullOrder, ListedStoreOrder, OrderFilter
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, line


class OrderQuery(Paging):
    """Which orders."""

    number: Annotated[str, line(100), Field(description="how the number begins")] = ""
    state: OrderState | None = None
    store: Annotated[str, line(100), Field(description="name of the account of a store")] = ""
    held: bool | None = Field(None, description="only those that wait for a person, or only others")
    product: uuid.UUID | None = Field(None, description="id of a product that they have")

    @property
    def filter(self) -> OrderFilter:
        """The filter of the query."""
        return OrderFilter(
            number=self.number, state=self.state, store=self.store, is_held=self.held, product_id=self.product
        )

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves any order out."""
        return self.filter != OrderFilter()


class OrderOut(BaseModel):
    """An order as lists show it."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    store: str = Field(description="name of the account of its store")
    external_id: str = Field(description="the store's id of it")
    number: str
    state: OrderState
    fulfilment: str = Field(description="unfulfilled, partial or fulfilled")
    total: str
    currency: str
    units: int
    placed_at: datetime
    changed_at: datetime | None = Field(description="when the store changed it last")
    read_at: datetime
    held_at: datetime | None = Field(description="since when it waits for a person")
    held_why: str
    fraud_points: int | None
    fraud_reasons: list[str]


class OrderListPage(Page[OrderOut]):
    """A page of orders, the newest first."""


class OrderLineOut(BaseModel):
    """A line of an order. `product_id` is null for what the catalogue does not know."""

    id: str
    product_id: uuid.UUID | None
    variant_id: uuid.UUID | None
    sku: str
    title: str
    quantity: int
    fulfilled: int
    unit_price: str


class FulfilmentOut(BaseModel):
    """A parcel of an order: units by the id of the line."""

    id: str
    quantities: dict[str, int]
    tracking: str
    at: datetime | None


class CustomerOut(BaseModel):
    """The customer of an order. Name and address are there for people who may edit orders, until they are erased."""

    id: uuid.UUID
    country: str
    erased_at: datetime | None
    other_orders: int
    name: str = Field(description="empty without the permission orders.edit")
    email: str


class OrderFieldOut(BaseModel):
    """A field of an action."""

    name: str
    label: str
    most: int
    is_needed: bool


class OrderActionOut(BaseModel):
    """An action that the order takes now."""

    name: str
    label: str
    fields: list[OrderFieldOut]
    confirm: str
    is_dangerous: bool


class OrderSectionOut(BaseModel):
    """What a feature tells of an order: pairs of a name and words."""

    title: str
    facts: list[tuple[str, str]]


class OrderDetail(OrderOut):
    """An order with everything about it."""

    lines: list[OrderLineOut]
    fulfilments: list[FulfilmentOut]
    customer: CustomerOut | None
    actions: list[OrderActionOut]
    sections: list[OrderSectionOut] = Field(description="what other features tell of it, such as fraud")


class OrderActionIn(Body):
    """The fields of an action."""

    values: dict[Annotated[str, line(40)], Annotated[str, line(1000)]] = {}


class OrderActionDone(BaseModel):
    """What became of an action."""

    message: str
    order: OrderDetail


def order_out(one: ListedStoreOrder) -> OrderOut:
    """Return an order as lists show it."""
    row = one.row
    own = {name: getattr(row, name) for name in OrderOut.model_fields if name not in ("store", "total", "units")}
    return OrderOut(**own, store=one.store, units=one.units, total=_amount(row.total_minor, row.currency))


def detail(deps: Deps, tx: Tx, order_id: uuid.UUID, who: Principal) -> OrderDetail:
    """Return an order with everything about it that somebody may see. Raises NotFound."""
    found = queries.full(tx, order_id)
    row = found.listed.row
    return OrderDetail(
        **order_out(found.listed).model_dump(),
        lines=[
            OrderLineOut(
                id=one.external_id, product_id=found.products.get(one.external_id), variant_id=one.variant_id,
                sku=one.sku, title=one.title, quantity=one.quantity, fulfilled=one.fulfilled,
                unit_price=_amount(one.unit_minor, row.currency),
            )
            for one in found.lines
        ],
        fulfilments=[
            FulfilmentOut(id=one.external_id, quantities=one.quantities, tracking=one.tracking, at=one.at)
            for one in found.fulfilments
        ],
        customer=None if found.customer is None else _customer(deps, found, found.customer, who),
        actions=[
            OrderActionOut(
                name=one.name, label=one.label, confirm=one.confirm, is_dangerous=one.is_dangerous,
                fields=[
                    OrderFieldOut(name=part.name, label=part.label, most=part.most, is_needed=part.is_needed)
                    for part in one.fields
                ],
            )
            for one in points.offered(deps, tx, row)
        ],
        sections=[OrderSectionOut(title=one.title, facts=list(one.facts)) for one in points.sections(deps, tx, row)],
    )  # fmt: skip


def _customer(deps: Deps, found: FullOrder, row: CustomerRow, who: Principal) -> CustomerOut:
    opened = None
    if row.ciphertext is not None and who.may(Permission.ORDERS_EDIT):
        try:
            opened = customers.opened(ring(deps.settings), row)
        except FleetError:  # the key is lost: the rest of the order is shown
            opened = customers.OpenCustomer("(its key is lost)", "")
    return CustomerOut(
        id=row.id, country=row.country, erased_at=row.erased_at, other_orders=found.other_orders,
        name="" if opened is None else opened.name, email="" if opened is None else opened.email,
    )  # fmt: skip


def _amount(minor: int, currency: str) -> str:
    return str(Money(minor, currency).decimal)
