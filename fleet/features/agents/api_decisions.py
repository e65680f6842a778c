"""The decision log: an agent's ticks, and replays of recorded decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.agents import lookup
from fleet.features.agents import decisions
from fleet.web.auth import TheDeps, decided_for, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import LARGEST_ID, Page, Paging
from fleet.web.requests.fields import AgentName, Said, Told, taken

router = APIRouter(prefix="/agents/{name}/decisions", tags=["decisions"])

TickNo = Annotated[int, Path(ge=0, le=LARGEST_ID, description="the number of the tick")]
Viewer = Annotated[Principal, needs(Permission.AGENTS_VIEW)]


class Scanned(BaseModel):
    """The result of a scan."""

    new: int
    drafts: int
    left_out: dict[str, int] = Field(default_factory=dict, description="posts that were not looked at, by why")


class DecisionOut(BaseModel):
    """One tick: what the agent decided, and how long that took. Without an outcome it is open, or was skipped."""

    tick_no: int
    state: str
    due_at: datetime
    decided_at: datetime | None
    asked_for: str | None
    requested_by: str | None
    duration_ms: int | None
    outcome: Told | None = Field(description="of one about webhooks, what it did alone, to those who may not see them")
    error: Said | None
    scan: Scanned | None = Field(None, description="of one that led to a look at a feed: what that came to")


class WholeDecision(DecisionOut):
    """One tick with all that the agent saw."""

    inputs: Told | None = Field(description="empty where that is told only to those who see webhooks")


class DecisionPage(Page[DecisionOut]):
    """A page of an agent's decisions, newest first."""


class ReplayOut(BaseModel):
    """The recorded decision, and the one that the same inputs and random numbers give now."""

    then: Told
    now: Told
    same: bool = Field(description="false where the rules have changed since")


@router.get("")
def list_decisions(deps: TheDeps, *, name: AgentName, which: Annotated[Paging, Query()], who: Viewer) -> DecisionPage:
    """Return a page of an agent's decisions, newest first."""
    above = which.place(cursors.number, of=name)
    agent = lookup.agent(deps.db, name, include_deleted=True)
    found = decisions.decisions_before(deps, str(agent.id), before=above, limit=which.one_more)
    rows, following = which.page(found, lambda row: row.tick_no, of=name)
    scans = decisions.scans(deps, rows)
    items = [
        taken(DecisionOut, row, outcome=decided_for(who, agent, row.outcome), scan=scans.get(row.tick_no))
        for row in rows
    ]
    return DecisionPage(items=items, next=following)


@router.get("/{tick_no}")
def show(deps: TheDeps, *, name: AgentName, tick_no: TickNo, who: Viewer) -> WholeDecision:
    """Return one decision with all its inputs."""
    agent = lookup.agent(deps.db, name, include_deleted=True)
    row = decisions.decision(deps, str(agent.id), tick_no)
    return taken(
        WholeDecision, row, outcome=decided_for(who, agent, row.outcome), inputs=decided_for(who, agent, row.inputs),
        scan=decisions.scans(deps, [row]).get(row.tick_no),
    )  # fmt: skip


@router.get("/{tick_no}/replay", responses={409: {}})
def replay(deps: TheDeps, *, name: AgentName, tick_no: TickNo, who: Viewer) -> ReplayOut:
    """Repeat a decision from its recorded inputs, without effects."""
    agent = lookup.agent(deps.db, name, include_deleted=True)
    then, now = decisions.replay_decision(deps, str(agent.id), tick_no)
    told_then, told_now = decided_for(who, agent, then) or {}, decided_for(who, agent, now) or {}
    return ReplayOut(then=told_then, now=told_now, same=then == now)
