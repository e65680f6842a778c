"""Jobs of the ledger for programs: the list, one with its attempts, retry and cancel."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.jobs.allowed_actions import MEANING
from fleet.engine.jobs.lists import MOST_SEARCHED, ListedJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.policy import Priority
from fleet.features.jobs import commands as job_commands
from fleet.features.jobs import queries as job_queries
from fleet.features.jobs.queries import JobOrder, JobTime
from fleet.web import links
from fleet.web.auth import TheDeps, carried_for, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import AgentFilter, IdPrefix, Moment, Said, Told, taken
from fleet.web.requests.kinds import Kind, StoredKind

router = APIRouter(prefix="/jobs", tags=["jobs"])


class Job(BaseModel):
    """One job, from its creation to its end."""

    id: uuid.UUID
    kind: StoredKind
    state: JobState
    priority: Priority
    agent_id: uuid.UUID | None
    agent: str | None = Field(description="the agent's username", examples=["ada_lovelace"])
    tick_no: int | None
    surface: str
    target: str | None
    attempts: int = Field(description="tries that the surface or we failed")
    max_attempts: int
    claims: int
    next_attempt_at: datetime
    sending_at: datetime | None
    held: str | None = Field(description="what it waits for: a pause, a cap, a budget")
    remote_id: str | None
    url: str | None = Field(description="its page at the surface, for people; null unless something was published")
    picture: str | None = Field(description="key of our copy of its picture: GET /api/v1/media/KEY")
    dead_reason: DeadReason | None
    error: Said | None
    text: Said | None = Field(description="its words: what was posted or found, or what is prepared to be posted")
    requested_by: str | None
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None


class Attempt(BaseModel):
    """One claim of a job: worker, times, and how it ended."""

    lease_token: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error: Said | None


class WholeJob(Job):
    """One job with its payload and every attempt."""

    payload: Told = Field(description="the job's content; empty if it is shown only to users who see webhooks")
    checkpoint: Told
    result: Told | None
    remedy: str | None = Field(description="what a person can do about a dead letter; null for other jobs")
    history: list[Attempt]


class JobPage(Page[Job]):
    """A page of jobs, newest first."""


class JobQuery(Paging):
    """Which jobs."""

    state: Annotated[list[JobState], Field(max_length=8)] = []
    kind: Annotated[list[Kind], Field(max_length=20)] = []
    priority: Priority | None = None
    agent: AgentFilter | None = None
    since: Annotated[Moment, Field(description="finished or made since then")] | None = None
    until: Annotated[Moment, Field(description="made and finished before then")] | None = None
    time: Annotated[JobTime, Field(description="the moment of a job that `start` and `end` are about")] = JobTime.ENDED
    start: Annotated[Moment, Field(description="`time` is then or later")] | None = None
    end: Annotated[Moment, Field(description="`time` is before then")] | None = None
    q: Annotated[
        str,
        Field(
            max_length=100,
            description="a text in what the list shows of a job, or a part of its id; "
            f"the next {MOST_SEARCHED:,} jobs are searched for each page",
        ),
    ] = ""
    order: JobOrder = JobOrder.NEWEST


def views(deps: Deps, rows: list[ListedJob]) -> list[Job]:
    """Return jobs as programs see them."""
    names = lookup.names(deps.db, [row.agent_id for row in rows])
    return [
        taken(Job, row, agent=username, text=_text(row.result, row.words), **_published(deps, row, username))
        for row, username in ((row, lookup.username(names, row.agent_id)) for row in rows)
    ]


def _published(deps: Deps, row: ListedJob | JobRow, username: str | None) -> dict[str, str | None]:
    """Return the address of what a job published, and the key of its picture."""
    return {"url": links.url_of_job(deps, row, username), "picture": links.picture_of(row.result)}


def _text(result: Mapping[str, Any] | None, words: str | None) -> str | None:
    said = (result or {}).get("text")
    return words if said is None else str(said)


def _remedy(row: JobRow) -> str | None:
    return MEANING[DeadReason(row.dead_reason)].remedy if row.dead_reason else None


def age_of(deps: Deps, moment: datetime | None) -> timedelta | None:
    """Return how long ago a moment is, as the ledger's filters want it."""
    return None if moment is None else deps.now() - moment


@router.get("", dependencies=[needs(Permission.JOBS_VIEW)])
def list_jobs(deps: TheDeps, *, which: Annotated[JobQuery, Query()]) -> JobPage:
    """Return a page of jobs, newest first unless `order` says otherwise."""
    narrow = JobFilter(
        states=tuple(which.state), kinds=tuple(which.kind), priority=which.priority,
        agent_id=lookup.agent_id(deps.db, which.agent), newer_than=age_of(deps, which.since),
        older_than=age_of(deps, which.until),
    )  # fmt: skip
    within = job_queries.within(deps, narrow, which.time, which.start, which.end)
    wanted = job_queries.searching(deps, which.q, within)
    with which.continued():
        found, _ = job_commands.list_jobs(deps, wanted, before=which.place(cursors.row_id), limit=which.one_more,
                                          counted=False, oldest_first=which.order is JobOrder.OLDEST)  # fmt: skip
    rows, following = which.page(found, lambda row: row.id)
    return JobPage(items=views(deps, list(rows)), next=following)


@router.get("/{job_id}")
def show(deps: TheDeps, *, job_id: IdPrefix, who: Annotated[Principal, needs(Permission.JOBS_VIEW)]) -> WholeJob:
    """Return one job with its payload and all its attempts."""
    row, attempts = job_commands.show_job(deps, job_id)
    username = lookup.username(lookup.names(deps.db, [row.agent_id]), row.agent_id)
    return taken(
        WholeJob, row, agent=username, payload=carried_for(who, row), **_published(deps, row, username),
        text=_text(row.result, job_queries.words_of(row)), remedy=_remedy(row),
        history=[taken(Attempt, one) for one in attempts],
    )  # fmt: skip


@router.post("/{job_id}/retry")
def retry(deps: TheDeps, *, job_id: IdPrefix, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)]) -> WholeJob:
    """Make a waiting job due now; a job of unknown outcome, once it has settled."""
    return show(deps, job_id=str(job_commands.retry_job(deps, job_id)), who=who)


@router.post("/{job_id}/cancel")
def cancel(deps: TheDeps, *, job_id: IdPrefix, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)]) -> WholeJob:
    """Cancel a job that has not started."""
    return show(deps, job_id=str(job_commands.cancel_job(deps, job_id, by=who.by)), who=who)
