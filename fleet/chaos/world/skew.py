"""A worker whose wall clock is wrong: `python -m fleet.chaos.world.skew SECONDS celery-arguments...`.

Skewed, before Celery starts: `time.time` (Celery's heartbeats and events, Kombu's timers), `fleet.core.clock.now`, and
the clock by which Celery finds a message expired. Not skewed: other `datetime.now` in libraries, monotonic clocks, file
times, and the database's clock, by which leases are compared.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

from fleet.core import clock


def skew(by_s: float) -> None:
    """Set this process's wall clock off by so many seconds; call it once, before Celery is imported."""
    true_time: Callable[[], float] = vars(time)["time"]
    true_now = clock.now
    off = timedelta(seconds=by_s)

    class Skewed(datetime):
        """What Celery's module of requests takes for datetime: only its idea of now is wrong."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(true_time() + by_s, tz or UTC)

    vars(time)["time"] = lambda: true_time() + by_s
    vars(clock)["now"] = lambda: true_now() + off

    from fleet.core.workarounds.celery import set_request_clock

    set_request_clock(Skewed)


def main(arguments: list[str]) -> None:
    """Become Celery with a wrong clock."""
    skew(float(arguments[0]))
    from celery.__main__ import main as celery

    sys.argv = ["celery", *arguments[1:]]
    celery()


if __name__ == "__main__":
    main(sys.argv[1:])
