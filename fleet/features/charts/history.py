"""What happened in spans of time, read from the ledger, and the sums of past hours that outlive it.

An hour is summed once: `prune` runs one at a time, takes the hours in order, and inserts a whole hour or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import clock
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.jobs import stats
from fleet.engine.jobs.states import JobState
from fleet.features.charts.buckets import GROWTH, HOUR, SHORTEST_S, Measures, floor
from fleet.features.charts.models import ChartHourRow, QueueSampleRow

SETTLED_AFTER = timedelta(minutes=15)
"""So long after an hour its attempts have an outcome, or count for nothing."""
LIVE_HOURS = 6
"""So many hours that are not summed yet are read from the ledger for a chart; older ones are gaps for now."""
KEPT = timedelta(days=62)
_WITHIN_S = 2.0
_MINUTE = timedelta(minutes=1)

# Each reads one index by the moment that it is about: ix_jobs_finished_at, ix_job_attempts_started_at,
# ix_ticks_decided_at, ix_llm_calls_spent.
_ENDED = """
SELECT date_bin(:step, finished_at, :since), kind, state, count(*) FROM jobs
WHERE finished_at >= :since AND finished_at < :until AND state IN ('done', 'dead') AND kind <> ALL(:notices)
GROUP BY 1, 2, 3
"""
_FAILING = """
SELECT date_bin(:step, started_at, :since), count(DISTINCT job_id) FROM job_attempts JOIN jobs ON jobs.id = job_id
WHERE started_at >= :since AND started_at < :until AND outcome = ANY(:failed) AND kind <> ALL(:notices)
GROUP BY 1
"""
_LATENESS = """
SELECT date_bin(:step, decided_at, :since),
       floor(ln(greatest(extract(epoch FROM decided_at - due_at), :shortest_s) / :shortest_s) / ln(:growth))::int,
       count(*)
FROM ticks WHERE decided_at IS NOT NULL AND decided_at >= :since AND decided_at < :until GROUP BY 1, 2
"""
_SPENT = """
SELECT date_bin(:step, called_at, :since), sum(microusd)::bigint FROM llm_calls
WHERE called_at >= :since AND called_at < :until GROUP BY 1
"""
_FIRST = """
SELECT least((SELECT min(finished_at) FROM jobs WHERE finished_at IS NOT NULL),
             (SELECT min(decided_at) FROM ticks WHERE decided_at IS NOT NULL), (SELECT min(called_at) FROM llm_calls))
"""
_QUEUE = """
SELECT date_bin(:step, at, :since), max(due), max(oldest_s) FROM queue_samples
WHERE at >= :since AND at < :until GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class QueuePeak:
    """The longest queue in a span of time, and the longest that its oldest job had been due."""

    due: int
    oldest_s: float


@dataclass(slots=True)
class _Sums:
    done: dict[str, int] = field(default_factory=dict)
    given_up: int = 0
    failing: int = 0
    lateness: dict[int, int] = field(default_factory=dict)
    microusd: int = 0


def read(tx: Tx, since: datetime, until: datetime, step: timedelta) -> dict[datetime, Measures]:
    """Return what happened in each step of a span of time, from the ledger; steps without anything are left out.

    Jobs of agents are counted, not deliveries and notices.
    """
    notices = sorted(registry.current().kinds(lambda job: job.is_notice))
    span = {"since": since, "until": until, "step": step}
    found: defaultdict[datetime, _Sums] = defaultdict(_Sums)
    for start, kind, state, number in tx.execute(sa.text(_ENDED), span | {"notices": notices}):
        if state == JobState.DONE:
            found[start].done[kind] = number
        else:
            found[start].given_up += number
    asked = span | {"notices": notices, "failed": list(stats.FAILED)}
    for start, number in tx.execute(sa.text(_FAILING), asked):
        found[start].failing = number
    classes = {"shortest_s": SHORTEST_S, "growth": GROWTH}
    for start, late_class, number in tx.execute(sa.text(_LATENESS), span | classes):
        found[start].lateness[late_class] = number
    for start, microusd in tx.execute(sa.text(_SPENT), span):
        found[start].microusd = microusd
    return {
        start: Measures(one.done, one.given_up, one.failing, one.lateness, one.microusd) for start, one in found.items()
    }


def hours(tx: Tx, since: datetime, now: datetime) -> dict[datetime, Measures]:
    """Return the hours since a moment that are known: summed ones, and the last ones from the ledger."""
    rows = tx.session.scalars(sa.select(ChartHourRow).where(ChartHourRow.hour >= since))
    found = {row.hour: _measures(row) for row in rows}
    present = floor(now, HOUR)
    start = max(since, present - HOUR * (LIVE_HOURS - 1), *(hour + HOUR for hour in found))
    live = read(tx, start, present + HOUR, HOUR)
    number = max(0, (present - start) // HOUR + 1)
    return found | {hour: live.get(hour, Measures()) for hour in (start + HOUR * place for place in range(number))}


def _measures(row: ChartHourRow) -> Measures:
    lateness = {int(late_class): number for late_class, number in row.lateness.items()}
    return Measures(row.done, row.given_up, row.failing, lateness, row.microusd)


def queue(tx: Tx, since: datetime, until: datetime, step: timedelta) -> dict[datetime, QueuePeak]:
    """Return the longest queue that was sampled in each step of a span of time."""
    rows = tx.execute(sa.text(_QUEUE), {"since": since, "until": until, "step": step})
    return {start: QueuePeak(due, oldest_s) for start, due, oldest_s in rows}


def sample(deps: Deps) -> int:
    """Record how long the queue is, once a minute; return 0, as nothing was lost. Called by each sweep."""
    with deps.db.transaction() as tx:
        minute = floor(tx.now(), _MINUTE)
        if tx.session.get(QueueSampleRow, minute) is None:
            found = stats.waiting(tx).values()
            due, oldest_s = sum(one.number for one in found), max((one.oldest_s for one in found), default=0.0)
            row = insert(QueueSampleRow).values(at=minute, due=due, oldest_s=oldest_s)
            tx.execute(row.on_conflict_do_nothing())  # another sweep may be as quick
    return 0


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Sum the hours that have settled, and delete old sums and samples; return how many went."""
    now = tx.now()
    _sum_hours(tx, since=now - timedelta(days=days), until=floor(now - SETTLED_AFTER, HOUR))
    return _prune(tx, ChartHourRow.hour, now - KEPT, limit) + _prune(tx, QueueSampleRow.at, now - KEPT, limit)


def _sum_hours(tx: Tx, *, since: datetime, until: datetime) -> None:
    last: datetime | None = tx.scalar(sa.select(sa.func.max(ChartHourRow.hour)))
    first: datetime | None = tx.scalar(sa.text(_FIRST)) if last is None else last + HOUR
    if first is None:
        return
    hour = max(floor(first, HOUR), floor(since, HOUR) + HOUR)  # the hour of `since` itself is pruned in part
    stop_s = clock.monotonic_s() + _WITHIN_S
    while hour < until and clock.monotonic_s() < stop_s:
        one = read(tx, hour, hour + HOUR, HOUR).get(hour, Measures())
        lateness = {str(late_class): number for late_class, number in one.lateness.items()}
        row = insert(ChartHourRow).values(
            hour=hour, done=dict(one.done), given_up=one.given_up, failing=one.failing, lateness=lateness,
            microusd=one.microusd,
        )  # fmt: skip
        tx.execute(row.on_conflict_do_nothing())
        hour += HOUR


def _prune(tx: Tx, moment: Any, before: datetime, limit: int) -> int:
    old = sa.select(moment).where(moment < before).order_by(moment).limit(limit)
    return len(tx.execute(sa.delete(moment.class_).where(moment.in_(old)).returning(moment)).all())
