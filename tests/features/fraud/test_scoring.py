"""Scores of orders: what holds for any order, each reason, and the figures of the docs."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.features.fraud import evaluation, sample, scoring
from fleet.features.fraud.scoring import FileOrder, OrderHistory
from tests.features.agents.test_cli import Cli, cli

__all__ = ["cli"]  # the fixture

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = st.sampled_from(["", "a", "b", "c"])
TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds
ORDERS = st.lists(
    st.builds(
        FileOrder, st.uuids().map(str), TIMES, st.sampled_from(["ann", "ben", "cam"]), st.integers(0, 10**6), NAMES,
        NAMES, NAMES, NAMES, NAMES, NAMES, st.none() | TIMES,
    ),
    max_size=25,
)  # fmt: skip


@given(ORDERS, st.integers(0, 24))
def test_a_score_depends_on_earlier_orders_alone_and_is_the_sum_of_its_reasons(
    orders: list[FileOrder], cut: int
) -> None:
    found = {order.id: score for order, score in scoring.score_all(orders)}
    assert all(one.value == min(100, sum(why.points for why in one.reasons)) for one in found.values())
    first = sorted(orders, key=lambda one: (one.at, one.id))[:cut]
    assert {order.id: score for order, score in scoring.score_all(first)} == {one.id: found[one.id] for one in first}


def order(number: int, *, minutes: float = 0, **changes: object) -> FileOrder:
    plain = FileOrder(str(number), NOON + timedelta(minutes=minutes), f"c{number}", 2000, f"d{number}", f"k{number}",
                      f"a{number}", "DE", "DE", "DE")  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def reasons(*orders: FileOrder) -> set[str]:
    *_, (_, last) = scoring.score_all(orders)
    return {one.name for one in last.reasons}


def many(count: int, apart_min: float = 60 * 40, **changes: object) -> list[FileOrder]:
    return [order(turn, minutes=turn * apart_min, **changes) for turn in range(count)]


def refunded(at: datetime) -> list[FileOrder]:
    """Return three orders, the last of which is refunded at a time and the others at once."""
    *first, last = many(3, customer="ann")
    return [*(replace(one, refunded_at=one.at) for one in first), replace(last, refunded_at=at)]


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        (many(9), set()),
        (many(3, 10, customer="ann"), {"velocity", "cards"}),
        (many(6, 200, card="k"), {"velocity", "card"}),
        (many(2, device="d"), set()), (many(3, device="d"), {"device"}), (many(3, address="a"), {"address"}),
        (many(3, 60 * 24 * 31, device="d"), set()),
        (many(2, card="k"), {"card"}),
        ([order(1, shipping_country="US")], {"shipping"}), ([order(1, network_country="US")], {"network"}),
        ([order(1, billing_country="", shipping_country="US")], set()),
        ([*many(3, customer="ann"), order(3, minutes=9999, customer="ann", value=9000)], {"value", "habits"}),
        ([*many(120), order(120, minutes=10**6, value=2001)], {"value"}),
        ([*refunded(NOON), order(4, minutes=9999, customer="ann", device="d0")], {"refunds"}),
        ([*refunded(NOON + timedelta(minutes=10_000)), order(4, minutes=9999, customer="ann", device="d0")], set()),
    ],
)  # fmt: skip
def test_each_reason_has_its_cause(orders: list[FileOrder], expected: set[str]) -> None:
    assert reasons(*orders) == expected


def test_a_score_does_not_look_at_each_customer_of_a_busy_device() -> None:
    """A till is one device for a whole shop."""
    history = OrderHistory()
    for turn in range(20_000):
        history.add(order(turn, minutes=turn / 2, device="till"))
    began_s = time.thread_time()
    for number in range(300):
        found = history.score(order(number, minutes=10_000, device="till"))
    assert time.thread_time() - began_s < 0.5
    assert "20000 customers with the same device" in found.reasons[0].words


@given(st.integers(0, 400), st.integers(0, 400))
def test_an_interval_holds_its_share(hits: int, others: int) -> None:
    one = evaluation.Share(hits, hits + others)
    if one.value is None or one.interval is None:
        assert hits + others == 0
        return
    low, high = one.interval
    assert 0 <= low <= one.value + 1e-9 and one.value - 1e-9 <= high <= 1 and low < high


def test_the_figures_of_the_docs_are_those_of_the_command(cli: Cli) -> None:
    page = (ROOT / "docs/fraud.md").read_text("utf-8")
    rows = re.findall(r"^\| ([a-z ]+) \| ([\d,]+) \| ([\d,]+) \|", page, re.M)
    found = json.loads(cli("fraud", "backtest", "--json").stdout)
    assert [(name, int(hits.replace(",", "")), int(of.replace(",", ""))) for name, hits, of in rows] == [
        (one["figure"], one["hits"], one["of"]) for one in found["items"]
    ]
    assert found["held_out"] == sample.HELD_OUT


def test_orders_of_a_file_are_scored_and_what_is_wrong_is_said_with_its_line(cli: Cli, tmp_path: Path) -> None:
    orders = ROOT / "tests/data/orders.csv"
    found = json.loads(cli("fraud", "score", str(orders), "--hold", "40", "--json").stdout)
    assert [(one["id"], one["score"]) for one in found["items"]] == [("3", 70)]
    assert "3 customers with the same device" in found["items"][0]["reasons"][0]["words"]
    assert "1 of 3 orders" in cli("fraud", "score", str(orders), "--hold", "40").output
    measured = json.loads(cli("fraud", "backtest", str(orders), "--json").stdout)["items"]
    assert {one["figure"]: one["share"] for one in measured}["recall of fraud"] == 1
    lines = orders.read_text("utf-8")
    for wrong, why in (
        (lines + lines.splitlines()[1], "was named before"), (lines.replace("+00:00,ben", ",ben"), "Line 3: at is"),
        (lines.replace("2026-11-24T09:00:00Z", "0001-01-01T00:00:00Z"), "Line 2: at is"),
        (lines.replace("1900", "-1"), "Line 2: value"), (lines.replace("ann", ""), "Line 2: id and customer"),
    ):  # fmt: skip
        (tmp_path / "wrong.csv").write_text(wrong, encoding="utf-8")
        assert why in cli("fraud", "score", str(tmp_path / "wrong.csv"), code=2).stderr
