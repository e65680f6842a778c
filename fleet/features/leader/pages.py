"""The pages of teams: scores of networks, members, messages."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.points import verbs
from fleet.features.leader import service, stopping
from fleet.features.leader.api import VIEW, Crew, MessageQuery, Pauser, TeamQuery, message_page, teams_of
from fleet.features.leader.kinds import MessagePriority, MessageType
from fleet.features.leader.stopping import StopScope
from fleet.features.leader.strategies import service as strategies
from fleet.features.platforms.networks import NETWORKS
from fleet.web.auth import TheDeps, require
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()


class FilledMessage(BaseModel):
    """The typed values in the form of a message."""

    type: str = Field("", max_length=20)
    to: str = Field("", max_length=60)
    note: str = Field("", max_length=service.LONGEST_NOTE)
    priority: str = Field("", max_length=10)


class FilledStop(BaseModel):
    """The typed values in the form of an emergency stop."""

    scope: str = Field("", max_length=20)
    key: str = Field("", max_length=100)
    reason: str = Field("", max_length=300)


@router.get("/team", dependencies=[VIEW])
def team(request: Request, deps: TheDeps, which: Annotated[TeamQuery, Query()]) -> Response:
    """Show the scores of networks and the members of each team."""
    found = teams_of(deps, which.organisation)
    changes = {one.organisation_id: strategies.listed(deps, organisation_id=one.organisation_id, limit=20)
               for one in found}  # fmt: skip
    return render(request, "leader/team.html", teams=found, changes=changes, which=which, scopes=StopScope)


@router.post("/team/strategies/{change_id}/undo")
def undo(request: Request, deps: TheDeps, change_id: uuid.UUID, who: Crew) -> Response:
    """Restore what a change of a strategy replaced."""
    try:
        verbs.perform(deps, who, "strategy", "undo", change=str(change_id))
    except FleetError as error:
        return go(request, "/team", str(error), wrong=True)
    return go(request, "/team", "The agent has its earlier strategy again.")


@router.post("/team/coordinate")
def coordinate(request: Request, deps: TheDeps, who: Crew) -> Response:
    """Have the leader coordinate every team now."""
    try:
        service.coordinate(deps, by=who.by)
    except FleetError as error:
        return go(request, "/team", str(error), wrong=True)
    return go(request, "/team", "The team leader asks all agents for their status.")


@router.post("/team/stop")
def stop(request: Request, deps: TheDeps, who: Pauser, filled: Annotated[FilledStop, Form()]) -> Response:
    """Forbid every write of a scope, at once."""
    try:
        if filled.scope not in {*StopScope}:
            raise InvalidInput("Choose what to stop.", fix="Nothing is chosen at first.")
        scope = StopScope(filled.scope)
        require(who, stopping.permission_of(scope))
        done = stopping.stop(deps, scope, filled.key, by=who.by, reason=filled.reason)
    except FleetError as error:
        return go(request, "/team", str(error), kept=KeptForm("stop", "key", filled.model_dump()))
    begun = f" {done.in_flight} had begun before and may still land." if done.in_flight else ""
    ends = "The campaign's page" if scope is StopScope.CAMPAIGN else "Controls"
    return go(request, "/team", f"Stopped: no write of {done.agents} agents begins.{begun} {ends} ends the stop.")


@router.get("/team/messages", dependencies=[VIEW])
def messages(request: Request, deps: TheDeps, which: Annotated[MessageQuery, Query()]) -> Response:
    """Show the messages between the leader, people and agents, newest first."""
    found, following = message_page(deps, which)
    return render(
        request, "leader/messages.html", messages=found, next=following, which=which, types=MessageType,
        asked=service.ASKED_BY_PEOPLE, priorities=MessagePriority, networks=NETWORKS,
    )  # fmt: skip


@router.post("/team/messages")
def send(request: Request, deps: TheDeps, who: Crew, filled: Annotated[FilledMessage, Form()]) -> Response:
    """Send a message to an agent, or to all agents of a network."""
    try:
        sent = service.send(
            deps, MessageType(filled.type) if filled.type in {*MessageType} else MessageType.STATUS_REQUEST, filled.to,
            by=who.by, note=filled.note,
            priority=MessagePriority(filled.priority) if filled.priority in {*MessagePriority} else None,
        )  # fmt: skip
    except FleetError as error:
        return go(request, "/team/messages", str(error), kept=KeptForm("message", "to", filled.model_dump()))
    return go(request, "/team/messages", f"{len(sent)} sent.")
