"""The ledger's jobs in the calendar: what was published or failed, and what waits for its time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.access import Permission, Principal
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.adapters.social import POST
from fleet.core import text
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.jobs.filters import words_of
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import FINAL, JobState
from fleet.engine.points.calendar_source import CalendarEntry, CalendarFilter, CalendarLayer, EntryKeys, EntryVerb
from fleet.features.jobs import commands

_ENDED = (JobState.DONE, JobState.DEAD)
_WAITING = (JobState.READY, JobState.UNKNOWN)
_AT_WORK = (JobState.RUNNING, JobState.SENDING)
_COLUMNS = (JobRow.id, JobRow.kind, JobRow.state, JobRow.surface, JobRow.account_id, JobRow.agent_id, JobRow.target,
            JobRow.next_attempt_at, JobRow.finished_at, JobRow.error, JobRow.held,
            JobRow.result["text"].astext.label("said"), words_of(JobRow.checkpoint).label("prepared"))  # fmt: skip


class JobsSource:
    """Jobs of kinds that users of a surface see; posts alone unless all kinds are wanted."""

    name = "jobs"
    label = "Jobs"
    permission = Permission.JOBS_VIEW
    verbs = {EntryVerb.MOVE: Permission.JOBS_CONTROL, EntryVerb.CANCEL: Permission.JOBS_CONTROL}
    compose = ""
    live = "job.*"

    def keys(self, which: CalendarFilter) -> EntryKeys:
        """Return id, time and layer: of ended jobs when they ended, of others when they are due.

        Each part repeats the condition of the index that serves it.
        """
        parts = []
        if CalendarLayer.PAST in which.layers:
            ended = (JobRow.state.in_(_ENDED), JobRow.finished_at.is_not(None))
            parts.append(_part(which, JobRow.finished_at.expression, CalendarLayer.PAST, *ended))
        if CalendarLayer.PLANNED in which.layers:
            due = JobRow.next_attempt_at.expression
            leased = (JobRow.state.in_(_AT_WORK), JobRow.lease_until.is_not(None))
            parts.append(_part(which, due, CalendarLayer.PLANNED, JobRow.state.in_(_WAITING)))
            parts.append(_part(which, due, CalendarLayer.PLANNED, *leased))
        if not parts:
            return _part(which, JobRow.finished_at.expression, CalendarLayer.PAST, sa.false())
        found = sa.union_all(*parts).subquery("found")
        return sa.select(found.c.id, found.c.at, found.c.layer)

    def load(self, deps: Deps, tx: Tx, ids: Sequence[uuid.UUID]) -> Sequence[CalendarEntry]:  # noqa: ARG002
        """Return the entries of jobs."""
        return [_entry(row) for row in tx.execute(sa.select(*_COLUMNS).where(JobRow.id.in_(ids)))]

    def move(self, deps: Deps, entry_id: uuid.UUID, at: datetime, *, by: Principal) -> None:
        """Have a waiting job start at another time. Raises NotFound, Conflict, InvalidInput."""
        commands.move_job(deps, entry_id, at, by=by.by)

    def cancel(self, deps: Deps, entry_id: uuid.UUID, *, by: Principal) -> None:
        """Cancel a waiting job. Raises NotFound, Conflict."""
        commands.cancel_job(deps, str(entry_id), by=by.by)

    def duplicate(self, deps: Deps, entry_id: uuid.UUID, at: datetime, *, by: Principal) -> uuid.UUID:  # noqa: ARG002
        """Refuse: the same text is not sent twice by the ledger."""
        raise Conflict("A job is not duplicated: the ledger sends no text twice.", fix="Compose a new post.")


def _part(
    which: CalendarFilter, at: sa.ColumnElement[Any], layer: CalendarLayer, *where: sa.ColumnElement[bool]
) -> EntryKeys:
    found = [*where, at >= which.start, at < which.end, JobRow.kind.in_(_kinds(which))]
    if which.surface:
        found.append(JobRow.surface == which.surface)
    if which.agent_id is not None:
        found.append(JobRow.agent_id == which.agent_id)
    if which.account_id is not None:
        is_it = JobRow.account_id == which.account_id
        found.append(sa.or_(is_it, JobRow.account_id.is_(None)) if which.account_id == SETTINGS_ACCOUNT else is_it)
    return sa.select(JobRow.id, at.label("at"), sa.literal(layer.value, sa.String).label("layer")).where(*found)


def _kinds(which: CalendarFilter) -> list[str]:
    known = registry.current()
    return [
        job.kind for job in known.jobs.values()
        if job.is_public and (which.all_kinds or known.action_of(job.kind) == POST.name)
    ]  # fmt: skip


def _entry(row: sa.Row[Any]) -> CalendarEntry:
    is_over = row.state in FINAL
    note = "" if row.state == JobState.DONE else row.error or row.held or ""
    kind = registry.current().action_of(row.kind) or row.kind
    words = row.said or row.prepared or (f"on {row.target[:40]}" if row.target else "")
    return CalendarEntry(
        id=row.id, at=row.finished_at if is_over else row.next_attempt_at,
        layer=CalendarLayer.PAST if is_over else CalendarLayer.PLANNED, kind=kind.replace("_", " "),
        state=row.state, title=text.clean(str(words)), surface=row.surface, account_id=row.account_id,
        agent_id=row.agent_id, page=f"/jobs/{row.id}", note=text.clean(note),
        verbs=frozenset({EntryVerb.MOVE, EntryVerb.CANCEL}) if row.state == JobState.READY else frozenset(),
    )  # fmt: skip


SOURCE = JobsSource()
