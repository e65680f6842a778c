"""The hours at which an account's posts do best, by its own posts, with their uncertainty.

A post counts log(1 + interactions) at the age of a day: a post that everybody shared does not decide for its hour. The
estimate of an hour is shrunk towards a prior that counts as `PRIOR_POSTS` posts: the mean of all posts, and `ADVANTAGE`
more for the network's usual hours. So an account without posts has the usual hours, one with many has its own, and an
hour with a lucky post or two does not win. The hours of a week are shrunk towards those of the day in the same way
(an empirical Bayes estimate: Efron and Morris, 1975).
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.engagement.models import EngagementHourRow

PRIOR_POSTS = 8.0
ADVANTAGE = 0.25
"""What the usual hours have before any post, in log units: 28 % more interactions."""
LEAST_POSTS = 20
"""Fewer measured posts recommend nothing."""
LOOKS_BACK = timedelta(days=90)
_APART_H = 2
_SHOWN = 3
_LEAST_VARIANCE = 0.05  # posts without any interaction say less than their variance of 0 claims
_DAY = range(24)


@dataclass(frozen=True, slots=True)
class HourSums:
    """Sums over the posts of an hour: how many, of log(1 + interactions), and of its squares."""

    posts: int = 0
    logs: float = 0.0
    squares: float = 0.0

    def __add__(self, other: HourSums) -> HourSums:
        """Return the sums of both."""
        return HourSums(self.posts + other.posts, self.logs + other.logs, self.squares + other.squares)


@dataclass(frozen=True, slots=True)
class HourEstimate:
    """The expected log(1 + interactions) of a post in an hour, and the standard error of that."""

    posts: int
    mean: float
    error: float

    @property
    def low(self) -> float:
        """One standard error below the mean: hours are compared by it, so that what is unknown does not win."""
        return self.mean - self.error

    @property
    def interactions(self) -> float:
        """The expected interactions."""
        return max(0.0, math.expm1(self.mean))

    @property
    def interactions_range(self) -> tuple[float, float]:
        """The expected interactions, one standard error below and above."""
        return max(0.0, math.expm1(self.low)), max(0.0, math.expm1(self.mean + self.error))


Week = Mapping[tuple[int, int], HourSums]
"""Sums by (day, local hour); days count from 0 = Sunday. Hours without posts may be left out."""


def of_day(week: Week, usual: Collection[int]) -> list[HourEstimate]:
    """Return the estimates of the 24 hours of a day, by hour."""
    total = _sum(week.values())
    mean, variance = _spread(total)
    found = []
    for hour in _DAY:
        sums = _sum(one for (_, at), one in week.items() if at == hour)
        found.append(_shrunk(sums, mean + (ADVANTAGE if hour in usual else 0.0), variance))
    return found


def of_week(week: Week, usual: Collection[int]) -> dict[tuple[int, int], HourEstimate]:
    """Return the estimates of the 168 hours of a week."""
    _, variance = _spread(_sum(week.values()))
    day = of_day(week, usual)
    return {
        (weekday, hour): _shrunk(week.get((weekday, hour), HourSums()), day[hour].mean, variance)
        for weekday in range(7)
        for hour in _DAY
    }


def best(week: Week, usual: Sequence[int]) -> tuple[int, ...]:
    """Return as many hours as the usual ones, at least two hours apart, in order; the usual ones below `LEAST_POSTS`
    posts.
    """
    if _sum(week.values()).posts < LEAST_POSTS:
        return tuple(usual)
    return tuple(sorted(_chosen(of_day(week, usual), usual, len(usual))))


def _chosen(day: Sequence[HourEstimate], usual: Collection[int], count: int) -> list[int]:
    """Return hours of a day that are at least two hours apart, the best first."""
    chosen: list[int] = []
    for hour in sorted(_DAY, key=lambda one: (-day[one].low, one not in usual, one)):
        if len(chosen) < count and all(_apart(hour, other) >= _APART_H for other in chosen):
            chosen.append(hour)
    return chosen


@dataclass(frozen=True, slots=True)
class AccountHours:
    """The best hours (UTC) of an account, best first, by how many measured posts."""

    account: str
    surface: str
    posts: int
    hours: tuple[tuple[int, HourEstimate], ...]


@dataclass(frozen=True, slots=True)
class AccountDay:
    """The estimates of the 24 hours of a day for an account, and the best of them, best first."""

    account: str
    surface: str
    posts: int
    hours: tuple[HourEstimate, ...]
    best: tuple[int, ...]


def of_accounts(tx: Tx, *, until: datetime, limit: int) -> list[AccountHours]:
    """Return the best three hours of the accounts with most measured posts; those below `LEAST_POSTS` are left out."""
    return [
        AccountHours(one.account, one.surface, one.posts, tuple((at, one.hours[at]) for at in one.best))
        for one in days(tx, until=until, limit=limit)
    ]


def days(
    tx: Tx, *, until: datetime, limit: int, zone: str = "UTC", account_id: uuid.UUID | None = None,
    surface: str | None = None,
) -> list[AccountDay]:  # fmt: skip
    """Return the hours of a zone's day for the accounts with most measured posts; those below `LEAST_POSTS` are left
    out.
    """
    row = EngagementHourRow
    hour = sa.cast(sa.extract("hour", sa.func.timezone(zone, row.hour)), sa.Integer)
    sums = [sa.func.sum(one) for one in (row.day_posts, row.day_log, row.day_log_squares)]
    query = (
        sa.select(row.account_id, AccountRow.name, row.surface, hour, *sums)
        .join(AccountRow, AccountRow.id == row.account_id)
        .where(row.hour >= until - LOOKS_BACK, row.hour < until, row.day_posts > 0)
        .group_by(row.account_id, AccountRow.name, row.surface, hour)
    )
    if account_id is not None:
        query = query.where(row.account_id == account_id)
    if surface is not None:
        query = query.where(row.surface == surface)
    found: dict[tuple[uuid.UUID, str, str], dict[tuple[int, int], HourSums]] = {}
    for one in tx.execute(query):
        found.setdefault((one[0], one[1], one[2]), {})[0, one[3]] = HourSums(int(one[4]), float(one[5]), float(one[6]))
    weeks = [(name, surface, _sum(week.values()).posts, week) for (_, name, surface), week in found.items()]
    weeks = sorted((one for one in weeks if one[2] >= LEAST_POSTS), key=lambda one: (-one[2], one[0]))[:limit]
    return [
        AccountDay(name, surface, posts, tuple(day), tuple(_chosen(day, (), _SHOWN)))
        for name, surface, posts, week in weeks
        for day in (of_day(week, ()),)
    ]


def read(tx: Tx, *, account_id: uuid.UUID, zone: str) -> Week:
    """Return the sums of an account's posts of the last `LOOKS_BACK` by the hours of a zone."""
    row = EngagementHourRow
    local = sa.func.timezone(zone, row.hour)
    day, hour = (sa.cast(sa.extract(part, local), sa.Integer) for part in ("dow", "hour"))
    query = (
        sa.select(day, hour, *(sa.func.sum(one) for one in (row.day_posts, row.day_log, row.day_log_squares)))
        .where(row.account_id == account_id, row.hour >= tx.now() - LOOKS_BACK, row.day_posts > 0)
        .group_by(day, hour)
    )
    return {(one[0], one[1]): HourSums(int(one[2]), float(one[3]), float(one[4])) for one in tx.execute(query)}


def recommended(deps: Deps, account_id: uuid.UUID, zone: str, usual: Sequence[int]) -> tuple[int, ...]:
    """Return the hours that own posts recommend; none below `LEAST_POSTS` posts. The extension of "campaigns.hours"."""
    with deps.db.transaction() as tx:
        week = read(tx, account_id=account_id, zone=zone)
    return best(week, usual) if _sum(week.values()).posts >= LEAST_POSTS else ()


def _shrunk(sums: HourSums, prior: float, variance: float) -> HourEstimate:
    """Return the estimate of an hour; `variance` is that of all posts, towards which the hour's own is shrunk too."""
    weight = PRIOR_POSTS + sums.posts
    own = max(0.0, sums.squares - sums.logs * sums.logs / sums.posts) if sums.posts else 0.0
    error = math.sqrt((PRIOR_POSTS * variance + own) / weight / weight)
    return HourEstimate(sums.posts, (PRIOR_POSTS * prior + sums.logs) / weight, error)


def _spread(total: HourSums) -> tuple[float, float]:
    """Return mean and variance of all posts; the variance is 1 before there are any, and moves as the means do."""
    if not total.posts:
        return 0.0, 1.0
    mean = total.logs / total.posts
    squares = max(0.0, total.squares - total.posts * mean * mean)
    return mean, max(_LEAST_VARIANCE, (PRIOR_POSTS + squares) / (PRIOR_POSTS + total.posts))


def _sum(many: Iterable[HourSums]) -> HourSums:
    return sum(many, HourSums())


def _apart(one: int, other: int) -> int:
    return min((one - other) % 24, (other - one) % 24)
