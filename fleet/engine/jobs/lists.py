"""Pages of the ledger and how long they are: lists of jobs, newest first. Called by `fleet.engine`, inside its
transactions; reads only.

A list's SQL is written and compiled once for each kind of filter: that took three times as long as Postgres takes.
"""

from __future__ import annotations

import functools
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.db.sql import Statement
from fleet.core.errors import NotFound
from fleet.engine.jobs.filters import JobFilter, containing, searching, words_of
from fleet.engine.jobs.models import JobRow

MOST_COUNTED = 1000
"""The largest total that lists give."""
MOST_SEARCHED = 20_000
"""In so many jobs at most a text is searched for each page: no index serves it."""
_KINDS_OF_LISTS = 128  # as many are stored; people look at a few


class ListedJob(NamedTuple):
    """A job in a list: its row without payload and checkpoint, and without columns of the engine alone."""

    id: uuid.UUID
    agent_id: uuid.UUID | None
    tick_no: int | None
    kind: str
    priority: str
    surface: str
    account_id: uuid.UUID | None
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
    words: str | None
    """What was prepared to be said: a comment's text, a post's caption."""


_PLACE = Statement(
    sa.select(JobRow.created_at, JobRow.finished_at).where(JobRow.id == sa.bindparam("id", type_=sa.Uuid()))
)


def page(
    tx: Tx, which: JobFilter, *, limit: int = 50, before: uuid.UUID | None = None, oldest_first: bool = False
) -> tuple[list[ListedJob], int | None]:
    """Return the results of `find` and `count`."""
    rows = find(tx, which, limit=limit, before=before, oldest_first=oldest_first)
    if before is None and len(rows) < limit and len(rows) <= MOST_COUNTED:
        return rows, len(rows)  # it ends here
    return rows, count(tx, which)


def find(
    tx: Tx, which: JobFilter, *, limit: int = 50, before: uuid.UUID | None = None, oldest_first: bool = False
) -> list[ListedJob]:
    """Return the jobs that match, newest first or oldest first; by when they ended where the filter asks for that.

    `before` is a job's id: the page that follows that job. Each page costs the same, however far down it is. A text is
    searched in the next MOST_SEARCHED jobs that match the rest of the filter. Raises NotFound if that job is gone.
    """
    if not which.parts:
        return []
    values: dict[str, Any] = {"limit": limit, **which.values}
    if before is not None:
        values |= {"above_id": before, "above": _place(tx, which, before)}
    if which.text:
        values["searched"] = MOST_SEARCHED
    rows = tx.run(_page_of(which.shape, is_below=before is not None, oldest_first=oldest_first), **values)
    return [ListedJob._make(row) for row in rows]


def count(tx: Tx, which: JobFilter) -> int | None:
    """Return how many jobs match; None for more than MOST_COUNTED: counting millions is slow and of no use.

    A text is searched in MOST_SEARCHED jobs.
    """
    if not which.parts:
        return 0
    values: dict[str, Any] = {"most": MOST_COUNTED + 1, **which.values}
    if which.text:
        values["searched"] = MOST_SEARCHED
    row = tx.run(_number_of(which.shape), **values).fetchone()
    number = int(row[0]) if row else 0
    return number if number <= MOST_COUNTED else None


def _moment(which: JobFilter) -> sa.ColumnElement[Any]:
    return JobRow.finished_at.expression if which.is_by_end else JobRow.created_at.expression


def _place(tx: Tx, which: JobFilter, job_id: uuid.UUID) -> datetime | None:
    row: Any = tx.run(_PLACE, id=job_id).fetchone()
    if row is None:
        raise NotFound(f"There is no job {job_id}; a page cannot begin below it.")
    place: datetime | None = getattr(row, _moment(which).name)
    return place


@functools.lru_cache(_KINDS_OF_LISTS)
def _page_of(shape: JobFilter, *, is_below: bool, oldest_first: bool) -> Statement:
    """Return the statement for a page of the newest, or the oldest, jobs that match.

    Each part of a filter has an index that holds its jobs in order, so a page needs no more of each than its length.
    """
    moment = _moment(shape)
    place = sa.tuple_(sa.bindparam("above", type_=moment.type), sa.bindparam("above_id", type_=sa.Uuid()))
    here = sa.tuple_(moment, JobRow.id)
    beyond = [here > place if oldest_first else here < place] if is_below else []
    window = _window(shape, _number("searched" if shape.text else "limit"), beyond, oldest_first=oldest_first)
    columns = [getattr(JobRow, name) for name in ListedJob._fields[:-1]] + [words_of(JobRow.checkpoint)]
    query = sa.select(*columns).join(window, window.c.id == JobRow.id)
    if shape.text:
        query = query.where(containing(_pattern())).limit(_number("limit"))
    return Statement(query.order_by(*_in_order(window.c.moment, window.c.id, oldest_first)), prepared=False)


def _window(shape: JobFilter, limit: sa.BindParameter[int], where: list[sa.ColumnElement[bool]], *,
            oldest_first: bool = False) -> sa.Subquery:  # fmt: skip
    """Return the first `limit` ids and moments that match, without the text."""
    moment = _moment(shape)

    def search(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
        found = sa.select(JobRow.id, moment.label("moment")).where(*conditions, *where)
        return found.order_by(*_in_order(moment, JobRow.id.expression, oldest_first)).limit(limit)

    parts = [searching(part, search) for part in replace(shape, text="").parts]
    some = (parts[0] if len(parts) == 1 else sa.union_all(*parts)).subquery("some")
    return sa.select(some).order_by(*_in_order(some.c.moment, some.c.id, oldest_first)).limit(limit).subquery("page")


def _in_order(moment: sa.ColumnElement[Any], job_id: sa.ColumnElement[Any],
              oldest_first: bool) -> tuple[sa.ColumnElement[Any], ...]:  # fmt: skip
    return (moment, job_id) if oldest_first else (moment.desc(), job_id.desc())


@functools.lru_cache(_KINDS_OF_LISTS)
def _number_of(shape: JobFilter) -> Statement:
    """Return the statement that counts matches, up to a limit.

    Unordered and without reading ids, so that index-only scans suffice where rare jobs are spread over many pages.
    """
    most = _number("most")
    if shape.text:
        window = _window(shape, _number("searched"), [])
        found = sa.select(JobRow.id).join(window, window.c.id == JobRow.id).where(containing(_pattern())).limit(most)
        return Statement(sa.select(sa.func.count()).select_from(found.subquery()), prepared=False)
    one: sa.Select[Any] = sa.select(sa.literal_column("1").label("one")).select_from(JobRow).limit(most)
    parts = [searching(part, one.where).limit(most) for part in shape.parts]
    enough = parts[0] if len(parts) == 1 else sa.union_all(*parts).limit(most)  # the first may be enough
    return Statement(sa.select(sa.func.count()).select_from(enough.subquery()), prepared=False)


def _pattern() -> sa.BindParameter[str]:
    return sa.bindparam("text", type_=sa.String())


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger())
