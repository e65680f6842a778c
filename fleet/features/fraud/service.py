"""Score the orders of stores as they are recorded, and hold those from the bar up for a person. Cancels nothing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.adapters.shops import OrderState
from fleet.core import events
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.fraud import decisions
from fleet.features.fraud.decisions import FraudCase, FraudDecision, FraudMode
from fleet.features.fraud.scoring import FileOrder, FraudScore, OrderHistory
from fleet.features.fraud.settings import FraudSettings
from fleet.features.orders import service as orders
from fleet.features.orders.models import CustomerRow, StoreOrderRow
from fleet.features.orders.points import OrderSection
from fleet.features.orders.service import RecordedOrder

BY = "fraud"
_MOST_OWN, _MOST_OTHERS = 200, 1000
"""Earlier orders that a score looks at: those of the customer, and others of the store, for what is much there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFraud:
    """How orders of a store are scored, and what came of it."""

    store: str
    mode: str
    bar: int
    most_held: int
    scored: int
    above_bar: int
    held: int


def recorded(deps: Deps, tx: Tx, done: RecordedOrder) -> None:
    """Score an order that was just read. Registered at "orders.recorded", in the transaction of the reading."""
    assess(deps, tx, done.id)


def assess(deps: Deps, tx: Tx, order_id: uuid.UUID) -> FraudDecision:
    """Score an order, hold it if its score says so, and return what was done. Raises NotFound."""
    order = orders.get(tx, order_id, is_locked=True)
    settings = settings_of(deps, order.account_id, order.organisation_id)
    mode = FraudMode(settings.fraud_mode)
    if mode is FraudMode.OFF or order.state not in decisions.OPEN_STATES:
        return FraudDecision.NOTHING
    found = score(tx, order)
    case = FraudCase(
        state=order.state, points=found.value, points_before=order.fraud_points, is_held=order.held_at is not None,
        held_at_store=_count_held(tx, order.account_id) if found.holds(settings.fraud_bar) else 0,
    )  # fmt: skip
    decision = decisions.decide(case, mode=mode, bar=settings.fraud_bar, most_held=settings.fraud_most_held)
    words = [f"{one.words} (+{one.points})" for one in found.reasons]
    if decision is FraudDecision.HOLD:
        why = f"fraud score {found.value}: {'; '.join(one.words for one in found.reasons)}"
        orders.hold(tx, order.id, why, by=BY, points=found.value, reasons=words)
        return decision
    if decision is FraudDecision.FULL:
        events.emit(tx, "fraud.full", organisation=str(order.organisation_id), order=str(order.id),
                    number=order.number, points=found.value, most=settings.fraud_most_held,
                    page=f"/orders/{order.id}")  # fmt: skip
    # The highest score that people saw stays: a score that falls and rises again is no news.
    if order.fraud_points is None or found.value >= order.fraud_points:
        orders.assess(tx, order.id, points=found.value, reasons=words)
    return decision


def score(tx: Tx, order: StoreOrderRow) -> FraudScore:
    """Return the score of an order by earlier ones in its currency: its customer's anywhere, others of its store.

    The store gives no device, card or address, so no reason is about these (`decisions.LEFT_OUT`).
    """
    me = None if order.customer_id is None else tx.session.get(CustomerRow, order.customer_id)
    row, history = StoreOrderRow, OrderHistory()
    before = sa.select(row).where(
        row.organisation_id == order.organisation_id, row.currency == order.currency, row.id != order.id,
        row.placed_at <= order.placed_at,
    )  # fmt: skip
    before = before.order_by(row.placed_at.desc(), row.id.desc())
    own: Sequence[StoreOrderRow] = ()
    if me is not None:
        mine = CustomerRow.id == me.id
        if me.email_hash is not None:
            mine |= (CustomerRow.email_hash == me.email_hash) & (CustomerRow.organisation_id == me.organisation_id)
        whose = sa.select(CustomerRow.id).where(mine)
        own = tx.session.scalars(before.where(row.customer_id.in_(whose)).limit(_MOST_OWN)).all()
    others = tx.session.scalars(before.where(row.account_id == order.account_id).limit(_MOST_OTHERS)).all()
    known = {one.id for one in own}
    past = [_as_scored(one, "me") for one in own]
    past += [_as_scored(one, str(one.id)) for one in others if one.id not in known]
    for one in sorted(past, key=lambda one: (one.at, one.id)):
        history.add(one)
    # An order without a customer is nobody's: it shares no history with others.
    return history.score(_as_scored(order, "me" if me is not None else str(order.id)))


def settings_of(deps: Deps, account_id: uuid.UUID, organisation_id: uuid.UUID) -> FraudSettings:
    """Return the settings of a store."""
    return deps.settings_of(None, account_id, None, organisation_id).of(FraudSettings)


def section(deps: Deps, tx: Tx, order: StoreOrderRow) -> OrderSection | None:
    """Return what the page of an order tells of its score. Registered at "orders.sections"."""
    del tx
    if order.fraud_points is None:
        return None
    settings = settings_of(deps, order.account_id, order.organisation_id)
    return OrderSection(title="Fraud", facts=[
        ("Score", f"{order.fraud_points} of 100 points; from {settings.fraud_bar} on a person decides"),
        ("Reasons", "; ".join(map(str, order.fraud_reasons)) or "none"),
        ("Not known here", ", ".join(decisions.LEFT_OUT)),
    ])  # fmt: skip


def by_store(deps: Deps, tx: Tx) -> list[StoreFraud]:
    """Return how orders are scored at each store that has some, by name."""
    row = StoreOrderRow
    stores = sa.select(AccountRow.id, AccountRow.name, AccountRow.organisation_id)
    stores = stores.where(sa.exists(sa.select(row.id).where(row.account_id == AccountRow.id))).order_by(AccountRow.name)
    found = []
    for one in tx.execute(stores):
        settings = settings_of(deps, one.id, one.organisation_id)
        counts = sa.select(
            sa.func.count(row.fraud_points), sa.func.count().filter(row.fraud_points >= settings.fraud_bar),
            sa.func.count(row.held_at),
        ).where(row.account_id == one.id)  # fmt: skip
        scored, above, held = tx.execute(counts).one()
        found.append(StoreFraud(
            store=one.name, mode=settings.fraud_mode, bar=settings.fraud_bar, most_held=settings.fraud_most_held,
            scored=scored, above_bar=above, held=held,
        ))  # fmt: skip
    return found


def _as_scored(order: StoreOrderRow, customer: str) -> FileOrder:
    refunded: datetime | None = None
    if order.state == OrderState.REFUNDED:
        refunded = order.changed_at or order.read_at
    return FileOrder(str(order.id), order.placed_at, customer, order.total_minor, refunded_at=refunded)


def _count_held(tx: Tx, account_id: uuid.UUID) -> int:
    row = StoreOrderRow
    query = sa.select(sa.func.count()).select_from(row).where(row.account_id == account_id, row.held_at.is_not(None))
    return tx.scalar(query) or 0
