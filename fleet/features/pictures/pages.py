"""The page of pictures and their providers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.features.pictures import queries
from fleet.features.pictures.api import PictureOrderQuery, order_page
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render

router = APIRouter()


@router.get("/pictures", dependencies=[needs(Permission.COSTS_VIEW)])
def pictures(request: Request, deps: TheDeps, which: Annotated[PictureOrderQuery, Query()]) -> Response:
    """Show the providers of pictures, and which of them made which picture at what cost."""
    found, following = order_page(deps, which)
    listed = queries.listed_providers(deps)
    return render(request, "pictures/list.html", items=found, next=following, which=which, providers=listed)
