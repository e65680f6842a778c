"""The page of the search, for browsers without the palette, and for its address."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.features.search import service
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet.web.requests.form_types import Name

router = APIRouter()


@router.get("/search")
def search(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.FLEET_VIEW)],
           q: Name = "") -> Response:  # fmt: skip
    """Show what matches, grouped by kind."""
    groups = service.find(deps, who, q) if q.strip() else []
    return render(request, "search/search.html", groups=groups, q=q)
