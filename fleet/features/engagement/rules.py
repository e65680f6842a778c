"""When posts and accounts are measured, and what is counted as engagement. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from fleet.adapters.social import PostMetrics

PLAN = (
    timedelta(hours=1), timedelta(hours=6), timedelta(hours=24), timedelta(days=3), timedelta(days=7),
    timedelta(days=28),
)  # fmt: skip
"""The ages at which a post is measured: often while most of its engagement comes in, seldom afterwards."""
DAY_STAGE = PLAN.index(timedelta(hours=24)) + 1
"""The stage whose counts compare hours of publication: later ones are there for old posts alone."""
LATE = 1.5
"""Counts that are read later than this many times an age are not those of that age."""
ACCOUNT_EVERY = timedelta(days=1)
LOOK_AGAIN = timedelta(minutes=10)
"""A post that is not found, or cannot be read, is looked for again after this time: a network may lag behind."""
MOST_FAILURES = 3
"""Readings in a row that may fail before a post is given up."""
LONGEST_REST = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of a post; None for those that its network does not give."""

    likes: int | None = None
    comments: int | None = None
    reposts: int | None = None
    quotes: int | None = None
    saves: int | None = None
    clicks: int | None = None
    views: int | None = None
    reach: int | None = None

    @property
    def interactions(self) -> int:
        """Likes, comments, reposts, quotes and saves together. Clicks and views are no reactions to a post."""
        return sum(one or 0 for one in (self.likes, self.comments, self.reposts, self.quotes, self.saves))

    @property
    def is_empty(self) -> bool:
        """Whether the network gave no count at all, as for a post that it still examines."""
        return all(getattr(self, name) is None for name in COUNTS)

    def audience(self, followers: int | None) -> int | None:
        """Return how many people could react: those whom it reached, else its views, else the account's followers."""
        return self.reach if self.reach is not None else self.views if self.views is not None else followers

    def data(self) -> dict[str, int]:
        """Return the counts that there are."""
        return {name: value for name in COUNTS if (value := getattr(self, name)) is not None}


COUNTS = tuple(one.name for one in fields(Counts))


def counts_of(found: PostMetrics) -> Counts:
    """Return the counts in an answer of a network."""
    return Counts(**{name: getattr(found, name) for name in COUNTS})


def stage_at(age: timedelta, tempo: float = 1.0) -> int:
    """Return how many ages of the plan a post of an age has passed. A fleet with a tempo has shorter ages."""
    return sum(age >= step / tempo for step in PLAN)


def next_at(posted_at: datetime, stage: int, tempo: float = 1.0) -> datetime | None:
    """Return when a post that was measured at a stage is measured next; None after the last one."""
    return posted_at + PLAN[stage] / tempo if stage < len(PLAN) else None


def is_on_time(stage: int, age: timedelta, tempo: float = 1.0) -> bool:
    """Return whether counts that are read at an age are those of a stage."""
    return stage > 0 and age <= PLAN[stage - 1] / tempo * LATE


def rest(failures: int, tempo: float = 1.0) -> timedelta:
    """Return how long an account is left alone after readings in a row that failed."""
    return min(LOOK_AGAIN * 2 ** min(failures - 1, 10), LONGEST_REST) / tempo if failures else timedelta(0)


@dataclass(frozen=True, slots=True)
class MeasuredAccount:
    """An account as the agent that measures sees it."""

    account_id: str
    name: str
    is_measured_now: bool
    """Whether a job that measures it waits or runs: one at a time, over all processes."""
    is_stopped: bool
    has_due_posts: bool
    followers_at: datetime | None = None
    """When its followers were counted last."""
    retry_at: datetime | None = None
    """Until when it is left alone after a failure."""


def due(accounts: Sequence[MeasuredAccount], now: datetime, tempo: float = 1.0) -> list[MeasuredAccount]:
    """Return the accounts to measure now."""
    free = [one for one in accounts if not one.is_measured_now and not one.is_stopped]
    rested = [one for one in free if one.retry_at is None or one.retry_at <= now]
    return [one for one in rested if one.has_due_posts or is_day_over(one.followers_at, now, tempo)]


def is_day_over(followers_at: datetime | None, now: datetime, tempo: float = 1.0) -> bool:
    """Return whether the followers of an account are counted again."""
    return followers_at is None or now - followers_at >= ACCOUNT_EVERY / tempo


@dataclass(frozen=True, slots=True)
class DuePost:
    """A post to measure now."""

    post_job: str
    agent_id: str
    remote_id: str
    posted_at: datetime
    stage: int
    failures: int
    gone_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What follows from one reading of a post, as the row of `save_counts.sql`."""

    stage: int
    next_at: datetime | None
    counts: Counts | None
    """None: it was not read."""
    is_day: bool = False
    """Whether the counts are those of the age of a day."""
    gone_seen_at: datetime | None = None
    is_gone: bool = False
    failures: int = 0
    problem: str = ""


def measured(post: DuePost, found: PostMetrics, now: datetime, tempo: float = 1.0) -> Measurement:
    """Return what follows from an answer about a post.

    A post is gone only after a second look says so: a network's index may lag behind, or lose sight of it.
    """
    if found.is_gone and post.gone_seen_at is not None:
        return Measurement(post.stage, None, None, gone_seen_at=post.gone_seen_at, is_gone=True)
    if found.is_gone:
        return Measurement(post.stage, now + LOOK_AGAIN / tempo, None, gone_seen_at=now)
    counts, age = counts_of(found), now - post.posted_at
    stage = max(stage_at(age, tempo), post.stage)
    if counts.is_empty:
        return Measurement(stage, next_at(post.posted_at, stage, tempo), None)
    is_day = stage == DAY_STAGE and post.stage < DAY_STAGE and is_on_time(stage, age, tempo)
    return Measurement(stage, next_at(post.posted_at, stage, tempo), counts, is_day)


def failed(post: DuePost, why: str, now: datetime, tempo: float = 1.0) -> Measurement:
    """Return what follows from a post that could not be read: it is tried again, and given up after some failures."""
    failures, stage = post.failures + 1, max(stage_at(now - post.posted_at, tempo), post.stage)
    if failures >= MOST_FAILURES:  # at this age; the next age begins anew
        return Measurement(stage, next_at(post.posted_at, stage, tempo), None, problem=why)
    return Measurement(post.stage, now + rest(failures, tempo), None, failures=failures, problem=why)


def parts(ids: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Return a sequence in parts of a size."""
    return [ids[start : start + size] for start in range(0, len(ids), max(size, 1))]
