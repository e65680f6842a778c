"""Engagement for programs: /api/v1/engagement. The pages and the commands show the same."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from fleet.access import Permission
from fleet.accounts import service as accounts
from fleet.adapters.base import SurfaceObject
from fleet.adapters.social import POST
from fleet.core import wall_time
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.agents import queries as agents
from fleet.engine.deps import Deps
from fleet.features.engagement import best_hours, queries
from fleet.features.engagement.best_hours import HourEstimate
from fleet.features.engagement.queries import EngagementSums, GroupedBy, MeasuredPost, Slice
from fleet.web import links
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import line, taken

router = APIRouter(prefix="/engagement", tags=["engagement"])
LONGEST_DAYS = 730
_VIEW = [needs(Permission.FLEET_VIEW)]
_MOST_ACCOUNTS = 20


class EngagementQuery(BaseModel):
    """Which posts: of the last days, and perhaps of one account, network or agent."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS, description="length of the period (UTC), today included")] = 28
    account: Annotated[str, line(60), Field(description="name or id")] = ""
    network: Annotated[str, line(40), Field(description="name of its adapter")] = ""
    agent: Annotated[str, line(60), Field(description="username or id")] = ""

    def slice(self, tx: Tx) -> Slice:
        """Return which posts these are. Raises NotFound for an unknown account or agent."""
        until = datetime.combine(tx.now().date() + timedelta(days=1), time(), tzinfo=UTC)
        return Slice(
            since=until - timedelta(days=self.days), until=until, surface=self.network or None,
            account_id=accounts.named(tx, self.account).id if self.account else None,
            agent_id=agents.named(tx, self.agent, include_deleted=True).id if self.agent else None,
        )  # fmt: skip


class GroupedQuery(EngagementQuery):
    """Which posts, and how their sums are grouped."""

    by: GroupedBy = GroupedBy.ACCOUNT


class HoursQuery(EngagementQuery):
    """Hours of which accounts, in which zone. The days and the agent are not used: hours have 90 days of all agents."""

    zone: Annotated[str, line(60), Field(description="time zone, such as Europe/Berlin")] = "UTC"


class BestPostsQuery(EngagementQuery):
    """Which posts, and how many."""

    limit: Annotated[int, Field(ge=1, le=100)] = 10


class EngagementSumsOut(BaseModel):
    """Sums over posts, by their newest counts. Counts that a network does not give count 0."""

    posts: int
    measured: int = Field(description="posts that were read at least once")
    gone: int
    likes: int
    comments: int
    reposts: int
    quotes: int
    saves: int
    clicks: int
    views: int
    reach: int
    interactions: int = Field(description="likes, comments, reposts, quotes and saves")
    rate: float | None = Field(description="interactions in percent of the audience; null: no audience is known")
    per_post: float | None = Field(description="interactions a measured post")


class EngagementGroupOut(BaseModel):
    """The sums of one account, network or agent."""

    key: str = Field(description="its id, or the name of the adapter")
    name: str
    network: str
    sums: EngagementSumsOut


class EngagementDayOut(BaseModel):
    """The sums of the posts of one day (UTC)."""

    day: date
    posts: int
    interactions: int


class EngagementSummaryOut(BaseModel):
    """What came of the posts of a period, and of that before."""

    since: datetime
    until: datetime
    sums: EngagementSumsOut
    before: EngagementSumsOut = Field(description="the period of the same length before")
    published_share: float | None = Field(description="posts that were published, in percent of those tried")
    groups: list[EngagementGroupOut] = Field(description="most interactions first")
    days: list[EngagementDayOut] = Field(description="oldest first")


class MeasuredPostOut(BaseModel):
    """One post with its newest counts. Null: its network does not give it, or it was not read yet."""

    job_id: uuid.UUID
    agent: str
    account: str
    network: str
    posted_at: datetime
    measured_at: datetime | None
    text: str | None = Field(description="null: its job was pruned")
    url: str | None = Field(description="its page at the network, for people")
    picture: str | None = Field(description="key of our copy of its picture: GET /api/v1/media/KEY")
    alt_text: str
    interactions: int | None
    likes: int | None
    comments: int | None
    reposts: int | None
    quotes: int | None
    saves: int | None
    clicks: int | None
    views: int | None
    reach: int | None
    rate: float | None
    gone_at: datetime | None
    gone_reason: str


class MeasuredPostList(BaseModel):
    """Posts with most interactions, first."""

    items: list[MeasuredPostOut]


class PostReadingOut(BaseModel):
    """One reading of a post."""

    at: datetime
    counts: dict[str, int]


class MeasuredPostDetail(MeasuredPostOut):
    """A post with all its readings."""

    readings: list[PostReadingOut] = Field(description="oldest first")


class HourEstimateOut(BaseModel):
    """What a post at an hour of the day can be expected to reach within a day."""

    hour: int
    posts: int = Field(description="measured posts of this hour")
    interactions: float
    low: float = Field(description="one standard error below")
    high: float = Field(description="one standard error above")


class AccountHoursOut(BaseModel):
    """The hours of an account's day."""

    account: str
    network: str
    posts: int = Field(description="measured posts of the last 90 days")
    best: list[int] = Field(description="the best hours, best first, at least two hours apart")
    hours: list[HourEstimateOut] = Field(description="all 24")


class AccountHoursList(BaseModel):
    """Accounts with enough measured posts, those with most posts first."""

    zone: str
    least_posts: int = Field(description="accounts with fewer measured posts are left out")
    items: list[AccountHoursOut]


class FollowersOut(BaseModel):
    """The followers of one day."""

    day: date
    followers: int


class AccountGrowthOut(BaseModel):
    """The followers of one account at both ends of a period."""

    account: str
    network: str
    first: int
    first_at: datetime
    last: int
    last_at: datetime
    gained: int
    percent: float | None
    days: list[FollowersOut] = Field(description="oldest first")


class AccountGrowthList(BaseModel):
    """Accounts whose followers were counted, by name."""

    items: list[AccountGrowthOut]


class MeasuredAccountOut(BaseModel):
    """How measuring one account goes."""

    account: str
    network: str
    followers: int | None
    followers_at: datetime | None
    measured_at: datetime | None
    failures: int = Field(description="failed readings since the last good one")
    problem: str
    retry_at: datetime | None


class MeasuredAccountList(BaseModel):
    """The accounts that are measured, by name."""

    items: list[MeasuredAccountOut]


def summary(tx: Tx, which: GroupedQuery) -> EngagementSummaryOut:
    """Return what came of the posts of a period. Raises NotFound."""
    found = which.slice(tx)
    return EngagementSummaryOut(
        since=found.since, until=found.until, sums=_sums(queries.sums(tx, found)),
        before=_sums(queries.sums(tx, found.before)), published_share=queries.success(tx, found).share,
        groups=[EngagementGroupOut(key=one.key, name=one.name, network=one.surface, sums=_sums(one.sums))
                for one in queries.grouped(tx, found, which.by)],
        days=[EngagementDayOut(day=one.day, posts=one.sums.posts, interactions=one.sums.interactions)
              for one in queries.by_day(tx, found)],
    )  # fmt: skip


def best_posts(deps: Deps, which: BestPostsQuery) -> MeasuredPostList:
    """Return the posts with most interactions. Raises NotFound. Not for transactions."""
    with deps.db.transaction() as tx:
        found = queries.top_posts(tx, which.slice(tx), limit=which.limit)
    return MeasuredPostList(items=[taken(MeasuredPostOut, one, **_more(deps, one)) for one in found])


def hours(tx: Tx, which: HoursQuery) -> AccountHoursList:
    """Return the hours of accounts. Raises InvalidInput for an unknown zone, NotFound."""
    zone, found = wall_time.check_zone(which.zone.strip() or "UTC"), which.slice(tx)
    days = best_hours.days(
        tx, until=found.until, limit=_MOST_ACCOUNTS, zone=zone, account_id=found.account_id, surface=found.surface
    )
    items = [
        AccountHoursOut(
            account=one.account, network=one.surface, posts=one.posts, best=list(one.best),
            hours=[_hour(at, estimate) for at, estimate in enumerate(one.hours)],
        )
        for one in days
    ]  # fmt: skip
    return AccountHoursList(zone=zone, least_posts=best_hours.LEAST_POSTS, items=items)


def growth(tx: Tx, which: EngagementQuery) -> AccountGrowthList:
    """Return the growth of accounts. Raises NotFound."""
    found = which.slice(tx)
    days: dict[uuid.UUID, list[FollowersOut]] = {}
    for one in queries.followers_by_day(tx, found):
        days.setdefault(one.account_id, []).append(FollowersOut(day=one.day, followers=one.followers))
    return AccountGrowthList(
        items=[taken(AccountGrowthOut, one, network=one.surface, days=days.get(one.account_id, []))
               for one in queries.growth(tx, found)]
    )  # fmt: skip


def measured_accounts(tx: Tx) -> MeasuredAccountList:
    """Return how measuring the accounts goes."""
    found = queries.measured_accounts(tx)
    return MeasuredAccountList(items=[taken(MeasuredAccountOut, one, network=one.surface) for one in found])


@router.get("", dependencies=_VIEW)
def show_engagement(deps: TheDeps, *, which: Annotated[GroupedQuery, Query()]) -> EngagementSummaryOut:
    """Return what came of the posts of a period, by account, network or agent, and by day."""
    with deps.db.transaction() as tx:
        return summary(tx, which)


@router.get("/posts", dependencies=[needs(Permission.JOBS_VIEW)])
def list_best_posts(deps: TheDeps, *, which: Annotated[BestPostsQuery, Query()]) -> MeasuredPostList:
    """Return the posts with most interactions, with their links and pictures."""
    return best_posts(deps, which)


@router.get("/posts/{job_id}", dependencies=[needs(Permission.JOBS_VIEW)])
def show_measured_post(deps: TheDeps, job_id: uuid.UUID) -> MeasuredPostDetail:
    """Return one post with all its readings."""
    with deps.db.transaction() as tx:
        found = queries.post(tx, job_id)
    if found is None:
        raise NotFound(
            f"The job {job_id} published no post that is measured.", fix="`fleet engagement posts` lists some."
        )
    one, readings = found
    return taken(
        MeasuredPostDetail, one, readings=[taken(PostReadingOut, reading) for reading in readings], **_more(deps, one)
    )


@router.get("/hours", dependencies=_VIEW)
def list_best_hours(deps: TheDeps, *, which: Annotated[HoursQuery, Query()]) -> AccountHoursList:
    """Return what posts at each hour of the day can be expected to reach, by account, with its uncertainty."""
    with deps.db.transaction() as tx:
        return hours(tx, which)


@router.get("/growth", dependencies=_VIEW)
def list_growth(deps: TheDeps, *, which: Annotated[EngagementQuery, Query()]) -> AccountGrowthList:
    """Return the followers of accounts at both ends of a period, and by day."""
    with deps.db.transaction() as tx:
        return growth(tx, which)


@router.get("/accounts", dependencies=_VIEW)
def list_measured_accounts(deps: TheDeps) -> MeasuredAccountList:
    """Return how measuring the accounts goes."""
    with deps.db.transaction() as tx:
        return measured_accounts(tx)


def _sums(one: EngagementSums) -> EngagementSumsOut:
    return taken(EngagementSumsOut, one)


def _hour(at: int, one: HourEstimate) -> HourEstimateOut:
    low, high = one.interactions_range
    return HourEstimateOut(hour=at, posts=one.posts, interactions=one.interactions, low=low, high=high)


def _more(deps: Deps, one: MeasuredPost) -> dict[str, object]:
    result = one.result or {}
    address = deps.links.of(one.account_id, SurfaceObject(action=POST.name, id=one.remote_id, username=one.agent))
    return {
        "network": one.surface, "url": None if one.gone_at else address, "picture": links.picture_of(result),
        "alt_text": str(result.get("alt_text") or ""),
    }  # fmt: skip
