"""Record orders as stores report them, hold and release them, given a transaction.

An order reserves the units of its lines while it is open, and takes them from stock when they leave.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.accounts.sealing import Keyring
from fleet.adapters.shops import UPDATE_ORDER, OrderLine, OrderState, ShopOrder
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.text import storable
from fleet.engine.jobs import snooze
from fleet.features.orders import customers, states
from fleet.features.orders.models import FulfilmentRow, OrderLineRow, StoreOrderRow
from fleet.features.products import stock
from fleet.features.products.rules import MOST_UNITS
from fleet.features.products.stock import StockEntry

VariantOf = Callable[[OrderLine], uuid.UUID | None]
"""Returns the variant of the catalogue that a line of a store's order is about; None if it knows none."""
_OPEN, _SENT_FOR = (OrderState.PENDING, OrderState.CONFIRMED, OrderState.PROCESSING), timedelta(days=60)
_LONGEST_ID, _LONGEST_EVENT, _MOST_LINES = 200, 300, 1000


@dataclass(frozen=True, slots=True)
class RecordedOrder:
    """What a reading changed. `before` is the state before it; None for a new order."""

    id: uuid.UUID
    is_new: bool
    is_changed: bool
    before: OrderState | None
    state: OrderState
    variant_ids: frozenset[uuid.UUID] = frozenset()
    """Variants whose stock or reservations it moved."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as it is stored, and how many units leave with this reading."""

    values: Mapping[str, Any]
    leaving: int


def lock(tx: Tx, account_id: uuid.UUID, orders: Sequence[ShopOrder], *, variant_of: VariantOf) -> None:
    """Lock orders and the stock of their lines, before a transaction that records several of them.

    Record them in the order of their ids at the store: then two transactions never wait for each other.
    """
    row = StoreOrderRow
    mine = sa.select(row.id).where(row.account_id == account_id, row.external_id.in_([one.id for one in orders]))
    tx.execute(mine.order_by(row.external_id).with_for_update(key_share=True))
    stock.lock(tx, {found for one in orders for line in one.lines if (found := variant_of(line)) is not None})


def record(
    tx: Tx, keys: Keyring, account_id: uuid.UUID, organisation_id: uuid.UUID, order: ShopOrder, *, now: datetime,
    variant_of: VariantOf, location_id: uuid.UUID | None = None, takes_stock: bool = True,
) -> RecordedOrder:  # fmt: skip
    """Record a reading of an order. Repeating it changes nothing, and an older one changes nothing either.

    `now` is when the reading began. `location_id`: where its units are, the default location without one.
    `takes_stock=False` is for an order that had left before the catalogue first read the store's stock: units that have
    left are recorded, and not taken a second time. Raises InvalidInput for an order that cannot be stored.
    """
    _check(order)
    row, is_new = _locked(tx, account_id, organisation_id, order, now)
    before = None if is_new else OrderState(row.state)
    known = {} if is_new else _lines(tx, row.id)
    if not is_new and not _moved(tx, row, order, now):
        return RecordedOrder(row.id, False, False, before, OrderState(row.state))
    lines = [_line(row.id, one, order.state, known.get(one.id), variant_of) for one in order.lines]
    left = {one.values["external_id"]: one.values["fulfilled"] for one in lines}
    fulfilment = states.fulfilment({one.id: one.quantity for one in order.lines}, left)
    customer_id = customers.store(tx, keys, account_id, organisation_id, order.customer, known=row.customer_id)
    values = {
        "number": storable(order.number)[:100], "fulfilment": fulfilment, "total_minor": order.total.minor,
        "currency": order.total.currency, "customer_id": customer_id, "placed_at": order.placed_at,
    }  # fmt: skip
    is_changed = before != order.state or any(getattr(row, name) != value for name, value in values.items())
    tx.execute(_plain(sa.update(StoreOrderRow).where(StoreOrderRow.id == row.id).values(**values)))
    is_changed |= _store_lines(tx, row.id, known, lines)
    is_changed |= _store_fulfilments(tx, row.id, order)
    touched = _move_stock(
        tx, account_id, order, lines, location_id or stock.default_location(tx, organisation_id),
        takes_stock=takes_stock,
    )  # fmt: skip
    if is_new or is_changed:
        _emit(tx, "order.placed" if is_new else "order.changed", row, number=values["number"],
              state=str(order.state), before=str(before or ""), total=str(order.total))  # fmt: skip
    return RecordedOrder(row.id, is_new, is_changed, before, order.state, touched)


def open_orders(tx: Tx, account_id: uuid.UUID, *, read_before: datetime, limit: int) -> list[str]:
    """Return the ids at a store of orders that may still change, those first that were not read for the longest time.

    Shipped ones, which may be delivered or refunded, come last, and for 60 days.
    """
    row = StoreOrderRow
    is_sent = row.state == OrderState.SHIPPED
    query = sa.select(row.external_id).where(
        row.account_id == account_id, row.read_at < read_before,
        sa.or_(row.state.in_(_OPEN), sa.and_(is_sent, row.placed_at > tx.now() - _SENT_FOR)),
    )  # fmt: skip
    return list(tx.session.scalars(query.order_by(is_sent, row.read_at, row.id).limit(limit)))


def note_read(tx: Tx, account_id: uuid.UUID, external_ids: Collection[str], at: datetime) -> None:
    """Note that orders were looked for at their store, which does not have them any more."""
    row = StoreOrderRow
    which = (row.account_id == account_id, row.external_id.in_(external_ids), row.read_at < at)
    tx.execute(_plain(sa.update(row).where(*which).values(read_at=at)))


def hold(
    tx: Tx, order_id: uuid.UUID, why: str, *, by: str, points: int | None = None, reasons: Sequence[str] = ()
) -> bool:
    """Hold an order until a person releases it; Fleet ships nothing of it meanwhile. False if it was held.

    `points` and `reasons` are those of the fraud score. Raises NotFound.
    """
    row = get(tx, order_id, is_locked=True)
    done = row.held_at is None
    if points is not None:
        row.fraud_points, row.fraud_reasons = points, list(reasons)
    if done:
        row.held_at, row.held_why = tx.now(), storable(why)[:500]
        _emit(tx, "order.held", row, number=row.number, why=row.held_why, by=by)
        audit.note(tx, "order.held", f"order:{row.number}", after={"why": row.held_why})
    tx.session.flush()
    return done


def assess(tx: Tx, order_id: uuid.UUID, *, points: int, reasons: Sequence[str]) -> None:
    """Store the fraud score of an order with its reasons, without holding it. Raises NotFound."""
    row = get(tx, order_id, is_locked=True)
    row.fraud_points, row.fraud_reasons = points, list(reasons)
    tx.session.flush()


def release(tx: Tx, order_id: uuid.UUID, *, by: str) -> bool:
    """Release an order that is held, and its jobs that wait. False if it was not held. Raises NotFound."""
    snooze.free_held(tx, (UPDATE_ORDER.name,))
    row = get(tx, order_id, is_locked=True)
    if row.held_at is None:
        return False
    row.held_at, row.held_why = None, ""
    tx.session.flush()
    _emit(tx, "order.released", row, number=row.number, by=by)
    audit.note(tx, "order.released", f"order:{row.number}")
    return True


def get(tx: Tx, order_id: uuid.UUID, *, is_locked: bool = False) -> StoreOrderRow:
    """Return an order as it is now. Raises NotFound."""
    query = sa.select(StoreOrderRow).where(StoreOrderRow.id == order_id)
    query = query.with_for_update(key_share=True) if is_locked else query
    found = tx.session.scalars(query, execution_options={"populate_existing": True}).one_or_none()
    if found is None:
        raise NotFound("There is no such order.", fix="`fleet orders list` shows them.")
    return found


def open_with(tx: Tx, account_id: uuid.UUID, variant_ids: Collection[uuid.UUID]) -> list[str]:
    """Return the ids at the store of its open orders that have one of these variants."""
    row, line = StoreOrderRow, OrderLineRow
    query = sa.select(row.external_id).join(line, line.order_id == row.id).distinct().order_by(row.external_id)
    which = (row.account_id == account_id, row.state.in_(states.OPEN), line.variant_id.in_(variant_ids))
    return list(tx.session.scalars(query.where(*which))) if variant_ids else []


def ref_of(account_id: uuid.UUID, external_id: str) -> str:
    """Return for what the units of an open order are reserved: "order:ACCOUNT:EXTERNAL_ID"."""
    return f"order:{account_id}:{external_id}"


def _check(order: ShopOrder) -> None:
    ids_given = [order.id, *(one.id for one in order.lines), *(one.id for one in order.fulfilments)]
    if not all(0 < len(one) <= _LONGEST_ID and "\0" not in one for one in ids_given):
        raise InvalidInput(f"An id of the order {order.number[:40]!r} has no 1 to {_LONGEST_ID} characters.")
    if len(order.lines) > _MOST_LINES or len({one.id for one in order.lines}) < len(order.lines):
        raise InvalidInput(f"The order {order.number[:40]!r} has a line twice, or more than {_MOST_LINES:,}.")
    if any(not 0 <= one.quantity <= MOST_UNITS or not 0 <= one.fulfilled <= MOST_UNITS for one in order.lines):
        raise InvalidInput(f"The order {order.number[:40]!r} has a quantity that is none.")


def _locked(
    tx: Tx, account_id: uuid.UUID, organisation_id: uuid.UUID, order: ShopOrder, now: datetime
) -> tuple[StoreOrderRow, bool]:
    """Return the locked row of an order, and whether it is new."""
    row = StoreOrderRow
    query = sa.select(row).where(row.account_id == account_id, row.external_id == order.id)
    query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    if (found := tx.session.scalars(query).one_or_none()) is not None:
        return found, False
    new = insert(row).values(
        id=ids.new(), organisation_id=organisation_id, account_id=account_id, external_id=order.id,
        number=storable(order.number)[:100], state=order.state, total_minor=order.total.minor,
        currency=order.total.currency, placed_at=order.placed_at, changed_at=order.updated_at, read_at=now,
    )  # fmt: skip
    made = tx.scalar(new.on_conflict_do_nothing().returning(row.id))
    return tx.session.scalars(query).one(), made is not None


def _moved(tx: Tx, row: StoreOrderRow, order: ShopOrder, now: datetime) -> bool:
    """Move an order to the state of a reading; False for an older reading, which moves nothing."""
    one, changed_at = StoreOrderRow, order.updated_at
    state: sa.ColumnElement[bool] = one.state.in_(states.sources(order.state, is_newer=False))
    fresh: list[sa.ColumnElement[bool]] = [one.read_at <= now]
    if changed_at is not None:
        state |= (one.changed_at < changed_at) & one.state.in_(states.sources(order.state, is_newer=True))
        fresh.append(one.changed_at.is_(None) | (one.changed_at <= changed_at))
    move = sa.update(one).where(one.id == row.id, state, *fresh)
    move = move.values(state=order.state, read_at=now, changed_at=changed_at or one.changed_at)
    return tx.execute(_plain(move)).rowcount > 0


def _line(
    order_id: uuid.UUID, line: OrderLine, state: OrderState, before: OrderLineRow | None, variant_of: VariantOf
) -> _Line:
    had = 0 if before is None else before.fulfilled
    left = states.fulfilled(state, line.quantity, line.fulfilled, had)
    values = {
        "order_id": order_id, "external_id": line.id, "variant_id": variant_of(line),
        "sku": storable(line.sku)[:100], "title": storable(line.title)[:300], "quantity": line.quantity,
        "fulfilled": left, "unit_minor": line.unit_price.minor,
    }  # fmt: skip
    return _Line(values, left - had)


def _lines(tx: Tx, order_id: uuid.UUID) -> dict[str, OrderLineRow]:
    query = sa.select(OrderLineRow).where(OrderLineRow.order_id == order_id)
    found = tx.session.scalars(query, execution_options={"populate_existing": True})
    return {one.external_id: one for one in found}


def _store_lines(tx: Tx, order_id: uuid.UUID, known: Mapping[str, OrderLineRow], lines: Sequence[_Line]) -> bool:
    row = OrderLineRow
    differing = [
        one.values for one in lines
        if (before := known.get(one.values["external_id"])) is None
        or any(getattr(before, name) != value for name, value in one.values.items())
    ]  # fmt: skip
    if differing:
        new = insert(row)
        names = ("variant_id", "sku", "title", "quantity", "fulfilled", "unit_minor")
        latest = {name: getattr(new.excluded, name) for name in names}
        tx.execute(new.on_conflict_do_update(index_elements=["order_id", "external_id"], set_=latest), differing)
    gone = set(known) - {one.values["external_id"] for one in lines}
    if gone:
        tx.execute(_plain(sa.delete(row).where(row.order_id == order_id, row.external_id.in_(gone))))
    return bool(differing or gone)


def _store_fulfilments(tx: Tx, order_id: uuid.UUID, order: ShopOrder) -> bool:
    row = FulfilmentRow
    known = {
        one.external_id: (one.quantities, one.tracking, one.at)
        for one in tx.execute(
            sa.select(row.external_id, row.quantities, row.tracking, row.at).where(row.order_id == order_id)
        )
    }
    differing = [
        {"order_id": order_id, "external_id": one.id, "quantities": dict(one.quantities),
         "tracking": storable(one.tracking)[:200], "at": one.at}
        for one in {one.id: one for one in order.fulfilments}.values()
        if known.get(one.id) != (dict(one.quantities), storable(one.tracking)[:200], one.at)
    ]  # fmt: skip
    if differing:
        new = insert(row)
        latest = {name: getattr(new.excluded, name) for name in ("quantities", "tracking", "at")}
        tx.execute(new.on_conflict_do_update(index_elements=["order_id", "external_id"], set_=latest), differing)
    return bool(differing)


def _move_stock(
    tx: Tx, account_id: uuid.UUID, order: ShopOrder, lines: Sequence[_Line], location_id: uuid.UUID, *,
    takes_stock: bool,
) -> frozenset[uuid.UUID]:  # fmt: skip
    """Take units that left from stock, once each, and reserve those that are to leave."""
    ref = ref_of(account_id, order.id)
    known = [one for one in lines if one.values["variant_id"] is not None]
    stock.lock(tx, {one.values["variant_id"] for one in known})
    leaving = [
        StockEntry(
            variant_id=one.values["variant_id"], location_id=location_id, delta=-one.leaving, reason="order",
            by=f"order {storable(order.number)}"[:100], account_id=account_id,
            external_event=_event_of(order.id, one),
        )
        for one in known if one.leaving and takes_stock
    ]  # fmt: skip
    stock.post(tx, leaving)
    promised: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()
    for one in known:
        still = states.reserved(order.state, one.values["quantity"], one.values["fulfilled"])
        if still:
            promised[one.values["variant_id"], location_id] += still
    before = stock.reserved_for(tx, ref)
    stock.reserve_exactly(tx, ref, promised, reason="order")
    moved = {place[0] for place in {*before, *promised} if before.get(place) != promised.get(place)}
    return frozenset(moved | {one.variant_id for one in leaving})


def _event_of(order_id: str, line: _Line) -> str:
    """Return the event of units that left: the number that have left by now, since a line may leave in parcels."""
    event = f"order:{order_id}:{line.values['external_id']}:{line.values['fulfilled']}"
    return event if len(event) <= _LONGEST_EVENT else f"order:{ids.derived('order event', event)}"


def _plain(statement: Any) -> Any:
    return statement.execution_options(synchronize_session=False)


def _emit(tx: Tx, subject: str, row: StoreOrderRow, **more: Any) -> None:
    events.emit(
        tx, subject, organisation=str(row.organisation_id), order=str(row.id), account=str(row.account_id),
        page=f"/orders/{row.id}", **more,
    )  # fmt: skip
