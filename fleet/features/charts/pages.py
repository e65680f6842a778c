"""The page of charts: a range, and a bar for each stretch of it that leads to the jobs behind it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.features.charts import drawings, queries
from fleet.features.charts.buckets import ChartRange
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet.web.requests.form_types import Maybe

router = APIRouter()


@router.get("/charts", dependencies=[needs(Permission.FLEET_VIEW)])
def charts(request: Request, deps: TheDeps, *, range: Maybe[ChartRange] = None) -> Response:
    """Show the charts of a range, 24 hours by default."""
    data = queries.read(deps, range or ChartRange.DAY)
    return render(request, "charts/charts.html", data=data, drawings=drawings.of(data), ranges=ChartRange)
