"""Rules of the ledger: priorities, and how often and when to try again. Pure. Kinds of job are in the registry."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal


class Priority(StrEnum):
    """Which queue a job waits in; each priority is a queue of its own."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again: attempt n waits up to `base_s` times 2^(n-1), n or 1, never past `cap_s`.

    Ten attempts take about seven minutes: a surface that restarts, or is briefly down, leaves no dead letter.
    """

    shape: Literal["exponential", "linear", "constant"] = "exponential"
    base_s: float = 2.0
    cap_s: float = 300.0
    max_attempts: int = 10

    def delay(self, attempt: int, dice: random.Random, *, retry_after_s: float | None = None) -> timedelta:
        """Return how long to wait after the `attempt`-th failure (from 1).

        Full jitter: uniform between 0 and the cap of that attempt, so that a thousand jobs refused at once do not
        return at once. The delay is never shorter than a surface's Retry-After.
        """
        factor = {"exponential": 2.0 ** min(attempt - 1, 30), "linear": float(attempt), "constant": 1.0}[self.shape]
        wait_s = dice.uniform(0.0, min(self.cap_s, self.base_s * factor))
        if retry_after_s is not None:
            wait_s = max(0.0, retry_after_s) + dice.uniform(0.0, self.base_s)
        return timedelta(seconds=wait_s)


MOST_WORKERS_LOST = 12
"""A job that loses this many workers is taken for the cause, and becomes a dead letter."""
