"""Prices and estimates: integers, dates, and no model for free by mistake."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.errors import InvalidInput
from fleet.llm.base import Usage
from fleet.llm.prices import LIST_PRICES, price_list

DAY = date(2026, 11, 20)
TOKENS = st.integers(0, 500_000)
MODELS = st.sampled_from(sorted(LIST_PRICES))
LIST = price_list()


def usage(
    model: str, fresh: int = 0, read: int = 0, written: int = 0, output: int = 0, *, batch: bool = False
) -> Usage:
    return Usage("any", model, fresh, read, written, output, batch=batch)


def test_a_million_of_each_costs_the_list_price() -> None:
    assert LIST.cost(usage("claude-sonnet-5-5", fresh=1_000_000), DAY) == 2_000_000
    assert LIST.cost(usage("claude-sonnet-5-5", read=1_000_000), DAY) == 100_000
    assert LIST.cost(usage("claude-sonnet-5-5", written=1_000_000), DAY) == 2_500_000
    assert LIST.cost(usage("claude-sonnet-5-5", output=1_000_000), DAY) == 10_000_000
    for_an_hour = usage("claude-sonnet-5-5", written=1_000_000).but(cache_hour_tokens=1_000_000)
    assert LIST.cost(for_an_hour, DAY) == 4_000_000 == LIST.at_most(
        "claude-sonnet-5-5", DAY, input_tokens=1_000_000, output_tokens=0
    )  # fmt: skip


def test_the_price_is_that_of_the_day() -> None:
    call = usage("claude-sonnet-5-5", read=1_000_000)
    assert LIST.cost(call, date(2026, 10, 6)) == 200_000
    assert LIST.cost(call, date(2026, 10, 7)) == 100_000
    assert LIST.cost(call, date(2020, 1, 1)) == 200_000  # a clock that is wrong still pays


def test_a_long_prompt_costs_more_in_all_its_tokens() -> None:
    assert LIST.cost(usage("claude-haiku-5-5", fresh=100_000, output=1_000), DAY) == 10_500
    assert LIST.cost(usage("claude-haiku-5-5", fresh=50_000, read=50_001, output=1_000), DAY) == 25_000 + 2_501 + 2_500


def test_a_dated_snapshot_costs_what_its_model_does() -> None:
    assert LIST.of("claude-haiku-4-5-20251001", DAY) == LIST.of("claude-haiku-4-5", DAY)
    assert LIST.of("gpt-6-luna-2026-09-22", DAY) == LIST.of("gpt-6-luna", DAY)


def test_an_unknown_model_is_refused_until_the_owner_says_what_it_costs() -> None:
    with pytest.raises(InvalidInput, match=r"llama3.2:3b=INPUT/OUTPUT"):
        LIST.of("llama3.2:3b", DAY)
    own = price_list(("llama3.2:3b=0/0", "claude-haiku-5-5=1/0.5/2/4"))
    assert own.cost(usage("llama3.2:3b", fresh=10**9, output=10**9), DAY) == 0
    assert own.of("claude-haiku-5-5", DAY).cache_read == 500_000


@pytest.mark.parametrize(
    "said",
    [
        "",
        "x",
        "x=",
        "=1/2",
        "x=1",
        "x=1/2/3",
        "x=-1/2",
        "x=a/b",
        "x=NaN/1",
        "x=Infinity/1",
        "x=1e999999/1",
        "x=1/1e9",
        "x=1e9999999999/1",
        "x=1/-1e-9",
        "x=sNaN/1",
    ],
)
def test_a_price_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput, match="FLEET_LLM_PRICES"):
        price_list((said,))


@given(MODELS, TOKENS, TOKENS, TOKENS, TOKENS, st.booleans())
def test_cost_is_a_whole_number_and_grows_with_every_token(
    model: str, fresh: int, read: int, written: int, output: int, batch: bool
) -> None:
    cost = LIST.cost(usage(model, fresh, read, written, output, batch=batch), DAY)
    assert isinstance(cost, int)
    assert cost >= 0
    assert LIST.cost(usage(model, fresh + 1, read, written, output, batch=batch), DAY) >= cost
    assert LIST.cost(usage(model, fresh, read, written, output + 1, batch=batch), DAY) >= cost
    assert (cost == 0) == (fresh + read + written + output == 0)


@given(MODELS, TOKENS, TOKENS, TOKENS, TOKENS)
def test_batches_cost_half_and_caches_never_more_than_being_written(
    model: str, fresh: int, read: int, written: int, output: int
) -> None:
    full = LIST.cost(usage(model, fresh, read, written, output), DAY)
    assert LIST.cost(usage(model, fresh, read, written, output, batch=True), DAY) in (full // 2, full // 2 + full % 2)
    assert full <= LIST.cost(usage(model, 0, 0, fresh + read + written, output), DAY)


@given(MODELS, TOKENS, TOKENS, TOKENS, TOKENS, st.integers(0, 1000), st.booleans())
def test_the_estimate_is_never_below_the_cost(
    model: str, fresh: int, read: int, written: int, output: int, spare: int, batch: bool
) -> None:
    limits = {"input_tokens": fresh + read + written + spare, "output_tokens": output + spare}
    most = LIST.at_most(model, DAY, **limits, batch=batch)
    assert LIST.cost(usage(model, fresh, read, written, output, batch=batch), DAY) <= most
