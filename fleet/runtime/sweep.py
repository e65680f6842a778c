"""Sweep: find what was left lying and set it going again. Called by beat every few seconds; any number may run.

This is the recovery from killed workers, lost messages and a wiped broker. Prune is its slow sister: it deletes what
is past its retention.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.core.events import EventRow
from fleet.core.failpoints import Point, reach
from fleet.jobs import recovery, ticks
from fleet.jobs.recovery import Moved
from fleet.runtime import doorbell, paying
from fleet.runtime.deps import Deps
from fleet.spending import ledger

log = logs.get(__name__)
TOO_LATE_S = 3600.0
"""A tick that nobody came to within an hour is skipped: the agent's next one will see today's feed, not yesterday's."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found."""

    ticks_released: int
    ticks_skipped: int
    jobs_released: int
    jobs_ended: int
    ticks_rung: int
    jobs_rung: int
    amounts_charged: int


def sweep(deps: Deps) -> Swept:
    """Release what dead workers held, end what is too old, and ring again for what is due."""
    settings = deps.settings
    with deps.db.transaction() as tx:
        released_ticks = ticks.release_expired(tx)
        skipped_ticks = ticks.skip_hopeless(tx, too_old_s=TOO_LATE_S)
        released_jobs = recovery.release_expired(tx, settle_s=settings.settle_s)
        ended_jobs = recovery.end_stale(tx)
        _tell(tx, [*released_jobs, *ended_jobs])
        reach(Point.SWEEP_RELEASED)
    with deps.db.transaction() as tx:
        rung_ticks = ticks.republish_due(tx, after_s=settings.republish_s)
        rung_jobs = recovery.republish_due(tx, after_s=settings.republish_s)
        tx.afterwards(lambda: doorbell.ring_ticks(deps.publisher, rung_ticks))
        tx.afterwards(lambda: doorbell.ring_jobs(deps.publisher, rung_jobs))
        tx.afterwards(lambda: reach(Point.SWEEP_PUBLISHED))
    charged = paying.charge_abandoned(deps)
    swept = Swept(
        len(released_ticks), len(skipped_ticks), len(released_jobs), len(ended_jobs), len(rung_ticks), len(rung_jobs),
        charged,
    )  # fmt: skip
    if released_ticks or released_jobs or charged:
        log.info("lost_work_recovered", ticks=len(released_ticks), jobs=len(released_jobs), amounts=charged)
    return swept


def _tell(tx: Tx, moved: list[Moved]) -> None:
    events.emit_many(
        tx,
        [
            {
                "subject": "job.recovered" if job.state in ("ready", "unknown") else f"job.{job.state}",
                "agent_id": job.agent_id,
                "job_id": job.job_id,
                "payload": {"kind": job.kind, "state": job.state, "reason": job.dead_reason, "why": job.error},
            }
            for job in moved
        ],
    )


def prune(deps: Deps) -> int:
    """Delete ticks, jobs, events and calls past their retention, in small transactions; return how many rows went."""
    days, gone = deps.settings.retention_days, 0
    for prune_some in (ticks.prune_ticks, recovery.prune_jobs, _prune_events, ledger.prune_calls):
        while True:
            with deps.db.transaction() as tx:
                number = prune_some(tx, days=days)
            gone += number
            if number < 5000:
                break
    return gone


def _prune_events(tx: Tx, *, days: int, limit: int = 5000) -> int:
    cutoff = sa.func.clock_timestamp() - sa.literal(timedelta(days=days), sa.Interval)
    victims = sa.select(EventRow.id).where(EventRow.occurred_at < cutoff).limit(limit).subquery()
    return tx.execute(sa.delete(EventRow).where(EventRow.id == victims.c.id)).rowcount
