"""Reading the ledger, and what a person does to a job: retry, cancel, replay, discard.

Called by doors through `fleet.runtime`, inside its transactions.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.jobs.models import AttemptRow, JobRow
from fleet.jobs.policy import WORTH_DOING, JobKind
from fleet.jobs.service import Ring, _ring
from fleet.jobs.states import DeadReason, JobState

_CLOCK = sa.func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs. Ages are counted from `finished_at` for finished ones, else from birth."""

    states: tuple[JobState, ...] = ()
    agent_id: uuid.UUID | None = None
    kinds: tuple[JobKind, ...] = ()
    reason: DeadReason | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    ids: tuple[uuid.UUID, ...] = ()


def get(tx: Tx, job_id: uuid.UUID) -> JobRow:
    """Return one job. Raises NotFound."""
    row = tx.session.get(JobRow, job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def attempts_of(tx: Tx, job_id: uuid.UUID) -> list[AttemptRow]:
    """Return every claim of a job, oldest first."""
    query = sa.select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.lease_token)
    return list(tx.session.scalars(query))


def find(tx: Tx, which: Filter, *, limit: int = 50, offset: int = 0) -> list[JobRow]:
    """Return the jobs that match, newest first."""
    query = sa.select(JobRow).where(*_where(which)).order_by(JobRow.created_at.desc(), JobRow.id)
    return list(tx.session.scalars(query.limit(limit).offset(offset)))


def count(tx: Tx, which: Filter) -> int:
    """Return how many jobs match."""
    return int(tx.scalar(sa.select(sa.func.count()).select_from(JobRow).where(*_where(which))) or 0)


def counts(tx: Tx) -> dict[tuple[str, str], int]:
    """Return how many jobs there are by (kind, state)."""
    rows = tx.execute(sa.select(JobRow.kind, JobRow.state, sa.func.count()).group_by(JobRow.kind, JobRow.state))
    return {(kind, state): number for kind, state, number in rows}


def dead_by_reason(tx: Tx) -> dict[str, int]:
    """Return how many dead letters there are for each reason."""
    rows = tx.execute(
        sa.select(JobRow.dead_reason, sa.func.count()).where(JobRow.state == JobState.DEAD).group_by(JobRow.dead_reason)
    )
    return {str(reason): number for reason, number in rows}


def retry_now(tx: Tx, job_id: uuid.UUID) -> Ring:
    """Make a waiting job due at once. Raises Conflict if it is at work or finished."""
    row = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == job_id, JobRow.state.in_((JobState.READY, JobState.UNKNOWN)), JobRow.lease_until.is_(None))
        .values(next_attempt_at=_CLOCK, published_at=_CLOCK, publishes=1, held=None)
        .returning(JobRow.id, JobRow.kind, JobRow.priority)
    ).one_or_none()
    if row is None:
        state = get(tx, job_id).state
        hint = "Use `fleet dead replay`." if state == JobState.DEAD else None
        raise Conflict(f"Job {job_id} is {state}; only waiting jobs can be retried at once.", fix=hint)
    return _ring(row)


def cancel(tx: Tx, job_id: uuid.UUID) -> None:
    """Call off a job that nobody has begun. Raises Conflict if it is at work or finished."""
    moved = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == job_id, JobRow.state == JobState.READY)
        .values(state=JobState.CANCELLED, finished_at=_CLOCK, lease_token=JobRow.lease_token + 1, held=None)
    )
    if not moved.rowcount:
        raise Conflict(f"Job {job_id} is {get(tx, job_id).state}; only jobs that nobody has begun can be cancelled.")


def cancel_of_agent(tx: Tx, agent_id: uuid.UUID) -> int:
    """Call off all jobs of an agent that nobody has begun, except the removal of its account; return how many."""
    moved = tx.execute(
        sa.update(JobRow)
        .where(JobRow.agent_id == agent_id, JobRow.state == JobState.READY, JobRow.kind != JobKind.DEPROVISION)
        .values(state=JobState.CANCELLED, finished_at=_CLOCK, lease_token=JobRow.lease_token + 1, held=None)
    )
    return moved.rowcount


def replay(tx: Tx, which: Filter, *, allow_stale: bool = False, limit: int = 1000) -> list[Ring]:
    """Bring dead letters back to life with their id and key, a new count of attempts and a new lease of time.

    One that may have been sent is looked for first. Stale ones (past their time) come along only if allowed. Messages
    that no task understands cannot be replayed.
    """
    where = [*_where(which), JobRow.state == JobState.DEAD, JobRow.kind != JobKind.MESSAGE]
    if not allow_stale:
        where.append(JobRow.expires_at > _CLOCK)
    victims = sa.select(JobRow.id).where(*where).limit(limit).with_for_update(skip_locked=True).subquery()
    may_be_out = JobRow.dead_reason == DeadReason.UNKNOWN_OUTCOME
    rows = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == victims.c.id)
        .values(
            state=sa.case((may_be_out, JobState.UNKNOWN.value), else_=JobState.READY.value),
            dead_reason=None, finished_at=None, attempts=0, claims=0, held=None,
            lease_token=JobRow.lease_token + 1, lease_until=None,
            next_attempt_at=_CLOCK, published_at=_CLOCK, publishes=1,
            expires_at=sa.func.greatest(JobRow.expires_at, _CLOCK + _worth_doing()),
        )
        .returning(JobRow.id, JobRow.kind, JobRow.priority)
    )  # fmt: skip
    return [_ring(row) for row in rows]


def discard(tx: Tx, which: Filter, *, limit: int = 1000) -> int:
    """Put dead letters away for good; the rows stay. Returns how many."""
    where = [*_where(which), JobRow.state == JobState.DEAD]
    victims = sa.select(JobRow.id).where(*where).limit(limit).with_for_update(skip_locked=True).subquery()
    moved = tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == victims.c.id)
        .values(state=JobState.CANCELLED, finished_at=_CLOCK, lease_token=JobRow.lease_token + 1)
    )
    return moved.rowcount


def quarantine(tx: Tx, *, task: str, body: str, why: str) -> uuid.UUID:
    """Keep a message that no task understands as a dead letter; return its id. Long bodies are cut at 16,000."""
    job_id = ids.new()
    tx.execute(
        sa.insert(JobRow).values(
            id=job_id, kind=JobKind.MESSAGE, priority="low", state=JobState.DEAD, max_attempts=1,
            payload={"task": task[:200], "body": body[:16_000].replace("\x00", "")},
            dead_reason=DeadReason.UNREADABLE, error=why[:1000], finished_at=_CLOCK,
            expires_at=_CLOCK + WORTH_DOING[JobKind.MESSAGE],
        )
    )  # fmt: skip
    return job_id


def resolve_prefix(tx: Tx, prefix: str) -> uuid.UUID:
    """Return the id of the one job whose id begins with `prefix` (at least 4 characters)."""
    try:
        return uuid.UUID(prefix)
    except ValueError:
        pass
    if len(prefix) < 4 or not all(c in "0123456789abcdef-" for c in prefix.lower()):
        raise InvalidInput(f"{prefix!r} is not a job id.", fix="Give the whole id or its first 4 or more characters.")
    text_id = sa.cast(JobRow.id, sa.Text)
    found = list(tx.session.scalars(sa.select(JobRow.id).where(text_id.startswith(prefix.lower())).limit(2)))
    if not found:
        raise NotFound(f"There is no job whose id begins with {prefix}.")
    if len(found) > 1:
        raise InvalidInput(f"Several jobs begin with {prefix}.", fix="Give more of the id.")
    return found[0]


def _worth_doing() -> sa.ColumnElement[Any]:
    whens: list[Any] = [(JobRow.kind == kind, sa.literal(span, sa.Interval)) for kind, span in WORTH_DOING.items()]
    return sa.case(*whens, else_=sa.literal(timedelta(hours=1), sa.Interval))


def _where(which: Filter) -> list[sa.ColumnElement[bool]]:
    moment = sa.func.coalesce(JobRow.finished_at, JobRow.created_at)
    optional: Mapping[Any, sa.ColumnElement[bool]] = {
        "states": JobRow.state.in_(which.states),
        "agent_id": JobRow.agent_id == which.agent_id,
        "kinds": JobRow.kind.in_(which.kinds),
        "reason": JobRow.dead_reason == which.reason,
        "older_than": moment < _CLOCK - sa.literal(which.older_than, sa.Interval),
        "newer_than": moment >= _CLOCK - sa.literal(which.newer_than, sa.Interval),
        "ids": JobRow.id.in_(which.ids),
    }
    return [clause for name, clause in optional.items() if getattr(which, name) not in (None, ())]


def writes_since(tx: Tx, agent_id: uuid.UUID, since: datetime) -> dict[str, tuple[int, datetime]]:
    """Return for each kind how often an agent's writes went out since then, and when the last one did."""
    rows = tx.execute(
        sa.select(JobRow.kind, sa.func.count(), sa.func.max(JobRow.sending_at))
        .where(JobRow.agent_id == agent_id, JobRow.sending_at > since)
        .group_by(JobRow.kind)
    )
    return {kind: (number, last) for kind, number, last in rows}


def surface_writes_since(tx: Tx, surface: str, since: datetime) -> int:
    """Return how many writes to a surface went out since then."""
    query = sa.select(sa.func.count()).where(JobRow.surface == surface, JobRow.sending_at > since)
    return int(tx.scalar(query) or 0)


def comments_on(tx: Tx, targets: list[str]) -> dict[str, int]:
    """Return how many of the fleet's comments stand or may stand on each of the posts."""
    rows = tx.execute(
        sa.select(JobRow.target, sa.func.count())
        .where(
            JobRow.target.in_(targets),
            JobRow.kind == JobKind.COMMENT,
            JobRow.state.in_((JobState.SENDING, JobState.UNKNOWN, JobState.DONE)),
        )
        .group_by(JobRow.target)
    )
    return {str(target): number for target, number in rows}


def reactions_of(tx: Tx, agent_id: uuid.UUID, targets: list[str]) -> set[tuple[str, str]]:
    """Return the (kind, target) pairs that an agent has done, is doing, or must not try again."""
    rows = tx.execute(
        sa.select(JobRow.kind, JobRow.target).where(
            JobRow.agent_id == agent_id,
            JobRow.target.in_(targets),
            JobRow.kind.in_((JobKind.LIKE, JobKind.COMMENT)),
            JobRow.state.not_in((JobState.SKIPPED, JobState.CANCELLED)),
        )
    )
    return {(kind, target) for kind, target in rows}


def known_remote_ids(tx: Tx, agent_id: uuid.UUID, kind: JobKind) -> frozenset[str]:
    """Return the remote ids that are accounted for, newest 1,000: a probe must not adopt another job's effect."""
    query = (
        sa.select(JobRow.remote_id)
        .where(JobRow.agent_id == agent_id, JobRow.kind == kind, JobRow.remote_id.is_not(None))
        .order_by(JobRow.created_at.desc())
        .limit(1000)
    )
    return frozenset(str(value) for value in tx.session.scalars(query))


def recent_results(tx: Tx, agent_id: uuid.UUID, kind: JobKind, field: str, *, limit: int = 50) -> list[str]:
    """Return one field of the newest checkpoints' words, for not saying the same again."""
    said = _words(field)
    query = (
        sa.select(said)
        .where(JobRow.agent_id == agent_id, JobRow.kind == kind, said.is_not(None))
        .order_by(JobRow.created_at.desc())
        .limit(limit)
    )
    return [str(value) for value in tx.session.scalars(query)]


@dataclass(frozen=True, slots=True)
class Worded:
    """A caption or comment that passed the review. `sending_at` is None until it goes out."""

    job_id: uuid.UUID
    agent_id: uuid.UUID
    sending_at: datetime | None
    text: str


def texts_sent(tx: Tx, surface: str, since: datetime | None, *, limit: int) -> list[Worded]:
    """Return the captions and comments that went to a surface after a moment, newest first (ix_jobs_surface_writes)."""
    sent = _worded(surface).where(JobRow.sending_at.is_not(None)).order_by(JobRow.sending_at.desc()).limit(limit)
    if since is not None:
        sent = sent.where(JobRow.sending_at > since)
    return [Worded(*row) for row in tx.execute(sent)]


def texts_under_way(tx: Tx, surface: str) -> list[Worded]:
    """Return what workers have written and not sent yet: between a caption and its post lies a picture, half a minute
    long (ix_jobs_leases).
    """
    under_way = _worded(surface).where(JobRow.lease_until.is_not(None), JobRow.sending_at.is_(None))
    return [Worded(*row) for row in tx.execute(under_way)]


def _worded(surface: str) -> sa.Select[uuid.UUID, uuid.UUID | None, datetime | None, str]:
    said = sa.func.coalesce(_words("caption"), _words("text"))
    return sa.select(JobRow.id, JobRow.agent_id, JobRow.sending_at, said).where(
        JobRow.surface == surface, JobRow.kind.in_((JobKind.POST, JobKind.COMMENT)), said.is_not(None)
    )


def _words(field: str) -> sa.ColumnElement[str]:
    """Return a field of the words that passed the review, which is the second draft where the first was refused."""
    return sa.func.coalesce(JobRow.checkpoint["words:2"][field].astext, JobRow.checkpoint["words"][field].astext)
