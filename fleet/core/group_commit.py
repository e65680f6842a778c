"""Group commit: the first waiting thread runs the whole batch in one transaction.

A call that finds no other waiting runs at once, alone. Calls that arrive meanwhile gather; then the first of them runs
itself and all others of the same kind together. So no call waits for a timer, and the busier a process is, the fewer
round trips and transactions a call costs. Knows no SQL: `fleet.core.db` and `fleet.engine` pass the function to run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from fleet.core.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 25
"""Maximum calls in one batch."""
PATIENCE_MS = 300
"""How long a batch waits for a lock, since all other batches wait for it; after that, each of its calls waits by
itself. Less than the second after which Postgres looks for deadlocks, so that the batch gives way and never the
other transaction.
"""
NO_END_MS = 0
"""The limit for a call by itself: in Postgres, 0 means no limit."""
LONGEST_QUEUE_S = 30.0
"""How long a call waits until it may try by itself: as long as for a connection."""


class Separate(Exception):
    """The batch has certainly written nothing: each call is to be tried by itself."""


CarryOut = Callable[[list[Item], int], Sequence[Result]]
"""Given items and how many milliseconds to wait for locks, return a result for each."""


class GroupCommit:
    """Group commit: the first waiting thread runs the batch of its kind in one transaction, one batch at a time."""

    def __init__(self, *, most: int = MOST, most_separate: int = MOST) -> None:
        """Let no more than `most` calls go together, and `most_separate` try by themselves at a time."""
        self._lock = threading.Lock()
        self._waiting: list[_Call] = []
        self._leader: _Call | None = None
        self._most = most
        self._may_be_alone = threading.BoundedSemaphore(most_separate)

    def run(self, carry_out: CarryOut[Item, Result], item: Item, *, apart: Sequence[Hashable] = ()) -> Result:
        """Return the result of `carry_out` for an item, which may run in a batch with others, in the order of arrival.

        Calls with the same `carry_out` share a batch, except calls whose `apart` overlap: the later one waits for the
        next batch. If `carry_out` raises Separate, each item runs by itself, beside other batches; any other exception
        is raised by all of them. An exception that interrupts the leading thread (Ctrl-C, a time limit, a greenlet's
        end) is raised in no other thread: the other calls of the batch raise Unavailable.
        """
        call = _Call(carry_out, item, apart)
        try:
            with self._lock:
                self._waiting.append(call)
                if self._leader is None:
                    self._leader = call
                leads = self._leader is call
            if not leads:
                call.turn.acquire()  # until its call is done, or it is the first that waits
            if not call.is_over:
                self._lead(call)
        except BaseException:
            self._leave(call)
            raise
        if call.is_separate:
            alone: Result = self._by_itself(call)
            return alone
        if call.error is not None:
            raise call.error
        result: Result = call.result
        return result

    def _lead(self, own: _Call) -> None:
        """Run the batch of the first waiting call, then make the next waiting call the leader."""
        calls = self._taken()
        try:
            results = own.carry_out([call.item for call in calls], PATIENCE_MS)
            for call, result in zip(calls, results, strict=True):
                call.result = result
        except Separate:
            for call in calls:
                call.is_separate = True
        except BaseException as error:  # noqa: BLE001 - as a future does: whoever waits must hear of it
            for call in calls:
                is_theirs = call is own or isinstance(error, Exception)
                call.error = error if is_theirs else Unavailable("The thread that ran this batch was interrupted.")
        finally:
            with self._lock:
                follower = self._next()
            for call in calls:
                call.is_over = True
                call.turn.release()
            if follower is not None:
                follower.turn.release()

    def _next(self) -> _Call | None:
        """Make the first waiting call the leader, if there is one. For the leader, who holds the lock."""
        self._leader = self._waiting[0] if self._waiting else None
        return self._leader

    def _leave(self, own: _Call) -> None:
        """Withdraw a call: no thread may wait for a turn that its own thread does not take."""
        with self._lock:
            if own in self._waiting:
                self._waiting.remove(own)
            follower = self._next() if self._leader is own else None
        if follower is not None:
            follower.turn.release()

    def _by_itself(self, call: _Call) -> Any:
        """Run one call however long it waits for locks, once few enough others do so."""
        if not self._may_be_alone.acquire(timeout=LONGEST_QUEUE_S):
            raise Unavailable("Too many calls of this process wait for what others have locked.")
        try:
            return call.carry_out([call.item], NO_END_MS)[0]
        finally:
            self._may_be_alone.release()

    def _taken(self) -> list[_Call]:
        """Take the first waiting call, and those that may share its batch."""
        taken: list[_Call] = []
        left: list[_Call] = []
        seen: set[Hashable] = set()
        with self._lock:
            for call in self._waiting:
                is_alike = call.carry_out == self._waiting[0].carry_out and len(taken) < self._most
                (taken if is_alike and seen.isdisjoint(call.apart) else left).append(call)
                seen.update(call.apart)
            self._waiting = left
        return taken


class _Call:
    """The call of one thread, and its result."""

    __slots__ = ("apart", "carry_out", "error", "is_over", "is_separate", "item", "result", "turn")

    def __init__(self, carry_out: CarryOut[Any, Any], item: Any, apart: Sequence[Hashable]) -> None:
        self.carry_out, self.item, self.apart = carry_out, item, frozenset(apart)
        self.turn = threading.Lock()
        self.turn.acquire()
        self.is_over = self.is_separate = False
        self.result: Any = None
        self.error: BaseException | None = None
