"""Forecasts from orders and stock: histories, stored runs, proposals to reorder, and what became of them."""

from __future__ import annotations

import json
import math
import sys
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.access.models import DEFAULT_ORGANISATION
from fleet.accounts.sealing import new_key
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.forecast.runs import agent, history, queries, service
from fleet.features.forecast.runs.models import ForecastRunRow, ReorderState
from fleet.features.forecast.runs.queries import ReorderView
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import VariantRow
from tests.factories import Fleet, make_fleet
from tests.features.pricing.shop import DAY, SellingShop


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


@pytest.fixture
def shop(fleet: Fleet) -> SellingShop:
    return SellingShop(fleet)


def forecast(shop: SellingShop) -> dict[str, ReorderView]:
    """Forecast now; return the open proposals by SKU."""
    run_id = service.request(shop.fleet.deps, DEFAULT_ORGANISATION, by="web:ann")
    assert shop.work("forecast_run") == "done"
    with shop.fleet.deps.db.transaction() as tx:
        found = queries.proposals(tx, state=ReorderState.OPEN)
        assert all(one.run_id == run_id for one in found)
        return {one.sku: one for one in found}


def decide(shop: SellingShop, one: ReorderView, state: ReorderState) -> None:
    with shop.fleet.deps.db.transaction() as tx:
        service.decide(tx, one.id, state, by="web:ann", note="as discussed")


def move(shop: SellingShop, variant: uuid.UUID, days_ago: int, on_hand: int) -> None:
    """Set the stock of a variant so many days ago."""
    with shop.fleet.deps.db.transaction() as tx:
        stock.set_level(tx, variant, shop.place, on_hand, reason="count", by="ann")
        tx.execute(sa.text(
            "UPDATE stock_movements SET at = :at WHERE variant_id = :variant AND at > :now"
        ), {"at": shop.now - days_ago * DAY, "variant": variant, "now": shop.now})  # fmt: skip


def test_days_out_of_stock_say_nothing_and_cancelled_orders_are_no_demand(shop: SellingShop) -> None:
    lamp = shop.variant("LAMP-1", on_hand=100, age=30)
    for ago in range(1, 31):
        if not 10 <= ago <= 20:
            shop.sold(lamp, ago, 2)
    shop.sold(lamp, 25, 50, state="cancelled")
    move(shop, lamp, 21, 0)
    move(shop, lamp, 9, 40)
    today = history.day_of(shop.now)
    with shop.fleet.deps.db.transaction() as tx:
        found = history.of_places(tx, DEFAULT_ORGANISATION, today - 60 * DAY, today - DAY)
    one = found[lamp, shop.place]
    assert one.first == today - 30 * DAY
    assert {(today - day).days for day in one.out} == set(range(10, 21))
    units = one.units(today - 31 * DAY, 31)
    assert math.isnan(units[0]) and units[1:11] == [2.0] * 10 and all(map(math.isnan, units[11:22]))
    assert units[22:] == [2.0] * 9


def test_the_location_of_demand_is_that_from_which_its_units_left_or_are_reserved(shop: SellingShop) -> None:
    lamp = shop.variant("LAMP-1")
    with shop.fleet.deps.db.transaction() as tx:
        other = stock.add_location(tx, DEFAULT_ORGANISATION, "Warehouse").id
        stock.set_level(tx, lamp, other, 100, reason="count", by="ann")
    for ago in (3, 4, 5):
        shop.sold(lamp, ago, ago)
    with shop.fleet.deps.db.transaction() as tx:
        orders = tx.execute(sa.text("SELECT o.external_id, l.quantity FROM orders o JOIN order_lines l ON"
                                    " l.order_id = o.id ORDER BY l.quantity")).all()  # fmt: skip
        left, reserved = orders[0], orders[1]
        stock.move(tx, lamp, other, -3, reason="order", by="order", account_id=shop.account,
                   external_event=f"order:{left.external_id}:1:3")  # fmt: skip
        stock.reserve(tx, lamp, other, 4, ref=f"order:{shop.account}:{reserved.external_id}", reason="order")
    today = history.day_of(shop.now)
    with shop.fleet.deps.db.transaction() as tx:
        found = history.of_places(tx, DEFAULT_ORGANISATION, today - 60 * DAY, today - DAY)
    assert sorted(found[lamp, other].sold.values()) == [3, 4]
    assert list(found[lamp, shop.place].sold.values()) == [5]
    assert sum(history.of_variants(found)[lamp].sold.values()) == 12


def test_a_run_is_stored_with_its_backtest_and_proposes_reorders_that_people_decide(shop: SellingShop) -> None:
    lamp, rare = shop.variant("LAMP-1", on_hand=20, age=200), shop.variant("RARE-1", on_hand=500)
    shop.sells(lamp, 200, 5)
    shop.sells(rare, 200, 0.2)
    with shop.fleet.deps.db.transaction() as tx:
        stock.reserve(tx, lamp, shop.place, 8, ref="order:x:1", reason="order")
        product = tx.session.get_one(VariantRow, lamp).product_id
        catalogue.change(tx, product, {"attributes": {service.LEAD: "14", service.PACK: "12"}}, origin="user:ann")
    (sku,) = found = forecast(shop)
    assert sku == "LAMP-1"
    one = found[sku]
    assert one.units % 12 == 0 and 5 * 21 - 12 <= one.units <= 5 * 21 + 50
    assert "20 on hand, 8 reserved, on order unknown" in one.reason
    assert (one.figures["lead_days"], one.figures["pack"], one.forecast is not None) == (14, 12, True)
    with shop.fleet.deps.db.transaction() as tx:
        run = queries.run(tx, None)
        series = {row.sku: row for row in queries.series(tx, run.id)}
    assert (run.series, run.tested_days, run.summary["methods"]) == (2, 28, {"holt_winters": 1, "tsb": 1})
    assert series["LAMP-1"].scores.keys() == {"fleet", "seasonal naive", "zero"}
    low, high = series["LAMP-1"].low, series["LAMP-1"].high
    assert low is not None and high is not None and low < 140 < high
    decide(shop, one, ReorderState.ACCEPTED)
    decide(shop, one, ReorderState.ACCEPTED)
    with pytest.raises(Conflict):
        decide(shop, one, ReorderState.DISMISSED)
    assert forecast(shop) == {}  # what was accepted counts as on order
    shop.fleet.sql("UPDATE reorder_proposals SET decided_at = decided_at - interval '15 days'")
    again = forecast(shop)["LAMP-1"]
    assert again.run_id != one.run_id
    newest = forecast(shop)["LAMP-1"]
    with shop.fleet.deps.db.transaction() as tx:
        assert queries.proposal(tx, again.id).state == ReorderState.OUTDATED
    decide(shop, newest, ReorderState.DISMISSED)


def test_forecasts_are_compared_with_what_was_sold_once_their_days_are_over(shop: SellingShop) -> None:
    lamp = shop.variant("LAMP-1", on_hand=5000)
    shop.sells(lamp, 250, 5)
    forecast(shop)
    today = history.day_of(shop.now)

    def compare() -> int:
        with shop.fleet.deps.db.transaction() as tx:
            return service.compare(tx, DEFAULT_ORGANISATION, today)

    assert compare() == 0
    with shop.fleet.deps.db.transaction() as tx:  # as if it had been made before the last 28 days
        tx.execute(sa.update(ForecastRunRow).values(until=today - timedelta(days=29)))
    assert (compare(), compare()) == (1, 0)
    with shop.fleet.deps.db.transaction() as tx:
        run = queries.run(tx, None)
        (one,) = queries.series(tx, run.id)
    sold = shop.fleet.sql(
        "SELECT sum(quantity) FROM order_lines l JOIN orders o ON o.id = l.order_id"
        " WHERE placed_at >= :since AND placed_at < :until",
        since=history.midnight(today - 28 * DAY), until=history.midnight(today),
    ).scalar_one()  # fmt: skip
    assert (one.actual, one.unknown_days, run.compared, run.with_interval) == (sold, 0, 1, 1)
    assert one.low is not None and one.high is not None
    assert run.inside == int(one.low <= sold <= one.high)


def test_without_numpy_the_feature_loads_and_says_what_is_missing(
    fleet: Fleet, shop: SellingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sold(shop.variant("LAMP-1"), 3, 2)
    forecaster = fleet.sql("SELECT id FROM agents WHERE kind = 'demand_forecast'").scalar_one()
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "numpy", None)
        with pytest.raises(InvalidInput, match="extra `forecast`"):
            service.request(fleet.deps, DEFAULT_ORGANISATION, by="web:ann")
        outcome = wake(fleet, forecaster)
        assert outcome["run"] == [] and "numpy" in outcome["why"]
    fleet.set_setting("forecast_enabled", False)
    assert wake(fleet, forecaster)["run"] == []
    fleet.set_setting("forecast_enabled", True)
    assert wake(fleet, forecaster)["run"] == [str(DEFAULT_ORGANISATION)]
    assert wake(fleet, forecaster)["run"] == []
    assert shop.work("forecast_run") == "done"
    assert wake(fleet, forecaster)["run"] == []


def wake(fleet: Fleet, agent_id: uuid.UUID) -> dict[str, Any]:
    """Open the next tick of an agent and decide it; return the outcome."""
    fleet.sql("UPDATE agents SET tick_no = tick_no + 1 WHERE id = :id", id=agent_id)
    number = fleet.row(agent_id).tick_no
    fleet.sql(
        "INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())", id=agent_id, no=number
    )
    tick(fleet.deps, TickKey(agent_id, number))
    row = fleet.sql(
        "SELECT inputs, outcome, error FROM ticks WHERE agent_id = :id AND tick_no = :no", id=agent_id, no=number
    ).one()
    assert row.error is None
    assert json.loads(json.dumps(agent.to_data(agent.from_data(row.inputs)))) == row.inputs
    found: dict[str, Any] = row.outcome
    return found
