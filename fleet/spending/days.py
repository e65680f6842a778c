"""Daily sums of past calls: one row for all similar calls of a day (UTC), which outlives them.

`fold` is called by prune; `queries` reads. A sum is final: no call is recorded for a past day any more.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core.db import Tx
from fleet.spending.budgets import Period, begins
from fleet.spending.models import CallRow, DayRow

KEYS = ("provider", "model", "persona_id", "purpose", "outcome")
ADDED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "microusd", "latency_ms")
SETTLED_AFTER = timedelta(hours=1)
"""So long after midnight no transaction of the day before is open any more."""
_ONE_DAY = timedelta(days=1)
_DAY = sa.cast(sa.func.timezone("UTC", CallRow.called_at), sa.Date)
_NEVER = date(1970, 1, 1)


def fold(tx: Tx) -> int:
    """Sum the past days that are not summed yet; return how many rows that made.

    Concurrent and repeated calls are safe: a day is summed once.
    """
    frontier, end = folded_until(tx), begins(Period.DAY, tx.now() - SETTLED_AFTER)
    if frontier >= end:
        return 0
    sums = sa.select(_DAY, *_of(CallRow), sa.func.count(), *(sa.func.sum(one) for one in _of(CallRow, ADDED)))
    wanted = sums.where(CallRow.called_at >= frontier, CallRow.called_at < end).group_by(_DAY, *_of(CallRow))
    folded = insert(DayRow).from_select(["day", *KEYS, "calls", *ADDED], wanted).on_conflict_do_nothing()
    return len(tx.execute(folded.returning(DayRow.id)).all())


def folded_until(tx: Tx) -> datetime:
    """Return the midnight up to which all calls are folded; a day without any counts as soon as a later one is."""
    last: date | None = tx.scalar(sa.select(sa.func.max(DayRow.day)))
    return _midnight(_NEVER if last is None else last + _ONE_DAY)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time, with the whole days in its middle that are folded; none if `first` is `end`."""

    since: datetime
    until: datetime | None
    first: datetime
    end: datetime


def span(tx: Tx, since: datetime, until: datetime | None) -> Span:
    """Say which days within a span can be read folded."""
    floor = begins(Period.DAY, since)
    first = floor if floor == since else floor + _ONE_DAY
    end = folded_until(tx)
    if until is not None:
        end = min(end, begins(Period.DAY, until))
    return Span(since, until, first, max(first, end))


def spent(over: Span) -> sa.Subquery:
    """Return all that was spent within a span: rows with `day`, `KEYS`, `calls` and `ADDED`, folded or one a call."""
    if over.first == over.end:
        return calls(over.since, over.until)
    folded = sa.select(DayRow.day, *_of(DayRow), DayRow.calls, *_of(DayRow, ADDED)).where(
        DayRow.day >= over.first.date(), DayRow.day < over.end.date()
    )
    before, after = _single(over.since, over.first), _single(over.end, over.until)
    return sa.union_all(folded, before, after).subquery("spent")


def calls(since: datetime, until: datetime | None, agent_id: uuid.UUID | None = None) -> sa.Subquery:
    """Return the calls within a span, all or one agent's, in the shape of `spent` with the `agent_id`."""
    query = _single(since, until).add_columns(CallRow.agent_id)
    return (query if agent_id is None else query.where(CallRow.agent_id == agent_id)).subquery("spent")


def _single(since: datetime, until: datetime | None) -> sa.Select[Any]:
    one = sa.literal(1).label("calls")
    query = sa.select(_DAY.label("day"), *_of(CallRow), one, *_of(CallRow, ADDED)).where(CallRow.called_at >= since)
    return query if until is None else query.where(CallRow.called_at < until)


def _of(row: type[CallRow] | type[DayRow], names: Sequence[str] = KEYS) -> list[Any]:
    return [getattr(row, name) for name in names]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
