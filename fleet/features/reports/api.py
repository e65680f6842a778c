"""Reports for programs: /api/v1/reports."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.reports import rendering, rules, service
from fleet.features.reports.models import ReportRow
from fleet.features.reports.rules import Cadence
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, line, prose, taken

router = APIRouter(prefix="/reports", tags=["reports"])
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]


class ReportOut(BaseModel):
    """One version of a report, without its figures."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    cadence: Cadence
    since: datetime
    until: datetime
    version: int
    built_at: datetime
    built_by: str
    reason: str = Field(description="why it was built again; empty for the first version")


class ReportPage(Page[ReportOut]):
    """A page of reports, newest first."""


class ReportDetail(ReportOut):
    """A report with its figures. Sections that the caller may not see are left out."""

    document: dict[str, Any] = Field(description="since, until, sections (name, title, figures, series, tables)")


class ReportQuery(Paging):
    """Which reports."""

    cadence: Cadence | None = None


class ReportIn(Body):
    """Which report to build: the newest one that is due."""

    cadence: Cadence
    organisation: Annotated[str, line(60), Field(description="name or id; by default the caller's own")] = ""
    reason: Annotated[str, prose(300), Field(description="needed to build a report again")] = ""


class ExportFormat(StrEnum):
    """Formats of exports."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"


class ExportOut(BaseModel):
    """A report as a file."""

    filename: str
    content: str


class FigureChangeOut(BaseModel):
    """A figure in two reports; null: unknown."""

    name: str
    title: str
    unit: str
    value: float | None
    before: float | None
    change: float | None
    percent: float | None


class ComparisonOut(BaseModel):
    """Two reports, figure by figure."""

    report: ReportOut
    other: ReportOut
    items: list[FigureChangeOut]


def report_page(deps: Deps, which: ReportQuery) -> ReportPage:
    """Return a page of reports, newest first."""
    with deps.db.transaction() as tx:
        found = service.listed(tx, cadence=which.cadence, limit=which.one_more, below=which.place(uuid.UUID))
    rows, following = which.page(found, lambda row: row.id)
    return ReportPage(items=[taken(ReportOut, row) for row in rows], next=following)


def seen(row: ReportRow, who: Principal) -> dict[str, Any]:
    """Return the document of a report without the sections that a user may not see."""
    needed = service.permissions_needed(row.document)
    return rules.visible(row.document, frozenset(one for one in needed if who.may(Permission(one))))


def exported(row: ReportRow, who: Principal, form: ExportFormat) -> ExportOut:
    """Return a report as a file."""
    document = seen(row, who)
    match form:
        case ExportFormat.HTML:
            content = rendering.html(service.title(row), document)
        case ExportFormat.JSON:
            content = json.dumps(document, indent=2)
        case ExportFormat.CSV:
            content = rendering.as_csv(document)
    name = f"report-{row.cadence}-{rules.first_day(row.since).isoformat()}-v{row.version}.{form.value}"
    return ExportOut(filename=name, content=content)


@router.get("", dependencies=[needs(Permission.FLEET_VIEW)])
def list_reports(deps: TheDeps, *, which: Annotated[ReportQuery, Query()]) -> ReportPage:
    """Return a page of reports, newest first."""
    return report_page(deps, which)


@router.post("", status_code=201)
def build_report(deps: TheDeps, *, body: ReportIn, who: Editor) -> ReportDetail:
    """Build the newest report that is due; again, as a new version, for a reason."""
    made = service.build(deps, body.cadence, organisation=body.organisation or None, by=who.by, reason=body.reason)
    return show_report(deps, made, who=who)


@router.get("/{report_id}")
def show_report(deps: TheDeps, report_id: uuid.UUID, *, who: Viewer) -> ReportDetail:
    """Return one report with its figures."""
    with deps.db.transaction() as tx:
        row = service.get(tx, report_id)
    return taken(ReportDetail, row, document=seen(row, who))


@router.get("/{report_id}/export")
def export_report(deps: TheDeps, report_id: uuid.UUID, *, who: Viewer,
                  format: ExportFormat = ExportFormat.HTML) -> ExportOut:  # fmt: skip
    """Return one report as a file: HTML with plots, JSON or CSV."""
    with deps.db.transaction() as tx:
        row = service.get(tx, report_id)
    return exported(row, who, format)


@router.get("/{report_id}/compare")
def compare_reports(
    deps: TheDeps, report_id: uuid.UUID, *, who: Viewer, other: uuid.UUID | None = None
) -> ComparisonOut:
    """Return a report beside that of the period before, or beside any other one."""
    with deps.db.transaction() as tx:
        row = service.get(tx, report_id)
        beside = service.get(tx, other) if other is not None else service.before(tx, row)
    changes = rules.compare(seen(row, who), seen(beside, who))
    return ComparisonOut(report=taken(ReportOut, row), other=taken(ReportOut, beside),
                         items=[taken(FigureChangeOut, one) for one in changes])  # fmt: skip
