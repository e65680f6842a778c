"""The first page: the fleet at a glance."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.runtime import fleetwide
from fleet.web.gate import TheDeps, needs
from fleet.web.rendering import render

router = APIRouter()


@router.get("/", dependencies=[needs(Permission.FLEET_VIEW)])
def overview(request: Request, deps: TheDeps) -> Response:
    """Show the fleet at a glance."""
    return render(request, "overview.html", status_=fleetwide.status(deps))
