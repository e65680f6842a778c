"""How an attempt at a job can end: one union, matched once. Pure.

`fleet.engine.attempts.perform` produces one, `fleet.engine.jobs.ledger.finish` records it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fleet.engine.jobs.states import DeadReason


@dataclass(frozen=True, slots=True)
class Done:
    """It happened; `remote_id` is the surface's id of the effect."""

    remote_id: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retry:
    """It definitely did not happen and may later. Costs an attempt. `after_s` is the surface's own wish."""

    why: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Not now (pause, cap, budget, 429). Costs no attempt. `by_people`: the person who lifts the control releases the
    jobs.

    `is_quiet`: the reason is shown elsewhere, so the job is snoozed without an event.
    """

    why: str
    until: datetime
    by_people: bool = False
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened. Looked into after `settle`, before anything is sent again."""

    why: str
    settle: timedelta


@dataclass(frozen=True, slots=True)
class Absent:
    """An unknown outcome was resolved: the write did not happen. The job may be sent (again)."""

    why: str


@dataclass(frozen=True, slots=True)
class Dead:
    """It will not happen by itself any more."""

    reason: DeadReason
    why: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """There is nothing to do any more. `result` may hold a draft that was not sent."""

    why: str
    result: Mapping[str, Any] = field(default_factory=dict)


Failure = Retry | Held | Unknown | Absent | Dead | Skipped
Outcome = Done | Failure
