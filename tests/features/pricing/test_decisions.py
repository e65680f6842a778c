"""Decisions about prices: bounds hold for any figures, and in a made-up market intervals and profits are as claimed."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fleet.features.pricing.decisions import results, rules
from fleet.features.pricing.decisions.elasticity import Elasticity, PriceSeries, PriceWeek, estimate
from fleet.features.pricing.decisions.results import ResultFacts
from fleet.features.pricing.decisions.rules import NoPlan, PriceBounds, PriceFacts, PricePlan, propose
from tests.features.pricing.market import Market, poisson

_amount = st.integers(1, 10**9)
_maybe = st.none() | st.integers(0, 10**9)
_percent = st.floats(0.01, 50, allow_nan=False)
FACTS = st.builds(
    PriceFacts, price=_amount, cost=_maybe, floor=_maybe, decimals=st.sampled_from((0, 2, 3)), day_price=st.none() |
    _amount, week_price=st.none() | _amount, store_prices=st.dictionaries(st.text(max_size=5), _amount, max_size=3),
    available=st.none() | st.integers(-100, 10**6), sold=st.integers(0, 10**5), days=st.floats(0, 28),
    age_days=st.integers(0, 3000), competitors=st.dictionaries(st.text(max_size=5), _amount, max_size=3),
)  # fmt: skip
BOUNDS = st.builds(
    PriceBounds, day_percent=_percent, week_percent=_percent, step_percent=st.floats(0, 50), margin_percent=st.floats(
        0, 500), stores_percent=st.floats(0, 500), ending=st.sampled_from(("", ".99", ".95", ".9", ".990")),
)  # fmt: skip
ELASTICITIES = st.none() | st.builds(
    Elasticity, value=st.floats(-8, 8), error=st.floats(0, 5), own=st.floats(-8, 8), own_error=st.floats(0, 5),
    category=st.just(""), weeks=st.just(20), prices=st.just(3), units=st.just(100), freedom=st.floats(1, 50),
)  # fmt: skip


def exact(percent: float) -> Fraction:
    return Fraction(str(percent)) / 100


@given(FACTS, BOUNDS, ELASTICITIES)
def test_no_figures_lead_below_floor_or_cost_or_outside_the_bounds(
    facts: PriceFacts, bounds: PriceBounds, elasticity: Elasticity | None
) -> None:
    plan = propose(facts, bounds, elasticity)
    assert plan == propose(dataclasses.replace(facts), dataclasses.replace(bounds), elasticity)
    if isinstance(plan, NoPlan):
        return
    after = plan.after
    assert after > 0 and after != facts.price and rules.check(after, facts, bounds) == ""
    assert after >= (facts.floor or 0)
    assert after >= (facts.cost or 0) * (1 + exact(bounds.margin_percent))
    for before in (facts.price, facts.day_price):
        assert before is None or abs(Fraction(after) / before - 1) <= exact(bounds.day_percent)
    for before in (facts.price, facts.week_price):
        assert before is None or abs(Fraction(after) / before - 1) <= exact(bounds.week_percent)
    for store in facts.store_prices.values():
        assert max(after, store) <= min(after, store) * (1 + exact(bounds.stores_percent))
    assert abs(after - facts.price) >= facts.price * exact(bounds.step_percent)
    digits = bounds.ending.removeprefix(".")
    if digits and len(digits) <= facts.decimals:
        assert f"{after % 10**facts.decimals:0{facts.decimals}}" == digits.ljust(facts.decimals, "0")
    if after < facts.price:
        assert facts.cost is not None or facts.floor is not None
    if plan.profit is not None and plan.low is not None and plan.high is not None:
        assert plan.low <= plan.profit <= plan.high


def test_each_reason_to_change_a_price_moves_it_the_right_way() -> None:
    base = PriceFacts(price=2999, cost=1500, available=100, sold=28, age_days=400)
    bounds = PriceBounds()

    def basis(elasticity: Elasticity | None = None, **changes: object) -> tuple[str, int]:
        plan = propose(dataclasses.replace(base, **changes), bounds, elasticity)  # type: ignore[arg-type]
        assert isinstance(plan, PricePlan), plan
        return plan.basis, plan.after

    def certain(value: float, error: float = 0.1) -> Elasticity:
        return Elasticity(value, error, value, error, "", 30, 4, 500, 30)

    assert isinstance(propose(base, bounds), NoPlan)
    assert basis(certain(-1.2)) == ("elasticity", 3148)  # a margin of a half: below -2 profit rises with the price
    assert basis(certain(-3.5)) == ("elasticity", 2850)
    assert isinstance(propose(base, bounds, certain(-2.0, 0.5)), NoPlan)  # its interval has both signs
    assert basis(available=500) == ("overstock", 2850)
    assert basis(available=500, sold=0) == ("unsold", 2850)
    assert isinstance(propose(dataclasses.replace(base, available=500, age_days=3), bounds), NoPlan)
    assert basis(available=5) == ("scarce", 3148)
    assert basis(competitors={"b": 2900, "a": 2950}) == ("competitor", 2900)
    assert basis(competitors={"b": 3100, "a": 3200}) == ("competitor", 3100)
    assert basis(floor=3050) == ("floor", 3050)
    assert propose(dataclasses.replace(base, floor=4000), bounds) == NoPlan("no price within the bounds")
    unknown = dataclasses.replace(base, cost=None, available=500)
    assert propose(unknown, bounds) == NoPlan("neither cost nor floor known")
    ended = propose(dataclasses.replace(base, available=500), dataclasses.replace(bounds, ending=".99"))
    assert isinstance(ended, PricePlan) and ended.after == 2899


def test_intervals_of_elasticities_cover_as_they_claim() -> None:
    for weeks, wild in ((10, 0.0), (40, 0.0), (40, 0.3)):
        inside, errors = [], []
        for seed in range(12):
            market = Market(seed, weeks=weeks, wild=wild)
            found = estimate(market.series())
            for at, true in enumerate(market.elasticities):
                if (one := found.get(f"{at:03}")) is not None:
                    inside.append(one.low <= true <= one.high)
                    errors.append(one.value - true)
        share = sum(inside) / len(inside)
        assert len(inside) >= 120 and 0.72 <= share <= 0.93, (weeks, wild, share)
        assert weeks < 40 or abs(sum(errors) / len(errors)) < 0.2


def test_few_weeks_prices_or_units_give_no_elasticity() -> None:
    def series(weeks: int, prices: tuple[int, ...], units: int) -> list[PriceSeries]:
        found = tuple(PriceWeek(week, prices[week % len(prices)], units) for week in range(weeks))
        return [PriceSeries("a", "", found)]

    assert estimate(series(8, (100, 110), 9))
    assert not estimate(series(7, (100, 110), 9))
    assert not estimate(series(20, (100, 101), 9))
    assert not estimate(series(8, (100, 110), 2))
    assert not estimate([]) and not estimate(series(20, (100, 110), 0))


def test_an_agent_that_follows_its_proposals_earns_more_than_fixed_prices() -> None:
    """Both sell to the same market in the same weeks; the agent knows only what it sold."""
    gains = []
    for seed in range(3):
        market, bounds = Market(seed, weeks=30), PriceBounds(week_percent=5)
        costs = [round(price * 0.7) for price in market.first]
        prices, earned, fixed = list(market.first), 0.0, 0.0
        for week in range(30, 60):
            found = estimate(market.series())
            for at, price in enumerate(prices):
                recent = market.weeks[at][-4:]
                facts = PriceFacts(price=price, cost=costs[at], sold=sum(one.units for one in recent), age_days=300)
                plan = propose(facts, bounds, found.get(f"{at:03}"))
                prices[at] = price if isinstance(plan, NoPlan) else plan.after
                market.weeks[at].append(PriceWeek(week, prices[at], market.sell(at, week, prices[at])))
                earned += market.expected(at, week, prices[at]) * (prices[at] - costs[at])
                fixed += market.expected(at, week, market.first[at]) * (market.first[at] - costs[at])
                assert prices[at] >= costs[at]
        gains.append(earned / fixed - 1)
    assert min(gains) > 0.01, gains


def test_what_a_price_earned_is_measured_with_an_interval_that_covers_it_and_without_the_season() -> None:
    dice, inside = random.Random(7), 0
    for _ in range(300):
        season = dice.uniform(0.5, 1.5)
        facts = ResultFacts(
            before=2000, after=2200, cost=1000, units_before=poisson(dice, 4 * 28), days_before=28,
            units_after=poisson(dice, 3.5 * season * 28), days_after=28, control_before=poisson(dice, 20 * 28),
            control_after=poisson(dice, 20 * season * 28), control_days_before=28, control_days_after=28,
        )  # fmt: skip
        true = season * (3.5 * 1200 - 4 * 1000)
        found = results.measure(facts)
        assert found is not None and found["is_controlled"]
        inside += found["low"] <= true <= found["high"]
    assert 0.74 <= inside / 300 <= 0.87
    assert results.measure(dataclasses.replace(facts, days_after=3)) is None
    assert results.measure(dataclasses.replace(facts, cost=None)) is None
