"""Token buckets in the memory of one process. Called by the dashboard's intake and by the sandbox's gallery."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

from fleet.core import clock

_MOST_CALLERS = 10_000


@dataclass(slots=True)
class Bucket:
    """What a caller may still do: `tokens` as they were at `at_s`, refilled up to `most` within `period_s`."""

    most: int
    period_s: float
    tokens: float
    at_s: float

    def take(self, now_s: float) -> bool:
        """Take one token if there is one."""
        self.tokens = min(self.most, self.tokens + (now_s - self.at_s) * self.most / self.period_s)
        self.at_s = now_s
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    @property
    def next_s(self) -> int:
        """Seconds until there is a token again, at least one."""
        return max(1, math.ceil((1 - self.tokens) * self.period_s / self.most))

    @property
    def full_s(self) -> int:
        """Seconds until nothing of the limit is used any more."""
        return math.ceil((self.most - self.tokens) * self.period_s / self.most)


class RateLimit:
    """A bucket for each caller; of more than ten thousand the least recent is forgotten. Safe for many threads.

    `most` uses within `period_s`; 0 is no limit.
    """

    def __init__(self, most: int, period_s: float) -> None:
        self._most, self._period_s = most, period_s
        self._buckets: OrderedDict[tuple[str, ...], Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def use(self, *caller: str) -> tuple[bool, Bucket]:
        """Count one use by a caller; return whether it is within the limit, and the caller's bucket."""
        now_s = clock.monotonic_s()
        with self._lock:
            bucket = self._buckets.setdefault(caller, Bucket(self._most, self._period_s, self._most, now_s))
            self._buckets.move_to_end(caller)
            if len(self._buckets) > _MOST_CALLERS:
                self._buckets.popitem(last=False)
            return self._most == 0 or bucket.take(now_s), bucket
