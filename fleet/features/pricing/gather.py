"""Read what pricing decides from: prices, costs, stock, weeks of orders, prices of competitors and of stores that keep
their own.

A week is seven days that end yesterday, by UTC. Its price is what customers paid for a unit on average; in a week
without a sale it is that of the last one with any.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.adapters.shops import OrderState, decimals_of
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.forecast.runs import history
from fleet.features.forecast.runs.history import DemandHistory
from fleet.features.orders.models import OrderLineRow, StoreOrderRow
from fleet.features.pricing.decisions.elasticity import PriceSeries, PriceWeek
from fleet.features.pricing.decisions.rules import RECENT_DAYS, PriceFacts
from fleet.features.pricing.models import CompetitorPriceRow, PriceProposalRow
from fleet.features.pricing.settings import PricingSettings
from fleet.features.products import stock
from fleet.features.products.models import ProductRow, VariantRow, among
from fleet.features.stores.models import FieldStateRow, StoreRow
from fleet.features.stores.settings import StoresSettings
from fleet.features.stores.values import PRICE

WEEKS = 104
_LEAST_DAYS = 4
"""Weeks with fewer days in stock say too little."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PricedVariant:
    """A variant with everything that its price depends on."""

    variant_id: uuid.UUID
    sku: str
    title: str
    currency: str
    facts: PriceFacts
    series: PriceSeries


@dataclass(frozen=True, slots=True)
class _Variant:
    id: uuid.UUID
    sku: str
    title: str
    category: str
    currency: str
    price: int
    cost: int | None
    floor: int | None
    created: date


def variants(
    deps: Deps, tx: Tx, organisation_id: uuid.UUID, settings: PricingSettings, only: Collection[uuid.UUID] | None = None
) -> list[PricedVariant]:
    """Return the active variants with a price of an organisation, or some of them."""
    today = history.day_of(tx.now())
    rows = _rows(tx, organisation_id, only)
    if not rows:
        return []
    ids = [one.id for one in rows]
    histories = history.of_variants(
        history.of_places(tx, organisation_id, today - WEEKS * 7 * _DAY, today - _DAY)
    )  # fmt: skip
    weeks = _weeks(tx, organisation_id, today, only)
    levels = stock.levels(tx, ids)
    available: dict[uuid.UUID, int] = {}
    for (variant_id, _), level in levels.items():
        available[variant_id] = available.get(variant_id, 0) + level.available
    stores, competitors = _store_prices(deps, tx, organisation_id, ids), _competitors(tx, ids, settings)
    before = _earlier_prices(tx, ids)
    return [
        PricedVariant(
            one.id, one.sku, one.title, one.currency,
            _facts(one, histories.get(one.id), today, available.get(one.id), before=before.get(one.id, (None, None)),
                   stores=stores.get((one.id, one.currency), {}), competitors=competitors.get(one.id, {})),
            PriceSeries(str(one.id), one.category, _series(weeks.get((one.id, one.currency), {}),
                                                           histories.get(one.id), today)),
        )
        for one in rows
    ]  # fmt: skip


def _rows(tx: Tx, organisation_id: uuid.UUID, only: Collection[uuid.UUID] | None) -> list[_Variant]:
    row, product = VariantRow, ProductRow
    query = sa.select(
        row.id, row.sku, product.title, product.categories[1], row.currency, row.price_minor, row.cost_minor,
        row.floor_minor, row.created_at,
    ).join(product, product.id == row.product_id)  # fmt: skip
    query = query.where(row.organisation_id == organisation_id, row.removed_at.is_(None), row.price_minor > 0,
                        product.status == "active")  # fmt: skip
    query = query if only is None else query.where(among(row.id, only))
    return [
        _Variant(one[0], one[1], one[2], one[3] or "", one[4], one[5], one[6], one[7], history.day_of(one[8]))
        for one in tx.execute(query.order_by(row.id))
    ]


def _weeks(
    tx: Tx, organisation_id: uuid.UUID, today: date, only: Collection[uuid.UUID] | None
) -> dict[tuple[uuid.UUID, str], dict[int, tuple[int, float]]]:
    """Return units and price by week; week 0 is the one that ended yesterday, earlier ones are negative."""
    line, order = OrderLineRow, StoreOrderRow
    day = sa.cast(sa.func.timezone("UTC", order.placed_at), sa.Date)
    week = sa.cast(sa.func.floor((day - sa.literal(today, sa.Date)) / 7.0), sa.Integer) + 1
    query = sa.select(
        line.variant_id, order.currency, week.label("week"), sa.func.sum(line.quantity).label("units"),
        sa.func.sum(line.quantity * line.unit_minor).label("paid"),
    ).join(order, order.id == line.order_id)  # fmt: skip
    query = query.where(
        order.organisation_id == organisation_id, order.state != OrderState.CANCELLED, line.variant_id.is_not(None),
        order.placed_at >= history.midnight(today - WEEKS * 7 * _DAY), order.placed_at < history.midnight(today),
        line.quantity > 0, line.unit_minor > 0,
    )  # fmt: skip
    query = query if only is None else query.where(among(line.variant_id, only))
    found: dict[tuple[uuid.UUID, str], dict[int, tuple[int, float]]] = {}
    for one in tx.execute(query.group_by(line.variant_id, order.currency, sa.text("week"))):
        found.setdefault((one.variant_id, one.currency), {})[one.week] = int(one.units), float(one.paid / one.units)
    return found


def _series(sold: Mapping[int, tuple[int, float]], known: DemandHistory | None, today: date) -> tuple[PriceWeek, ...]:
    if not sold or known is None:
        return ()
    price = sold[min(sold)][1]
    found: list[PriceWeek] = []
    for week in range(min(sold), 1):
        units, price = sold.get(week, (0, price))
        first = today + (week - 1) * 7 * _DAY
        days = sum(first + number * _DAY not in known.out or bool(known.sold.get(first + number * _DAY))
                   for number in range(7))  # fmt: skip
        if days >= _LEAST_DAYS:
            found.append(PriceWeek(week, price, units, days / 7))
    return tuple(found)


def _facts(
    one: _Variant, known: DemandHistory | None, today: date, available: int | None, *,
    before: tuple[int | None, int | None], stores: Mapping[str, int], competitors: Mapping[str, int],
) -> PriceFacts:  # fmt: skip
    recent = [today - number * _DAY for number in range(1, RECENT_DAYS + 1)]
    sold, days, first = 0, 0, one.created
    if known is not None:
        first = min(first, known.first)
        sold = sum(known.sold.get(day, 0) for day in recent)
        days = sum(day >= known.first and (day not in known.out or bool(known.sold.get(day))) for day in recent)
    return PriceFacts(
        price=one.price, cost=one.cost, floor=one.floor, decimals=decimals_of(one.currency), day_price=before[0],
        week_price=before[1], store_prices=stores, available=available, sold=sold, days=days,
        age_days=max((today - first).days, 0), competitors=competitors,
    )  # fmt: skip


def _earlier_prices(tx: Tx, variant_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[int | None, int | None]]:
    """Return the prices a day and a week ago of variants whose price pricing changed since."""
    row, now = PriceProposalRow, tx.now()
    query = sa.select(row.variant_id, row.before_minor, row.after_minor, row.applied_at, row.undone_at).where(
        among(row.variant_id, variant_ids),
        sa.func.greatest(row.applied_at, row.undone_at) > now - 7 * _DAY,
    )  # fmt: skip
    moves: dict[uuid.UUID, list[tuple[Any, int]]] = {}
    for one in tx.execute(query):
        own = moves.setdefault(one.variant_id, [])
        own += [(at, price) for at, price in ((one.applied_at, one.before_minor), (one.undone_at, one.after_minor))
                if at is not None]  # fmt: skip
    found: dict[uuid.UUID, tuple[int | None, int | None]] = {}
    for variant_id, own in moves.items():
        since = [min((one for one in own if one[0] > now - length), default=None) for length in (_DAY, 7 * _DAY)]
        found[variant_id] = (since[0] and since[0][1], since[1] and since[1][1])
    return found


def _store_prices(
    deps: Deps, tx: Tx, organisation_id: uuid.UUID, variant_ids: Sequence[uuid.UUID]
) -> dict[tuple[uuid.UUID, str], dict[str, int]]:
    """Return prices of stores that take none from the catalogue, by variant and currency. Other stores follow it."""
    if "stores" not in registry.current():
        return {}
    store, state = StoreRow, FieldStateRow
    present = sa.select(store.account_id, AccountRow.name).join(AccountRow, AccountRow.id == store.account_id)
    present = present.where(store.organisation_id == organisation_id, store.removed_at.is_(None))
    own = {
        account_id: name for account_id, name in tx.execute(present)
        if deps.settings_of(None, account_id, None, organisation_id).of(StoresSettings).store_direction == "pull"
    }  # fmt: skip
    if not own:
        return {}
    query = sa.select(state.account_id, state.local_id, state.remote).where(
        state.account_id.in_(own), state.field == PRICE, among(state.local_id, variant_ids)
    )
    found: dict[tuple[uuid.UUID, str], dict[str, int]] = {}
    for account_id, variant_id, remote in tx.execute(query):
        if remote is not None and remote["minor"] > 0:
            found.setdefault((variant_id, remote["currency"]), {})[own[account_id]] = int(remote["minor"])
    return found


def _competitors(
    tx: Tx, variant_ids: Sequence[uuid.UUID], settings: PricingSettings
) -> dict[uuid.UUID, dict[str, int]]:
    row = CompetitorPriceRow
    query = sa.select(row.variant_id, row.competitor, row.price_minor).where(
        among(row.variant_id, variant_ids), row.seen_at > tx.now() - settings.pricing_competitor_days * _DAY
    )
    found: dict[uuid.UUID, dict[str, int]] = {}
    for variant_id, name, price in tx.execute(query):
        found.setdefault(variant_id, {})[name] = price
    return found
