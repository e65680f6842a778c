"""The decision log: an agent's ticks, and replays of recorded decisions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.jobs.models import TickRow
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
    dropped: dict[str, int] = Field(default_factory=dict, description="proposals that became no draft, by reason")
    left_out: dict[str, int] = Field(default_factory=dict, description="posts that the scan left out, by reason")
    text: str = Field("", description="the same in words")


class DecisionOut(BaseModel):
    """One tick: what the agent decided, and how long that took. Without an outcome it is open, or was skipped."""

    agent_id: uuid.UUID
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

    inputs: Told | None = Field(description="empty if they are shown only to users who see webhooks")


class DecisionPage(Page[WholeDecision | DecisionOut]):
    """A page of an agent's decisions, newest first."""


class DecisionQuery(Paging):
    """What of the decisions."""

    inputs: bool = Field(False, description="also all that the agent saw")


class ReplayOut(BaseModel):
    """The recorded decision, and the one that the same inputs and random numbers give now."""

    then: Told
    now: Told
    same: bool = Field(description="false where the rules have changed since")


@router.get("")
def list_decisions(deps: TheDeps, *, name: AgentName, which: Annotated[DecisionQuery, Query()],
                   who: Viewer) -> DecisionPage:  # fmt: skip
    """Return a page of an agent's decisions, newest first."""
    above = which.place(cursors.number, of=name)
    agent = lookup.agent(deps.db, name, include_deleted=True)
    found = decisions.decisions_before(deps, str(agent.id), before=above, limit=which.one_more)
    rows, following = which.page(found, lambda row: row.tick_no, of=name)
    scans = decisions.scans(deps, rows)
    items = [(_whole if which.inputs else _short)(who, agent, row, scans.get(row.tick_no)) for row in rows]
    return DecisionPage(items=items, next=following)


@router.get("/{tick_no}")
def show(deps: TheDeps, *, name: AgentName, tick_no: TickNo, who: Viewer) -> WholeDecision:
    """Return one decision with all its inputs."""
    agent = lookup.agent(deps.db, name, include_deleted=True)
    row = decisions.decision(deps, str(agent.id), tick_no)
    return _whole(who, agent, row, decisions.scans(deps, [row]).get(row.tick_no))


def _short(who: Principal, agent: AgentRow, row: TickRow, scan: Mapping[str, Any] | None) -> DecisionOut:
    return taken(DecisionOut, row, outcome=decided_for(who, agent, row.outcome), scan=scan)


def _whole(who: Principal, agent: AgentRow, row: TickRow, scan: Mapping[str, Any] | None) -> WholeDecision:
    outcome, inputs = decided_for(who, agent, row.outcome), decided_for(who, agent, row.inputs)
    return taken(WholeDecision, row, outcome=outcome, inputs=inputs, scan=scan)


@router.get("/{tick_no}/replay", responses={409: {}})
def replay(deps: TheDeps, *, name: AgentName, tick_no: TickNo, who: Viewer) -> ReplayOut:
    """Repeat a decision from its recorded inputs, without effects."""
    agent = lookup.agent(deps.db, name, include_deleted=True)
    then, now = decisions.replay_decision(deps, str(agent.id), tick_no)
    told_then, told_now = decided_for(who, agent, then) or {}, decided_for(who, agent, now) or {}
    return ReplayOut(then=told_then, now=told_now, same=then == now)
