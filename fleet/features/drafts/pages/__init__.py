"""The page of drafts: proposals of supervised agents, by state. Decisions about them are in `decisions`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core import clock
from fleet.core.errors import FleetError
from fleet.core.text import storable
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.pages import decisions as pages_decisions
from fleet.features.approvals.pages.decisions import Above, Back, Decider
from fleet.features.approvals.requests.permissions import standing
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.content import CHOICES, FIELDS
from fleet.features.drafts.lessons import explained
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.states import DraftKind, DraftStatus
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
decisions = pages_decisions.below("/drafts")
_PAGE = 20
_MOST_LESSONS = 5
Percent = Annotated[int, Field(ge=0, le=100)]
Age = Literal["hour", "day", "week", "over_day", "over_3"]
AGES: Mapping[Age, tuple[str, timedelta, bool]] = {
    "hour": ("In the last hour", timedelta(hours=1), False), "day": ("In the last day", timedelta(days=1), False),
    "week": ("In the last week", timedelta(days=7), False), "over_day": ("Over a day ago", timedelta(days=1), True),
    "over_3": ("Over 3 days ago", timedelta(days=3), True),
}  # fmt: skip
"""Label, age, and whether older ones are meant."""


@router.get("/drafts")
def drafts(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.DRAFTS_VIEW)], *,
           status: Maybe[DraftStatus] = None, kind: Maybe[DraftKind] = None,
           agent: Annotated[str, Query(max_length=60)] = "", topic: Annotated[str, Query(max_length=60)] = "",
           sure: Maybe[Percent] = None, age: Maybe[Age] = None, before: Above = None) -> Response:  # fmt: skip
    """Show a page of drafts; without a filter those that wait for a decision."""
    chosen, agent = status or DraftStatus.PENDING, storable(agent)
    asked = {"status": chosen, "kind": kind, "agent": agent, "topic": topic, "sure": sure, "age": age}
    try:
        which = _filter(deps, clock.now(), asked)
        found = drafting.page(deps, which, limit=_PAGE + 1, before=before)
    except FleetError as error:
        return render(request, "drafts/drafts.html", code=404, problem=error, found=[], names={}, asked=asked,
                      more=None,
                      lessons=[], total=0, waiting=drafting.waiting(deps), **_looks(who))  # fmt: skip
    shown = found[:_PAGE]
    return render(
        request, "drafts/drafts.html", problem=None, found=shown, asked=asked, total=drafting.count(deps, which),
        names=lookup.names(deps.db, [one.row.agent_id for one in shown]), waiting=drafting.waiting(deps),
        more=str(shown[-1].row.id) if len(found) > _PAGE else None,
        lessons=_lessons(deps, agent), **_looks(who),
    )  # fmt: skip


def _filter(deps: Deps, now: datetime, asked: dict[str, Any]) -> DraftFilter:
    _, span, older = AGES[asked["age"]] if asked["age"] else ("", None, False)
    edge = None if span is None else now - span
    sure = None if asked["sure"] is None else asked["sure"] / 100
    return DraftFilter(
        asked["status"], asked["kind"], lookup.agent_id(deps.db, asked["agent"]), asked["topic"] or None, sure,
        since=None if older else edge, until=edge if older else None,
    )  # fmt: skip


def _lessons(deps: Deps, agent: str) -> list[dict[str, Any]]:
    """Return an agent's lessons, as sentences."""
    if not agent:
        return []
    rows = drafting.learned(deps, agent, limit=_MOST_LESSONS)
    return [{"row": row, "sentence": explained(row)} for row in rows]


def _looks(who: Principal) -> dict[str, Any]:
    """Return the functions that the template calls for single drafts."""
    return {
        "person": person_of(who),
        "standing": standing,
        "nearness": pages_decisions.nearness,
        "approvers": pages_decisions.approvers,
        "kinds": DraftKind,
        "statuses": DraftStatus,
        "ages": AGES,
        "fields": FIELDS,
        "choices": CHOICES,
    }


@router.post("/drafts/lessons/{lesson}/undo")
def undo(request: Request, deps: TheDeps, lesson: Annotated[int, Path(ge=1, le=2**62)],
         who: Decider, back: Back = "") -> Response:  # fmt: skip
    """Let a lesson count no more, as if it had never been."""
    where = pages_decisions.way_back(back, "/drafts")
    try:
        drafting.unlearn(deps, lesson, by=who.by)
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    return go(request, where, f"Lesson {lesson} counts no more.")
