"""Sweep of jobs: recover from killed workers and lost messages.

Called by `fleet.engine.sweep`; any number may run, since every statement is bounded and uses SKIP LOCKED. A new lease
token fences the worker that held the job before.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.db.sql import NOW, Statement
from fleet.engine import registry
from fleet.engine.jobs import pacing
from fleet.engine.jobs.ledger import Ring, rings
from fleet.engine.jobs.models import PRUNABLE, AttemptRow, JobRow
from fleet.engine.jobs.states import LEASED, DeadReason, JobState
from fleet.engine.jobs.ticks import overdue, seconds
from fleet.engine.policy import MOST_WORKERS_LOST

_ROUNDS = 3
PATIENCE = 10
"""How many times longer a message may wait in a long queue before it counts as lost."""
# A failed try is a claim that ended, or two: the write, and its probe.
_LOST = sa.func.greatest(JobRow.claims - 2 * JobRow.attempts, 1)
# Jobs that died with one worker expire together, and would be claimed together again beside the job that kills workers.
# From the second time on they are spread over up to 2 s, then 6, 14, at most 510.
_APART = seconds(sa.func.random() * (sa.func.power(2.0, sa.func.least(_LOST, 9)) - 2))


@dataclass(frozen=True, slots=True)
class RecoveredJob:
    """A job that the sweep moved, and where to."""

    job_id: uuid.UUID
    agent_id: uuid.UUID | None
    kind: str
    state: JobState
    dead_reason: str | None
    error: str | None


_RETURNED = (JobRow.id, JobRow.agent_id, JobRow.kind, JobRow.state, JobRow.dead_reason, JobRow.error)
_TIME = sa.select(NOW).scalar_subquery()
"""The time, read once and first: no index can be searched for a value that changes from row to row."""
_KINDS = sa.bindparam("kinds", type_=sa.ARRAY(sa.Text))


def _select_free(*where: sa.ColumnElement[bool]) -> sa.Subquery:
    query = sa.select(JobRow.id).where(*where).order_by(JobRow.next_attempt_at)
    query = query.limit(sa.bindparam("limit", type_=sa.Integer))
    return query.with_for_update(skip_locked=True).subquery()


def _end_lease(jobs: sa.Subquery, **values: Any) -> Statement:
    """Return the statement that updates jobs and ends any lease on them."""
    moved = sa.update(JobRow).where(JobRow.id == jobs.c.id).values(lease_token=JobRow.lease_token + 1, **values)
    return Statement(moved.returning(*_RETURNED))


_WAS_SENT = JobRow.state.in_((JobState.SENDING, JobState.UNKNOWN))
_POISONED = _LOST >= MOST_WORKERS_LOST
_RELEASE_EXPIRED = _end_lease(
    _select_free(sa.or_(JobRow.state.in_(LEASED), JobRow.state == JobState.UNKNOWN), JobRow.lease_until < _TIME),
    state=sa.case((_POISONED, JobState.DEAD.value), (_WAS_SENT, JobState.UNKNOWN.value), else_=JobState.READY.value),
    dead_reason=sa.case(
        (sa.and_(_POISONED, _WAS_SENT), DeadReason.UNKNOWN_OUTCOME.value),
        (_POISONED, DeadReason.POISON.value),
        else_=None,
    ),
    finished_at=sa.case((_POISONED, NOW), else_=None),
    error="the worker was lost",
    lease_until=None,
    next_attempt_at=NOW
    + sa.case((JobRow.state == JobState.SENDING, seconds(sa.bindparam("settle_s", type_=sa.Double))), else_=_APART),
    published_at=None,
    publishes=0,
)
_TRIED = JobRow.attempts > 0
_END_STALE = _end_lease(
    _select_free(JobRow.state == JobState.READY, JobRow.expires_at < _TIME),
    state=sa.case((_TRIED, JobState.DEAD.value), else_=JobState.SKIPPED.value),
    dead_reason=sa.case((_TRIED, DeadReason.EXPIRED.value), else_=None),
    error=sa.func.coalesce(
        JobRow.error,
        JobRow.held,
        sa.case(
            (JobRow.kind == sa.func.any(_KINDS), "too late to be worth doing"),
            else_="no feature of this fleet does jobs of this kind",
        ),
    ),
    finished_at=NOW,
)
_AFTER_S = sa.case(
    (
        JobRow.priority == sa.func.any(sa.bindparam("long_queues", type_=sa.ARRAY(sa.Text))),
        sa.bindparam("patient_s", type_=sa.Double),
    ),
    else_=sa.bindparam("after_s", type_=sa.Double),
)
_DUE = _select_free(
    JobRow.state.in_((JobState.READY, JobState.UNKNOWN)),
    JobRow.next_attempt_at <= _TIME,
    JobRow.lease_until.is_(None),
    overdue(JobRow.published_at, JobRow.publishes, _AFTER_S),
    sa.not_(sa.and_(pacing.is_paced(), JobRow.published_at.is_(None))),
    JobRow.kind == sa.func.any(_KINDS),
)
_REPUBLISH = Statement(
    sa.update(JobRow)
    .where(JobRow.id == _DUE.c.id)
    .values(published_at=NOW, publishes=JobRow.publishes + 1)
    .returning(JobRow.id, JobRow.kind, JobRow.priority)
)


def release_expired(tx: Tx, *, settle_s: float, limit: int = 500) -> list[RecoveredJob]:
    """Take jobs back from workers whose lease expired: to ready, or to unknown if a write may have been sent.

    A job whose workers die too often becomes a dead letter.
    """
    moved = _recovered(tx.run(_RELEASE_EXPIRED, settle_s=settle_s, limit=limit))
    _close_attempts(tx, [job.job_id for job in moved])
    return moved


def end_stale(tx: Tx, *, limit: int = 500) -> list[RecoveredJob]:
    """End ready jobs that are past their expiry: skipped if no attempt was made, else a dead letter."""
    return _recovered(tx.run(_END_STALE, kinds=list(registry.current().jobs), limit=limit))


def _recovered(rows: Iterable[Any]) -> list[RecoveredJob]:
    return [
        RecoveredJob(row.id, row.agent_id, row.kind, JobState(row.state), row.dead_reason, row.error) for row in rows
    ]


def republish_due(
    tx: Tx, *, after_s: float, limit: int = 1000, long_queues: Collection[str] = (), patience: int = PATIENCE
) -> list[Ring]:
    """Return due jobs whose message is missing or was not claimed in time, marked as published again.

    Jobs of a feature that is left out wait until it is back, or until they expire. At most `limit` of the kinds that
    crowd out other kinds, then as many of the other kinds. In `long_queues` messages wait longer, so they count as lost
    only `patience` times later: duplicates would make a long queue longer.
    """
    found: list[Ring] = []
    crowding: set[str] = set()
    for _ in range(_ROUNDS):
        batch = _republish(tx, after_s=after_s, limit=limit, long_queues=long_queues, patience=patience, but=crowding)
        found += batch
        if len(batch) < limit:
            break
        crowding |= {kind for kind, number in Counter(ring.kind for ring in batch).items() if number >= limit // 8}
    return found


def _republish(
    tx: Tx, *, after_s: float, limit: int, long_queues: Collection[str], patience: int, but: set[str]
) -> list[Ring]:
    kinds = [kind for kind in registry.current().jobs if kind not in but]
    rows = tx.run(
        _REPUBLISH, after_s=after_s, patient_s=after_s * patience, long_queues=list(long_queues), kinds=kinds,
        limit=limit,
    )  # fmt: skip
    return rings(rows)


def prune_jobs(tx: Tx, *, days: int, limit: int) -> int:
    """Delete jobs that ended without a dead letter and are past retention; dead letters stay until a person discards
    them.

    Jobs that are done once per target are kept as long as their agent.
    """
    victims = (
        sa.select(JobRow.id)
        .where(JobRow.finished_at < sa.select(tx.sql_now).scalar_subquery() - seconds(days * 86400), PRUNABLE)
        .order_by(JobRow.finished_at)
        .limit(limit)
        .subquery()
    )
    return tx.execute(sa.delete(JobRow).where(JobRow.id == victims.c.id)).rowcount


def _close_attempts(tx: Tx, job_ids: list[uuid.UUID]) -> None:
    if job_ids:
        open_ones = sa.and_(AttemptRow.job_id.in_(job_ids), AttemptRow.ended_at.is_(None))
        tx.execute(sa.update(AttemptRow).where(open_ones).values(ended_at=tx.sql_now, outcome="lost"))
