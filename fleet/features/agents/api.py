"""Agents for programs: the list, one of them, and its settings. `api_actions` starts, pauses and stops them."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from fleet.access import Permission, Principal
from fleet.engine import registry
from fleet.engine.agents import commands, config, lookup
from fleet.engine.agents.models import AgentRow, AgentStatus
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.registry import AUTONOMOUS
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import queries as agent_views
from fleet.features.agents.commands import GALLERY
from fleet.features.agents.schema import (
    AgentAutonomy,
    Autonomy,
    CharacterChanges,
    ModeChanges,
    ModeSettings,
    NewCharacter,
    NewWeights,
    Totals,
)
from fleet.features.personas.api import CharacterOut, TickIntervalOut, WeightsOut
from fleet.web.auth import TheDeps, needs
from fleet.web.middleware import etags
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import AgentName, Body, Json, Said, line, taken, whole

router = APIRouter(prefix="/agents", tags=["agents"])

_LONGEST_S = 2_592_000
_IF_MATCH = "the `ETag` that you have seen: 412 if its settings were changed since; its own ticks do not count"
IfMatch = Annotated[str | None, Header(max_length=1000, description=_IF_MATCH)]


class NewInterval(Body):
    """Least and most seconds between two ticks."""

    min: Annotated[int, whole(1, _LONGEST_S)] = 60
    max: Annotated[int, whole(1, _LONGEST_S)] = 300


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
    config: dict[str, Any] = Field(description="all settings of its kind, those of its modes included")
    surface: str
    owner: str
    tick_no: int
    next_tick_at: datetime | None
    paused_until: datetime | None
    pause_reason: str | None
    current_action: str | None
    last_action_at: datetime | None
    last_thought: Said | None
    totals: Totals
    created_at: datetime
    updated_at: datetime


class AgentPage(Page[Agent]):
    """A page of agents, by username."""


class AgentQuery(Paging):
    """Which agents."""

    persona: Annotated[str, line(60)] | None = None
    status: AgentStatus | None = None
    autonomy: Autonomy | None = None
    text: Annotated[str, line(100), Field(description="part of the name or the username")] | None = None


class AgentIn(NewCharacter):
    """An agent to be created. With a persona it starts with the persona's character, weights and pace.

    `config` has the settings of its kind; missing ones take the kind's default.
    """

    username: Annotated[str, Field(pattern="^[a-z0-9_]{3,30}$", examples=["ada_lovelace"])]
    name: Annotated[str, line(100, least=1), Field(examples=["Ada"])]
    persona: Annotated[str, line(60), Field(examples=["ai_artist"])] | None = None
    weights: NewWeights | None = None
    interval_s: NewInterval | None = None
    surface: Annotated[str, line(40, least=1), Field(examples=["floimg"])] | None = None
    account: (
        Annotated[str, line(40, least=1), Field(description="its main account; the settings' if left out")] | None
    ) = None
    kind: Annotated[str, line(20, least=1), Field(examples=["gallery"])] = GALLERY
    config: Json | None = None


class AgentChanges(ModeChanges, CharacterChanges):
    """The settings to change; missing ones stay."""

    # The defaults are never used: only given fields are read.
    name: Annotated[str, line(100, least=1)] = Field(default_factory=str)
    persona: Annotated[str, line(60)] | None = None
    weights: NewWeights = Field(default_factory=NewWeights)
    interval_s: NewInterval = Field(default_factory=NewInterval)
    autonomy: Autonomy = Field(default_factory=lambda: AUTONOMOUS)
    config: Json = Field(default_factory=dict)


def view(row: AgentRow) -> Agent:
    """Return an agent as programs see it."""
    return taken(
        Agent, row, persona=row.persona_id,
        weights=WeightsOut(**agent_views.weights(row)),
        interval_s=TickIntervalOut(min=row.min_interval_s, max=row.max_interval_s),
        totals=Totals(**agent_views.totals(row)), config=config.values(row.kind, row.config),
        **agent_views.mode_config(row),
    )  # fmt: skip


def _told(row: AgentRow, response: Response) -> Agent:
    response.headers["etag"] = f'"{commands.version_of(row)}"'
    return view(row)


@router.get("", dependencies=[needs(Permission.AGENTS_VIEW)])
def list_agents(deps: TheDeps, *, which: Annotated[AgentQuery, Query()]) -> AgentPage:
    """Return a page of agents, by username."""
    wanted = AgentFilter(
        status=which.status, persona_id=which.persona, autonomy=which.autonomy, text=which.text or None
    )
    found = agent_views.agents_after(deps, wanted, after=which.place(cursors.word), limit=which.one_more)
    rows, following = which.page(found, lambda row: row.username)
    return AgentPage(items=[view(row) for row in rows], next=following)


@router.post("", status_code=201)
def create(deps: TheDeps, response: Response, *, body: AgentIn,
           who: Annotated[Principal, needs(Permission.AGENTS_EDIT)]) -> Agent:  # fmt: skip
    """Create an idle agent; `start` starts it."""
    new = agent_commands.draft(
        deps, username=body.username, name=body.name, persona_id=body.persona, by=who.by, kind=body.kind
    )
    given = body.model_dump(include={"surface"}, exclude_none=True)
    given["character"] = new.character.changed(body.model_dump(exclude_none=True))
    if body.weights is not None:
        sent, of_kind = body.weights.model_dump(), registry.current().weights(body.kind, {})
        given["weights"] = {
            name: weight for name, weight in sent.items() if name in of_kind or name in body.weights.model_fields_set
        }
    if body.config is not None:
        given["config"] = {**new.config, **body.config}
    if body.interval_s is not None:
        given |= {"min_interval_s": body.interval_s.min, "max_interval_s": body.interval_s.max}
    new = replace(new, **given)
    if body.account is not None:
        new = agent_commands.through(deps, new, body.account)
    agent_commands.create(deps, new)
    response.headers["location"] = f"/api/v1/agents/{body.username}"
    return _told(lookup.agent(deps.db, body.username), response)


@router.get("/{name}", dependencies=[needs(Permission.AGENTS_VIEW)])
def show(deps: TheDeps, response: Response, *, name: AgentName) -> Agent:
    """Return one agent. Send its `ETag` as `If-Match` to change it."""
    return _told(lookup.agent(deps.db, name), response)


@router.patch("/{name}", dependencies=[needs(Permission.AGENTS_EDIT)])
def change(deps: TheDeps, response: Response, *, name: AgentName, body: AgentChanges,
           if_match: IfMatch = None) -> Agent:  # fmt: skip
    """Change an agent's settings."""
    given = body.model_dump(exclude_unset=True)
    if "persona" in given:
        given["persona_id"] = given.pop("persona")
    given |= given.pop("config", {})
    given |= {f"{action}_weight": weight for action, weight in given.pop("weights", {}).items()}
    given |= {f"{end}_interval_s": seconds for end, seconds in given.pop("interval_s", {}).items()}
    agent_commands.update(deps, name, given, seen=etags.versions(if_match))
    return _told(lookup.agent(deps.db, name), response)


@router.delete("/{name}", status_code=204)
def delete(deps: TheDeps, *, name: AgentName, who: Annotated[Principal, needs(Permission.AGENTS_EDIT)]) -> None:
    """Delete an agent and its account on the surface. Its history stays."""
    agent_commands.delete(deps, name, by=who.by)
