"""The checker of the harness finds a shop that was told too much, and orders for units that there were not."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from tests.stores.chaos import oversold
from tests.stores.chaos.ledger import VariantHistory

_AT = datetime(2026, 11, 24, tzinfo=UTC)


def after(seconds: int) -> datetime:
    return _AT + timedelta(seconds=seconds)


def history() -> VariantHistory:
    """Ten units, of which another shop sells four after ten seconds, and five leave after twenty."""
    return VariantHistory([after(0), after(20)], [10, 5], [(after(10), "order:b:1", 4), (after(20), "order:b:1", 0)])


def test_a_shop_may_be_told_what_was_known_while_the_attempt_ran_and_no_more() -> None:
    found = history()
    assert [found.known(after(one), "order:a:") for one in (5, 15, 25)] == [10, 6, 5]
    assert found.known(after(15), "order:b:") == 10, "a shop's own orders are no promise to others"
    assert (found.most_known(after(5), after(15), "order:a:"), found.most_known(after(11), after(30), "order:a:")) == (
        10, 6,
    )  # fmt: skip


def test_oversold_orders_are_told_apart_by_their_reason() -> None:
    counts: Counter[str] = Counter()
    one_shop = VariantHistory([after(0)], [3], [])
    oversold._of_variant(
        [(after(1), "a", "1", 2), (after(2), "a", "2", 2), (after(3), "b", "3", 1)], {}, one_shop, counts
    )
    assert counts == {oversold.OWN_RACE: 1, oversold.ELSEWHERE: 1}
    counts.clear()
    shipped = {("a", "1"): after(2)}
    left = VariantHistory([after(0), after(2)], [3, 1], [])
    oversold._of_variant([(after(1), "a", "1", 2), (after(3), "a", "2", 1)], shipped, left, counts)
    assert not counts
