"""The pages of reports: a list, and one report beside that of the period before."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError, InvalidInput, NotFound
from fleet.features.reports import rendering, rules, service
from fleet.features.reports.api import ExportFormat, ReportQuery, exported, report_page, seen
from fleet.features.reports.rules import Cadence
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
_LONGEST_REASON = 300
_TYPES = {ExportFormat.HTML: "text/html", ExportFormat.JSON: "application/json", ExportFormat.CSV: "text/csv"}


class FilledBuild(BaseModel):
    """The form that builds a report, as it was filled in."""

    cadence: str = ""
    reason: str = ""


@router.get("/reports", dependencies=[needs(Permission.FLEET_VIEW)])
def reports(request: Request, deps: TheDeps, which: Annotated[ReportQuery, Query()]) -> Response:
    """Show the reports that are kept, newest first."""
    found = report_page(deps, which)
    return render(request, "reports/list.html", items=found.items, next=found.next, which=which, cadences=Cadence)


@router.post("/reports")
def build(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledBuild, Form()]) -> Response:
    """Build the newest report that is due."""
    try:
        if filled.cadence not in {*Cadence}:
            raise InvalidInput("Choose a period.", fix="It is daily, weekly or monthly.")
        made = service.build(
            deps, Cadence(filled.cadence), organisation=None, by=who.by, reason=filled.reason[:_LONGEST_REASON]
        )
    except FleetError as error:
        return go(request, "/reports", error.plain, kept=KeptForm("build", "reason", filled.model_dump()))
    return go(request, f"/reports/{made}", "The report is built.")


@router.get("/reports/{report_id}")
def report(request: Request, deps: TheDeps, report_id: uuid.UUID, who: Viewer) -> Response:
    """Show the figures of a report beside those of the period before."""
    with deps.db.transaction() as tx:
        row = service.get(tx, report_id)
        try:
            before = service.before(tx, row)
        except NotFound:
            before = None
    document = seen(row, who)
    changes = rules.compare(document, document if before is None else seen(before, who))
    return render(
        request, "reports/report.html", report=row, title=service.title(row), sections=document["sections"],
        before=before, changes={one.name: one for one in changes}, shown=rendering.shown, plot=rendering.plot,
        formats=ExportFormat,
    )  # fmt: skip


@router.get("/reports/{report_id}/file")
def file(deps: TheDeps, report_id: uuid.UUID, who: Viewer, format: ExportFormat = ExportFormat.CSV) -> Response:
    """Return a report as a file: HTML with plots, JSON or CSV."""
    with deps.db.transaction() as tx:
        made = exported(service.get(tx, report_id), who, format)
    name = {"content-disposition": f'attachment; filename="{made.filename}"'}
    return Response(made.content, media_type=_TYPES[format], headers=name)
