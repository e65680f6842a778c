"""One draft: the way to its request in the review queue, its pictures, and another picture."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse, Response

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.features.approvals.approver import person_of
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.pictures import commands as pictures
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go

router = APIRouter()
Name = Annotated[str, Path(max_length=36)]
Decider = Annotated[Principal, needs(Permission.DRAFTS_DECIDE)]


@router.get("/drafts/{name}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def draft(deps: TheDeps, name: Name) -> Response:
    """Redirect to the draft in the review queue."""
    _, request_id = drafting.named(deps, name)
    return RedirectResponse(f"/review/{request_id}", 308)


@router.get("/drafts/{name}/pictures/{place}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def picture(deps: TheDeps, name: Name, place: Annotated[int, Path(ge=0, le=20)]) -> Response:
    """Return our own copy of a picture that a draft brings along."""
    data, content_type = drafting.picture(deps, name, place)
    return Response(data, media_type=content_type)


@router.get("/drafts/{name}/answered", dependencies=[needs(Permission.DRAFTS_VIEW)])
def answered(deps: TheDeps, name: Name) -> Response:
    """Return our own copy of the picture of the post that a draft answers."""
    data, content_type = drafting.answered_picture(deps, name)
    return Response(data, media_type=content_type)


@router.post("/drafts/{name}/picture")
def another(request: Request, deps: TheDeps, name: Name, who: Decider, *,
            revision: Annotated[int | None, Form(ge=1, le=1_000_000)] = None) -> Response:  # fmt: skip
    """Have a picture made from the draft's words, in place of the one that it has."""
    _, request_id = drafting.named(deps, name)
    try:
        pictures.request(deps, name, person_of(who), revision=revision)
    except FleetError as error:
        return go(request, f"/review/{request_id}", str(error), wrong=True)
    return go(request, f"/review/{request_id}", "A picture is being made; it becomes a new revision.")
