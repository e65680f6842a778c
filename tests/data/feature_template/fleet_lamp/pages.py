"""The page of lamps."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet_lamp import queries

router = APIRouter()


@router.get("/lamp", dependencies=[needs(Permission.FLEET_VIEW)])
def lamp(request: Request, deps: TheDeps) -> Response:
    """Show the latest changes of all lamps."""
    with deps.db.transaction() as tx:
        changes = queries.changes(tx, limit=50)
    return render(request, "lamp/lamp.html", changes=changes)
