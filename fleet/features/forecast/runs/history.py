"""What was sold a day by variant and location, from orders, and on which days nothing could be sold, from stock.

Days are those of UTC. Orders that were cancelled are no demand; refunded ones were. The location of a line is that from
which its units left, or where they are reserved, else the default location of the organisation.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from fleet.adapters.shops import OrderState
from fleet.core.db import Tx
from fleet.features.orders.models import OrderLineRow, StoreOrderRow
from fleet.features.products import stock
from fleet.features.products.models import LocationRow, MovementRow, ProductRow, StockReservationRow, VariantRow

Place = tuple[uuid.UUID, uuid.UUID]
"""A variant and a location."""
_DAY = timedelta(days=1)


@dataclass(slots=True)
class DemandHistory:
    """Units sold by day from `first` on, and the days on which nothing could be sold. Other days have sold nothing."""

    first: date
    sold: dict[date, int] = field(default_factory=dict)
    out: set[date] = field(default_factory=set)

    def units(self, since: date, days: int) -> list[float]:
        """Return the units of days; NaN for those before the first and those on which nothing could be sold."""
        found = (since + number * _DAY for number in range(days))
        return [float("nan") if day < self.first or (day in self.out and not self.sold.get(day))
                else float(self.sold.get(day, 0)) for day in found]  # fmt: skip


def day_of(moment: datetime) -> date:
    """Return the day of a moment, in UTC."""
    return moment.astimezone(UTC).date()


def midnight(day: date) -> datetime:
    """Return the beginning of a day."""
    return datetime.combine(day, time(), UTC)


def of_places(tx: Tx, organisation_id: uuid.UUID, since: date, until: date) -> dict[Place, DemandHistory]:
    """Return the histories of active variants with sales or stock in the days from `since` to `until`, both included.

    A history begins with the first sale or movement of stock, or at `since`, whichever is later.
    """
    default = stock.default_location(tx, organisation_id)
    sold = _sold(tx, organisation_id, default, since, until)
    moved = _movements(tx, organisation_id, until)
    found: dict[Place, DemandHistory] = {}
    for place in sold.keys() | moved.keys():
        days, movements = sold.get(place, {}), moved.get(place, [])
        begins = [*([min(days)] if days else []), *(day_of(at) for at, _ in movements[:1])]
        found[place] = DemandHistory(max(since, min(begins)), dict(days), _out(movements, since, until))
    return found


def of_variants(places: Mapping[Place, DemandHistory]) -> dict[uuid.UUID, DemandHistory]:
    """Return the histories of variants over all their locations: out of stock is what is so at each of them."""
    by_variant: dict[uuid.UUID, list[DemandHistory]] = {}
    for (variant_id, _), one in places.items():
        by_variant.setdefault(variant_id, []).append(one)
    return {variant_id: _merged(ones) for variant_id, ones in by_variant.items()}


def _merged(ones: list[DemandHistory]) -> DemandHistory:
    if len(ones) == 1:
        return ones[0]
    merged = DemandHistory(min(one.first for one in ones), out=set.intersection(*(one.out for one in ones)))
    for one in ones:
        for day, units in one.sold.items():
            merged.sold[day] = merged.sold.get(day, 0) + units
    return merged


def _sold(
    tx: Tx, organisation_id: uuid.UUID, default: uuid.UUID, since: date, until: date
) -> dict[Place, dict[date, int]]:
    line, order = OrderLineRow, StoreOrderRow
    place = _place(tx, organisation_id, default)
    day = sa.cast(sa.func.timezone("UTC", order.placed_at), sa.Date)
    query = (
        sa.select(line.variant_id, place.label("place"), day.label("day"), sa.func.sum(line.quantity).label("units"))
        .join(order, order.id == line.order_id)
        .join(VariantRow, VariantRow.id == line.variant_id)
        .join(ProductRow, ProductRow.id == VariantRow.product_id)
        .where(
            order.organisation_id == organisation_id, order.state != OrderState.CANCELLED, *_sellable(),
            order.placed_at >= midnight(since), order.placed_at < midnight(until + _DAY),
        )
        .group_by(line.variant_id, sa.text("place"), sa.text("day"))
    )  # fmt: skip
    found: dict[Place, dict[date, int]] = {}
    for one in tx.execute(query):
        found.setdefault((one.variant_id, one.place), {})[one.day] = int(one.units)
    return found


def _sellable() -> tuple[sa.ColumnElement[bool], ...]:
    return VariantRow.removed_at.is_(None), ProductRow.status == "active"


def _place(tx: Tx, organisation_id: uuid.UUID, default: uuid.UUID) -> sa.ColumnElement[uuid.UUID]:
    """Return the location of an order's line, as SQL."""
    fallback = sa.literal(default, sa.Uuid)
    own = sa.select(sa.func.count()).select_from(LocationRow).where(LocationRow.organisation_id == organisation_id)
    if (tx.scalar(own) or 0) <= 1:
        return fallback
    line, order, moved, held = OrderLineRow, StoreOrderRow, MovementRow, StockReservationRow
    # As features/orders names the event of units that left, and what units are reserved for.
    event = sa.func.concat("order:", order.external_id, ":", line.external_id, ":", line.fulfilled)
    left = sa.select(moved.location_id).where(
        moved.account_id == order.account_id, moved.external_event == event, moved.variant_id == line.variant_id
    )
    ref = sa.func.concat("order:", order.account_id, ":", order.external_id)
    reserved = sa.select(held.location_id).where(held.ref == ref, held.variant_id == line.variant_id)
    return sa.func.coalesce(
        left.correlate(line, order).limit(1).scalar_subquery(),
        reserved.correlate(line, order).limit(1).scalar_subquery(), fallback,
    )  # fmt: skip


def _movements(tx: Tx, organisation_id: uuid.UUID, until: date) -> dict[Place, list[tuple[datetime, int]]]:
    """Return moments and the units after them, oldest first."""
    row = MovementRow
    query = (
        sa.select(row.variant_id, row.location_id, row.at, row.on_hand)
        .join(VariantRow, VariantRow.id == row.variant_id)
        .join(ProductRow, ProductRow.id == VariantRow.product_id)
        .where(VariantRow.organisation_id == organisation_id, *_sellable(), row.at < midnight(until + _DAY))
        .order_by(row.at, row.id)
    )
    found: dict[Place, list[tuple[datetime, int]]] = {}
    for variant_id, location_id, at, on_hand in tx.execute(query):
        found.setdefault((variant_id, location_id), []).append((at, on_hand))
    return found


def _out(movements: Iterable[tuple[datetime, int]], since: date, until: date) -> set[date]:
    """Return the days at whose beginning there was no unit, and on which none came. Pure."""
    most: dict[date, int] = {}
    last: dict[date, int] = {}
    for at, on_hand in movements:
        day = day_of(at)
        most[day], last[day] = max(on_hand, most.get(day, on_hand)), on_hand
    if not last:
        return set()
    day, there = min(last), 1  # before the first movement nothing is known: no day of it is taken as out of stock
    found: set[date] = set()
    while day <= until:
        if there <= 0 and most.get(day, 0) <= 0 and day >= since:
            found.add(day)
        there = last.get(day, there)
        day += _DAY
    return found
