"""The time, as a value that callers pass in.

Leases and due times are compared on the database's clock, so a worker whose own clock is wrong can be late but never
harmful. A `VirtualClock` is for simulations: statements use its time instead of the database's, and nothing waits.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """This machine's clock. The time of statements is the database's own."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return seconds on a clock that only rises, for deadlines inside one process."""
        return time.monotonic()

    def statement_time(self) -> datetime | None:
        """Return the parameter `now` of statements; None for the database's clock."""
        return None


class VirtualClock(Clock):
    """A clock that stands still until `advance`, for this process and for the statements of its database."""

    def __init__(self, start: datetime) -> None:
        self._start = self._now = start

    def advance(self, to: datetime) -> None:
        """Set the clock forward. It never goes back."""
        self._now = max(self._now, to)

    def now(self) -> datetime:
        """Return the virtual instant."""
        return self._now

    def monotonic_s(self) -> float:
        """Return the virtual seconds since the start."""
        return (self._now - self._start) / timedelta(seconds=1)

    def statement_time(self) -> datetime | None:
        """Return the virtual instant."""
        return self._now


SYSTEM = Clock()
"""The clock of a real fleet."""
now, monotonic_s = SYSTEM.now, SYSTEM.monotonic_s
"""For what a simulation does not move: sockets, pools, terminals, pages."""
