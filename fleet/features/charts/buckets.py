"""Ranges of charts, their buckets, and percentiles of lateness. Pure.

Lateness is counted in classes, each a tenth longer than the one before: counts of hours can be added, percentiles
cannot. So a percentile is right within five percent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

HOUR = timedelta(hours=1)
SHORTEST_S = 0.01
"""Shorter lateness is counted as this."""
GROWTH = 1.1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ChartRange(StrEnum):
    """How far back charts go."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def step(self) -> timedelta:
        """The length of a bucket."""
        return {
            ChartRange.HOUR: timedelta(minutes=2), ChartRange.DAY: HOUR, ChartRange.WEEK: timedelta(hours=6),
            ChartRange.MONTH: timedelta(days=1),
        }[self]  # fmt: skip

    @property
    def number(self) -> int:
        """How many buckets it has."""
        return {ChartRange.HOUR: 30, ChartRange.DAY: 24, ChartRange.WEEK: 28, ChartRange.MONTH: 30}[self]

    @property
    def words(self) -> str:
        """What it is called."""
        return {
            ChartRange.HOUR: "1 hour", ChartRange.DAY: "24 hours", ChartRange.WEEK: "7 days",
            ChartRange.MONTH: "30 days",
        }[self]  # fmt: skip

    @property
    def step_words(self) -> str:
        """What a bucket is called."""
        return {
            ChartRange.HOUR: "2 minutes", ChartRange.DAY: "1 hour", ChartRange.WEEK: "6 hours, from midnight UTC on",
            ChartRange.MONTH: "1 day of UTC",
        }[self]  # fmt: skip

    def starts(self, now: datetime) -> list[datetime]:
        """Return when its buckets begin, on whole steps of UTC, oldest first; `now` lies in the last one."""
        last = floor(now, self.step)
        return [last - self.step * back for back in reversed(range(self.number))]


def floor(moment: datetime, step: timedelta) -> datetime:
    """Return the beginning of the step of UTC in which a moment lies."""
    return moment - (moment - _EPOCH) % step


@dataclass(frozen=True, slots=True)
class Measures:
    """What happened in a span of time. `lateness` has the number of decisions by class."""

    done: Mapping[str, int] = field(default_factory=dict)
    given_up: int = 0
    failing: int = 0
    lateness: Mapping[int, int] = field(default_factory=dict)
    microusd: int = 0

    @property
    def actions(self) -> int:
        """How many jobs of agents were done."""
        return sum(self.done.values())

    @property
    def decisions(self) -> int:
        """How many ticks were decided."""
        return sum(self.lateness.values())

    def late_s(self, share: float) -> float | None:
        """Return how late this share of the decisions were at most; None without decisions."""
        wanted, counted = share * self.decisions, 0
        for late_class in sorted(self.lateness):
            counted += self.lateness[late_class]
            if counted >= wanted:
                return typical_s(late_class)
        return None


def total(parts: Iterable[Measures]) -> Measures | None:
    """Return the sum of measures; None if there are none."""
    known = list(parts)
    if not known:
        return None
    done: Counter[str] = Counter()
    lateness: Counter[int] = Counter()
    for one in known:
        done.update(one.done)
        lateness.update(one.lateness)
    return Measures(
        done=dict(done), given_up=sum(one.given_up for one in known), failing=sum(one.failing for one in known),
        lateness=dict(lateness), microusd=sum(one.microusd for one in known),
    )  # fmt: skip


def late_class(late_s: float) -> int:
    """Return the class in which a lateness is counted; the same as `history`'s SQL."""
    return math.floor(math.log(max(late_s, SHORTEST_S) / SHORTEST_S) / math.log(GROWTH))


def typical_s(late_class: int) -> float:
    """Return the middle of a class; of the first one its beginning, as most decisions in it are on time."""
    return SHORTEST_S * GROWTH ** (late_class + 0.5) if late_class else SHORTEST_S
