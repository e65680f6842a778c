"""Budgets, purely: periods in UTC, what fits, which limit speaks, and what a day will come to."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.errors import InvalidInput
from fleet.spending import budgets
from fleet.spending.budgets import Budget, Period, Scope, Spender

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
instants = st.integers(946_684_800, 4_102_444_800).map(lambda epoch_s: datetime.fromtimestamp(epoch_s, UTC))


def budget(scope: Scope = Scope.FLEET, key: str = "*", *, limit: int = 1000, spent: int = 0, reserved: int = 0,
           period: Period = Period.DAY, allowance: int = 0) -> Budget:  # fmt: skip
    return Budget(scope, key, period, limit, allowance, spent, reserved)


@given(instants, st.sampled_from(Period))
def test_every_moment_lies_in_one_period_and_the_next_begins_where_it_ends(now: datetime, period: Period) -> None:
    start, end = budgets.begins(period, now), budgets.ends(period, now)
    assert start <= now < end
    assert budgets.begins(period, end) == end
    assert budgets.begins(period, end - timedelta(microseconds=1)) == start


def test_periods_are_the_same_wherever_the_worker_runs() -> None:
    in_tokyo = datetime(2026, 12, 1, 8, tzinfo=timezone(timedelta(hours=9)))
    assert budgets.begins(Period.DAY, in_tokyo) == datetime(2026, 11, 30, tzinfo=UTC)
    assert budgets.ends(Period.MONTH, in_tokyo) == datetime(2026, 12, 1, tzinfo=UTC)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_what_fits_never_exceeds_the_limit(limit: int, spent: int, reserved: int, amount: int) -> None:
    one = budget(limit=limit, spent=spent, reserved=reserved)
    fits = budgets.first_spent([one], amount, NOON) is None
    assert fits == (amount == 0 or spent + reserved + amount <= limit)


def test_the_limit_that_lasts_longest_speaks_and_a_provider_speaks_last() -> None:
    day, month = budget(limit=0), budget(limit=0, period=Period.MONTH)
    provider = budget(Scope.PROVIDER, "anthropic", limit=0, period=Period.MONTH)
    said = budgets.first_spent([provider, day, month], 1, NOON)
    assert said is not None and said.budget is month and said.until == datetime(2026, 12, 1, tzinfo=UTC)
    said = budgets.first_spent([provider, budget(limit=10)], 1, NOON)
    assert said is not None and said.budget is provider


def test_a_spent_budget_is_described_in_sentences() -> None:
    said = budgets.first_spent([budget(limit=5_000_000, spent=4_980_000, allowance=1_000_000)], 2_000_000, NOON)
    assert str(said) == (
        "The daily budget of the fleet ($6.00) has too little left for this call: $4.98 spent."
        " `fleet budgets allow` adds to it today."
    )
    monthly = budget(Scope.PERSONA, "poet", limit=10, reserved=10, period=Period.MONTH)
    assert str(budgets.first_spent([monthly], 1, NOON)) == (
        "The monthly budget of persona poet ($0.00001) has too little left for this call: $0.00 spent,"
        " $0.00001 set aside. `fleet budgets allow` adds to it this month."
    )


def test_the_text_about_an_agents_budget_fits_the_column_of_pause_reasons() -> None:
    dear = budget(Scope.AGENT, str(uuid.uuid4()), limit=10**12, spent=10**12, reserved=10**6, period=Period.MONTH)
    assert len(str(budgets.first_spent([dear], 1, NOON))) <= 200


def test_what_a_person_allowed_counts_on_top() -> None:
    assert budgets.first_spent([budget(limit=10, spent=10)], 5, NOON) is not None
    assert budgets.first_spent([budget(limit=10, spent=10, allowance=5)], 5, NOON) is None


def test_a_spender_is_covered_by_all_scopes_that_it_has() -> None:
    agent = uuid.uuid4()
    keys = Spender(agent, "ai_artist", None, "post").keys("anthropic")
    assert keys == {Scope.FLEET: "*", Scope.PERSONA: "ai_artist", Scope.AGENT: str(agent), Scope.PROVIDER: "anthropic"}
    assert set(Spender(None, None, None, "post").keys("x")) == {Scope.FLEET, Scope.PROVIDER}


def test_the_forecast_goes_on_at_the_days_pace_and_is_calm_in_the_first_hours() -> None:
    assert budgets.forecast(500, NOON) == 1000
    assert budgets.forecast(500, budgets.begins(Period.DAY, NOON)) == 5000
    assert budgets.forecast(0, NOON) == 0


@pytest.mark.parametrize(
    ("text", "microusd"),
    [
        ("2.50", 2_500_000),
        ("$1", 1_000_000),
        (" 0.000001 ", 1),
        ("0", 0),
        (".1", 100_000),
        ("999999.999999", 999_999_999_999),
    ],
)
def test_amounts_are_read_as_dollars(text: str, microusd: int) -> None:
    assert budgets.microusd(text) == microusd


@pytest.mark.parametrize("text", ["", ".", "ten", "nan", "inf", "1e99", "1,5", "1_0", "0.0000001"])
def test_what_is_no_amount_is_said(text: str) -> None:
    with pytest.raises(InvalidInput, match="not an amount"):
        budgets.microusd(text)


@pytest.mark.parametrize(("text", "why"), [("-1", "must be positive"), ("1000000.01", "largest amount")])
def test_an_amount_out_of_bounds_is_said(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        budgets.microusd(text)


TOLD = [(0, "$0.00"), (1, "$0.000001"), (120_000, "$0.12"), (1_234_567_890, "$1,234.57")]


@pytest.mark.parametrize(("amount", "text"), TOLD)
def test_amounts_are_shown_with_significant_digits(amount: int, text: str) -> None:
    assert budgets.dollars(amount) == text


def test_a_budget_that_only_calls_under_way_fill_is_asked_again_soon_and_is_not_spent() -> None:
    said = budgets.first_spent([budget(limit=10, spent=4, reserved=5)], 2, NOON)
    assert said is not None and (said.is_passing, said.until) == (True, NOON + budgets.SETTLED_SOON)
    spent = budget(Scope.PERSONA, "poet", limit=10, spent=9)
    said = budgets.first_spent([budget(limit=10, spent=4, reserved=5, period=Period.MONTH), spent], 2, NOON)
    assert said is not None and (said.budget, said.is_passing) == (spent, False)
