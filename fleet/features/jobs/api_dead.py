"""The API of dead letters: counts by reason, the list, and replay or discard in bulk."""

from __future__ import annotations

import uuid
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from fleet.access import Permission, Principal
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.features.jobs import commands as job_commands
from fleet.features.jobs import queries as job_queries
from fleet.features.jobs import verbs as job_verbs
from fleet.features.jobs.api import JobPage, age_of, views
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Paging
from fleet.web.requests.fields import AgentFilter, Body, Count, Moment, line, whole
from fleet.web.requests.kinds import Kind

router = APIRouter(prefix="/dead", tags=["dead letters"])

_MOST_AT_ONCE = 10_000
Controller = Annotated[Principal, needs(Permission.JOBS_CONTROL)]


class Reasons(BaseModel):
    """How many dead letters there are, by reason."""

    total: int
    reasons: dict[str, int] = Field(examples=[{"exhausted": 3, "permanent": 1}])


class DeadFilter(Body):
    """A filter of dead letters; an empty filter matches all."""

    id: Annotated[
        list[Annotated[str, line(60)]] | None,
        Field(min_length=1, max_length=1000, description="only these: ids, or their first 4 or more characters"),
    ] = None
    reason: DeadReason | None = None
    kind: Annotated[list[Kind], Field(max_length=20)] = []
    agent: AgentFilter | None = None
    since: Annotated[Moment, Field(description="dead since then")] | None = None
    until: Annotated[Moment, Field(description="dead before then")] | None = None


class DeadQuery(DeadFilter, Paging):
    """A filter and a page."""


class Some(Body):
    """Which dead letters: by id, or by a filter; the newest ones if there are more than `limit`."""

    ids: Annotated[list[uuid.UUID], Field(min_length=1, max_length=1000)] | None = None
    filter: DeadFilter | None = None
    limit: Annotated[int, whole(1, _MOST_AT_ONCE)] = 1000
    dry_run: bool = Field(False, strict=True, description="only count them")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("name either ids or a filter ({} for all)")
        return self


class SomeToReplay(Some):
    """The dead letters to replay."""

    allow_stale: bool = Field(False, strict=True, description="also those that are past their time")


class DeadCount(Count):
    """How many dead letters were moved, or would be in a dry run."""

    total: int | None = Field(description="how many matched before, movable or not; null for very many")


@router.get("/reasons", dependencies=[needs(Permission.JOBS_VIEW)])
def reasons(deps: TheDeps) -> Reasons:
    """Return how many dead letters there are, by reason."""
    found = job_queries.dead_by_reason(deps)
    return Reasons(total=sum(found.values()), reasons=found)


@router.get("", dependencies=[needs(Permission.JOBS_VIEW)])
def list_dead_letters(deps: TheDeps, *, which: Annotated[DeadQuery, Query()]) -> JobPage:
    """Return a page of dead letters, newest first."""
    wanted = _filter(deps, which)
    with which.continued():
        found, _ = job_commands.list_jobs(deps, wanted, before=which.place(cursors.row_id), limit=which.one_more,
                                    counted=False)  # fmt: skip
    rows, following = which.page(found, lambda row: row.id)
    return JobPage(items=views(deps, list(rows)), next=following)


@router.post("/replay", responses=ASKED)
def replay(deps: TheDeps, *, body: SomeToReplay, who: Controller) -> DeadCount:
    """Replay dead letters, each with its own idempotency key; a write of unknown outcome is probed first."""
    which, stale, limit = _named(deps, body), body.allow_stale, body.limit
    (total,) = job_queries.tallies(deps, [which])
    if body.dry_run:
        number = job_queries.would_replay(deps, which, allow_stale=stale, limit=limit)
    else:
        number = job_verbs.replay(deps, who, which, allow_stale=stale, limit=limit)
    return DeadCount(count=number, total=total)


@router.post("/discard", responses=ASKED)
def discard(deps: TheDeps, *, body: Some, who: Controller) -> DeadCount:
    """Discard dead letters; their rows stay as cancelled jobs."""
    which = _named(deps, body)
    (total,) = job_queries.tallies(deps, [which])
    if body.dry_run:
        number = job_queries.would_discard(deps, which, limit=body.limit)
    else:
        number = job_verbs.discard(deps, who, which, limit=body.limit)
    return DeadCount(count=number, total=total)


def _named(deps: Deps, some: Some) -> JobFilter:
    if some.ids is not None:
        return JobFilter(states=(JobState.DEAD,), ids=tuple(some.ids))
    assert some.filter is not None  # the model validates it
    return _filter(deps, some.filter)


def _filter(deps: Deps, which: DeadFilter) -> JobFilter:
    return JobFilter(
        states=(JobState.DEAD,), reason=which.reason, kinds=tuple(which.kind),
        agent_id=lookup.agent_id(deps.db, which.agent), newer_than=age_of(deps, which.since),
        older_than=age_of(deps, which.until), ids=job_commands.job_ids(deps, which.id or ()),
    )  # fmt: skip
