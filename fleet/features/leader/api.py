"""Teams for programs: /api/v1/team."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.leader import queries, service, stopping
from fleet.features.leader.kinds import MessagePriority, MessageType
from fleet.features.leader.queries import MessageFilter, MessageView, TeamView
from fleet.features.leader.stopping import StopScope
from fleet.features.leader.strategies import service as strategies
from fleet.web.auth import TheDeps, needs, require
from fleet.web.openapi import ASKED
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, MovedOut, line, prose, taken

router = APIRouter(prefix="/team", tags=["team"])
VIEW = needs(Permission.FLEET_VIEW)
Crew = Annotated[Principal, needs(Permission.AGENTS_CONTROL)]
Pauser = Annotated[Principal, needs(Permission.CONTROLS_PAUSE)]
OrganisationFilter = Annotated[str, line(60), Field(description="name or id of an organisation")]


class ScorePartOut(BaseModel):
    """A part of a score."""

    part: str = Field(examples=["engagement"])
    points: float | None = Field(description="null: there is no data; `words` says which is missing")
    most: int
    words: str


class NetworkOut(BaseModel):
    """The score of a network."""

    network: str
    title: str
    points: float | None = Field(description="0 to 100; null without any data")
    covered: int = Field(description="the points that the available data could give; 100 when nothing is missing")
    band: str | None = Field(description="excellent, good, average, poor or very_poor: the band of its engagement")
    parts: list[ScorePartOut]
    missing: list[str]
    earlier: list[float | None] = Field(description="scores of the last coordinations, oldest first")


class MemberOut(BaseModel):
    """An agent of a team."""

    id: uuid.UUID
    username: str
    name: str
    network: str
    status: str
    answer: str | None = Field(description="its newest answer about its status")
    answered_at: datetime | None


class TeamFindingOut(BaseModel):
    """Something about a team that people have to know."""

    id: uuid.UUID
    kind: str = Field(description="lowest_band, dead_letters, account_stopped, budget or brand")
    words: str
    agent: str | None
    job_id: uuid.UUID | None
    since: datetime


class TeamOut(BaseModel):
    """The agents of platforms of an organisation, and the scores of their networks."""

    organisation_id: uuid.UUID
    organisation: str
    number: int = Field(description="of the newest coordination; 0 before the first")
    asked_at: datetime | None
    asked: int
    answered: int
    scored_at: datetime | None
    since: datetime | None = Field(description="the beginning of the period of the scores")
    next_at: datetime | None
    networks: list[NetworkOut]
    members: list[MemberOut]
    findings: list[TeamFindingOut] = Field(description="those that are open, newest first")


class TeamList(BaseModel):
    """Every team."""

    items: list[TeamOut]


class TeamQuery(BaseModel):
    """Which teams."""

    organisation: OrganisationFilter = ""


class MessageOut(BaseModel):
    """A message to an agent. Its id is that of its job."""

    id: uuid.UUID
    type: MessageType
    priority: MessagePriority
    agent: str
    network: str
    sender: str
    note: str
    state: str = Field(description="the state of its job; done: it is answered")
    answer: str | None
    sent_at: datetime
    answered_at: datetime | None
    expires_at: datetime


class MessagePage(Page[MessageOut]):
    """A page of messages, newest first."""


class MessageQuery(Paging):
    """Which messages."""

    agent: Annotated[str, line(60)] | None = None
    network: Annotated[str, line(40)] | None = None
    type: MessageType | None = None


class StrategyOut(BaseModel):
    """A change of an agent's strategy."""

    id: uuid.UUID
    agent: str
    network: str
    version: int = Field(description="of the agent's strategy")
    kind: str = Field(description="hours, frequency or formats")
    setting: str = Field(description="the setting of the agent that it changes")
    before: str = Field(description="empty: the default of the network")
    after: str
    words: str
    evidence: dict[str, Any] = Field(description="since, until, and the figures with their sample sizes")
    state: str = Field(description="proposed, applied, overtaken (a person changed the setting meanwhile) or undone")
    decided_at: datetime
    ended_at: datetime | None
    undone_by: str | None


class StrategyPage(Page[StrategyOut]):
    """A page of changes, newest first."""


class StrategyQuery(Paging):
    """Which changes."""

    agent: Annotated[str, line(60)] = ""


class MessageIn(Body):
    """A message to an agent, or to all agents of a network."""

    type: MessageType
    to: Annotated[str, line(60, least=1), Field(description="username or id of an agent, or a network")]
    note: Annotated[str, prose(service.LONGEST_NOTE)] = ""
    priority: MessagePriority | None = Field(None, description="by default high, as everything that people ask for")


class SentOut(BaseModel):
    """The messages that were sent."""

    ids: list[uuid.UUID]


class EmergencyStopIn(Body):
    """What to stop."""

    scope: StopScope
    key: Annotated[
        str, line(100), Field(description="name of the agent, account, network ...; empty for the fleet")
    ] = ""
    reason: Annotated[str, prose(300)] = ""


class EmergencyStopOut(BaseModel):
    """The result of an emergency stop."""

    scope: StopScope
    key: str
    changed: bool = Field(description="false: all of it was stopped already")
    agents: int
    in_flight: int = Field(description="writes that had begun before and may still land")
    resume: list[str] = Field(description="the commands that end the stop")


@router.post("/stop")
def stop(deps: TheDeps, *, body: EmergencyStopIn, who: Pauser) -> EmergencyStopOut:
    """Forbid every write of a scope, at once; the fleet takes `controls.kill`."""
    require(who, stopping.permission_of(body.scope))
    return taken(EmergencyStopOut, stopping.stop(deps, body.scope, body.key, by=who.by, reason=body.reason))


@router.get("", dependencies=[VIEW])
def list_teams(deps: TheDeps, *, which: Annotated[TeamQuery, Query()]) -> TeamList:
    """Return the teams with the scores of their networks."""
    return TeamList(items=[team_out(one) for one in teams_of(deps, which.organisation)])


def teams_of(deps: Deps, organisation: str) -> list[TeamView]:
    """Return the teams, or that of one organisation. Raises NotFound."""
    return [queries.team(deps, organisation)] if organisation else queries.teams(deps)


def team_out(one: TeamView) -> TeamOut:
    """Return a team as the API shows it."""
    networks = [
        taken(NetworkOut, found, parts=[ScorePartOut(**part) for part in found.parts]) for found in one.networks
    ]
    members = [taken(MemberOut, member) for member in one.members]
    return taken(TeamOut, one, networks=networks, members=members,
                 findings=[taken(TeamFindingOut, found) for found in one.findings])  # fmt: skip


@router.post("/coordinate")
def coordinate(deps: TheDeps, *, who: Crew) -> MovedOut:
    """Have the leader coordinate every team now."""
    service.coordinate(deps, by=who.by)
    return MovedOut(changed=True)


@router.get("/strategies", dependencies=[VIEW])
def list_strategy_changes(deps: TheDeps, *, which: Annotated[StrategyQuery, Query()]) -> StrategyPage:
    """Return a page of the changes of strategies with their evidence, newest first."""
    with which.continued():
        found = strategies.listed(deps, agent=which.agent, limit=which.one_more, below=which.place(uuid.UUID))
    items, following = which.page(found, lambda one: one.id)
    return StrategyPage(items=[taken(StrategyOut, one) for one in items], next=following)


@router.post("/strategies/{change_id}/undo", responses=ASKED)
def undo_strategy_change(deps: TheDeps, change_id: uuid.UUID, *, who: Crew) -> StrategyOut:
    """Restore what a change of a strategy replaced; may need an approval."""
    return taken(StrategyOut, verbs.perform(deps, who, "strategy", "undo", change=str(change_id)))


@router.get("/messages", dependencies=[VIEW])
def list_messages(deps: TheDeps, *, which: Annotated[MessageQuery, Query()]) -> MessagePage:
    """Return a page of messages to agents with their answers, newest first."""
    found, following = message_page(deps, which)
    return MessagePage(items=[taken(MessageOut, one) for one in found], next=following)


def message_page(deps: Deps, which: MessageQuery) -> tuple[list[MessageView], str | None]:
    """Return the messages of a page, and the cursor of the next one."""
    filtered = MessageFilter(which.agent, which.network, which.type)
    with which.continued():
        found = queries.messages(deps, filtered, limit=which.one_more, below=which.place(uuid.UUID))
    items, following = which.page(found, lambda one: one.id)
    return list(items), following


@router.get("/messages/{message_id}", dependencies=[VIEW])
def show_message(deps: TheDeps, message_id: uuid.UUID) -> MessageOut:
    """Return one message with its answer."""
    return taken(MessageOut, queries.message(deps, message_id))


@router.post("/messages", status_code=201)
def send_message(deps: TheDeps, *, body: MessageIn, who: Crew) -> SentOut:
    """Ask an agent, or all agents of a network, for their status or for content."""
    values: dict[str, Any] = body.model_dump()
    return SentOut(ids=service.send(deps, values.pop("type"), by=who.by, **values))
