"""Agents for programs: the list, one of them, and its settings. `actions` starts, pauses and stops them."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fleet.access import Permission, Principal
from fleet.engine import registry
from fleet.engine.agents import commands, config, lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.registry import AUTONOMOUS
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import queries as agent_views
from fleet.features.agents.kinds import GALLERY
from fleet.features.agents.limits import (
    LEAST_INTERVAL_S,
    LONGEST_NAME,
    LONGEST_REFERENCE,
    MOST_INTERVAL_S,
    USERNAME,
)
from fleet.features.agents.schema import (
    AgentAutonomy,
    Autonomy,
    CharacterChanges,
    Kind,
    ModeChanges,
    ModeSettings,
    NewCharacter,
    NewWeights,
    Summaries,
    Totals,
)
from fleet.features.personas.api import CharacterOut, RealIntervalOut, TickIntervalOut, WeightsOut, real_interval
from fleet.web import links
from fleet.web.auth import TheDeps, needs, require
from fleet.web.middleware import etags
from fleet.web.openapi import ASKED
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import AgentName, Body, Json, Said, line, taken, whole

router = APIRouter(prefix="/agents", tags=["agents"])

_IF_MATCH = "the `ETag` that you have seen: 412 if its settings were changed since; its own ticks do not count"
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
A = TypeVar("A", bound="Agent")
IfMatch = Annotated[str | None, Header(max_length=1000, description=_IF_MATCH)]


def _username(given: str) -> str:
    if not re.fullmatch(USERNAME, given):
        raise ValueError("should be 3 to 30 of a-z, 0-9 and _")
    return given


class NewInterval(Body):
    """Least and most seconds between two ticks."""

    min: Annotated[int, whole(LEAST_INTERVAL_S, MOST_INTERVAL_S)] = 60
    max: Annotated[int, whole(LEAST_INTERVAL_S, MOST_INTERVAL_S)] = 300


class Agent(ModeSettings, CharacterOut):
    """One agent: identity, character, schedule and current action."""

    id: uuid.UUID
    username: str = Field(examples=["ada_lovelace"])
    name: str = Field(examples=["Ada"])
    kind: str
    persona: str | None = Field(examples=["ai_artist"])
    status: AgentStatus
    autonomy: AgentAutonomy
    weights: WeightsOut
    interval_s: TickIntervalOut
    real_interval_s: RealIntervalOut
    config: dict[str, Any] = Field(description="all settings of its kind, those of its modes included")
    surface: str
    owner: str = Field(description="the user who is told; empty without one")
    tick_no: int
    next_tick_at: datetime | None
    paused_until: datetime | None
    pause_reason: str | None
    current_action: str | None
    last_action_at: datetime | None
    last_thought: Said | None
    totals: Totals
    remote_account: str | None = Field(description="its id at its main account; null until it has one")
    url: str | None = Field(description="its profile at the surface, for people; null until it is known there")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class WholeAgent(Summaries, Agent):
    """One agent, with what features know about it."""


class AgentPage(Page[Agent]):
    """A page of agents, by username."""


class AgentQuery(Paging):
    """Which agents."""

    persona: Annotated[str, line(60)] | None = None
    status: AgentStatus | None = None
    kind: Kind | None = None
    autonomy: Autonomy | None = None
    owner: Annotated[str, line(60), Field(description="the user who owns it; empty: nobody")] | None = None
    text: Annotated[str, line(100), Field(description="part of the name or the username")] | None = None
    deleted: bool = Field(False, description="also deleted agents")


class ShowQuery(BaseModel):
    """Whether a deleted agent counts."""

    model_config = ConfigDict(extra="forbid")

    deleted: bool = Field(False, description="also a deleted agent")


class AgentIn(ModeChanges, NewCharacter):
    """An agent to be created. With a persona it starts with the persona's character, weights and pace.

    `config` has the settings of its kind; missing ones take the kind's default. `start` also needs
    `agents.control`; `hours` and `timezone` need `settings.edit`.
    """

    username: Annotated[
        str, AfterValidator(_username), Field(json_schema_extra={"pattern": f"^{USERNAME}$"}, examples=["ada_lovelace"])
    ]
    name: Annotated[str, line(LONGEST_NAME, least=1), Field(examples=["Ada"])]
    persona: Annotated[str, line(60), Field(examples=["ai_artist"])] | None = None
    weights: NewWeights | None = None
    interval_s: NewInterval | None = None
    surface: Annotated[str, line(LONGEST_REFERENCE, least=1), Field(examples=["floimg"])] | None = None
    account: (
        Annotated[str, line(LONGEST_REFERENCE, least=1), Field(description="by default that of the settings")] | None
    ) = None
    organisation: (
        Annotated[str, line(60), Field(description="by default the caller's own, or the default one")] | None
    ) = None
    kind: Annotated[str, line(20, least=1), Field(examples=["gallery"])] = GALLERY
    autonomy: Autonomy = AUTONOMOUS
    owner: (
        Annotated[str, line(60), Field(description="a user; by default the caller, if they may own agents")] | None
    ) = None
    config: Json | None = None
    hours: Annotated[str, line(200)] | None = Field(
        None, description="local hours in which it is awake; by default its persona's", examples=["9-17,20-22"]
    )
    timezone: Annotated[str, line(60)] | None = Field(
        None, description="time zone of its hours", examples=["Europe/Berlin"]
    )
    start: bool = Field(False, strict=True, description="start it too; otherwise it is idle")

    @property
    def settings(self) -> dict[str, str]:
        """The settings that it has of its own."""
        given = {"agent_timezone": self.timezone, "agent_hours": self.hours}
        return {name: value for name, value in given.items() if value}


class AgentChanges(ModeChanges, CharacterChanges):
    """The settings to change; missing ones stay."""

    # The defaults are never used: only given fields are read.
    name: Annotated[str, line(LONGEST_NAME, least=1)] = Field(default_factory=str)
    persona: Annotated[str, line(60)] | None = None
    weights: NewWeights = Field(default_factory=NewWeights)
    interval_s: NewInterval = Field(default_factory=NewInterval)
    autonomy: Autonomy = Field(default_factory=lambda: AUTONOMOUS)
    owner: Annotated[str, line(60), Field(description="a user; empty for none")] = Field(default_factory=str)
    config: Json = Field(default_factory=dict)


def _view(model: type[A], deps: Deps, row: AgentRow, **more: Any) -> A:
    """Return an agent as programs see it."""
    return taken(
        model, row, persona=row.persona_id,
        weights=WeightsOut(**agent_views.weights(row)),
        interval_s=TickIntervalOut(min=row.min_interval_s, max=row.max_interval_s),
        real_interval_s=real_interval(deps, row.min_interval_s, row.max_interval_s),
        totals=Totals(**agent_views.totals(row)), url=links.url_of_agent(deps, row),
        config=config.values(row.kind, row.config),
        **agent_views.mode_config(row), **more,
    )  # fmt: skip


def _whole(deps: Deps, row: AgentRow, who: Principal, response: Response) -> WholeAgent:
    """Return one agent with the version of its settings as its ETag."""
    response.headers["etag"] = f'"{commands.version_of(row)}"'
    summaries = {one.name: registry.load(one.agent_summary) for one in registry.current() if one.agent_summary}
    return _view(WholeAgent, deps, row, **{name: model.of(deps, row, who) for name, model in summaries.items()})


@router.get("", dependencies=[needs(Permission.AGENTS_VIEW)])
def list_agents(deps: TheDeps, *, which: Annotated[AgentQuery, Query()]) -> AgentPage:
    """Return a page of agents, by username."""
    wanted = AgentFilter(
        status=which.status, persona_id=which.persona, kind=which.kind, autonomy=which.autonomy,
        owner=which.owner, text=which.text or None, include_deleted=which.deleted,
    )  # fmt: skip
    found = agent_views.agents_after(deps, wanted, after=which.place(cursors.word), limit=which.one_more)
    rows, following = which.page(found, lambda row: row.username)
    return AgentPage(items=[_view(Agent, deps, row) for row in rows], next=following)


@router.post("", status_code=201)
def create(deps: TheDeps, response: Response, *, body: AgentIn,
           who: Editor) -> WholeAgent:  # fmt: skip
    """Create an agent, idle unless `start` is set."""
    if body.start:
        require(who, Permission.AGENTS_CONTROL)
    if body.settings:
        require(who, Permission.SETTINGS_EDIT)
    new = agent_commands.draft(
        deps, username=body.username, name=body.name, persona_id=body.persona, by=who.by, kind=body.kind
    )
    given = body.model_dump(include={"surface", "owner"}, exclude_none=True)
    given["character"] = new.character.changed(body.model_dump(exclude_none=True))
    if body.weights is not None:
        sent, of_kind = body.weights.model_dump(), registry.current().weights(body.kind, {})
        given["weights"] = {
            name: weight for name, weight in sent.items() if name in of_kind or name in body.weights.model_fields_set
        }
    modes = body.model_dump(include={*ModeChanges.model_fields} & body.model_fields_set)
    given |= {"config": {**new.config, **(body.config or {}), **modes}, "autonomy": body.autonomy}
    if body.interval_s is not None:
        given |= {"min_interval_s": body.interval_s.min, "max_interval_s": body.interval_s.max}
    new = replace(new, **given)
    if body.account is not None:
        new = agent_commands.through(deps, new, body.account)
    if body.organisation is not None:
        new = agent_commands.within(deps, new, body.organisation)
    agent_commands.create_with(deps, new, body.settings, by=who.by, starts=body.start)
    response.headers["location"] = f"/api/v1/agents/{body.username}"
    return _whole(deps, lookup.agent(deps.db, body.username), who, response)


@router.get("/{name}")
def show(deps: TheDeps, response: Response, *, name: AgentName, which: Annotated[ShowQuery, Query()],
         who: Annotated[Principal, needs(Permission.AGENTS_VIEW)]) -> WholeAgent:  # fmt: skip
    """Return one agent. Send its `ETag` as `If-Match` to change it."""
    return _whole(deps, lookup.agent(deps.db, name, include_deleted=which.deleted), who, response)


@router.patch("/{name}")
def change(deps: TheDeps, response: Response, *, name: AgentName, body: AgentChanges, who: Editor,
           if_match: IfMatch = None) -> WholeAgent:  # fmt: skip
    """Change an agent's settings."""
    given = body.model_dump(exclude_unset=True)
    if "persona" in given:
        given["persona_id"] = given.pop("persona")
    given |= given.pop("config", {})
    given |= {f"{action}_weight": weight for action, weight in given.pop("weights", {}).items()}
    given |= {f"{end}_interval_s": seconds for end, seconds in given.pop("interval_s", {}).items()}
    agent_commands.update(deps, name, given, seen=etags.versions(if_match))
    return _whole(deps, lookup.agent(deps.db, name), who, response)


@router.delete("/{name}", status_code=204, responses=ASKED)
def delete(deps: TheDeps, *, name: AgentName, who: Editor) -> None:
    """Delete an agent and its account on the surface. Its history stays."""
    verbs.perform(deps, who, "agent", "delete", agent=name)
