"""Cached statistics shared by all page requests. Made by `app`, one a process.

Holds no fact of its own: all of it can be lost and read again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from fleet.core import clock, logs
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.web import pulse
from fleet.web.live.ports import Cards
from fleet.web.pulse import Pulse

_FOR_S = 2.0
T = TypeVar("T")

log = logs.get(__name__)


class Cached(Generic[T]):
    """A value that is read again when it is older than `for_s`, by one reader; the others wait for that one."""

    def __init__(self, read: Callable[[], T], *, for_s: float = _FOR_S) -> None:
        self._read, self._for_s = read, for_s
        self._lock = threading.Lock()
        self._value: T | None = None
        self._until_s = float("-inf")

    def get(self) -> T:
        """Return the value, as old as `for_s` at most. Raises what reading raises."""
        with self._lock:
            if self._value is None or clock.monotonic_s() >= self._until_s:
                began_s = clock.monotonic_s()
                self._value = self._read()
                self._until_s = began_s + self._for_s
            return self._value

    @property
    def last(self) -> T | None:
        """What was read last, however old; never reads."""
        return self._value

    def forget(self) -> None:
        """Have the next one read: somebody has just changed something."""
        self._until_s = float("-inf")


class Background(Generic[T]):
    """A value that takes long to get: asked for in a thread of its own while everybody goes on with the last one."""

    def __init__(self, ask: Callable[[], T], *, every_s: float) -> None:
        self._ask, self._every_s = ask, every_s
        self._lock = threading.Lock()
        self._due_s = float("-inf")
        self.last: T | None = None

    def refresh(self) -> None:
        """Have it asked for if that is due and nobody does; returns at once."""
        if clock.monotonic_s() >= self._due_s and self._lock.acquire(blocking=False):
            threading.Thread(target=self._run, name="ask", daemon=True).start()

    def _run(self) -> None:
        try:
            self.last = self._ask()
        except Exception:  # whoever looks is told what was known before
            log.exception("asking_failed")
        finally:
            self._due_s = clock.monotonic_s() + self._every_s
            self._lock.release()


class CachedStats:
    """What one process reads once for all who look: the pulse, and the cards of the first page."""

    def __init__(self, deps: Deps, cards: Cards | None = None) -> None:
        self._pulse = Cached(lambda: _pulse(deps))
        self._cards = cards

    def pulse(self, *, fresh: bool = True) -> Pulse | None:
        """Return how the fleet stands; `fresh` False: as it was last known, without asking anybody."""
        return self._pulse.get() if fresh else self._pulse.last

    def forget(self) -> None:
        """Read everything anew at the next look: whoever did something must see what came of it."""
        self._pulse.forget()
        if self._cards is not None:
            self._cards.forget()


def _pulse(deps: Deps) -> Pulse:
    try:
        with deps.db.transaction() as tx:
            return pulse.read(tx)
    except FleetError as error:
        return Pulse(problem=str(error))
