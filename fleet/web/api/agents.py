"""Agents for programs."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.agents.models import AgentRow
from fleet.runtime import people
from fleet.web.gate import TheDeps, needs

router = APIRouter(prefix="/agents", tags=["agents"])
Name = Annotated[str, Path(max_length=60, description="username or id")]


class Agent(BaseModel):
    """One agent."""

    id: uuid.UUID
    username: str
    name: str
    kind: str
    persona: str | None
    status: str
    autonomy: str
    next_tick_at: datetime | None
    last_action_at: datetime | None


def view(row: AgentRow) -> Agent:
    """Return an agent as programs see it."""
    return Agent(
        id=row.id, username=row.username, name=row.name, kind=row.kind, persona=row.persona_id, status=row.status,
        autonomy=row.autonomy, next_tick_at=row.next_tick_at, last_action_at=row.last_action_at,
    )  # fmt: skip


class Pause(BaseModel):
    """Why an agent is to rest."""

    reason: str = Field("", max_length=200)


class Moved(BaseModel):
    """Whether something changed; false if it was so already."""

    changed: bool


@router.get("/{name}", dependencies=[needs(Permission.AGENTS_VIEW)])
def show(name: Name, deps: TheDeps) -> Agent:
    """Return one agent."""
    return view(people.get_agent(deps, name))


@router.post("/{name}/pause")
def pause(name: Name, body: Pause, deps: TheDeps,
          who: Annotated[Principal, needs(Permission.AGENTS_CONTROL)]) -> Moved:  # fmt: skip
    """Let an agent rest until somebody resumes it."""
    return Moved(changed=people.pause(deps, name, by=who.by, reason=body.reason))
