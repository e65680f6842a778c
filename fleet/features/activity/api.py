"""What happened: the newest events first, and all of them in order after a position, none missed and none twice."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.events import Event as Fact
from fleet.core.subjects import refuse_unknown
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.events import positions
from fleet.features.activity import queries as activity_queries
from fleet.web.auth import TheDeps, needs, withheld
from fleet.web.requests import cursors
from fleet.web.requests.cursors import MOST, Page, Paging
from fleet.web.requests.fields import AgentFilter, Body, Moment, Told

router = APIRouter(prefix="/activity", tags=["activity"])

_POSITION = r"^[0-9]{1,19}-[0-9]{1,19}$"
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
Subject = Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,80}\*?$")]
Where = Annotated[str, Field(pattern=_POSITION, examples=["7421-9310"])]


class EventOut(BaseModel):
    """One event."""

    id: int
    position: str = Field(description="where a reader stands who has read it", examples=["7421-9310"])
    occurred_at: datetime
    subject: str = Field(examples=["job.done"])
    agent_id: uuid.UUID | None
    agent: str | None = Field(description="the agent's username")
    job_id: uuid.UUID | None
    payload: Told


class EventPage(Page[EventOut]):
    """A page of events, newest first."""


class ActivityQuery(Paging):
    """Which events."""

    agent: AgentFilter | None = None
    job: uuid.UUID | None = None
    subject: Annotated[list[Subject], Field(max_length=20, description="`job.*` is all that begin with `job.`")] = []
    since: Moment | None = None


class Following(BaseModel):
    """Events in the order in which they became facts, and the position from which to go on."""

    items: list[EventOut]
    next: str = Field(description="hand it back as `after`, also when there are no items yet", examples=["7421-9310"])


class After(Body):
    """From where, and how many."""

    after: Annotated[Where, Field(description="`next` of the answer before; 0-0 is before everything")] = "0-0"
    limit: Annotated[int, Field(ge=1, le=MOST)] = 50


class Now(BaseModel):
    """The position after which only future events are read."""

    position: str


@router.get("")
def list_activity(deps: TheDeps, who: Viewer, *, which: Annotated[ActivityQuery, Query()]) -> EventPage:
    """Return a page of events, newest first."""
    agent_id = lookup.agent_id(deps.db, which.agent)
    found = activity_queries.latest(
        deps, name=None if agent_id is None else str(agent_id), job_id=which.job, subjects=which.subject,
        exclude=withheld(who), since=which.since, before=which.place(cursors.number), limit=which.one_more,
    )  # fmt: skip
    if not found and which.cursor is None:
        refuse_unknown(which.subject, registry.current().subjects)
    rows, following = which.page(found, lambda fact: fact.position.id)
    return EventPage(items=_views(deps, list(rows)), next=following)


@router.get("/after")
def follow(deps: TheDeps, who: Viewer, *, which: Annotated[After, Query()]) -> Following:
    """Return the events after a position, in order, without gaps or repeats."""
    position = positions.read(which.after)
    found = activity_queries.read_after(deps, position, exclude=withheld(who), limit=which.limit)
    return Following(items=_views(deps, found), next=positions.written(found[-1].position if found else position))


@router.get("/position", dependencies=[needs(Permission.FLEET_VIEW)])
def position_now(deps: TheDeps) -> Now:
    """Return the position of the latest event."""
    return Now(position=positions.written(activity_queries.tail(deps)))


def _views(deps: Deps, facts: list[Fact]) -> list[EventOut]:
    names = lookup.names(deps.db, [fact.agent_id for fact in facts])
    return [
        EventOut(
            id=fact.position.id, position=positions.written(fact.position), occurred_at=fact.occurred_at,
            subject=fact.subject, agent_id=fact.agent_id, agent=lookup.username(names, fact.agent_id),
            job_id=fact.job_id, payload=dict(fact.payload),
        )
        for fact in facts
    ]  # fmt: skip
