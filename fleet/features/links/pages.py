"""The pages of short links: a list with a form, and one link by day."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.features.links import service
from fleet.features.links.api import Code, LinkQuery, detail, link_page
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]


class FilledLink(BaseModel):
    """The form of a new link, as it was filled in."""

    target: str = ""
    campaign: str = ""
    agent: str = ""
    tagged: str = ""


@router.get("/links", dependencies=[needs(Permission.FLEET_VIEW)])
def links(request: Request, deps: TheDeps, which: Annotated[LinkQuery, Query()]) -> Response:
    """Show short links with their counts, newest first."""
    found = link_page(deps, which)
    return render(request, "links/list.html", items=found.items, next=found.next, which=which)


@router.post("/links")
def create(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledLink, Form()]) -> Response:
    """Create a short link."""
    try:
        made = service.create(
            deps, filled.target, campaign=filled.campaign.strip()[:100], agent=filled.agent.strip(),
            is_tagged=bool(filled.tagged), by=who.by,
        )  # fmt: skip
    except FleetError as error:
        return go(request, "/links", error.plain, kept=KeptForm("link", "target", filled.model_dump()))
    return go(request, f"/links/{made.code}", "The link is created.")


@router.get("/links/{code}", dependencies=[needs(Permission.FLEET_VIEW)])
def link(request: Request, deps: TheDeps, code: Code) -> Response:
    """Show a short link by day."""
    return render(request, "links/link.html", link=detail(deps, code))


@router.post("/links/{code}/remove")
def remove(request: Request, deps: TheDeps, who: Editor, code: Code) -> Response:
    """Remove a short link."""
    service.remove(deps, code, by=who.by)
    return go(request, "/links", "The link is removed: it leads nowhere from now on.")
