"""Numbers by the hour, read without counting a big table: an hour that is over is counted once and remembered.

Called by `fleet.runtime.overview`. What a process remembers is lost with it and counted again, as many hours at a time
as there is time for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from fleet.core import clock
from fleet.core.db import Tx

T = TypeVar("T")
HOUR = timedelta(hours=1)
_SETTLED = timedelta(minutes=2)  # whoever ended something in an hour has committed it by then


def floor(moment: datetime) -> datetime:
    """Return when the hour of a moment began."""
    return moment.replace(minute=0, second=0, microsecond=0)


class Hours(Generic[T]):
    """Counts by hour. `read` counts one span of time; one thread at a time."""

    def __init__(self, read: Callable[[Tx, datetime, datetime], T], *, within_s: float = 0.1) -> None:
        self._read, self._within_s = read, within_s
        self._known: dict[datetime, T] = {}

    def last(self, tx: Tx, now: datetime, number: int) -> list[T | None]:
        """Return the counts of the last hours, the one under way last; None for those that are not counted yet."""
        present = floor(now)
        wanted = [present - HOUR * back for back in range(number)]
        self._known = {hour: value for hour, value in self._known.items() if hour >= wanted[-1]}
        found: list[T | None] = []
        until_s = clock.monotonic_s() + self._within_s
        for hour in wanted:
            if hour in self._known:
                found.append(self._known[hour])
            elif hour == present or clock.monotonic_s() < until_s:
                found.append(self._count(tx, hour, now))
            else:
                found.append(None)
        return found[::-1]

    def _count(self, tx: Tx, hour: datetime, now: datetime) -> T:
        value = self._read(tx, hour, hour + HOUR)
        if now >= hour + HOUR + _SETTLED:
            self._known[hour] = value
        return value
