"""Numbers by the hour, read without counting a big table: an hour that is over is counted once and remembered.

Called by `fleet.features.overview.queries`. What a process remembers is lost with it and counted again, as many hours
at a time as there is time for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from fleet.core import clock
from fleet.core.db import Tx

T = TypeVar("T")
HOUR = timedelta(hours=1)
WITHIN_S = 0.1
"""How long one request may count past hours; the next request counts the rest."""
_SETTLED = timedelta(minutes=2)  # transactions that ended a job in an hour have committed by then


def floor(moment: datetime) -> datetime:
    """Return when the hour of a moment began."""
    return moment.replace(minute=0, second=0, microsecond=0)


class Sparing(Generic[T]):
    """A reading that is repeated the less often the longer it takes: it has a twentieth of the time at most."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._until_s = float("-inf")
        self._read_s = clock.monotonic_s()

    @property
    def age_s(self) -> float:
        """How long ago the value was read."""
        return clock.monotonic_s() - self._read_s

    def get(self, read: Callable[[], T]) -> T:
        """Return the last value, or read it again. Raises the errors of reading."""
        began_s = clock.monotonic_s()
        if self._value is None or began_s >= self._until_s:
            self._value, self._read_s = read(), began_s
            took_s = clock.monotonic_s() - began_s
            self._until_s = began_s + 20 * took_s
        return self._value


class Hours(Generic[T]):
    """Counts by hour. `read` counts one span of time; one thread at a time."""

    def __init__(self, read: Callable[[Tx, datetime, datetime], T]) -> None:
        self._read = read
        self._known: dict[datetime, T] = {}
        self._present: tuple[datetime | None, Sparing[T]] = (None, Sparing())

    def last(self, tx: Tx, now: datetime, number: int) -> list[T | None]:
        """Return the counts of the last hours, the current one last; None for those that are not counted yet."""
        present = floor(now)
        wanted = [present - HOUR * back for back in range(number)]
        self._known = {hour: value for hour, value in self._known.items() if hour >= wanted[-1]}
        found: list[T | None] = []
        until_s = clock.monotonic_s() + WITHIN_S
        for hour in wanted:
            if hour in self._known:
                found.append(self._known[hour])
            elif hour == present or clock.monotonic_s() < until_s:
                found.append(self._count(tx, hour, now))
            else:
                found.append(None)
        return found[::-1]

    def _count(self, tx: Tx, hour: datetime, now: datetime) -> T:
        if now < hour + HOUR:
            if self._present[0] != hour:
                self._present = (hour, Sparing())
            return self._present[1].get(lambda: self._read(tx, hour, hour + HOUR))
        value = self._read(tx, hour, hour + HOUR)
        if now >= hour + HOUR + _SETTLED:
            self._known[hour] = value
        return value
