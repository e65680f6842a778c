"""The arithmetic of one limit: never beyond it in any window, nearly all of it used, agents served in turns."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.features.adapters.limits import window
from fleet.features.adapters.limits.window import Caller, Window

START = 1_790_000_000.0
LEAST_USED = 0.97
ANN = Caller("1", "ann")


def called(one: Window, now: float, cost: int = 1, caller: Caller = ANN) -> float | None:
    """Make a call if there is room; return when to come again."""
    one.advance(now)
    until = one.wait_until(caller, cost, now)
    if until is None:
        one.take(caller, cost, now)
    else:
        one.queue(caller, cost, until)
    return until


def most_in_any_window(calls: list[tuple[float, int]], window_s: float) -> int:
    return max((sum(cost for at, cost in calls if begin - window_s < at <= begin) for begin, _ in calls), default=0)


_GAPS = st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=300)


@settings(max_examples=60, deadline=None)
@given(most=st.integers(4, 40), window_s=st.floats(0.5, 90_000), gaps=_GAPS, late=st.floats(0, 1))
def test_no_window_ever_has_more_than_the_limit(
    most: int, window_s: float, gaps: list[tuple[float, int, int]], late: float
) -> None:
    """Also if each second call arrives up to a cell later than it was allowed, and the clock steps back."""
    one, now, made = Window(most, window_s), START, []
    for gap, cost, agent in gaps:
        now += gap * window_s - (0.01 * window_s if agent == 3 else 0)
        if called(one, now, cost, Caller(f"{len(made)}", str(agent))) is None:
            made.append((now + late * one.width * (len(made) % 2), cost))
        one = window.load(one.to_data(), most=most, window_s=window_s, now=now)
    assert most_in_any_window(sorted(made), window_s) <= most


@settings(max_examples=30, deadline=None)
@given(most=st.integers(1, 300), window_s=st.floats(0.5, 90_000), begin=st.floats(0, 1))
def test_callers_that_come_when_they_are_told_use_nearly_all_of_it(most: int, window_s: float, begin: float) -> None:
    one, now = Window(most, window_s), START + begin * window_s
    made = []
    while now < START + (begin + 12) * window_s:
        until = called(one, now)
        if until is None:
            made.append(now)
        else:
            assert until > now
            now = until
    periods = [later - now for now, later in pairwise(made[::most])]
    assert max(periods) <= window_s / LEAST_USED


def test_a_broken_count_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that is forgotten two cells early lets too many through: the property above fails."""
    monkeypatch.setattr(window, "SPAN", window.CELLS - 1)
    one, made = Window(10, 60.0), []
    now = START + 0.4
    for _ in range(20):
        until = called(one, now)
        now = now if until is None else until
        made += [(now, 1)] * (until is None)
    assert most_in_any_window(made, 60.0) > 10


def test_agents_take_turns_however_many_calls_each_has() -> None:
    one, now, served = Window(2, 60.0), START, []
    waiting = [Caller(f"busy-{n}", "busy") for n in range(8)] + [Caller(f"{name}-0", name) for name in ("ann", "bob")]
    due = dict.fromkeys(waiting, now)
    while due:
        caller = min(due, key=lambda one: due[one])
        now = max(now, due[caller])
        until = called(one, now, 1, caller)
        if until is None:
            served.append(caller.agent)
            del due[caller]
        else:
            due[caller] = until
    assert served[:2] == ["busy", "busy"]
    assert Counter(served[2:5]) == {"busy": 1, "ann": 1, "bob": 1}


def test_room_is_held_for_the_first_in_turn_and_not_for_ever() -> None:
    one = Window(1, 60.0)
    ann, bob = Caller("1", "ann"), Caller("2", "bob")
    called(one, START)
    until = called(one, START + 1, 1, ann)
    assert until is not None
    assert called(one, until, 1, bob) is not None, "it is ann's turn"
    assert called(one, until + window.GRACE_S + 1, 1, bob) is None, "ann did not come"


def test_what_the_system_says_counts_until_its_time_and_never_gives_more_room() -> None:
    one = Window(100, 60.0)
    one.observe(START, most=50, room=1, room_until=START + 30, blocked_until=0.0)
    one.observe(START, most=50, room=40, room_until=START + 30, blocked_until=0.0)
    assert one.seen_most == 50
    assert called(one, START) is None
    assert called(one, START + 1) == START + 30
    assert called(one, START + 30) is None
    one.observe(START + 31, most=None, room=None, room_until=0.0, blocked_until=START + 45)
    assert called(one, START + 32) == START + 45
    assert called(one, START + 45) is None


def test_units_given_back_can_be_used_and_a_new_length_of_the_window_forgets_none() -> None:
    one = Window(2, 60.0)
    cell = one.take(Caller("1", "a"), 2, START)
    one.give_back(cell, 1)
    other = window.load(one.to_data(), most=2, window_s=3600.0, now=START + 1)
    other.advance(START + 1)
    assert other.used() == 1 and called(other, START + 1) is None and called(other, START + 2) is not None


def test_people_are_warned_once_a_window() -> None:
    one = Window(10, 60.0)
    warned = []
    for n in range(10):
        called(one, START + n / 100)
        warned.append(one.is_near(START + n / 100))
    assert warned == [False] * 7 + [True, False, False]
    assert not replace(one, warned_until=0.0, cells=[]).is_near(START + 61)
