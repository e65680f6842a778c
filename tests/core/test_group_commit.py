"""Group commit: who goes with whom, who hears what, and that nobody waits for ever."""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from fleet.core import group_commit
from fleet.core.errors import Unavailable
from fleet.core.group_commit import MOST, NO_END_MS, PATIENCE_MS, GroupCommit, Separate
from tests.factories import WITHIN_S, at_once, turn_taken


class Turns:
    """What was carried out together, and with how much patience."""

    def __init__(self) -> None:
        self.gone: list[list[int]] = []
        self.patience: list[int] = []
        self._lock = threading.Lock()

    def note(self, items: list[int], patience_ms: int) -> list[int]:
        with self._lock:
            self.gone.append(list(items))
            self.patience.append(patience_ms)
        return [10 * item for item in items]


def calls(group: GroupCommit, carry_out: Callable[[list[int], int], list[int]], *items: int) -> list[Callable[[], int]]:
    return [functools.partial(group.run, carry_out, item) for item in items]


def test_a_call_without_others_waiting_runs_at_once_and_alone() -> None:
    turns, group = Turns(), GroupCommit()
    assert [group.run(turns.note, item) for item in (1, 2)] == [10, 20]
    assert (turns.gone, turns.patience) == ([[1], [2]], [PATIENCE_MS, PATIENCE_MS])


def test_calls_that_wait_go_together_and_each_gets_its_own_result() -> None:
    turns, group = Turns(), GroupCommit()
    assert at_once(group, *calls(group, turns.note, 1, 2, 3)) == [10, 20, 30]
    assert turns.gone == [[1, 2, 3]]
    assert group.run(turns.note, 4) == 40  # the turn was handed back


def test_one_turn_is_of_one_kind_and_the_first_that_waits_says_which() -> None:
    turns, others, group = Turns(), Turns(), GroupCommit()
    one, two = calls(group, turns.note, 1, 2)
    other, another = calls(group, others.note, 7, 8)
    assert at_once(group, one, other, two, another) == [10, 70, 20, 80]
    assert (turns.gone, others.gone) == ([[1, 2]], [[7, 8]])


def test_no_batch_is_larger_than_the_planner_expects() -> None:
    turns, group = Turns(), GroupCommit()
    numbers = range(MOST + 3)
    assert at_once(group, *calls(group, turns.note, *numbers)) == [10 * number for number in numbers]
    assert [len(gone) for gone in turns.gone] == [MOST, 3]


def test_those_that_share_something_take_turns_in_their_order() -> None:
    turns, group = Turns(), GroupCommit()

    def call(item: int, *apart: str) -> Callable[[], int]:
        return lambda: group.run(turns.note, item, apart=apart)

    at_once(
        group, call(1, "ada", "p1"), call(2, "ben", "p1"), call(3, "ben", "p2"), call(4, "cleo", "p3"), call(5, "ada")
    )
    # The third waits behind the second, who comes before it and shares its agent.
    assert turns.gone == [[1, 4], [2, 5], [3]]


def test_an_error_is_everybodys() -> None:
    group = GroupCommit()

    def fail(items: list[int], _: int) -> list[int]:
        raise ValueError(len(items))

    found = at_once(group, *calls(group, fail, 1, 2, 3))
    assert [(type(one), one.args) for one in found] == [(ValueError, (3,))] * 3
    assert group.run(Turns().note, 4) == 40


def test_who_is_sent_away_tries_alone_with_all_the_patience_in_the_world() -> None:
    turns, group = Turns(), GroupCommit()

    def spoilt(items: list[int], patience_ms: int) -> list[int]:
        turns.note(items, patience_ms)
        if patience_ms:
            raise Separate
        if items == [2]:
            raise ValueError("two")
        return [10 * item for item in items]

    found = at_once(group, *calls(group, spoilt, 1, 2, 3))
    assert (found[0], str(found[1]), found[2]) == (10, "two", 30)
    assert turns.gone[0] == [1, 2, 3]
    assert sorted(turns.gone[1:]) == [[1], [2], [3]]
    assert turns.patience == [PATIENCE_MS, NO_END_MS, NO_END_MS, NO_END_MS]


def test_a_thread_that_waits_alone_delays_no_other() -> None:
    group, may_go = GroupCommit(), threading.Event()

    def stuck(items: list[int], patience_ms: int) -> list[int]:
        if patience_ms:
            raise Separate
        assert may_go.wait(WITHIN_S)
        return items

    waiting = threading.Thread(target=group.run, args=(stuck, 1))
    waiting.start()
    try:
        assert group.run(Turns().note, 2) == 20
        assert waiting.is_alive()
    finally:
        may_go.set()
        waiting.join(WITHIN_S)


def test_too_few_results_are_an_error_and_not_a_silence() -> None:
    group = GroupCommit()
    found = at_once(group, *calls(group, lambda items, _: items[:1], 1, 2))
    assert all(isinstance(one, ValueError) for one in found)


def test_a_turn_ends_whatever_ends_it() -> None:
    group, turns = GroupCommit(), Turns()

    def leave(items: list[int], _: int) -> list[int]:
        raise SystemExit(len(items))

    with pytest.raises(SystemExit):
        group.run(leave, 1)
    with turn_taken(group):
        pass
    assert group.run(turns.note, 2) == 20


class Away(BaseException):
    """What a time limit, Ctrl-C or the end of a greenlet raises in whoever waits."""


def called_away(group: GroupCommit, others: Callable[[], object] = lambda: None) -> None:
    """Call the main thread away while it waits in a group for its turn; before that, do `others`."""

    def leave(*_: object) -> None:
        raise Away

    def call(until_waiting: Callable[[int], None]) -> None:
        until_waiting(1)
        others()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, leave)
    try:
        with turn_taken(group) as until_waiting:
            caller = threading.Thread(target=call, args=(until_waiting,))
            caller.start()
            with pytest.raises(Away):
                group.run(Turns().note, 1)
            caller.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def ended(call: Callable[[], object]) -> bool:
    """Say whether a call ends; if not, its thread waits for as long as the process lives."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(WITHIN_S)
    return not thread.is_alive()


def test_a_cancelled_call_does_not_delay_the_next_one() -> None:
    group, turns = GroupCommit(), Turns()
    called_away(group)
    assert ended(lambda: group.run(turns.note, 2))
    assert turns.gone == [[2]]


def test_cancelling_a_waiting_thread_cancels_no_thread_behind_it() -> None:
    group, turns = GroupCommit(), Turns()
    behind = threading.Thread(target=group.run, args=(turns.note, 2), daemon=True)

    def wait_too() -> None:
        behind.start()
        while len(group._waiting) < 2:
            time.sleep(0.001)

    called_away(group, wait_too)
    behind.join(WITHIN_S)
    assert (behind.is_alive(), turns.gone) == (False, [[2]])


def test_who_is_called_away_when_its_turn_has_come_hands_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception of a greenlet that is killed comes when it goes on, and its turn may have come before."""
    group, turns = GroupCommit(), Turns()
    make, made = group_commit._Call, []

    def make_late(*args: Any) -> Any:
        call = make(*args)
        made.append(call)
        if len(made) == 2:  # the first holds the turn
            call.turn = Late(call.turn)  # type: ignore[assignment]
        return call

    monkeypatch.setattr(group_commit, "_Call", make_late)
    first, second = at_once(group, lambda: late(lambda: group.run(turns.note, 1)), lambda: group.run(turns.note, 2))
    assert (first, second, turns.gone) == ("late", 20, [[2]])
    assert ended(lambda: group.run(turns.note, 3))


class Late:
    """A lock whose owner is called away as soon as it has it."""

    def __init__(self, lock: Any) -> None:
        self._lock, self.release = lock, lock.release

    def acquire(self) -> None:
        self._lock.acquire()
        raise Away


def late(call: Callable[[], object]) -> object:
    """Return "late" for a call that was called away."""
    try:
        return call()
    except Away:
        return "late"


def test_cancelling_the_first_thread_of_a_group_cancels_no_other() -> None:
    group = GroupCommit()

    def leave(items: list[int], _: int) -> list[int]:
        raise Away(len(items))

    one, two = calls(group, leave, 1, 2)
    found = at_once(group, lambda: late(one), two)
    assert (found[0], type(found[1])) == ("late", Unavailable)


def test_an_unhashable_key_is_refused_before_it_joins_a_group() -> None:
    group, turns = GroupCommit(), Turns()
    with pytest.raises(TypeError):
        group.run(turns.note, 1, apart=[[]])  # type: ignore[list-item]
    assert ended(lambda: group.run(turns.note, 2))


def test_those_who_try_by_themselves_are_no_more_than_may_be() -> None:
    group, may_go, alone = GroupCommit(most_separate=2), threading.Event(), []

    def stuck(items: list[int], patience_ms: int) -> list[int]:
        if patience_ms:
            raise Separate
        alone.append(items)
        assert may_go.wait(WITHIN_S)
        return items

    threads = [threading.Thread(target=group.run, args=(stuck, item)) for item in range(3)]
    for thread in threads:
        thread.start()
    try:
        while len(alone) < 2 or group._leader is not None:
            time.sleep(0.001)
        assert group.run(Turns().note, 2) == 20
        assert len(alone) == 2
    finally:
        may_go.set()
        for thread in threads:
            thread.join(WITHIN_S)
    assert sorted(alone) == [[0], [1], [2]]
