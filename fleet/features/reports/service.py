"""Build, read, compare and prune reports."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import defer

from fleet.access import audit, organisations
from fleet.core import events, ids
from fleet.core.db import Tx, visibility
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.points.report_sections import POINT, ReportSection
from fleet.features.reports import kpis, rendering, rules
from fleet.features.reports import sections as own_sections
from fleet.features.reports.models import ReportRow
from fleet.features.reports.rules import Cadence, ReportPeriod, last_due
from fleet.features.reports.settings import ReportsSettings

MOST_MISSED = 31
_KNOWN = "reports.known"
KEPT_DAYS = 800
"""Reports are kept at least this long, so that a month can be compared with that of the year before."""


def sweep(deps: Deps) -> int:
    """Build the reports that are due and not there yet. Returns 0: nothing was lost."""
    # What this process knows to be built: sweeps come every few seconds, reports once a day.
    known_ends: dict[tuple[uuid.UUID, Cadence], datetime] = deps.part(_KNOWN, lambda _: {})
    with deps.db.transaction() as tx:
        now, known = tx.now(), organisations.listed(tx)
    for organisation in known:
        settings = deps.settings_of(None, None, None, organisation.id).of(ReportsSettings)
        wanted = {
            Cadence.DAILY: settings.report_daily, Cadence.WEEKLY: settings.report_weekly,
            Cadence.MONTHLY: settings.report_monthly,
        }  # fmt: skip
        for cadence in (one for one, is_wanted in wanted.items() if is_wanted):
            period = last_due(cadence, now, settings.report_zone, settings.report_hour)
            if period.until <= organisation.created_at or known_ends.get((organisation.id, cadence)) == period.until:
                continue
            for missed in _missing(deps, organisation.id, cadence, period, settings.report_zone):
                _store(deps, organisation.id, cadence, missed, version=1, by="fleet", reason="")
            known_ends[organisation.id, cadence] = period.until
    return 0


def _missing(
    deps: Deps, organisation_id: uuid.UUID, cadence: Cadence, newest: ReportPeriod, zone: str
) -> list[ReportPeriod]:
    """Return the periods without a report, oldest first: the newest one, and those since the last report that is kept.

    A fleet that was stopped for long has its last `MOST_MISSED` ones.
    """
    row = ReportRow
    query = sa.select(sa.func.max(row.since)).where(row.organisation_id == organisation_id, row.cadence == cadence)
    with deps.db.transaction() as tx:
        last: datetime | None = tx.scalar(query)
    found = [newest]
    while last is not None and len(found) < MOST_MISSED and found[-1].since > last:
        found.append(rules.before(cadence, found[-1], zone))
    return found[::-1] if last is None else [one for one in found[::-1] if one.since > last]


def build(deps: Deps, cadence: Cadence, *, organisation: str | None, by: str, reason: str) -> uuid.UUID:
    """Build the newest report that is due, as a new version if it was built before; return its id.

    Raises InvalidInput for a new version without a reason, Conflict when somebody builds the same version now.
    """
    with deps.db.transaction() as tx:
        now = tx.now()
        owner = organisations.named(tx, organisation).id if organisation else organisations.of_new(tx)
    settings = deps.settings_of(None, None, None, owner).of(ReportsSettings)
    period = last_due(cadence, now, settings.report_zone, settings.report_hour)
    versions = _versions(deps, owner, cadence, period)
    if versions and not reason.strip():
        raise InvalidInput("This report was built before.", fix="Say why it has to be built again (reason).")
    made = _store(deps, owner, cadence, period, version=versions + 1, by=by, reason=reason)
    if made is None:
        raise Conflict("Somebody is building this report now.", fix="List the reports, then try again.")
    return made


def _versions(deps: Deps, organisation_id: uuid.UUID, cadence: Cadence, period: ReportPeriod) -> int:
    row = ReportRow
    query = sa.select(sa.func.coalesce(sa.func.max(row.version), 0)).where(
        row.organisation_id == organisation_id, row.cadence == cadence, row.since == period.since
    )
    with deps.db.transaction() as tx:
        return int(tx.scalar(query) or 0)


def _store(
    deps: Deps,
    organisation_id: uuid.UUID,
    cadence: Cadence,
    period: ReportPeriod,
    *,
    version: int,
    by: str,
    reason: str,
) -> uuid.UUID | None:
    """Store a version of a report; None if it is there already."""
    document, report_id = _document(deps, organisation_id, period), ids.new()
    with deps.db.transaction() as tx:
        row = insert(ReportRow).values(
            id=report_id, organisation_id=organisation_id, cadence=cadence, since=period.since, until=period.until,
            version=version, built_by=by, reason=reason, document=document,
        )  # fmt: skip
        stored = tx.execute(row.on_conflict_do_nothing()).rowcount
        if stored:
            events.emit(
                tx, "report.built", agent_id=None, job_id=None, organisation=str(organisation_id),
                report=str(report_id), cadence=cadence.value, version=version, reason=reason, by=by,
                page=f"/reports/{report_id}", title=_title(cadence, period.since), said=rendering.summary(document),
                missed=kpis.missed(document),
            )  # fmt: skip
        if stored and by != "fleet":
            audit.noted(tx, True, "report.built", str(report_id), cadence=cadence.value, version=version, reason=reason)
    return report_id if stored else None


def _document(deps: Deps, organisation_id: uuid.UUID, period: ReportPeriod) -> dict[str, Any]:
    """Return the figures of all sections, read in one transaction that sees one organisation."""
    with deps.db.transaction() as tx:
        are_several = organisations.are_several(tx)
    own = frozenset({organisation_id}) if are_several else visibility.current()
    with visibility.restricted(own), deps.db.transaction() as tx:
        found: list[ReportSection] = [
            one(tx, period.since, period.until) for one in registry.current().extensions(POINT)
        ]
    sections = [one for one in found if not one.is_empty]
    figures = {one.name: one.value for section in sections for one in section.figures}
    if (unit_costs := own_sections.unit_costs(figures)) is not None:
        sections.append(unit_costs)
    own_kpis = kpis.parse_all(deps.settings_of(None, None, None, organisation_id).of(ReportsSettings).report_kpis)
    if own_kpis:
        # Figures that not everybody may see are left out: a formula would tell them.
        public = {one.name: one.value for section in sections if not section.permission for one in section.figures}
        sections.append(kpis.section(own_kpis, public))
    return {
        "since": period.since.isoformat(), "until": period.until.isoformat(),
        "sections": [asdict(one) for one in sections],
    }  # fmt: skip


def listed(tx: Tx, *, cadence: Cadence | None, limit: int, below: uuid.UUID | None) -> list[ReportRow]:
    """Return reports, the newest first."""
    row = ReportRow
    query = sa.select(row).options(defer(row.document)).order_by(row.built_at.desc(), row.id.desc()).limit(limit)
    if cadence is not None:
        query = query.where(row.cadence == cadence)
    if below is not None:
        last = sa.select(row.built_at, row.id).where(row.id == below).subquery()
        query = query.where(sa.tuple_(row.built_at, row.id) < sa.select(last.c.built_at, last.c.id).scalar_subquery())
    return list(tx.session.scalars(query))


def get(tx: Tx, report_id: uuid.UUID) -> ReportRow:
    """Return a report. Raises NotFound."""
    found = tx.session.get(ReportRow, report_id)
    if found is None:
        raise NotFound(f"There is no report {report_id}.", fix="`fleet reports list` shows them.")
    return found


def before(tx: Tx, report: ReportRow) -> ReportRow:
    """Return the newest version of the report of the period before. Raises NotFound."""
    row = ReportRow
    query = sa.select(row).where(
        row.organisation_id == report.organisation_id, row.cadence == report.cadence, row.since < report.since
    )
    found = tx.session.scalars(query.order_by(row.since.desc(), row.version.desc()).limit(1)).first()
    if found is None:
        raise NotFound("No report of a period before is kept.", fix="Name the report to compare with.")
    return found


def permissions_needed(document: dict[str, Any]) -> Collection[str]:
    """Return the permissions that sections of a document need."""
    return {one["permission"] for one in document["sections"] if one["permission"]}


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete reports that were built longer ago than `days`, and than KEPT_DAYS."""
    age = sa.literal(timedelta(days=max(days, KEPT_DAYS)), sa.Interval)
    old = sa.select(ReportRow.id).where(ReportRow.built_at < sa.func.clock_timestamp() - age).limit(limit)
    return tx.execute(sa.delete(ReportRow).where(ReportRow.id.in_(old))).rowcount


def title(report: ReportRow) -> str:
    """Return what a report is called."""
    return _title(Cadence(report.cadence), report.since)


def _title(cadence: Cadence, since: datetime) -> str:
    return f"{cadence.value.capitalize()} report, {rules.first_day(since).isoformat()}"
