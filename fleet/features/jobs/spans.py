"""Spans of time that a list of jobs can be narrowed to: when jobs ended, were created, or had an attempt that failed.

A span begins at `start` and ends before `end`, so that spans side by side, such as the bars of a chart, share no job.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fleet.engine.deps import Deps
from fleet.engine.jobs import stats
from fleet.engine.jobs.queries import JobFilter

MOST_FAILING = 1000
"""So many jobs with a failed attempt are listed at most, the newest attempts first."""
_LEAST = timedelta(microseconds=1)  # the resolution of Postgres
_NOBODY = (uuid.UUID(int=0),)
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


class JobTime(StrEnum):
    """The moment of a job that lies in the span."""

    ENDED = "ended"
    CREATED = "created"
    FAILED = "failed"

    @property
    def words(self) -> str:
        """What it is called in a choice."""
        return "an attempt failed" if self is JobTime.FAILED else str(self)


def within(deps: Deps, which: JobFilter, time: JobTime, start: datetime | None, end: datetime | None) -> JobFilter:
    """Return a filter narrowed to a span; without a start or an end it is open there."""
    till = None if end is None else end - _LEAST
    if start is None and end is None and time is not JobTime.FAILED:
        return which
    if time is JobTime.ENDED:
        return replace(which, ended_from=start, ended_till=till)
    if time is JobTime.CREATED:
        return replace(which, created_from=start, created_till=till)
    with deps.db.transaction() as tx:
        found = stats.failing_jobs(tx, start or _ALWAYS, end or tx.now(), limit=MOST_FAILING)
    return replace(which, ids=tuple(found) or _NOBODY)
