"""Pages of drafts beside the review queue: redirects of old addresses, and lessons that people undo."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.core.text import storable
from fleet.features.approvals.pages.desk import QueueQuery
from fleet.features.approvals.review.queue import QueueOrder
from fleet.features.approvals.states import RequestState
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.effect import RESOURCE
from fleet.features.drafts.states import DraftKind, DraftStatus
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import back, go
from fleet.web.requests.form_types import Maybe

router = APIRouter()
Decider = Annotated[Principal, needs(Permission.DRAFTS_DECIDE)]


@router.get("/drafts", dependencies=[needs(Permission.DRAFTS_VIEW)])
def drafts(*, status: Maybe[DraftStatus] = None, kind: Maybe[DraftKind] = None,
           agent: Annotated[str, Query(max_length=60)] = "") -> Response:  # fmt: skip
    """Redirect to the drafts of the review queue."""
    state = RequestState(str(status or DraftStatus.PENDING))
    asked = QueueQuery(state, RESOURCE, str(kind or ""), storable(agent), "", QueueOrder.EXPIRY, "")
    return RedirectResponse(asked.url(), 308)


@router.post("/drafts/lessons/{lesson}/undo")
def undo(request: Request, deps: TheDeps, lesson: Annotated[int, Path(ge=1, le=2**62)], who: Decider) -> Response:
    """Let a lesson count no more, as if it had never been."""
    where = back(request, "/agents")
    try:
        drafting.unlearn(deps, lesson, by=who.by)
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    return go(request, where, f"Lesson {lesson} counts no more.")
