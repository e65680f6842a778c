"""Numbers of things and amounts as people read them."""

from __future__ import annotations

import pytest

from fleet.spending.budgets import dollars
from fleet.web.filters import plural


@pytest.mark.parametrize(("number", "words"), [(0, "0 likes"), (1, "1 like"), (2, "2 likes"), (1200, "1,200 likes")])
def test_a_number_of_things(number: int, words: str) -> None:
    assert plural(number, "like") == words


@pytest.mark.parametrize(
    ("microusd", "words"),
    [(0, "$0.00"), (500_000, "$0.50"), (12_000, "$0.012"), (5_000_000, "$5.00"), (1_234_567_890, "$1,234.57")],
)
def test_an_amount_has_its_cents(microusd: int, words: str) -> None:
    assert dollars(microusd) == words
