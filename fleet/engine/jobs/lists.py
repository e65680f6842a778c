"""Pages of the ledger and how long they are: lists of jobs, newest first. Called by `fleet.engine`, inside its
transactions; reads only.

A list's SQL is written and compiled once for each kind of filter: that took three times as long as Postgres takes.
"""

from __future__ import annotations

import functools
import uuid
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.db.sql import Statement
from fleet.core.errors import NotFound
from fleet.engine.jobs.filters import JobFilter, searching
from fleet.engine.jobs.models import JobRow

MOST_COUNTED = 1000
"""The largest total that lists give."""
_KINDS_OF_LISTS = 128  # as many are stored; people look at a few


class ListedJob(NamedTuple):
    """A job in a list: its row without payload and checkpoint, and without columns of the engine alone."""

    id: uuid.UUID
    agent_id: uuid.UUID | None
    tick_no: int | None
    kind: str
    priority: str
    surface: str
    target: str | None
    state: str
    attempts: int
    max_attempts: int
    claims: int
    next_attempt_at: datetime
    lease_until: datetime | None
    sending_at: datetime | None
    held: str | None
    remote_id: str | None
    result: dict[str, Any] | None
    dead_reason: str | None
    error: str | None
    requested_by: str | None
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None


_PLACE = Statement(
    sa.select(JobRow.created_at, JobRow.finished_at).where(JobRow.id == sa.bindparam("id", type_=sa.Uuid()))
)


def page(
    tx: Tx, which: JobFilter, *, limit: int = 50, before: uuid.UUID | None = None
) -> tuple[list[ListedJob], int | None]:
    """Return the results of `find` and `count`."""
    rows = find(tx, which, limit=limit, before=before)
    if before is None and len(rows) < limit and len(rows) <= MOST_COUNTED:
        return rows, len(rows)  # it ends here
    return rows, count(tx, which)


def find(tx: Tx, which: JobFilter, *, limit: int = 50, before: uuid.UUID | None = None) -> list[ListedJob]:
    """Return the jobs that match, newest first; dead letters by when they died.

    `before` is a job's id: the page that follows that job. Each page costs the same, however far down it is. Raises
    NotFound if that job is gone.
    """
    if not which.parts:
        return []
    values: dict[str, Any] = {"limit": limit, **which.values}
    if before is not None:
        values |= {"above_id": before, "above": _place(tx, which, before)}
    rows = tx.run(_page_of(which.shape, is_below=before is not None), **values)
    return [ListedJob._make(row) for row in rows]


def count(tx: Tx, which: JobFilter) -> int | None:
    """Return how many jobs match; None for more than MOST_COUNTED: counting millions is slow and of no use."""
    if not which.parts:
        return 0
    row = tx.run(_number_of(which.shape), most=MOST_COUNTED + 1, **which.values).fetchone()
    number = int(row[0]) if row else 0
    return number if number <= MOST_COUNTED else None


def _moment(which: JobFilter) -> sa.ColumnElement[Any]:
    return JobRow.finished_at.expression if which.is_of_the_dead else JobRow.created_at.expression


def _place(tx: Tx, which: JobFilter, job_id: uuid.UUID) -> datetime | None:
    row: Any = tx.run(_PLACE, id=job_id).fetchone()
    if row is None:
        raise NotFound(f"There is no job {job_id}; a page cannot begin below it.")
    place: datetime | None = getattr(row, _moment(which).name)
    return place


@functools.lru_cache(_KINDS_OF_LISTS)
def _page_of(shape: JobFilter, *, is_below: bool) -> Statement:
    """Return the statement for a page of the newest jobs that match.

    Each part of a filter has an index that holds its jobs in order, so a page needs no more of each than its length.
    """
    moment, limit = _moment(shape), _number("limit")
    place = sa.tuple_(sa.bindparam("above", type_=moment.type), sa.bindparam("above_id", type_=sa.Uuid()))
    newer = [sa.tuple_(moment, JobRow.id) < place] if is_below else []

    def search(*where: sa.ColumnElement[bool]) -> sa.Select[Any]:
        found = sa.select(JobRow.id, moment.label("moment")).where(*where, *newer)
        return found.order_by(moment.desc(), JobRow.id.desc()).limit(limit)

    parts = [searching(part, search) for part in shape.parts]
    some = (parts[0] if len(parts) == 1 else sa.union_all(*parts)).subquery("some")
    chosen = sa.select(some).order_by(some.c.moment.desc(), some.c.id.desc()).limit(limit)
    page = chosen.subquery("page")
    query = sa.select(*(getattr(JobRow, name) for name in ListedJob._fields)).join(page, page.c.id == JobRow.id)
    return Statement(query.order_by(page.c.moment.desc(), page.c.id.desc()), prepared=False)


@functools.lru_cache(_KINDS_OF_LISTS)
def _number_of(shape: JobFilter) -> Statement:
    """Return the statement that counts matches, up to a limit.

    Unordered and without reading ids, so that index-only scans suffice where rare jobs are spread over many pages.
    """
    most = _number("most")
    one: sa.Select[Any] = sa.select(sa.literal_column("1").label("one")).select_from(JobRow).limit(most)
    parts = [searching(part, one.where).limit(most) for part in shape.parts]
    enough = parts[0] if len(parts) == 1 else sa.union_all(*parts).limit(most)  # the first may be enough
    return Statement(sa.select(sa.func.count()).select_from(enough.subquery()), prepared=False)


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger())
