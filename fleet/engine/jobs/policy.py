"""Rules of the ledger: priorities, how often and when to try again, how long a job is worth doing. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal


class JobKind(StrEnum):
    """What a job does. Each has a task of the same name: `fleet.post`, `fleet.like`, ..."""

    POST = "post"
    COMMENT = "comment"
    LIKE = "like"
    BROWSE = "browse"
    PROVISION = "provision"
    DEPROVISION = "deprovision"
    MEASURE = "measure"
    REACT = "react"
    CONNECT = "connect"
    SCAN_FEED = "scan_feed"
    REVISE_DRAFT = "revise_draft"
    NOTIFY = "notify"
    DELIVER = "deliver"  # an event to the receiver of a webhook
    HANDLE = "handle"  # events to a subscriber in code
    MESSAGE = "message"  # not work but a dead letter: a message that no task understood


class Priority(StrEnum):
    """Which queue a job waits in; each priority is a queue of its own."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


NO_ACTS = frozenset({JobKind.MEASURE, JobKind.DELIVER, JobKind.HANDLE})
"""What is no act of its agent: looking back, and telling others what happened. The agent's row shows nothing of these,
many at once do not wait for it, and they stay when it is stopped."""

NOTICES = frozenset({JobKind.NOTIFY, JobKind.DELIVER, JobKind.HANDLE})
"""Messages to operators and to their programs. No agent writes here: the kill switch and pauses of agents' work do not
hold these jobs, which report both. A pause of the kind itself does."""

PACED = frozenset({JobKind.DELIVER})
"""Jobs of which few are published at a time, by receiver, so that a receiver that is down does not fill the queues."""

OFF_SURFACE = frozenset({JobKind.NOTIFY, JobKind.DELIVER, JobKind.HANDLE, JobKind.MESSAGE})
"""Kinds that never call a surface: how they end says nothing about one, and they are no actions of agents."""

WORDED = frozenset({JobKind.POST, JobKind.COMMENT, JobKind.SCAN_FEED, JobKind.REVISE_DRAFT})
"""Kinds that may ask a model, and so may wait for a budget."""

PRIORITY: dict[JobKind, Priority] = {
    JobKind.POST: Priority.NORMAL,
    JobKind.COMMENT: Priority.NORMAL,
    JobKind.LIKE: Priority.LOW,
    JobKind.BROWSE: Priority.LOW,
    JobKind.PROVISION: Priority.HIGH,
    JobKind.DEPROVISION: Priority.HIGH,
    JobKind.MEASURE: Priority.LOW,
    JobKind.REACT: Priority.LOW,
    JobKind.CONNECT: Priority.LOW,
    JobKind.SCAN_FEED: Priority.NORMAL,
    JobKind.REVISE_DRAFT: Priority.HIGH,
    JobKind.NOTIFY: Priority.NORMAL,
    JobKind.DELIVER: Priority.NORMAL,
    JobKind.HANDLE: Priority.NORMAL,
    JobKind.MESSAGE: Priority.LOW,
}

WORTH_DOING: dict[JobKind, timedelta] = {
    JobKind.POST: timedelta(hours=24),
    JobKind.COMMENT: timedelta(hours=6),
    JobKind.LIKE: timedelta(hours=6),
    JobKind.BROWSE: timedelta(hours=1),
    JobKind.PROVISION: timedelta(days=7),
    JobKind.DEPROVISION: timedelta(days=30),
    JobKind.MEASURE: timedelta(days=2),
    JobKind.REACT: timedelta(hours=6),
    JobKind.CONNECT: timedelta(hours=24),
    JobKind.SCAN_FEED: timedelta(hours=24),
    JobKind.REVISE_DRAFT: timedelta(hours=24),
    JobKind.NOTIFY: timedelta(hours=24),
    JobKind.DELIVER: timedelta(days=7),
    JobKind.HANDLE: timedelta(days=7),
    JobKind.MESSAGE: timedelta(days=30),
}
"""How long after its birth a job is still worth starting; an answer to yesterday's post is noise."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again: attempt n waits up to `base_s` times 2^(n-1), n or 1, never past `cap_s`.

    Ten attempts last about seven minutes: a surface that is restarted, or away for a moment, leaves no dead letter.
    """

    shape: Literal["exponential", "linear", "constant"] = "exponential"
    base_s: float = 2.0
    cap_s: float = 300.0
    max_attempts: int = 10

    def delay(self, attempt: int, dice: random.Random, *, retry_after_s: float | None = None) -> timedelta:
        """Return how long to wait after the `attempt`-th failure (from 1).

        Full jitter: uniform between 0 and the cap of that attempt, so that a thousand jobs refused at once do not
        return at once. A surface's Retry-After is a promise not to come earlier and is kept.
        """
        factor = {"exponential": 2.0 ** min(attempt - 1, 30), "linear": float(attempt), "constant": 1.0}[self.shape]
        wait_s = dice.uniform(0.0, min(self.cap_s, self.base_s * factor))
        if retry_after_s is not None:
            wait_s = max(0.0, retry_after_s) + dice.uniform(0.0, self.base_s)
        return timedelta(seconds=wait_s)


MOST_WORKERS_LOST = 12
"""Workers that may be lost with one job before it is held to be what kills them."""

RETRY: dict[JobKind, RetryPolicy] = {kind: RetryPolicy() for kind in JobKind} | {
    JobKind.BROWSE: RetryPolicy(max_attempts=2),
    JobKind.DEPROVISION: RetryPolicy(max_attempts=14, cap_s=3600.0),
    # Receivers are down for an evening at times: about half a day of tries, the last ones hours apart.
    JobKind.DELIVER: RetryPolicy(base_s=60.0, cap_s=21_600.0, max_attempts=12),
}
