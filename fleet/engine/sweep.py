"""Sweep: find stranded ticks and jobs and publish them again. Called by beat every few seconds; any number may run.

This recovers from killed workers, lost messages and a wiped broker. Prune runs less often: it deletes rows past their
retention, and keeps the sums of the model calls that it deletes.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.access import idempotency_keys, maintenance
from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.core.errors import FleetError, Unavailable
from fleet.core.failpoints import Point, reach
from fleet.engine import publish, registry
from fleet.engine.agents import loop
from fleet.engine.deps import Deps
from fleet.engine.jobs import recovery, ticks
from fleet.engine.jobs.recovery import RecoveredJob
from fleet.engine.jobs.states import FINAL
from fleet.spending import days, ledger

log = logs.get(__name__)
TOO_LATE_S = 3600.0
"""A tick that no worker claims within an hour is skipped: the agent's next one reads today's feed, not yesterday's."""
_LONG = 100
PRUNE_FOR_S = 45.0
"""Less than beat's minute, so that messages do not pile up while there is much to delete."""
_PRUNE_LOCK = 0x7072756E65  # "prune": any constant works, as long as all pruners use the same


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found."""

    ticks_released: int
    ticks_skipped: int
    jobs_released: int
    jobs_ended: int
    ticks_rung: int
    jobs_rung: int
    recovered_by_features: int


def sweep(deps: Deps) -> Swept:
    """Take back expired leases, end what is too old, and publish due ticks and jobs again."""
    settings = deps.settings
    with deps.db.transaction() as tx:
        released_ticks = ticks.release_expired(tx)
        skipped_ticks = ticks.skip_hopeless(tx, too_old_s=TOO_LATE_S)
        released_jobs = recovery.release_expired(tx, settle_s=settings.settle_s)
        ended_jobs = recovery.end_stale(tx)
        _tell(tx, [*released_jobs, *ended_jobs])
        _count(tx, ticks_released=released_ticks, ticks_skipped=skipped_ticks, jobs_released=released_jobs,
               jobs_ended=ended_jobs)  # fmt: skip
        reach(Point.SWEEP_RELEASED)
    _clear_actions(deps, [*released_jobs, *ended_jobs])
    long_queues = _long_queues(deps)
    patience = recovery.PATIENCE if "ticks" in long_queues else 1
    with deps.db.transaction() as tx:
        rung_ticks = ticks.republish_due(tx, after_s=settings.republish_s * patience)
        rung_jobs = recovery.republish_due(tx, after_s=settings.republish_s, long_queues=long_queues)
        _count(tx, ticks_rung=rung_ticks, jobs_rung=rung_jobs)
        tx.afterwards(lambda: publish.ring_ticks(deps.publisher, rung_ticks))
        tx.afterwards(lambda: publish.ring_jobs(deps.publisher, rung_jobs))
        tx.afterwards(lambda: reach(Point.SWEEP_PUBLISHED))
    recovered = _sweep_features(deps)
    swept = Swept(
        len(released_ticks), len(skipped_ticks), len(released_jobs), len(ended_jobs), len(rung_ticks), len(rung_jobs),
        recovered,
    )  # fmt: skip
    if released_ticks or released_jobs or recovered:
        log.info("lost_work_recovered", ticks=len(released_ticks), jobs=len(released_jobs), features=recovered)
    return swept


def _sweep_features(deps: Deps) -> int:
    """Run each feature's sweep; return how much they recovered. One that fails does not stop the others."""
    recovered = 0
    for sweep_feature in registry.current().parts("sweeps"):
        try:
            recovered += sweep_feature(deps) or 0
        except Unavailable:
            raise
        except Exception:
            log.exception("feature_not_swept", sweep=f"{sweep_feature.__module__}.{sweep_feature.__name__}")
    return recovered


def _long_queues(deps: Deps) -> frozenset[str]:
    """Return the queues in which so many messages wait that an old message is not lost but late."""
    try:
        return frozenset(name for name, depth in deps.publisher.depths().items() if depth >= _LONG)
    except FleetError:
        return frozenset()


def _clear_actions(deps: Deps, moved: list[RecoveredJob]) -> None:
    """Clear current actions that have ended, without a lock on a job: stopping an agent locks its row before its
    jobs.
    """
    ended = [(job.agent_id, job.kind) for job in moved if job.agent_id is not None and job.state in FINAL]
    if ended:
        with deps.db.transaction() as tx:
            loop.end_actions(tx, ended)


def _tell(tx: Tx, moved: list[RecoveredJob]) -> None:
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


def _count(tx: Tx, **found: Sized) -> None:
    """Record how much was found of each sort; nothing for nothing."""
    rows = [{"subject": f"sweep.{what}", "agent_id": None, "job_id": None, "payload": {"number": len(rows)}}
            for what, rows in found.items() if len(rows)]  # fmt: skip
    events.emit_many(tx, rows)


PRUNERS: tuple[Callable[..., int], ...] = (
    ticks.prune_ticks, recovery.prune_jobs, events.prune, ledger.prune_calls, idempotency_keys.prune, maintenance.prune,
)  # fmt: skip
"""Pruners of the engine and of the packages below it; features register their own."""


def prune(deps: Deps, *, for_s: float = PRUNE_FOR_S) -> int:
    """Delete ticks, jobs and events past their retention, one batch of each in turn; return how many rows went.

    Every batch is a transaction of its own, and no batch begins after `for_s` seconds: the next call continues. Live
    jobs, unknown outcomes, dead letters, and reactions in force are never touched.
    """
    until_s, gone, left = deps.clock.monotonic_s() + for_s, 0, [*PRUNERS, *registry.current().parts("pruners")]
    with deps.db.transaction() as tx:
        days.fold(tx)  # calls go only once their sums are stored
    while left and deps.clock.monotonic_s() < until_s:
        numbers = [prune_batch(deps, prune_some) for prune_some in left]
        gone += sum(numbers)
        left = [
            prune_some for prune_some, number in zip(left, numbers, strict=True) if number >= deps.settings.prune_batch
        ]
    if left:
        log.info("prune_goes_on", rows=gone)
    return gone


def prune_batch(deps: Deps, prune_some: Callable[..., int]) -> int:
    """Delete one batch of one kind of rows; return how many: none while another process prunes."""
    with deps.db.transaction() as tx:
        # One at a time: two would wait for each other's locks only to find the rows deleted.
        if not tx.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_PRUNE_LOCK))):
            return 0
        return prune_some(tx, days=deps.settings.retention_days, limit=deps.settings.prune_batch)
