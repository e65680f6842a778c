"""Paced jobs: they wait in the ledger, and their feature publishes few of them at a time, by lane.

A lane is a part of the jobs of one kind, such as the deliveries to one receiver. Called by features inside their
transactions. Never publishes more than its limit: a receiver that is down must not fill the queues of other kinds of
jobs.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.core.db import Tx
from fleet.core.db.sql import Statement
from fleet.engine.jobs.ledger import Ring, rings
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState

_PACING = 0x70616365  # "pace": any constant works, as long as all publishers of paced jobs use the same
# Literally as in the partial indexes: with a placeholder the planner would not use them.
_WAITS = sa.text("(lane IS NOT NULL AND state = 'ready' AND published_at IS NULL)")
_IS_OUT = sa.text("(lane IS NOT NULL AND state IN ('ready', 'running') AND published_at IS NOT NULL)")
_CLOCK = sa.func.clock_timestamp()
_ANY_WAITING = Statement(
    sa.select(JobRow.id)
    .where(
        _WAITS,
        JobRow.kind == sa.bindparam("kind", type_=sa.Text),
        JobRow.next_attempt_at <= sa.select(_CLOCK).scalar_subquery(),
    )
    .limit(1)
)


def is_paced() -> sa.ColumnElement[bool]:
    """SQL condition: the job is published by lane. One that a person requests has no lane and is published at once."""
    return JobRow.lane.is_not(None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A waiting job that is due."""

    lane: str
    job_id: uuid.UUID
    due_at: datetime


def lock(tx: Tx) -> None:
    """Wait until no other process publishes paced jobs, and keep others from it until this transaction ends."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_PACING)))


def is_anything_waiting(tx: Tx, kind: str) -> bool:
    """Say whether any paced job of a kind waits and is due."""
    return tx.run(_ANY_WAITING, kind=kind).fetchone() is not None


def published(tx: Tx, kind: str) -> Mapping[str, int]:
    """Return by lane how many jobs of a kind are published or running."""
    return _counts(tx, _IS_OUT, kind)


def live(tx: Tx, kind: str) -> Mapping[str, int]:
    """Return by lane how many jobs of a kind have not ended."""
    waiting, out = _counts(tx, _WAITS, kind), published(tx, kind)
    return {lane: waiting.get(lane, 0) + out.get(lane, 0) for lane in waiting.keys() | out.keys()}


def _counts(tx: Tx, which: sa.TextClause, kind: str) -> dict[str, int]:
    query = sa.select(JobRow.lane, sa.func.count()).where(which, JobRow.kind == kind).group_by(JobRow.lane)
    return {str(lane): number for lane, number in tx.execute(query)}


def candidates(tx: Tx, kind: str, lanes: Collection[str], *, each: int) -> list[Candidate]:
    """Return the first due jobs of each lane, at most `each` of one."""
    lane = sa.func.unnest(sa.literal(list(lanes), ARRAY(sa.String))).table_valued("key", name="lanes").render_derived()
    is_due = (JobRow.lease_until.is_(None), JobRow.next_attempt_at <= _CLOCK)
    due = (_WAITS, JobRow.kind == kind, JobRow.lane == lane.c.key, *is_due)
    first = sa.select(JobRow.id, JobRow.next_attempt_at).where(*due).order_by(JobRow.next_attempt_at).limit(each)
    job = first.lateral("job")
    rows = tx.execute(sa.select(lane.c.key, job.c.id, job.c.next_attempt_at).select_from(lane.join(job, sa.true())))
    return [Candidate(*row) for row in rows]


def mark_published(tx: Tx, job_ids: Collection[uuid.UUID]) -> list[Ring]:
    """Mark waiting jobs as published; return those not locked by another process, to be published after COMMIT."""
    marked = sa.update(JobRow).where(JobRow.id == _free(job_ids)).values(published_at=_CLOCK, publishes=1)
    return rings(tx.execute(marked.returning(JobRow.id, JobRow.kind, JobRow.priority)))


def later(tx: Tx, kind: str, lane: str) -> list[uuid.UUID]:
    """Return the jobs of a lane that wait for a later time."""
    not_yet = (_WAITS, JobRow.kind == kind, JobRow.lane == lane, JobRow.next_attempt_at > _CLOCK)
    return list(tx.session.scalars(sa.select(JobRow.id).where(*not_yet)))


def make_due(tx: Tx, job_ids: Collection[uuid.UUID]) -> None:
    """Make waiting jobs due now, except those whose rows are locked at this moment."""
    due = sa.update(JobRow).where(JobRow.id == _free(job_ids)).values(next_attempt_at=_CLOCK, held=None)
    tx.execute(due)


def _free(job_ids: Collection[uuid.UUID]) -> sa.ColumnElement[Any]:
    free = sa.select(JobRow.id).where(JobRow.id.in_(job_ids), _WAITS).with_for_update(skip_locked=True)
    return free.subquery("free").c.id


def cancel(tx: Tx, kind: str, lane: str, *, why: str, limit: int = 1000) -> int:
    """Cancel the jobs of a lane that no worker has begun; return how many."""
    return _cancel(tx, kind, JobRow.lane == lane, why, limit)


def cancel_strays(tx: Tx, kind: str, lanes: Collection[str], *, why: str, limit: int = 500) -> int:
    """Cancel waiting jobs of a kind in all lanes but these; return how many."""
    return _cancel(tx, kind, JobRow.lane.not_in(lanes), why, limit)


def _cancel(tx: Tx, kind: str, which: sa.ColumnElement[bool], why: str, limit: int) -> int:
    # Locked rows are left to the sweep: the end of an attempt locks its job first, then the subject of the lane.
    begun = JobRow.lease_until.is_not(None)
    found = sa.select(JobRow.id).where(
        sa.or_(_WAITS, _IS_OUT), JobRow.kind == kind, JobRow.state == JobState.READY, ~begun, which
    )
    free = found.order_by(JobRow.id).limit(limit).with_for_update(skip_locked=True).subquery("free")
    ended = sa.update(JobRow).where(JobRow.id == free.c.id)
    return tx.execute(
        ended.values(
            state=JobState.CANCELLED, finished_at=_CLOCK, lease_token=JobRow.lease_token + 1, held=None, error=why[:300]
        )
    ).rowcount
