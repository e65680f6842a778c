"""What happened: the newest events first, and all of them in order after a position, none missed and none twice."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.events import Event as Fact
from fleet.core.subjects import matches, refuse_unknown
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.events import positions
from fleet.features.activity import queries as activity_queries
from fleet.features.activity.agent_names import AgentNames
from fleet.web.auth import TheDeps, needs, withheld
from fleet.web.requests import cursors
from fleet.web.requests.cursors import MOST, Page, Paging
from fleet.web.requests.fields import AgentFilter, Body, Moment, Said, Told

router = APIRouter(prefix="/activity", tags=["activity"])

_POSITION = r"^[0-9]{1,19}-[0-9]{1,19}$"
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
Subject = Annotated[str, Field(pattern=r"^([a-z0-9_.]{1,80}\*?|\*)$")]
Subjects = Annotated[list[Subject], Field(max_length=20, description="`job.*` is all that begin with `job.`")]
Where = Annotated[str, Field(pattern=_POSITION, examples=["7421-9310"])]


class EventOut(BaseModel):
    """One event."""

    id: int
    position: str = Field(description="the position after this event", examples=["7421-9310"])
    occurred_at: datetime
    subject: str = Field(examples=["job.done"])
    agent_id: uuid.UUID | None
    agent: str | None = Field(description="the agent's username")
    name: Said = Field(description="the agent's name; empty for an event of no agent", examples=["Ada"])
    emoji: str = Field(description="of the agent's persona; empty without one")
    words: Said | None = Field(description="what happened, in words; null for an event that feeds leave out")
    url: str | None = Field(description="the page of what was published, for people; null for other events")
    job_id: uuid.UUID | None
    payload: Told


class EventPage(Page[EventOut]):
    """A page of events, newest first."""


class ActivityQuery(Paging):
    """Which events."""

    agent: AgentFilter | None = None
    job: uuid.UUID | None = None
    subject: Subjects = []
    since: Moment | None = None


class Following(BaseModel):
    """Events in the order in which they became facts, and the position from which to go on."""

    items: list[EventOut]
    next: str = Field(description="hand it back as `after`, also when there are no items yet", examples=["7421-9310"])


class After(Body):
    """From where, and how many."""

    after: Annotated[Where, Field(description="`next` of the answer before; 0-0 is before everything")] = "0-0"
    limit: Annotated[int, Field(ge=1, le=MOST, description="most events that are read; filters choose of these")] = 50
    agent: AgentFilter | None = None
    subject: Subjects = []


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
    position, agent_id = positions.read(which.after), lookup.agent_id(deps.db, which.agent)
    found = activity_queries.read_after(deps, position, exclude=withheld(who), limit=which.limit)
    wanted = [
        fact for fact in found
        if agent_id in (None, fact.agent_id)
        and (not which.subject or any(matches(fact.subject, pattern) for pattern in which.subject))
    ]  # fmt: skip
    return Following(items=_views(deps, wanted), next=positions.written(found[-1].position if found else position))


@router.get("/position", dependencies=[needs(Permission.FLEET_VIEW)])
def position_now(deps: TheDeps) -> Now:
    """Return the position of the latest event."""
    return Now(position=positions.written(activity_queries.tail(deps)))


def _views(deps: Deps, facts: list[Fact]) -> list[EventOut]:
    names = AgentNames(deps)
    names.load(facts)
    return [
        EventOut(
            id=fact.position.id, position=positions.written(fact.position), occurred_at=fact.occurred_at,
            subject=fact.subject, agent_id=fact.agent_id, agent=names.username(fact),
            job_id=fact.job_id, payload=dict(fact.payload), **names.in_words(fact),
        )
        for fact in facts
    ]  # fmt: skip
