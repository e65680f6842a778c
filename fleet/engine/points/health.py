"""The health of what a fleet needs: its parts, accounts, providers, receivers; and the rules that judge them. Pure.

Features register what can be down as `extends={"overview.health": (look,)}`: `look(deps, tx)` returns a `PartHealth`
for each thing. Pages, API and commands show the same ones; one that is down is a banner on every page and the event
`alert.down`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

WINDOW = timedelta(hours=1)
"""Failures that are older say nothing about the health of now."""
LATELY = timedelta(minutes=5)
FAILURES_IN_A_ROW = 3
"""With fewer failures since the last success, nothing is down."""
SHORTEST = timedelta(seconds=5)
"""Failures in a row that began later than this are no outage yet: many calls fail together in one bad second."""


class Level(StrEnum):
    """The health of a thing. `BAD` means down."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PartHealth:
    """The health of one thing.

    Every user who sees the fleet sees it, so it contains no address and no secret. `cause` says why the thing is down
    and stays the same while it is; `effect` says what does not work meanwhile.
    """

    key: str
    """Unique and at most 120 characters: "account:ID"."""
    name: str
    level: Level
    words: str
    """A sentence about its state now."""
    since: datetime | None = None
    """Since when it is down."""
    cause: str = ""
    effect: str = ""
    href: str = "/"
    """Its page."""

    @property
    def is_down(self) -> bool:
        """Whether it does not work."""
        return self.level is Level.BAD


@dataclass(frozen=True, slots=True)
class CallEvidence:
    """The results of the newest calls to one thing. `in_a_row`: failures since the last success."""

    lately: int
    """Failures within `LATELY`."""
    in_a_row: int
    since: datetime
    """When the first of the failures in a row was."""
    last_at: datetime
    """When the newest failure was."""
    ok_at: datetime | None
    """When the last success was, as far as it is known."""
    why: str

    def level(self, now: datetime) -> Level:
        """Return the health that follows: down after some failures in a row, in trouble after some lately."""
        is_row = self.in_a_row >= FAILURES_IN_A_ROW and now - self.since >= SHORTEST
        if is_row and now - self.last_at <= WINDOW:
            return Level.BAD
        return Level.WARN if self.lately >= FAILURES_IN_A_ROW else Level.OK


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of some attempts or ticks failed."""

    failed: int
    number: int

    @property
    def share(self) -> float | None:
        """The share of failed ones; None of none."""
        return self.failed / self.number if self.number else None


@dataclass(frozen=True, slots=True)
class Rates:
    """Attempts that began, and ticks that ended, within `LATELY` and within an hour."""

    attempts: Rate
    attempts_hour: Rate
    ticks: Rate
    ticks_hour: Rate

    @property
    def worst(self) -> float | None:
        """The higher share of failures of the last minutes; None if nothing ended."""
        return max((one for one in (self.attempts.share, self.ticks.share) if one is not None), default=None)
