"""Figures of engagement for pages, the API, commands, the team leader and reports, each inside a transaction.

All sums are read from `engagement_hours`: its size does not grow with the number of posts. A `Slice` says which posts;
a period is half open: `since` <= published < `until`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.adapters.social import POST
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.engagement.models import AccountDayRow, EngagementHourRow, MeasuredAccountRow, PostMetricsRow

_HOUR = EngagementHourRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Which posts: of a period, and perhaps of one account, network (name of its adapter) or agent."""

    since: datetime
    until: datetime
    account_id: uuid.UUID | None = None
    surface: str | None = None
    agent_id: uuid.UUID | None = None

    @property
    def before(self) -> Slice:
        """The period of the same length before this one."""
        span = self.until - self.since
        return Slice(since=self.since - span, until=self.since, account_id=self.account_id, surface=self.surface,
                     agent_id=self.agent_id)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EngagementSums:
    """Sums over posts, by their newest counts. Counts that a network does not give count 0."""

    posts: int = 0
    measured: int = 0
    """Posts that were read at least once."""
    gone: int = 0
    likes: int = 0
    comments: int = 0
    reposts: int = 0
    quotes: int = 0
    saves: int = 0
    clicks: int = 0
    views: int = 0
    reach: int = 0
    interactions: int = 0
    """Likes, comments, reposts, quotes and saves."""
    rated: int = 0
    """Interactions of posts whose audience is known."""
    audience: int = 0
    """The sum over posts of those whom a post reached, else its views, else its account's followers."""

    @property
    def rate(self) -> float | None:
        """Engagement in percent of the audience, as the bands of platforms are; None without a known audience."""
        return 100 * self.rated / self.audience if self.audience else None

    @property
    def per_post(self) -> float | None:
        """Interactions a measured post."""
        return self.interactions / self.measured if self.measured else None


_SUMS = tuple(one.name for one in fields(EngagementSums))


class GroupedBy(StrEnum):
    """What sums can be grouped by."""

    ACCOUNT = "account"
    NETWORK = "network"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class EngagementGroup:
    """The sums of one account, network or agent. `key` is its id, or the name of the adapter."""

    key: str
    name: str
    surface: str
    sums: EngagementSums


def sums(tx: Tx, which: Slice) -> EngagementSums:
    """Return the sums of a slice."""
    row = tx.execute(sa.select(*_summed()).where(*_of(which))).one()
    return _sums(row)


def grouped(tx: Tx, which: Slice, by: GroupedBy) -> list[EngagementGroup]:
    """Return the sums by account, network or agent, most interactions first. Groups without posts are left out."""
    match by:
        case GroupedBy.ACCOUNT:
            key, name, surface = _HOUR.account_id, AccountRow.name, sa.func.min(_HOUR.surface)
            query = sa.select(key, name, surface, *_summed()).join(AccountRow, AccountRow.id == key)
            query = query.group_by(key, name)
        case GroupedBy.AGENT:
            agent, username, network = _HOUR.agent_id, AgentRow.username, sa.func.min(_HOUR.surface)
            query = sa.select(agent, username, network, *_summed()).join(AgentRow, AgentRow.id == agent)
            query = query.group_by(agent, username)
        case GroupedBy.NETWORK:
            query = sa.select(_HOUR.surface, _HOUR.surface, _HOUR.surface, *_summed()).group_by(_HOUR.surface)
    found = [
        EngagementGroup(str(row[0]), row[1], row[2], _sums(row[3:])) for row in tx.execute(query.where(*_of(which)))
    ]
    return sorted(found, key=lambda one: (-one.sums.interactions, one.name))


@dataclass(frozen=True, slots=True)
class EngagementDay:
    """The sums of the posts of one day (UTC)."""

    day: date
    sums: EngagementSums


def by_day(tx: Tx, which: Slice) -> list[EngagementDay]:
    """Return the sums of each day of a slice, oldest first; days without posts have sums of nothing."""
    day = sa.cast(sa.func.timezone("UTC", _HOUR.hour), sa.Date)
    rows = tx.execute(sa.select(day, *_summed()).where(*_of(which)).group_by(day))
    known = {row[0]: _sums(row[1:]) for row in rows}
    first, last = which.since.date(), (which.until - timedelta(microseconds=1)).date()
    days = (first + timedelta(days=place) for place in range((last - first).days + 1))
    return [EngagementDay(one, known.get(one, EngagementSums())) for one in days]


@dataclass(frozen=True, slots=True)
class SuccessRate:
    """How posting went, from the ledger: posts that were published, and posts that became dead letters."""

    published: int
    failed: int

    @property
    def share(self) -> float | None:
        """Published posts in percent; None if none was tried."""
        tried = self.published + self.failed
        return 100 * self.published / tried if tried else None


def success(tx: Tx, which: Slice) -> SuccessRate:
    """Return how posting went in a slice. Posts that people cancelled, or that had nothing to say, do not count."""
    dead = (JobRow.state == JobState.DEAD, JobRow.finished_at >= which.since, JobRow.finished_at < which.until,
            JobRow.kind.in_(_posting_kinds()))  # fmt: skip
    query = sa.select(sa.func.count()).select_from(JobRow).where(*dead)
    if which.account_id is not None:
        query = query.where(sa.func.coalesce(JobRow.account_id, SETTINGS_ACCOUNT) == which.account_id)
    if which.surface is not None:
        query = query.where(JobRow.surface == which.surface)
    else:  # posts elsewhere are in no sum
        query = query.where(JobRow.surface.in_(_networks()))
    if which.agent_id is not None:
        query = query.where(JobRow.agent_id == which.agent_id)
    return SuccessRate(sums(tx, which).posts, int(tx.scalar(query) or 0))


def _posting_kinds() -> list[str]:
    features = registry.current()
    return [kind for kind in features.jobs if features.action_of(kind) == POST.name]


def _networks() -> sa.Select[str]:
    return sa.select(AccountRow.adapter).join(MeasuredAccountRow, MeasuredAccountRow.account_id == AccountRow.id)


@dataclass(frozen=True, slots=True)
class AccountGrowth:
    """The followers of one account at both ends of a period, each with the time at which it was read."""

    account_id: uuid.UUID
    account: str
    surface: str
    first: int
    first_at: datetime
    last: int
    last_at: datetime

    @property
    def gained(self) -> int:
        """Followers won; negative for lost ones."""
        return self.last - self.first

    @property
    def percent(self) -> float | None:
        """The growth in percent; None from 0."""
        return 100 * self.gained / self.first if self.first else None


def growth(tx: Tx, which: Slice) -> list[AccountGrowth]:
    """Return the growth of accounts in a period, by account. The first value is the last one before the period, if
    there is one within a week of it.
    """
    row = AccountDayRow
    days = (row.day >= which.since.date() - timedelta(days=7), row.measured_at < which.until,
            row.followers.is_not(None))  # fmt: skip
    query = sa.select(row.account_id, AccountRow.name, row.surface, row.followers, row.measured_at).join(
        AccountRow, AccountRow.id == row.account_id
    )
    query = query.where(*days).order_by(row.account_id, row.day)
    if which.account_id is not None:
        query = query.where(row.account_id == which.account_id)
    if which.surface is not None:
        query = query.where(row.surface == which.surface)
    if which.agent_id is not None:
        agents = sa.select(_HOUR.account_id).where(_HOUR.agent_id == which.agent_id)
        query = query.where(row.account_id.in_(agents))
    found: dict[uuid.UUID, list[Any]] = {}
    for one in tx.execute(query):
        found.setdefault(one.account_id, []).append(one)
    grown = []
    for account_id, values in found.items():
        before = [one for one in values if one.measured_at <= which.since]
        within = [one for one in values if one.measured_at > which.since]
        if not within:
            continue
        first, last = before[-1] if before else within[0], within[-1]
        grown.append(AccountGrowth(account_id, last.name, last.surface, first.followers, first.measured_at,
                                   last.followers, last.measured_at))  # fmt: skip
    return sorted(grown, key=lambda one: one.account)


@dataclass(frozen=True, slots=True)
class FollowersOfDay:
    """The followers of one account on one day."""

    account_id: uuid.UUID
    day: date
    followers: int
    measured_at: datetime


def followers_by_day(tx: Tx, which: Slice) -> list[FollowersOfDay]:
    """Return the followers of accounts by day, oldest first."""
    row = AccountDayRow
    query = sa.select(row.account_id, row.day, row.followers, row.measured_at).where(
        row.day >= which.since.date(), row.measured_at < which.until, row.followers.is_not(None)
    )
    if which.account_id is not None:
        query = query.where(row.account_id == which.account_id)
    if which.surface is not None:
        query = query.where(row.surface == which.surface)
    return [FollowersOfDay(*one) for one in tx.execute(query.order_by(row.day, row.account_id))]


@dataclass(frozen=True, slots=True)
class PostingActivity:
    """How much was published: posts, days with at least one, and days of the period."""

    posts: int
    active_days: int
    days: float

    @property
    def per_day(self) -> float:
        """Posts a day."""
        return self.posts / self.days if self.days else 0.0


def activity(tx: Tx, which: Slice) -> PostingActivity:
    """Return how much was published in a slice."""
    days = [one for one in by_day(tx, which) if one.sums.posts]
    span = (which.until - which.since) / timedelta(days=1)
    return PostingActivity(sum(one.sums.posts for one in days), len(days), span)


@dataclass(frozen=True, slots=True)
class MeasuredPost:
    """One post with its newest counts. `text` is what was published; None if its job was pruned."""

    job_id: uuid.UUID
    agent: str
    account_id: uuid.UUID
    account: str
    surface: str
    remote_id: str
    posted_at: datetime
    measured_at: datetime | None
    measured_by: uuid.UUID | None
    next_at: datetime | None
    likes: int | None
    comments: int | None
    reposts: int | None
    quotes: int | None
    saves: int | None
    clicks: int | None
    views: int | None
    reach: int | None
    interactions: int | None
    audience: int | None
    gone_at: datetime | None
    gone_reason: str
    problem: str
    text: str | None
    result: Mapping[str, Any] | None
    """That of its job: the key and the alt text of its picture; None if the job was pruned."""

    @property
    def rate(self) -> float | None:
        """Engagement in percent of the audience."""
        known = self.interactions is not None and self.audience
        return 100 * (self.interactions or 0) / (self.audience or 1) if known else None


def top_posts(tx: Tx, which: Slice, *, limit: int = 10) -> list[MeasuredPost]:
    """Return the posts of a slice with most interactions, first."""
    row = PostMetricsRow
    query = _posts().where(*_published(which), row.interactions.is_not(None))
    query = query.order_by(row.interactions.desc().nulls_last(), row.posted_at.desc())
    return [_post(one) for one in tx.execute(query.limit(limit))]


def latest_posts(tx: Tx, which: Slice, *, limit: int = 50, below: uuid.UUID | None = None) -> list[MeasuredPost]:
    """Return the posts of a slice, newest first; `below` is the last one of the page above."""
    row = PostMetricsRow
    query = _posts().where(*_published(which))
    if below is not None:
        last = sa.select(row.posted_at, row.post_job).where(row.post_job == below).scalar_subquery()
        query = query.where(sa.tuple_(row.posted_at, row.post_job) < last)
    order = (row.posted_at.desc(), row.post_job.desc())
    return [_post(one) for one in tx.execute(query.order_by(*order).limit(limit))]


@dataclass(frozen=True, slots=True)
class PostReading:
    """One reading of a post: when, at which age of the plan (0: before the first), and its counts."""

    at: datetime
    stage: int
    counts: dict[str, int]


def post(tx: Tx, job_id: uuid.UUID) -> tuple[MeasuredPost, list[PostReading]] | None:
    """Return one post and all its readings, oldest first; None for a post that is not measured."""
    found = tx.execute(_posts().where(PostMetricsRow.post_job == job_id)).one_or_none()
    if found is None:
        return None
    history = tx.scalar(sa.select(PostMetricsRow.history).where(PostMetricsRow.post_job == job_id)) or []
    return _post(found), [PostReading(datetime.fromtimestamp(at, tz=found.posted_at.tzinfo), stage, counts)
                          for at, stage, counts in history]  # fmt: skip


def latest_counts(tx: Tx, job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """Return likes and comments of posts by the posts' jobs; posts that were never read are left out.

    The extension of "publishing.counts".
    """
    row = PostMetricsRow
    query = sa.select(row.post_job, row.likes, row.comments).where(
        row.post_job.in_(job_ids), row.measured_at.is_not(None)
    )
    return {one.post_job: (one.likes or 0, one.comments or 0) for one in tx.execute(query)}


@dataclass(frozen=True, slots=True)
class MeasuredAccountState:
    """How measuring one account goes."""

    account_id: uuid.UUID
    account: str
    surface: str
    followers: int | None
    followers_at: datetime | None
    measured_at: datetime | None
    failures: int
    problem: str
    retry_at: datetime | None


def measured_accounts(tx: Tx) -> list[MeasuredAccountState]:
    """Return how measuring the accounts goes, by name."""
    row = MeasuredAccountRow
    query = (
        sa.select(row.account_id, AccountRow.name, AccountRow.adapter, row.followers, row.followers_at,
                  row.measured_at, row.failures, row.problem, row.retry_at)
        .join(AccountRow, AccountRow.id == row.account_id)
        .where(AccountRow.deleted_at.is_(None))
        .order_by(AccountRow.name)
    )  # fmt: skip
    return [MeasuredAccountState(*one) for one in tx.execute(query)]


def _summed() -> list[sa.ColumnElement[Any]]:
    return [sa.func.coalesce(sa.func.sum(getattr(_HOUR, name)), 0) for name in _SUMS]


def _sums(row: Sequence[Any]) -> EngagementSums:
    return EngagementSums(**{name: int(value) for name, value in zip(_SUMS, row, strict=True)})


def _of(which: Slice) -> list[sa.ColumnElement[bool]]:
    conditions = [_HOUR.hour >= which.since, _HOUR.hour < which.until]
    if which.account_id is not None:
        conditions.append(_HOUR.account_id == which.account_id)
    if which.surface is not None:
        conditions.append(_HOUR.surface == which.surface)
    if which.agent_id is not None:
        conditions.append(_HOUR.agent_id == which.agent_id)
    return conditions


def _published(which: Slice) -> list[sa.ColumnElement[bool]]:
    row = PostMetricsRow
    conditions = [row.posted_at >= which.since, row.posted_at < which.until]
    if which.account_id is not None:
        conditions.append(row.account_id == which.account_id)
    if which.surface is not None:
        conditions.append(row.surface == which.surface)
    if which.agent_id is not None:
        conditions.append(row.agent_id == which.agent_id)
    return conditions


_SHOWN = (
    "remote_id", "posted_at", "measured_at", "measured_by", "next_at", "likes", "comments", "reposts", "quotes",
    "saves", "clicks", "views", "reach", "interactions", "audience", "gone_at", "gone_reason", "problem",
)  # fmt: skip


def _posts() -> sa.Select[Any]:
    row = PostMetricsRow
    said = sa.func.coalesce(JobRow.result["text"].astext, JobRow.payload["text"].astext)
    return (
        sa.select(row.post_job, AgentRow.username, row.account_id, AccountRow.name, row.surface,
                  *(getattr(row, name) for name in _SHOWN), said, JobRow.result)
        .join(AgentRow, AgentRow.id == row.agent_id)
        .join(AccountRow, AccountRow.id == row.account_id)
        .join(JobRow, JobRow.id == row.post_job, isouter=True)
    )  # fmt: skip


def _post(row: Any) -> MeasuredPost:
    return MeasuredPost(*row)
