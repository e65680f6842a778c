"""Numbers, money, times and trends as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.web import filters

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("microusd", "shown"),
    [(None, "–"), (0, "$0.00"), (1_500, "$0.0015"), (9_780_000, "$9.78"), (1_234_567_890_000, "$1,234,567.89")],
)
def test_money_has_cents_and_more_digits_only_where_they_matter(microusd: int | None, shown: str) -> None:
    assert filters.money(microusd) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(None, "–"), (0.0, "0 %"), (0.0123, "1.2 %"), (0.1, "10 %"), (0.987, "99 %"), (1.0, "100 %")]
)
def test_small_shares_have_a_digit_more(share: float | None, shown: str) -> None:
    assert filters.percent(share) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (0.25, "250 ms"),
        (2.13, "2.1 s"),
        (59.0, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: float | None, shown: str) -> None:
    assert filters.span(seconds) == shown


@pytest.mark.parametrize(
    ("value", "before", "better", "shown"),
    [
        (110, 100, "up", ("▲ 10 %", "good")), (90, 100, "up", ("▼ 10 %", "bad")), (90, 100, "down", ("▼ 10 %", "good")),
        (110, 100, "", ("▲ 10 %", "")), (100, 100, "up", ("±0 %", "")), (2_000, 100, "up", ("▲ 20 times", "good")),
        (5, 0, "up", None), (5, None, "up", None),
    ],
)  # fmt: skip
def test_a_trend_says_how_far_and_whether_that_is_good(
    value: float, before: float | None, better: str, shown: tuple[str, str] | None
) -> None:
    found = filters.trend(value, before, better)
    assert (None if found is None else (found.words, found.tone)) == shown


def test_a_count_that_stops_says_so() -> None:
    assert (filters.atmost(None), filters.atmost(37), filters.number(12_345), filters.number(None)) == (
        "1,000+",
        "37",
        "12,345",
        "–",
    )


@given(st.floats(min_value=2, max_value=1e7))
def test_what_was_is_ago_and_what_comes_is_in(seconds: float) -> None:
    span = timedelta(seconds=seconds + 0.001)
    assert filters.ago(NOW - span, NOW).endswith(" ago")
    assert filters.ago(NOW + span, NOW).startswith("in ")
