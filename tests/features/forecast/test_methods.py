"""Forecasts of demand: what holds for any sales, and the figures of the docs."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fleet.features.forecast import backtest, methods, reorder, sample
from fleet.features.forecast.methods import LEAST_DAYS, Method
from fleet.features.forecast.reorder import StockOfVariant

ROOT = Path(__file__).parents[3]
UNITS = st.integers(0, 50).map(float) | st.just(math.nan)
SALES = st.tuples(st.integers(1, 3), st.integers(1, 120)).flatmap(lambda shape: arrays(float, shape, elements=UNITS))


@given(SALES, st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_sales_have_a_finite_forecast_and_ordered_quantiles(sales: methods.Matrix, days: int) -> None:
    found = methods.forecast(sales, days)
    assert found.daily.shape == (len(sales), days)
    assert np.isfinite(found.daily).all() and (found.daily >= 0).all()
    low, middle, high = (found.quantile(share) for share in backtest.QUANTILES)
    known = ~np.isnan(low)
    assert (low[known] <= middle[known]).all() and (middle[known] <= high[known]).all()
    assert (np.isnan(low) == np.isnan(high)).all()


@given(SALES, st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_a_forecast_of_other_units_is_the_forecast_in_other_units(sales: methods.Matrix, times: int) -> None:
    one, other = methods.forecast(sales, 14), methods.forecast(sales * times, 14)
    np.testing.assert_allclose(other.daily, one.daily * times, atol=1e-6)


def test_steady_sales_are_forecast_as_they_are_and_series_do_not_touch_each_other() -> None:
    week = np.tile([3.0, 1, 1, 2, 4, 9, 8], 20)
    steady = np.full(140, 5.0)
    alone = methods.forecast(week[None], 14).daily[0]
    both = methods.forecast(np.stack([steady, week]), 14).daily
    np.testing.assert_allclose(alone, np.tile([3.0, 1, 1, 2, 4, 9, 8], 2), rtol=0.02)
    np.testing.assert_allclose(both, np.stack([np.full(14, 5.0), alone]))


def test_days_without_stock_say_nothing_about_demand() -> None:
    sold = np.full((2, 140), 10.0)
    sold[0, 80:120], sold[1, 80:120] = np.nan, 0.0
    unknown, nothing = methods.forecast(sold, 28).totals
    assert unknown == pytest.approx(280) and nothing < 270
    sold[:, -10:] = np.nan
    assert methods.seasonal_naive(sold, 28).totals == pytest.approx([280, 280]), "nor do they make the yardstick worse"


def test_sales_now_and_then_fade_when_they_end_and_short_series_have_their_mean() -> None:
    lasting = np.zeros((2, 200))
    lasting[:, ::5] = 4.0
    lasting[1, 120:] = 0.0
    assert methods.choose(lasting) == (Method.TSB, Method.TSB)
    still, ended = methods.forecast(lasting, 28).totals
    assert 15 < still < 30 and ended < still / 5
    new = np.full((1, LEAST_DAYS - 1), 2.0)
    found = methods.forecast(new, 7)
    assert found.methods == (Method.MEAN,) and found.totals[0] == 14 and math.isnan(found.quantile(0.9)[0])


@pytest.mark.parametrize("days", [7, 28])
def test_an_interval_of_the_shortest_history_holds_most_totals(days: int) -> None:
    length = LEAST_DAYS + days - 1 + max(methods.LEAST_ERRORS, methods.LEAST_WINDOWS * days)
    inside = []
    for sales in sample.draw(400, length + days, seed=1).values():
        found, total = methods.forecast(sales[:, :length], days), sales[:, length:].sum(axis=1)
        inside.append(np.mean((found.quantile(0.1) <= total) & (total <= found.quantile(0.9))))
        assert np.isnan(methods.forecast(sales[:, 1:length], days).quantile(0.9)).all(), "a day less has none"
    assert np.mean(inside) > 0.65


def test_the_figures_of_the_docs_are_those_of_the_command() -> None:
    rows = re.findall(r"^\| (\w+) \| ([\w ]+) \| (.+?) \|$", (ROOT / "docs/forecast.md").read_text("utf-8"), re.M)
    shown = {(group, name): figures.split(" | ") for group, name, figures in rows if group in sample.draw(4, 7)}
    assert len(shown) == 12
    for group, sales in sample.draw().items():
        for name, one in backtest.backtest(sales, 28).items():
            figures = [backtest.overall(getattr(one, at)) for at in ("rmsse", "pinball", "inside", "bias")]
            assert [float(figure) for figure in shown[group, name]] == pytest.approx(figures, abs=0.0051), (group, name)


def test_a_backtest_sees_nothing_of_the_days_that_it_holds_back() -> None:
    sales = sample.draw(8, 230)["smooth"]
    later = sales.copy()
    later[:, -28:] *= 100
    one, other = (methods.forecast(which[:, :-28], 28).totals for which in (sales, later))
    np.testing.assert_array_equal(one, other)
    scores, worse = (backtest.backtest(which, 28, folds=1)["fleet"] for which in (sales, later))
    assert (worse.rmsse > scores.rmsse * 10).all() and not worse.inside.any()
    with pytest.raises(ValueError, match="230 days are too few"):
        backtest.backtest(sales, 60)


@given(
    st.builds(StockOfVariant, st.integers(0, 500), st.integers(0, 500), st.integers(0, 60), st.integers(1, 48)),
    st.floats(0, 2000),
    st.none() | st.floats(0, 2000),
)
def test_an_order_covers_the_demand_with_the_fewest_packs(
    stock: StockOfVariant, expected: float, quantile: float | None
) -> None:
    found = reorder.propose(stock, expected=expected, quantile=quantile, days=21, service=0.95)
    target = expected if quantile is None else quantile
    there = stock.on_hand + stock.on_order
    assert found.units >= 0 and found.units % stock.pack == 0
    assert there + found.units >= target - 1e-5
    assert found.units == 0 or there + found.units - stock.pack < target
