"""When a worker ends itself: it stood still although there was something to take. Time passes by arguments alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.liveness import _RECONNECT_S, Judge, Look

AFTER_S, EVERY_S = 30.0, 3.0
BACKLOG = {"normal": 7, "low": 0}


class Watched:
    """A worker under watch, and the clock."""

    def __init__(self) -> None:
        self.judge = Judge(after_s=AFTER_S, every_s=EVERY_S)
        self.at_s = 1000.0
        self.taken = self.turns = 0

    def look(
        self, depths: Mapping[str, int] | None = BACKLOG, *, busy: int = 0, takes: int = 0, turns: int = 1,
        step_s: float = EVERY_S, connected: bool = True,
    ) -> str | None:  # fmt: skip
        self.at_s += step_s
        self.taken += takes
        self.turns += turns
        return self.judge.verdict(Look(self.at_s, depths, busy, 4, self.taken, self.turns, connected))


@pytest.fixture
def watched() -> Watched:
    made = Watched()
    made.look()
    return made


def test_a_free_worker_that_takes_nothing_from_a_backlog_ends_after_its_time(watched: Watched) -> None:
    verdicts = [watched.look() for _ in range(10)]
    assert verdicts[:9] == [None] * 9
    assert verdicts[9] is not None
    assert "none was taken" in verdicts[9]


def test_one_free_slot_is_enough(watched: Watched) -> None:
    assert [watched.look(busy=3) for _ in range(10)][-1] is not None


@pytest.mark.parametrize(
    "reason",
    [{"depths": None}, {"depths": {"normal": 0, "low": 0}}, {"depths": {}}, {"busy": 4}, {"busy": 5}, {"takes": 1},
     {"connected": False}],
    ids=["broker away", "queues empty", "no queue", "every slot busy", "more than busy", "takes messages",
         "connecting"],
)  # fmt: skip
def test_a_good_reason_is_never_held_against_it(watched: Watched, reason: dict[str, object]) -> None:
    assert [watched.look(**reason) for _ in range(1000)] == [None] * 1000  # type: ignore[arg-type]


def test_a_loop_that_stands_still_ends_the_worker_even_when_every_slot_is_busy(watched: Watched) -> None:
    verdicts = [watched.look({}, busy=4, turns=0) for _ in range(10)]
    assert verdicts[:9] == [None] * 9
    assert verdicts[9] is not None
    assert "loop" in verdicts[9]


def test_a_loop_that_waits_for_its_broker_may_stand_still(watched: Watched) -> None:
    assert [watched.look(None, turns=0) for _ in range(100)] == [None] * 100


def test_a_reconnect_gets_its_own_time_and_no_more(watched: Watched) -> None:
    watched.look(connected=False)
    steps = int((AFTER_S + _RECONNECT_S) / EVERY_S)
    verdicts = [watched.look(turns=0, connected=False) for _ in range(steps)]
    assert verdicts[:-1] == [None] * (steps - 1)
    assert verdicts[-1] is not None


def test_a_loop_that_reconnected_late_is_judged_from_its_return(watched: Watched) -> None:
    assert [watched.look(turns=0, connected=False) for _ in range(20)] == [None] * 20
    assert watched.look(turns=0) is None
    assert [watched.look(busy=4) for _ in range(20)] == [None] * 20


def test_a_process_that_was_suspended_as_a_whole_gets_its_time_again(watched: Watched) -> None:
    assert watched.look(turns=0, step_s=3600.0) is None
    assert watched.look(takes=1) is None
    assert [watched.look() for _ in range(9)] == [None] * 9


LOOKS = st.fixed_dictionaries(
    {
        "depths": st.sampled_from([None, {}, {"normal": 0}, BACKLOG]),
        "busy": st.integers(0, 5),
        "takes": st.sampled_from([0, 0, 0, 1]),
        "turns": st.sampled_from([0, 1]),
        "step_s": st.floats(0.1, 100.0),
        "connected": st.booleans(),
    }
)


@given(st.lists(LOOKS, max_size=60))
def test_a_process_ends_only_after_standing_still_for_the_whole_time(looks: list[dict[str, Any]]) -> None:
    watched = Watched()
    watched.look()
    idle_s, silent_s, was_connected = 0.0, 0.0, True
    for one in looks:
        step_s = min(one["step_s"], 2 * EVERY_S)
        may_take = one["depths"] == BACKLOG and one["busy"] < 4 and one["connected"] and not one["takes"]
        idle_s = idle_s + step_s if may_take else 0.0
        stands = one["depths"] is not None and not one["turns"] and one["connected"] == was_connected
        silent_s, was_connected = silent_s + step_s if stands else 0.0, one["connected"]
        over_s = max(idle_s - AFTER_S, silent_s - AFTER_S - (0.0 if one["connected"] else _RECONNECT_S))
        ended = watched.look(**one) is not None
        assert ended == (over_s >= 0) or abs(over_s) < 1e-6


@given(
    st.lists(st.floats(0.1, 100.0), min_size=1, max_size=60),
    st.sampled_from([{"depths": None, "turns": 0}, {"busy": 4}, {"depths": {"normal": 0}}, {"takes": 1}]),
)
def test_no_time_is_too_long_for_a_worker_with_an_excuse(steps_s: list[float], excuse: dict[str, Any]) -> None:
    watched = Watched()
    watched.look()
    assert [watched.look(**excuse, step_s=step_s) for step_s in steps_s] == [None] * len(steps_s)
