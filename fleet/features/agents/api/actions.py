"""What programs have agents do: start, pause, resume, stop, trigger; one of them, or all at once."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.errors import InvalidInput
from fleet.engine.agents.queries import AgentFilter
from fleet.features.agents import bulk
from fleet.features.agents import commands as agent_commands
from fleet.features.agents.bulk import BulkAction, Selection
from fleet.features.agents.points import verbs
from fleet.features.agents.schema import ActionName
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.fields import AgentName, Body, Count, MovedOut, Reason, line, taken

router = APIRouter(prefix="/agents", tags=["agents"])

Controller = Annotated[Principal, needs(Permission.AGENTS_CONTROL)]


class AgentPauseIn(Body):
    """The reason of a pause, and its end."""

    reason: Reason = ""


class Trigger(Body):
    """The action that an agent is to do; without one it decides for itself."""

    action: ActionName | None = None


class Woken(BaseModel):
    """The tick that decides; its outcome is in the agent's decisions."""

    agent_id: uuid.UUID
    tick_no: int


class All(Body):
    """Which agents: all, or those of one persona."""

    persona: Annotated[str, line(60), Field(examples=["ai_artist"])] | None = None


class PauseAll(All):
    """Which agents to pause, and why."""

    reason: Reason = ""


@router.post("/start")
def start_all(deps: TheDeps, *, body: All, who: Controller) -> Count:
    """Start every idle agent, or those of one persona."""
    return Count(count=bulk.act_on_all(deps, BulkAction.START, persona_id=body.persona, by=who.by))


@router.post("/pause")
def pause_all(deps: TheDeps, *, body: PauseAll, who: Controller) -> Count:
    """Pause every running agent, or those of one persona."""
    number = bulk.act_on_all(deps, BulkAction.PAUSE, persona_id=body.persona, by=who.by, reason=body.reason)
    return Count(count=number)


@router.post("/resume", responses=ASKED)
def resume_all(deps: TheDeps, *, body: All, who: Controller) -> Count:
    """Resume every paused agent, or those of one persona."""
    which = bulk.all_of(deps, BulkAction.RESUME, body.persona)
    return Count(count=verbs.act_on_many(deps, who, which, BulkAction.RESUME))


@router.post("/stop")
def stop_all(deps: TheDeps, *, body: All, who: Controller) -> Count:
    """Stop every agent that is not idle, or those of one persona, and cancel their jobs that have not started."""
    return Count(count=bulk.act_on_all(deps, BulkAction.STOP, persona_id=body.persona, by=who.by))


class OwnerIn(Body):
    """Who is to own which agents; without a filter, none is changed."""

    owner: Annotated[str, line(60), Field(description="a user; empty for none")]
    agents: list[Annotated[str, line(60)]] | None = Field(None, max_length=500, description="usernames")
    persona: Annotated[str, line(60)] | None = None
    previous_owner: Annotated[str, line(60), Field(description="only agents of this user; empty: of nobody")] | None = (
        None
    )


@router.post("/assign", dependencies=[needs(Permission.AGENTS_EDIT)])
def assign(deps: TheDeps, *, body: OwnerIn) -> Count:
    """Give agents another owner; return how many had another one."""
    if body.agents is None and body.persona is None and body.previous_owner is None:
        raise InvalidInput("Which agents?", fix="Name agents, a persona or the previous owner.")
    which = AgentFilter(persona_id=body.persona, owner=body.previous_owner)
    usernames = None if body.agents is None else tuple(body.agents)
    return Count(count=bulk.assign(deps, Selection(which, usernames), body.owner))


@router.post("/{name}/start", dependencies=[needs(Permission.AGENTS_CONTROL)])
def start(deps: TheDeps, *, name: AgentName) -> MovedOut:
    """Start an agent."""
    return MovedOut(changed=agent_commands.start(deps, name))


@router.post("/{name}/pause")
def pause(deps: TheDeps, *, name: AgentName, body: AgentPauseIn, who: Controller) -> MovedOut:
    """Pause an agent until somebody resumes it."""
    return MovedOut(changed=agent_commands.pause(deps, name, by=who.by, reason=body.reason))


@router.post("/{name}/resume", responses=ASKED)
def resume(deps: TheDeps, *, name: AgentName, who: Controller) -> MovedOut:
    """Resume a paused agent and its waiting jobs."""
    return MovedOut(changed=verbs.resume(deps, who, name))


@router.post("/{name}/stop", dependencies=[needs(Permission.AGENTS_CONTROL)])
def stop(deps: TheDeps, *, name: AgentName) -> MovedOut:
    """Stop an agent and cancel its jobs that have not started."""
    return MovedOut(changed=agent_commands.stop(deps, name))


@router.post("/{name}/trigger", status_code=202)
def trigger(deps: TheDeps, *, name: AgentName, body: Trigger, who: Controller) -> Woken:
    """Wake an agent now, for one action or for any. Caps, pauses and the kill switch apply as in every tick."""
    return taken(Woken, agent_commands.trigger(deps, name, action=body.action, by=who.by))
