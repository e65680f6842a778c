"""Cached statistics shared by all page requests. Made by `app`, one a process.

Only a cache: all of it can be lost and read again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from fleet.access import organisations
from fleet.core import clock, logs
from fleet.core.db import visibility
from fleet.core.errors import FleetError
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.points.health import PartHealth
from fleet.web import pulse
from fleet.web.live.ports import Cards
from fleet.web.pulse import Pulse

_FOR_S = 2.0
T = TypeVar("T")

log = logs.get(__name__)


class Cached(Generic[T]):
    """A value that one reader refreshes when it is older than `for_s`; other readers wait for that one.

    All readers get the same: keep it in a `Deps.part`, of which each restriction to organisations has its own.
    """

    def __init__(self, read: Callable[[], T], *, for_s: float = _FOR_S) -> None:
        self._read, self._for_s = read, for_s
        self._lock = threading.Lock()
        self._value: T | None = None
        self._until_s = float("-inf")
        self._read_s = clock.monotonic_s()

    def get(self) -> T:
        """Return the value, at most `for_s` old. Raises the errors of reading."""
        with self._lock:
            if self._value is None or clock.monotonic_s() >= self._until_s:
                began_s = clock.monotonic_s()
                self._value = self._read()
                self._read_s = began_s
                self._until_s = began_s + self._for_s
            return self._value

    @property
    def last(self) -> T | None:
        """What was read last, however old; never reads."""
        return self._value

    @property
    def age_s(self) -> float:
        """How long ago that was read."""
        return clock.monotonic_s() - self._read_s

    def forget(self) -> None:
        """Drop the value, after a change."""
        self._until_s = float("-inf")


class Background(Generic[T]):
    """A value that takes long to read: a thread refreshes it, while all requests use the last one."""

    def __init__(self, ask: Callable[[], T], *, every_s: float) -> None:
        self._ask, self._every_s = ask, every_s
        self._lock = threading.Lock()
        self._due_s = float("-inf")
        self._began_s = self._read_s = clock.monotonic_s()
        self.last: T | None = None

    @property
    def age_s(self) -> float:
        """How old the value is."""
        return clock.monotonic_s() - self._read_s

    @property
    def busy_s(self) -> float:
        """How long the refresh under way takes already; 0 without one."""
        return clock.monotonic_s() - self._began_s if self._lock.locked() else 0.0

    def wait(self, within_s: float) -> bool:
        """Wait until no refresh is under way; return whether that was so in time."""
        if not self._lock.acquire(timeout=within_s):
            return False
        self._lock.release()
        return True

    def refresh(self) -> None:
        """Start a refresh if one is due and none runs; returns at once."""
        if clock.monotonic_s() >= self._due_s and self._lock.acquire(blocking=False):
            self._began_s = clock.monotonic_s()
            threading.Thread(target=self._run, name="ask", daemon=True).start()

    def _run(self) -> None:
        try:
            self.last = self._ask()
            self._read_s = clock.monotonic_s()
        except Exception:  # requests go on with the old value
            log.exception("asking_failed")
        finally:
            self._due_s = clock.monotonic_s() + self._every_s
            self._lock.release()


class CachedStats:
    """Statistics that one process reads once for all requests: the pulse, and the cards of the first page.

    Requests that are restricted to organisations share them with each other alone (`Deps.part`).
    """

    def __init__(self, deps: Deps, build_cards: Callable[[Deps], Cards] | None = None) -> None:
        self._deps, self._build_cards = deps, build_cards

    @property
    def cards(self) -> Cards | None:
        """The cards of the first page, if a feature brings them."""
        return None if self._build_cards is None else self._deps.part("frame.cards", self._build_cards)

    def pulse(self, *, fresh: bool = True) -> Pulse | None:
        """Return the state of the fleet; `fresh` False: the last known one, without a query."""
        shared = shared_pulse(self._deps)
        return shared.get() if fresh else shared.last

    def forget(self) -> None:
        """Drop all values: a user who changed something must see the result on the next page."""
        shared_pulse(self._deps).forget()
        shared_names(self._deps).forget()
        if (cards := self.cards) is not None:
            cards.forget()


def shared_pulse(deps: Deps) -> Cached[Pulse]:
    """Return the one reading of this process behind the frame, the first page and the stream."""
    return deps.part("frame.pulse", lambda own: Cached(lambda: _pulse(own)))


def shared_names(deps: Deps) -> Cached[dict[str, str]]:
    """Return the names of all organisations by id, the default one first, for the frame of every page."""
    return deps.part("frame.organisations", lambda own: Cached(lambda: _names(own)), for_all=True)


def _names(deps: Deps) -> dict[str, str]:
    with visibility.restricted(None), deps.db.transaction() as tx:
        return {str(one.id): one.name for one in organisations.listed(tx)}


def _pulse(deps: Deps) -> Pulse:
    try:
        outages = [one for look in registry.current().extensions(pulse.BANNERS) for one in _banners(look, deps)]
        with deps.db.transaction() as tx:
            return pulse.read(tx, outages)
    except FleetError as error:
        return Pulse(problem=f"{error.plain} {error.fix or ''}".strip())


def _banners(look: Callable[[Deps], Iterable[PartHealth]], deps: Deps) -> Sequence[PartHealth]:
    """Return the banners of a feature; none if it fails, or every page would. Raises FleetError."""
    try:
        return list(look(deps))
    except FleetError:
        raise
    except Exception:
        log.exception("banners_failed", call=f"{look.__module__}.{look.__name__}")
        return []
