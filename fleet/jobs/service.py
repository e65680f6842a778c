"""The ledger's verbs on jobs: add, claim, checkpoint, send, finish.

Called by `fleet.runtime` inside its transactions. Each move is one guarded UPDATE on the database's clock that says
whether it happened: a holder of an old lease token changes nothing, and a second delivery of a message claims nothing.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from fleet.core.db import Tx
from fleet.jobs.models import AttemptRow, JobRow
from fleet.jobs.outcomes import Absent, Dead, Done, Held, Outcome, Retry, Skipped, Unknown
from fleet.jobs.policy import PRIORITY, RETRY, WORTH_DOING, JobKind, Priority
from fleet.jobs.states import DeadReason, JobState
from fleet.jobs.ticks import seconds

_CLOCK = sa.func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be added. The id is derived, so adding it twice adds it once."""

    id: uuid.UUID
    agent_id: uuid.UUID
    kind: JobKind
    surface: str
    tick_no: int | None = None
    target: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    requested_by: str | None = None
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class Ring:
    """What a message about a job must say."""

    job_id: uuid.UUID
    kind: JobKind
    priority: Priority


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a job until `lease_until`, by the database's clock. `state` is running or unknown."""

    job_id: uuid.UUID
    agent_id: uuid.UUID
    kind: JobKind
    surface: str
    target: str | None
    payload: Mapping[str, Any]
    state: JobState
    token: int
    attempts: int
    max_attempts: int
    tick_no: int | None
    checkpoint: Mapping[str, Any]
    sending_at: datetime | None
    expires_at: datetime
    requested_by: str | None


def add(tx: Tx, jobs: Sequence[NewJob]) -> list[Ring]:
    """Insert jobs, marked as published; return those that are new, for the caller to publish after COMMIT.

    A job that exists already, or a second like or comment of an agent on one post, is left out.
    """
    if not jobs:
        return []
    statement = (
        insert(JobRow)
        .values(published_at=_CLOCK, publishes=1)
        .on_conflict_do_nothing()
        .returning(JobRow.id, JobRow.kind, JobRow.priority)
    )
    now = tx.now()
    rows = tx.session.execute(statement, [_values(job, now) for job in jobs])
    return [_ring(row) for row in rows]


def _values(job: NewJob, now: datetime) -> dict[str, Any]:
    return {
        "id": job.id,
        "agent_id": job.agent_id,
        "tick_no": job.tick_no,
        "kind": job.kind,
        "priority": job.priority or (Priority.HIGH if job.requested_by else PRIORITY[job.kind]),
        "surface": job.surface,
        "target": job.target,
        "payload": dict(job.payload),
        "requested_by": job.requested_by,
        "max_attempts": RETRY[job.kind].max_attempts,
        "expires_at": now + WORTH_DOING[job.kind],
    }


def claim(tx: Tx, job_id: uuid.UUID, *, worker: str, lease_s: float) -> Claim | None:
    """Take the right to carry out a job, or to resolve its unknown outcome.

    None when it is finished, leased by somebody else, or not due yet: a duplicate or early message.
    """
    row = tx.execute(
        sa.update(JobRow)
        .where(
            JobRow.id == job_id,
            JobRow.state.in_((JobState.READY, JobState.UNKNOWN)),
            JobRow.next_attempt_at <= _CLOCK,
            sa.or_(JobRow.lease_until.is_(None), JobRow.lease_until < _CLOCK),
            sa.or_(JobRow.state == JobState.UNKNOWN, JobRow.expires_at > _CLOCK),
        )
        .values(
            state=sa.case((JobRow.state == JobState.READY, JobState.RUNNING.value), else_=JobRow.state),
            lease_token=JobRow.lease_token + 1,
            lease_until=_CLOCK + seconds(lease_s),
            claims=JobRow.claims + 1,
            publishes=0,
            held=None,
        )
        .returning(*_CLAIMED)
    ).one_or_none()
    if row is None:
        return None
    columns = row._mapping
    claimed = Claim(**{**columns, "kind": JobKind(columns["kind"]), "state": JobState(columns["state"])})
    tx.execute(sa.insert(AttemptRow).values(job_id=job_id, lease_token=claimed.token, worker=worker))
    return claimed


_CLAIMED = (
    JobRow.id.label("job_id"),
    JobRow.lease_token.label("token"),
    *(getattr(JobRow, name) for name in Claim.__slots__ if name not in ("job_id", "token")),
)


def save_step(tx: Tx, claimed: Claim, name: str, value: Any) -> bool:
    """Keep the result of a paid step, so that a retry neither pays again nor says something else; False if fenced."""
    merged = JobRow.checkpoint.op("||")(sa.cast({name: value}, JSONB))
    return _guarded(tx, claimed, {claimed.state}, checkpoint=merged)


def enter_sending(tx: Tx, claimed: Claim, *, lease_s: float) -> bool:
    """Announce the one outside write, renewing the lease for it; False if fenced or the lease has run out."""
    return _guarded(
        tx, claimed, {JobState.RUNNING}, still_leased=True,
        state=JobState.SENDING, sending_at=_CLOCK, lease_until=_CLOCK + seconds(lease_s),
    )  # fmt: skip


def finish(tx: Tx, claimed: Claim, outcome: Outcome, *, dice: random.Random) -> JobState | None:
    """Record how an attempt ended; return the job's new state, or None if the lease has gone to somebody else.

    The attempt's own row is closed in any case: it is history, not state.
    """
    state, values = _consequence(claimed, outcome, dice)
    moved = _guarded(tx, claimed, _FROM[type(outcome)], state=state, lease_until=None, **values)
    why = getattr(outcome, "why", None)
    tx.execute(
        sa.update(AttemptRow)
        .where(AttemptRow.job_id == claimed.job_id, AttemptRow.lease_token == claimed.token)
        .values(ended_at=_CLOCK, outcome=type(outcome).__name__.lower() if moved else "fenced", error=why)
    )
    return state if moved else None


_ANY = frozenset({JobState.RUNNING, JobState.SENDING, JobState.UNKNOWN})
_FROM: dict[type[Any], frozenset[JobState]] = {
    Done: _ANY,
    Retry: _ANY,
    Held: _ANY,
    Unknown: frozenset({JobState.SENDING, JobState.UNKNOWN}),
    Absent: frozenset({JobState.UNKNOWN}),
    Dead: _ANY,
    Skipped: frozenset({JobState.RUNNING, JobState.SENDING}),
}


def _consequence(claimed: Claim, outcome: Outcome, dice: random.Random) -> tuple[JobState, dict[str, Any]]:
    """Return the state that follows an outcome, and the columns that go with it."""
    ended = {"finished_at": _CLOCK, "held": None}
    match outcome:
        case Done(remote_id=remote_id, result=result):
            return JobState.DONE, {**ended, "remote_id": remote_id, "result": dict(result), "error": None}
        case Retry():
            return _after_failure(claimed, outcome, dice)
        case Held(why=why, until=until):
            # A claim that was only told to wait is no sign of poison.
            waiting = {"held": why[:300], "next_attempt_at": until, "claims": JobRow.claims - 1}
            return _back(claimed), {**waiting, **_unsent(claimed)}
        case Unknown(why=why, settle=settle):
            return JobState.UNKNOWN, {"error": why, "next_attempt_at": _CLOCK + settle, "published_at": None}
        case Absent():
            return _after_absence(claimed, outcome)
        case Dead(reason=reason, why=why):
            sent = {} if reason is DeadReason.UNKNOWN_OUTCOME else {"sending_at": None}
            return JobState.DEAD, {**ended, **sent, "dead_reason": reason, "error": why}
        case Skipped(why=why, result=result):
            return JobState.SKIPPED, {**ended, "sending_at": None, "error": why, "result": dict(result)}
        case _:
            assert_never(outcome)


def _after_failure(claimed: Claim, outcome: Retry, dice: random.Random) -> tuple[JobState, dict[str, Any]]:
    attempts = claimed.attempts + 1
    failed = {"attempts": attempts, "error": outcome.why}
    if attempts >= claimed.max_attempts:
        unresolved = claimed.state is JobState.UNKNOWN
        reason = DeadReason.UNKNOWN_OUTCOME if unresolved else DeadReason.EXHAUSTED
        return JobState.DEAD, {**failed, **_unsent(claimed), "dead_reason": reason, "finished_at": _CLOCK}
    delay = RETRY[claimed.kind].delay(attempts, dice, retry_after_s=outcome.after_s)
    return _back(claimed), {**failed, "next_attempt_at": _CLOCK + delay, **_unsent(claimed)}


def _after_absence(claimed: Claim, outcome: Absent) -> tuple[JobState, dict[str, Any]]:
    """Count the lost write as an attempt: a surface that swallows every one must not be tried for ever."""
    counted = {"attempts": claimed.attempts + 1, "error": outcome.why, "sending_at": None}
    if claimed.attempts + 1 >= claimed.max_attempts:
        return JobState.DEAD, {**counted, "dead_reason": DeadReason.EXHAUSTED, "finished_at": _CLOCK}
    return JobState.READY, {**counted, "next_attempt_at": _CLOCK, "published_at": None}


def _back(claimed: Claim) -> JobState:
    """Return where a job waits for its next attempt: what is unknown stays unknown until it is resolved."""
    return JobState.UNKNOWN if claimed.state is JobState.UNKNOWN else JobState.READY


def _unsent(claimed: Claim) -> dict[str, Any]:
    """Return the columns of a job whose write, if there was one, was definitely refused: it counts toward no cap."""
    return {"published_at": None} if claimed.state is JobState.UNKNOWN else {"published_at": None, "sending_at": None}


def _guarded(tx: Tx, claimed: Claim, states: set[JobState] | frozenset[JobState], *, still_leased: bool = False,
             **values: Any) -> bool:  # fmt: skip
    """Change a job only while the caller's token is the newest and the state allows it."""
    where = [JobRow.id == claimed.job_id, JobRow.lease_token == claimed.token, JobRow.state.in_(states)]
    if still_leased:
        where.append(JobRow.lease_until > _CLOCK)
    return tx.execute(sa.update(JobRow).where(*where).values(**values)).rowcount == 1


def give_back(tx: Tx, job_id: uuid.UUID, *, why: str, until: datetime) -> None:
    """Put a ready job aside without claiming it: something holds it until then."""
    tx.execute(
        sa.update(JobRow)
        .where(JobRow.id == job_id, JobRow.state == JobState.READY)
        .values(held=why[:300], published_at=None, publishes=0,
                next_attempt_at=until)
    )  # fmt: skip


def free_held(tx: Tx) -> int:
    """Make every job that waits for a pause, cap or budget due now (they are checked again); return how many."""
    freed = sa.update(JobRow).where(JobRow.held.is_not(None), JobRow.state.in_((JobState.READY, JobState.UNKNOWN)))
    return tx.execute(freed.values(held=None, next_attempt_at=_CLOCK, published_at=None, publishes=0)).rowcount


def in_flight(tx: Tx) -> int:
    """Return how many outside writes may be under way at this moment."""
    query = sa.select(sa.func.count()).where(JobRow.state == JobState.SENDING, JobRow.lease_until > _CLOCK)
    return int(tx.scalar(query) or 0)


def _ring(row: Any) -> Ring:
    return Ring(row.id, JobKind(row.kind), Priority(row.priority))
