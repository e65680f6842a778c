"""Routes of the review queue, and redirects from the addresses that its pages had."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from fleet.access import Permission, Principal
from fleet.features.approvals.pages.desk import Desk, TheAsked
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go

router = APIRouter()
Name = Annotated[str, Path(max_length=36)]
_SEE = needs(Permission.DRAFTS_VIEW)


@router.get("/review")
def review(request: Request, deps: TheDeps, asked: TheAsked, who: Annotated[Principal, _SEE]) -> Response:
    """Show what waits for people, and the first of it; with a state, what was decided."""
    return Desk(request, deps, who, asked).show()


@router.get("/review/decide", dependencies=[_SEE])
def decided(request: Request, asked: TheAsked) -> Response:
    """Redirect a reload of the results to the queue."""
    return go(request, asked.url())


@router.get("/review/{name}")
def one(request: Request, deps: TheDeps, name: Name, asked: TheAsked, who: Annotated[Principal, _SEE]) -> Response:
    """Show one request beside the queue."""
    return Desk(request, deps, who, asked, name).show()


@router.get("/review/{name}/{form}", dependencies=[_SEE])
def reloaded(request: Request, name: Name, form: Literal["edit", "revise", "reject"],  # noqa: ARG001
             asked: TheAsked) -> Response:  # fmt: skip
    """Redirect a reload of a refused form to its request."""
    return go(request, asked.url(name))


@router.get("/approvals", dependencies=[_SEE])
def approvals(asked: TheAsked) -> Response:
    """Redirect to the review queue."""
    return RedirectResponse(asked.url(), 308)


@router.get("/approvals/{name}", dependencies=[_SEE])
def approval(name: Name, asked: TheAsked) -> Response:
    """Redirect to the request in the review queue."""
    return RedirectResponse(asked.url(name), 308)
