"""The one place that reads the wall clock.

Everything else takes `now` as an argument. Leases and due times are compared on the database's
clock, so a worker whose own clock is wrong can be late but never harmful.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Return seconds on a clock that only rises, for deadlines inside one process."""
    return time.monotonic()
