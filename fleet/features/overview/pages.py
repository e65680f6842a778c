"""The first page: the fleet at a glance, and what happens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.features.activity.feed import Family, families
from fleet.features.activity.pages import newest
from fleet.features.overview import figures
from fleet.features.overview.queries import Overview
from fleet.web.auth import TheDeps, needs, withheld
from fleet.web.cached_stats import Glance
from fleet.web.form_types import Maybe
from fleet.web.rendering import pages, render

router = APIRouter()
_LINES = 30


@router.get("/")
def overview(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.FLEET_VIEW)], *,
             only: Maybe[Family] = None) -> Response:  # fmt: skip
    """Show the fleet at a glance, and what happened last; `only` is a family of events."""
    glance: Glance = request.app.state.glance
    seen, family = glance.overview(), only or ""
    return render(
        request, "overview.html", seen=seen, facts=figures.of(seen), only=family, families=families(), most=_LINES,
        feed=newest(deps, request.app.state.scribe, family=family, but=withheld(who), limit=_LINES),
    )  # fmt: skip


def cards(seen: Overview) -> str:
    """Return the figures as they stand in the page, for the stream."""
    parts: Any = pages.get_template("_cards.html").module
    facts = figures.of(seen)
    return f"{parts.figures(seen, facts)}{parts.chart(facts)}{parts.parts(seen)}"
