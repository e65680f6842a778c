"""Read single jobs, and carry out what people do to jobs: retry, cancel, replay, discard.

Called by entry points through `fleet.engine`, inside its transactions.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core import ids, prefixes
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.jobs import pacing
from fleet.engine.jobs.filters import JobFilter, matching
from fleet.engine.jobs.ledger import Ring, locked_in_order, rings
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.jobs.ticks import seconds
from fleet.engine.registry import MESSAGE

__all__ = ["JobFilter"]  # re-exported: callers import lists from here, like everything that is defined below
_CLOCK = sa.func.clock_timestamp()
_LISTED = "`fleet jobs list` shows the newest."


def get(tx: Tx, job_id: uuid.UUID) -> JobRow:
    """Return one job. Raises NotFound."""
    row = tx.session.get(JobRow, job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}.", fix=_LISTED)
    return row


def attempts_of(tx: Tx, job_id: uuid.UUID) -> list[AttemptRow]:
    """Return every claim of a job, oldest first."""
    query = sa.select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.lease_token)
    return list(tx.session.scalars(query))


def retry_now(tx: Tx, job_id: uuid.UUID, *, settle_s: float) -> Ring:
    """Make a waiting job due at once.

    Raises Conflict if a worker has it or it is finished, or if its write was sent less than `settle_s` ago: a probe
    that comes too early does not find the write, and it would be sent twice.
    """
    lost_at = sa.select(sa.func.max(AttemptRow.ended_at)).where(
        AttemptRow.job_id == job_id, AttemptRow.outcome.in_(("unknown", "lost"))
    )
    settled = sa.func.coalesce(lost_at.scalar_subquery() < _CLOCK - seconds(settle_s), sa.true())
    row = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == job_id, JobRow.state.in_((JobState.READY, JobState.UNKNOWN)), JobRow.lease_until.is_(None))
        .where(sa.or_(JobRow.state == JobState.READY, settled))
        .values(next_attempt_at=_CLOCK, published_at=_CLOCK, publishes=1, held=None)
        .returning(JobRow.id, JobRow.kind, JobRow.priority)
    ).one_or_none()
    if row is None:
        state = get(tx, job_id).state
        if state == JobState.UNKNOWN:
            raise Conflict(f"Job {job_id} may be out, and is not looked for yet.", fix=f"Wait for {settle_s:.0f} s.")
        hint = "Use `fleet dead replay`." if state == JobState.DEAD else None
        raise Conflict(f"Job {job_id} is {state}; only waiting jobs can be retried at once.", fix=hint)
    return rings([row])[0]


def move(tx: Tx, job_id: uuid.UUID, at: datetime) -> None:
    """Have a job that no worker has begun start at another time. It expires as if it were added then.

    The sweep publishes it then; a message that is under way finds it not due. Raises InvalidInput for a time that is
    over, Conflict if a worker has it or it is finished.
    """
    if at <= tx.now():
        raise InvalidInput("This time is over.", fix="Choose a later one.")
    until = sa.literal(at, JobRow.next_attempt_at.type) + _worth_doing()
    moved = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == job_id, JobRow.state == JobState.READY, JobRow.lease_until.is_(None))
        .values(next_attempt_at=at, published_at=None, publishes=0, held=None,
                expires_at=sa.func.greatest(JobRow.expires_at, until))
    )  # fmt: skip
    if not moved.rowcount:
        raise Conflict(f"Job {job_id} is {get(tx, job_id).state}; only jobs that have not started can be moved.")


def cancel(tx: Tx, job_id: uuid.UUID) -> None:
    """Cancel a job that no worker has begun. Raises Conflict if a worker has it or it is finished."""
    moved = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == job_id, JobRow.state == JobState.READY)
        .values(state=JobState.CANCELLED, finished_at=_CLOCK, lease_token=JobRow.lease_token + 1, held=None)
    )
    if not moved.rowcount:
        raise Conflict(f"Job {job_id} is {get(tx, job_id).state}; only jobs that have not started can be cancelled.")


def cancel_of_agent(tx: Tx, *agent_ids: uuid.UUID, but: Collection[str] = ()) -> int:
    """Cancel all jobs of agents that no worker has begun, except the removal of an account; return how many.

    Jobs of the kinds in `but` stay as well.
    """
    kept = registry.current().kinds(lambda job: job.outlives_agent) | set(but)
    waiting = (JobRow.agent_id.in_(agent_ids), JobRow.state == JobState.READY, JobRow.kind.not_in(kept))
    moved = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == locked_in_order(*waiting).c.id)
        .values(state=JobState.CANCELLED, finished_at=_CLOCK, lease_token=JobRow.lease_token + 1, held=None)
    )
    return moved.rowcount


def replay(tx: Tx, which: JobFilter, *, allow_stale: bool = False, limit: int = 1000) -> list[Ring]:
    """Put dead letters back to ready with their id and key, a new count of attempts and a new expiry.

    One that may have been sent is probed first. Expired ones are replayed only if allowed. Messages that no task
    understands cannot be replayed.
    """
    victims = _newest_dead(_replayable(which, allow_stale=allow_stale), limit)
    may_be_out = JobRow.dead_reason == DeadReason.UNKNOWN_OUTCOME
    rows = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == victims.c.id)
        .values(
            state=sa.case((may_be_out, JobState.UNKNOWN.value), else_=JobState.READY.value),
            dead_reason=None, finished_at=None, attempts=0, claims=0, held=None,
            lease_token=JobRow.lease_token + 1, lease_until=None,
            next_attempt_at=_CLOCK, published_at=sa.case((pacing.is_paced(), None), else_=_CLOCK),
            publishes=sa.case((pacing.is_paced(), 0), else_=1),
            expires_at=sa.func.greatest(JobRow.expires_at, _CLOCK + _worth_doing()),
        )
        .returning(JobRow.id, JobRow.kind, JobRow.priority, JobRow.publishes)
    )  # fmt: skip
    return [replace(ring, is_published=bool(row.publishes)) for row in rows for ring in rings([row])]


def replayable(tx: Tx, which: JobFilter, *, allow_stale: bool, limit: int) -> list[uuid.UUID]:
    """Return the ids of the dead letters that `replay` would bring back."""
    return _listed_dead(tx, _replayable(which, allow_stale=allow_stale), limit)


def discardable(tx: Tx, which: JobFilter, *, limit: int) -> list[uuid.UUID]:
    """Return the ids of the dead letters that `discard` would discard."""
    return _listed_dead(tx, [*matching(which), JobRow.state == JobState.DEAD], limit)


def _listed_dead(tx: Tx, where: Sequence[sa.ColumnElement[bool]], limit: int) -> list[uuid.UUID]:
    return list(tx.session.scalars(_newest(where, limit)))


def _replayable(which: JobFilter, *, allow_stale: bool) -> list[sa.ColumnElement[bool]]:
    where = [*matching(which), JobRow.state == JobState.DEAD, JobRow.kind != MESSAGE.kind]
    return where if allow_stale else [*where, JobRow.expires_at > _CLOCK]


def discard(tx: Tx, which: JobFilter, *, limit: int = 1000) -> int:
    """Discard dead letters; the rows stay. Returns how many."""
    where = [*matching(which), JobRow.state == JobState.DEAD]
    victims = _newest_dead(where, limit)
    moved = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == victims.c.id)
        .values(state=JobState.CANCELLED, finished_at=_CLOCK, lease_token=JobRow.lease_token + 1)
    )
    return moved.rowcount


@dataclass(frozen=True, slots=True)
class Reach:
    """The newest dead letters that match, up to a limit: count, oldest and newest death, and what prevents a replay."""

    number: int
    first_ended: datetime | None
    last_ended: datetime | None
    stale: int
    unreadable: int


def reach(tx: Tx, which: JobFilter, *, limit: int) -> Reach:
    """Return which dead letters a replay or a discard with this limit would take."""
    found = (
        sa.select(JobRow.finished_at, JobRow.kind, JobRow.expires_at)
        .where(*matching(which), JobRow.state == JobState.DEAD)
        .order_by(JobRow.finished_at.desc(), JobRow.id.desc())
        .limit(limit)
        .subquery()
    )
    number, ended, is_message = sa.func.count(), found.c.finished_at, found.c.kind == MESSAGE.kind
    stale = number.filter(found.c.expires_at <= _CLOCK, ~is_message)
    told = sa.select(number, sa.func.min(ended), sa.func.max(ended), stale, number.filter(is_message))
    return Reach(*tx.execute(told.select_from(found)).one())


def _newest_dead(where: Sequence[sa.ColumnElement[bool]], limit: int) -> sa.Subquery:
    """Lock the same dead letters that a list with this limit shows."""
    return _newest(where, limit).with_for_update(skip_locked=True).subquery()


def _newest(where: Sequence[sa.ColumnElement[bool]], limit: int) -> sa.Select[uuid.UUID]:
    return sa.select(JobRow.id).where(*where).order_by(JobRow.finished_at.desc(), JobRow.id.desc()).limit(limit)


def quarantine(tx: Tx, *, task: str, body: str, why: str) -> uuid.UUID:
    """Keep a message that no task can read as a dead letter; return its id. Long bodies are cut at 16,000."""
    job_id = ids.new()
    tx.execute(
        sa.insert(JobRow).values(
            id=job_id, kind=MESSAGE.kind, priority="low", state=JobState.DEAD, max_attempts=1,
            payload={"task": task[:200], "body": body[:16_000].replace("\x00", "")},
            dead_reason=DeadReason.UNREADABLE, error=why[:1000], finished_at=_CLOCK,
            expires_at=_CLOCK + MESSAGE.expires_after, once=False, rare=True,
        )
    )  # fmt: skip
    return job_id


def resolve_prefix(tx: Tx, prefix: str) -> uuid.UUID:
    """Return the id of the one job whose id begins with a prefix. Raises InvalidInput, NotFound."""
    return prefixes.resolve(tx, JobRow.id, prefix, what="job", listed=_LISTED)


def _worth_doing() -> sa.ColumnElement[Any]:
    spans = ((kind, job.expires_after) for kind, job in registry.current().jobs.items())
    whens: list[Any] = [(JobRow.kind == kind, sa.literal(span, sa.Interval)) for kind, span in spans]
    return sa.case(*whens, else_=sa.literal(timedelta(hours=1), sa.Interval))


def known_remote_ids(tx: Tx, agent_id: uuid.UUID, kind: str) -> frozenset[str]:
    """Return the remote ids of known writes, newest 1,000: a probe must not adopt the effect of another job."""
    query = (
        sa.select(JobRow.remote_id)
        .where(JobRow.agent_id == agent_id, JobRow.kind == kind, JobRow.remote_id.is_not(None))
        .order_by(JobRow.created_at.desc())
        .limit(1000)
    )
    return frozenset(str(value) for value in tx.session.scalars(query))
