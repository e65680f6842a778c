"""The first page: status of the fleet, and latest events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.features.activity.feed import Family, families
from fleet.features.activity.pages import newest
from fleet.features.overview import figures
from fleet.features.overview.cards import OverviewCards
from fleet.web.auth import TheDeps, is_secure, needs, withheld
from fleet.web.points import checklist
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_LINES = 30
_DISMISSED_S = 365 * 86_400


@router.get("/")
def overview(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.FLEET_VIEW)], *,
             only: Maybe[Family] = None) -> Response:  # fmt: skip
    """Show the status and the latest events; `only` is a family of events."""
    cards: OverviewCards = request.app.state.stats.cards
    seen, family = cards.overview(), only or ""
    return render(
        request, "overview/overview.html", seen=seen, facts=figures.of(seen), only=family, families=families(),
        most=_LINES, steps=checklist.steps(request, deps, who),
        feed=newest(deps, request.app.state.feed, family=family, but=withheld(who), limit=_LINES),
    )  # fmt: skip


@router.post("/checklist/dismiss", dependencies=[needs(Permission.FLEET_VIEW)])
def dismiss(request: Request) -> Response:
    """Show the first steps no more in this browser."""
    answer = go(request, "/", "The first steps are dismissed in this browser.")
    answer.set_cookie(
        checklist.DISMISSED, "dismissed", max_age=_DISMISSED_S, path="/", secure=is_secure(request), httponly=True,
        samesite="lax",
    )  # fmt: skip
    return answer
