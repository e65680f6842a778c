"""What agents decided, and why: the log of their ticks, and a decision made once more from what was recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.jobs.models import TickRow
from fleet.runtime import looking
from fleet.web import cursors
from fleet.web.api.fields import LARGEST_ID, AgentName, Said, Told, taken
from fleet.web.cursors import Page, Paging
from fleet.web.gate import TheDeps, needs

router = APIRouter(prefix="/agents/{name}/decisions", tags=["decisions"])

TickNo = Annotated[int, Path(ge=0, le=LARGEST_ID, description="the number of the tick")]


class Decision(BaseModel):
    """One tick: what it decided, and how long that took. Without an outcome it is open, or was skipped."""

    tick_no: int
    state: str
    due_at: datetime
    decided_at: datetime | None
    asked_for: str | None
    requested_by: str | None
    duration_ms: int | None
    outcome: Told | None
    error: Said | None


class WholeDecision(Decision):
    """One tick with all that the agent saw."""

    inputs: Told | None


class DecisionPage(Page[Decision]):
    """A page of an agent's decisions, newest first."""


class Replayed(BaseModel):
    """What was decided then, and what is decided now from the same inputs and dice."""

    then: Told
    now: Told
    same: bool = Field(description="false where the rules have changed since")


@router.get("", dependencies=[needs(Permission.AGENTS_VIEW)])
def list_decisions(deps: TheDeps, *, name: AgentName, which: Annotated[Paging, Query()]) -> DecisionPage:
    """Return a page of an agent's decisions, newest first."""
    above = which.place(cursors.number, of=name)
    found = looking.decisions_before(deps, name, before=above, limit=which.one_more)
    rows, following = which.page(found, lambda row: row.tick_no, of=name)
    return DecisionPage(items=[_view(row) for row in rows], next=following)


@router.get("/{tick_no}", dependencies=[needs(Permission.AGENTS_VIEW)])
def show(deps: TheDeps, *, name: AgentName, tick_no: TickNo) -> WholeDecision:
    """Return one decision with all that the agent saw."""
    return taken(WholeDecision, looking.decision(deps, name, tick_no))


@router.get("/{tick_no}/replay", dependencies=[needs(Permission.AGENTS_VIEW)], responses={409: {}})
def replay(deps: TheDeps, *, name: AgentName, tick_no: TickNo) -> Replayed:
    """Decide once more from what was recorded; nothing follows from it."""
    then, now = looking.replay_decision(deps, name, tick_no)
    return Replayed(then=then, now=now, same=then == now)


def _view(row: TickRow) -> Decision:
    return taken(Decision, row)
