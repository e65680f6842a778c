"""When stores are synced, which side of a field wins, and when an object is gone: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.features.stores import rules
from fleet.features.stores.rules import (
    AfterUnknown,
    ConflictRule,
    Direction,
    FailureKind,
    FieldSides,
    Gone,
    MatchKind,
    Merge,
    RetryStep,
    StockSides,
    StoreSignals,
    Strategy,
    SyncRequest,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
VALUES = st.sampled_from(["a", "b", "c"])
RULES, DIRECTIONS = st.sampled_from(ConflictRule), st.sampled_from(Direction)


def signals(**more: Any) -> StoreSignals:
    usual = {
        "now": NOW, "interval": timedelta(minutes=15), "full_every": 24 * HOUR, "stock_every": HOUR,
        "direction": Direction.BOTH, "has_changes": True, "synced_at": NOW - timedelta(minutes=1),
        "swept_at": NOW - HOUR, "stock_at": NOW - timedelta(minutes=1),
    }  # fmt: skip
    return StoreSignals(**{**usual, **more})


@pytest.mark.parametrize(
    ("more", "is_due", "strategy", "priority"),
    [
        ({}, False, Strategy.INCREMENTAL, 0),
        ({"synced_at": None, "swept_at": None}, True, Strategy.FULL, 4),
        ({"synced_at": NOW - timedelta(minutes=15)}, True, Strategy.INCREMENTAL, 1),
        ({"synced_at": NOW - HOUR}, True, Strategy.INCREMENTAL, 5),
        ({"synced_at": NOW - HOUR, "stock_at": NOW - HOUR}, True, Strategy.STOCK, 5),
        ({"synced_at": NOW - HOUR, "swept_at": NOW - 24 * HOUR}, True, Strategy.FULL, 5),
        ({"synced_at": NOW - HOUR, "has_changes": False}, True, Strategy.STOCK, 5),
        ({"events": 3, "event_priority": 10}, True, Strategy.SELECTIVE, 10),
        ({"dirty": 1}, True, Strategy.SELECTIVE, 6),
        ({"dirty": 1, "synced_at": NOW - timedelta(minutes=15)}, True, Strategy.INCREMENTAL, 6),
        ({"dirty": 1, "direction": Direction.PULL}, False, Strategy.INCREMENTAL, 0),
        ({"request": SyncRequest(strategy=Strategy.FULL, direction=None, by="ana")}, True, Strategy.FULL, 10),
        ({"request": SyncRequest(strategy=None, direction=None, by="ana"), "is_running": True}, False,
         Strategy.INCREMENTAL, 0),
        ({"events": 1, "failed_syncs": 3, "failed_at": NOW - timedelta(seconds=119)}, False, Strategy.INCREMENTAL, 0),
        ({"events": 1, "failed_syncs": 3, "failed_at": NOW - timedelta(seconds=121)}, True, Strategy.SELECTIVE, 0),
    ],
)  # fmt: skip
def test_when_and_how_a_store_is_synced(more: dict[str, Any], is_due: bool, strategy: Strategy, priority: int) -> None:
    found = rules.decide_sync(signals(**more))
    assert found.is_due is is_due, found.reason
    if is_due:
        assert (found.strategy, found.priority) == (strategy, max(priority, 1))


@pytest.mark.parametrize(
    ("kind", "more", "step"),
    [
        (FailureKind.AUTH, {}, RetryStep.ASK),
        (FailureKind.BUSINESS, {}, RetryStep.STOP),
        (FailureKind.TRANSIENT, {}, RetryStep.WAIT),
        (FailureKind.UNKNOWN, {"is_write": True, "is_idempotent": False}, RetryStep.PROBE),
        (FailureKind.UNKNOWN, {"is_write": True}, RetryStep.WAIT),
    ],
)
def test_what_follows_from_a_failure(kind: FailureKind, more: dict[str, Any], step: RetryStep) -> None:
    assert rules.retry_policy(kind, 1, **more).step is step
    assert rules.retry_policy(FailureKind.TRANSIENT, 10).step is RetryStep.ASK
    assert rules.retry_policy(FailureKind.THROTTLED, 99, asked_wait=HOUR).wait == HOUR
    assert rules.backoff(1) < rules.backoff(2) < rules.backoff(50) == HOUR


@given(st.none() | VALUES, VALUES, VALUES, RULES, DIRECTIONS, st.booleans())
def test_a_merge_never_loses_a_change_that_only_one_side_made(
    base: str | None, local: str, remote: str, rule: ConflictRule, direction: Direction, is_pending: bool
) -> None:
    sides = FieldSides(base=base, local=local, remote=remote, is_pending=is_pending)
    found = rules.merge_field(sides, rule, direction)
    if is_pending:
        assert found is Merge.KEEP
    elif local == remote:
        assert found is Merge.AGREE
    elif direction is Direction.BOTH:
        only_local, only_remote = remote == base, local == base
        expected = {
            (True, False): {Merge.PUSH}, (False, True): {Merge.PULL},
            (False, False): {{"source": Merge.PULL, "target": Merge.PUSH}.get(rule, Merge.CONFLICT)},
        }  # fmt: skip
        assert found in expected[only_local, only_remote]
    elif found is Merge.PULL:
        assert direction.pulls
    elif found is Merge.PUSH:  # against the direction only where the rule names the winner
        assert direction.pushes


@given(VALUES, VALUES, VALUES, st.sampled_from([ConflictRule.SOURCE, ConflictRule.TARGET]))
def test_a_merge_settles_after_one_exchange(base: str, local: str, remote: str, rule: ConflictRule) -> None:
    merge = rules.merge_field(FieldSides(base=base, local=local, remote=remote), rule, Direction.BOTH)
    local, remote = {Merge.PULL: (remote, remote), Merge.PUSH: (local, local)}.get(merge, (local, remote))
    after = FieldSides(base=local, local=local, remote=remote)
    assert rules.merge_field(after, rule, Direction.BOTH) is Merge.AGREE


def test_the_form_that_a_shop_gives_to_a_value_is_no_change() -> None:
    sides = FieldSides(base="<b>x</b>", base_remote="<b>x</b>\n", local="<b>x</b>", remote="<b>x</b>\n")
    assert rules.merge_field(sides, ConflictRule.MANUAL, Direction.BOTH) is Merge.KEEP
    moved = FieldSides(base="<b>x</b>", base_remote="<b>x</b>\n", local="<b>y</b>", remote="<b>x</b>\n")
    assert rules.merge_field(moved, ConflictRule.MANUAL, Direction.BOTH) is Merge.PUSH


@pytest.mark.parametrize(("local_at", "expected"), [(1, Merge.PUSH), (-1, Merge.PULL), (None, Merge.CONFLICT)])
def test_the_newest_wins_where_both_times_are_known(local_at: int | None, expected: Merge) -> None:
    at = None if local_at is None else NOW + timedelta(seconds=local_at)
    sides = FieldSides(base="a", local="b", remote="c", local_at=at, remote_at=NOW)
    assert rules.merge_field(sides, ConflictRule.NEWEST, Direction.BOTH) is expected


UNITS = st.integers(0, 20)


@given(UNITS, st.integers(-5, 5), st.integers(-5, 5), st.integers(-5, 0), st.integers(-5, 0), st.booleans(), RULES)
def test_stock_counts_every_change_once(
    base: int, here: int, there: int, shipped: int, shipped_late: int, is_seen: bool, rule: ConflictRule
) -> None:
    """`here` moved in the catalogue, `there` at the store; shipments moved both, the late one maybe not yet there."""
    base += 20
    told = base + here + shipped + shipped_late
    remote = base + there + shipped + (shipped_late if is_seen else 0)
    found = rules.merge_stock(
        StockSides(base=base, told=told, remote=remote, own_before=shipped, own_after=shipped_late), rule,
        Direction.BOTH,
    )  # fmt: skip
    if not shipped_late:
        assert found.delta == there
        assert found.push == (None if here == 0 else told + there)
    elif there == 0:
        assert found.delta == 0  # a shipment is no change of the store, seen or not
        assert (found.push is None) == (here == 0)
    else:
        assert found.delta == 0  # it may be either: the next reading tells
        assert found.push is None or there in (shipped_late, -shipped_late)


def test_a_number_that_waits_for_an_order_is_not_written_over_when_nothing_is_left() -> None:
    # One unit there by the last reading; an order of two was recorded since: the catalogue is at -1, and told is 0.
    found = rules.merge_stock(StockSides(base=1, told=0, remote=1, own_after=-2), ConflictRule.NEWEST, Direction.BOTH)
    assert found.push is None


@given(st.integers(-50, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_store_is_never_told_more_than_is_free(on_hand: int, others: int, buffer: int) -> None:
    told = rules.told(on_hand, others=others, buffer=buffer)
    assert told >= 0
    assert told <= max(0, on_hand - others)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 5), st.none() | st.booleans())
def test_an_object_is_gone_only_when_everything_says_so(
    known: int, missing: int, missed: int, is_vanished: bool | None
) -> None:
    missing = min(known, missing)
    found = rules.is_gone(missed=missed, known=known, missing=missing, is_vanished=is_vanished)
    if found is Gone.GONE:
        assert missed >= 2
        assert is_vanished
        assert missing < known or not missing
        assert missing <= 3 or missing <= known * 0.2
    if missing and missing == known:
        assert found is Gone.DISTRUST


def test_matching_never_guesses() -> None:
    by_sku = {"a": ["1"], "b": ["2"], "c": ["1"]}
    assert rules.match(mapped="9", skus=["a"], by_sku=by_sku).local_id == "9"
    assert rules.match(mapped=None, skus=["a", "c"], by_sku=by_sku).local_id == "1"
    assert rules.match(mapped=None, skus=["a", "b"], by_sku=by_sku).candidates == ("1", "2")
    assert rules.match(mapped=None, skus=["a"], by_sku=by_sku, taken={"1"}).kind is MatchKind.TAKEN
    assert rules.match(mapped=None, skus=["", "z"], by_sku={**by_sku, "": ["1"]}).kind is MatchKind.NEW
    assert rules.match(mapped=None, skus=["z"], by_sku=by_sku, by_key=["5"]).local_id == "5"


@pytest.mark.parametrize(
    ("hits", "age_s", "expected"),
    [
        (0, 5, AfterUnknown.WAIT),
        (0, 60, AfterUnknown.RESEND),
        (1, 0, AfterUnknown.DONE),
        (2, 0, AfterUnknown.DUPLICATE),
    ],
)
def test_what_follows_from_a_creation_whose_outcome_is_unknown(hits: int, age_s: int, expected: AfterUnknown) -> None:
    found = rules.after_unknown(hits=hits, age=timedelta(seconds=age_s), settle=timedelta(seconds=20))
    assert found is expected


@given(st.integers(1, 500), st.floats(0, 1000), st.floats(0.1, 60))
def test_a_page_grows_and_shrinks_by_its_time_and_never_ends(size: int, took_s: float, most_s: float) -> None:
    after = rules.next_size(size, took_s, most_s)
    assert after >= 1
    assert (after < size) == (took_s > most_s / 2 and size > 1)
    if after > size:
        assert took_s * 4 <= most_s / 2, "a page of twice the size would be halved again"
