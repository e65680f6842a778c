"""When a worker ends itself: it stood still although there was something to take. Time passes by arguments alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.liveness import Judge, Look

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
        step_s: float = EVERY_S,
    ) -> str | None:  # fmt: skip
        self.at_s += step_s
        self.taken += takes
        self.turns += turns
        return self.judge.verdict(Look(self.at_s, depths, busy, 4, self.taken, self.turns))


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
    [{"depths": None}, {"depths": {"normal": 0, "low": 0}}, {"depths": {}}, {"busy": 4}, {"busy": 5}, {"takes": 1}],
    ids=["broker away", "queues empty", "no queue", "every slot busy", "more than busy", "takes messages"],
)
def test_a_good_reason_is_never_held_against_it(watched: Watched, reason: dict[str, object]) -> None:
    assert [watched.look(**reason) for _ in range(1000)] == [None] * 1000  # type: ignore[arg-type]


def test_a_loop_that_stands_still_ends_the_worker_even_when_every_slot_is_busy(watched: Watched) -> None:
    verdicts = [watched.look({}, busy=4, turns=0) for _ in range(10)]
    assert verdicts[:9] == [None] * 9
    assert verdicts[9] is not None
    assert "loop" in verdicts[9]


def test_a_loop_that_waits_for_its_broker_may_stand_still(watched: Watched) -> None:
    assert [watched.look(None, turns=0) for _ in range(100)] == [None] * 100


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
    }
)


@given(st.lists(LOOKS, max_size=60))
def test_nobody_ends_without_standing_still_for_the_whole_time(looks: list[dict[str, object]]) -> None:
    watched = Watched()
    watched.look()
    idle_s = silent_s = 0.0
    for one in looks:
        step_s = min(float(one["step_s"]), 2 * EVERY_S)  # type: ignore[arg-type]
        may_take = one["depths"] == BACKLOG and int(one["busy"]) < 4 and not one["takes"]  # type: ignore[call-overload]
        idle_s = idle_s + step_s if may_take else 0.0
        silent_s = silent_s + step_s if one["depths"] is not None and not one["turns"] else 0.0
        ended = watched.look(**one) is not None  # type: ignore[arg-type]
        assert ended == (max(idle_s, silent_s) >= AFTER_S - 1e-6) or abs(max(idle_s, silent_s) - AFTER_S) < 1e-6
