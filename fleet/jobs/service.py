"""The ledger's verbs on jobs: add, claim, checkpoint, send, finish.

Called by `fleet.runtime` inside its transactions. Each move is one guarded UPDATE on the database's clock that says
whether it happened: a holder of an old lease token changes nothing, and a second delivery of a message claims nothing.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from fleet.core.db import Tx
from fleet.core.sql import Statement
from fleet.jobs.models import AttemptRow, JobRow
from fleet.jobs.outcomes import Absent, Dead, Done, Failure, Held, Outcome, Retry, Skipped, Unknown
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
    worth_doing: timedelta | None = None  # where it is not what the kind says


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
    rows = [tx.run(_ADD, **_values(job)).fetchone() for job in jobs]
    return [_ring(row) for row in rows if row is not None]


def _values(job: NewJob) -> dict[str, Any]:
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
        "worth_doing": job.worth_doing or WORTH_DOING[job.kind],
    }


_GIVEN = ("id", "agent_id", "tick_no", "kind", "priority", "surface", "target", "payload", "requested_by",
          "max_attempts")  # fmt: skip
_ADD = Statement(
    insert(JobRow)
    .values(
        {name: sa.bindparam(name) for name in _GIVEN}
        | {"expires_at": _CLOCK + sa.bindparam("worth_doing", type_=sa.Interval), "published_at": _CLOCK}
        | {"publishes": 1}
    )
    .on_conflict_do_nothing()
    .returning(JobRow.id, JobRow.kind, JobRow.priority)
)


def claiming() -> tuple[sa.CTE, sa.CTE]:
    """Return the taking of the right to carry out a job, or to resolve its unknown outcome, and its attempt's row.

    Both to be run with `claim_parameters` in a larger statement, from whose row `claimed` makes a Claim. No row when
    the job is finished, leased by somebody else, or not due yet: a duplicate or early message.
    """
    taken = (
        sa.update(JobRow)
        .where(
            JobRow.id == sa.bindparam("a_job", type_=sa.Uuid),
            JobRow.state.in_((JobState.READY, JobState.UNKNOWN)),
            JobRow.next_attempt_at <= _CLOCK,
            sa.or_(JobRow.lease_until.is_(None), JobRow.lease_until < _CLOCK),
            sa.or_(JobRow.state == JobState.UNKNOWN, JobRow.expires_at > _CLOCK),
            JobRow.agent_id.is_not(None),
        )
        .values(
            state=sa.case((JobRow.state == JobState.READY, JobState.RUNNING.value), else_=JobRow.state),
            lease_token=JobRow.lease_token + 1,
            lease_until=_CLOCK + seconds(sa.bindparam("lease_s", type_=sa.Double)),
            claims=JobRow.claims + 1,
            publishes=0,
            held=None,
        )
        .returning(*_CLAIMED)
        .cte("claimed")
    )
    attempt = sa.select(taken.c.job_id, taken.c.token, sa.bindparam("worker", type_=sa.String))
    begun = sa.insert(AttemptRow).inline().from_select(["job_id", "lease_token", "worker"], attempt)
    return taken, begun.cte("begun")


_CLAIMED = (
    JobRow.id.label("job_id"),
    JobRow.lease_token.label("token"),
    *(getattr(JobRow, name) for name in Claim.__slots__ if name not in ("job_id", "token")),
)


def claim_parameters(job_id: uuid.UUID, *, worker: str, lease_s: float) -> dict[str, Any]:
    """Return what `claiming` needs to know."""
    return {"a_job": job_id, "worker": worker, "lease_s": lease_s}


def claimed(row: Any) -> Claim:
    """Return the claim that stands in a row."""
    columns = {name: getattr(row, name) for name in Claim.__slots__}
    return Claim(**{**columns, "kind": JobKind(columns["kind"]), "state": JobState(columns["state"])})


def save_step(tx: Tx, claimed: Claim, name: str, value: Any) -> bool:
    """Keep the result of a paid step, so that a retry neither pays again nor says something else; False if fenced."""
    return tx.run(_SAVE_STEP, **_mine(claimed), in_state=claimed.state, step={name: value}).rowcount == 1


def enter_sending(tx: Tx, claimed: Claim, *, lease_s: float) -> bool:
    """Announce the one outside write, renewing the lease for it; False if fenced or the lease has run out."""
    return tx.run(_ENTER_SENDING, **_mine(claimed), lease_s=lease_s).rowcount == 1


def _mine(claimed: Claim) -> dict[str, Any]:
    return {"a_job": claimed.job_id, "a_token": claimed.token}


_IS_MINE = (
    JobRow.id == sa.bindparam("a_job", type_=sa.Uuid),
    JobRow.lease_token == sa.bindparam("a_token", type_=sa.BigInteger),
)
_SAVE_STEP = Statement(
    sa.update(JobRow)
    .where(*_IS_MINE, JobRow.state == sa.bindparam("in_state", type_=sa.String))
    .values(checkpoint=JobRow.checkpoint.op("||")(sa.bindparam("step", type_=JSONB)))
)
_ENTER_SENDING = Statement(
    sa.update(JobRow)
    .where(*_IS_MINE, JobRow.state == JobState.RUNNING, JobRow.lease_until > _CLOCK)
    .values(
        state=JobState.SENDING,
        sending_at=_CLOCK,
        lease_until=_CLOCK + seconds(sa.bindparam("lease_s", type_=sa.Double)),
    )
)


def finish(tx: Tx, claimed: Claim, outcome: Outcome, *, dice: random.Random) -> JobState | None:
    """Record how an attempt ended; return the job's new state, or None if the lease has gone to somebody else.

    The attempt's own row is closed in any case: it is history, not state.
    """
    if isinstance(outcome, Done):
        return _finish_done(tx, claimed, outcome)
    state, values = _consequence(claimed, outcome, dice)
    moved = _guarded(tx, claimed, _FROM[type(outcome)], state=state, lease_until=None, **values)
    why = getattr(outcome, "why", None)
    tx.execute(
        sa.update(AttemptRow)
        .where(AttemptRow.job_id == claimed.job_id, AttemptRow.lease_token == claimed.token)
        .values(ended_at=_CLOCK, outcome=type(outcome).__name__.lower() if moved else "fenced", error=why)
    )
    return state if moved else None


def _finish_done(tx: Tx, claimed: Claim, outcome: Done) -> JobState | None:
    told = {"an_id": outcome.remote_id, "a_result": dict(outcome.result)}
    return JobState.DONE if tx.run(_FINISH_DONE, **_mine(claimed), **told).fetchone() else None


_ANY = frozenset({JobState.RUNNING, JobState.SENDING, JobState.UNKNOWN})
_FROM: dict[type[Any], frozenset[JobState]] = {
    Retry: _ANY,
    Held: _ANY,
    Unknown: frozenset({JobState.SENDING, JobState.UNKNOWN}),
    Absent: frozenset({JobState.UNKNOWN}),
    Dead: _ANY,
    Skipped: frozenset({JobState.RUNNING, JobState.SENDING}),
}


def _done() -> Statement:
    """Return the end of an attempt that succeeded: a row if the job was still ours; the attempt closes either way."""
    moved = (
        sa.update(JobRow)
        .where(*_IS_MINE, JobRow.state.in_(_ANY))
        .values(
            state=JobState.DONE, lease_until=None, finished_at=_CLOCK, held=None, error=None,
            remote_id=sa.bindparam("an_id", type_=sa.String), result=sa.bindparam("a_result", type_=JSONB),
        )
        .returning(JobRow.id)
        .cte("moved")
    )  # fmt: skip
    closed = (
        sa.update(AttemptRow)
        .where(
            AttemptRow.job_id == sa.bindparam("a_job", type_=sa.Uuid),
            AttemptRow.lease_token == sa.bindparam("a_token", type_=sa.BigInteger),
        )
        .values(ended_at=_CLOCK, outcome=sa.case((sa.exists(sa.select(moved.c.id)), "done"), else_="fenced"))
        .cte("closed")
    )
    return Statement(sa.select(moved.c.id).add_cte(closed))


_FINISH_DONE = _done()


def _consequence(claimed: Claim, outcome: Failure, dice: random.Random) -> tuple[JobState, dict[str, Any]]:
    """Return the state that follows an outcome, and the columns that go with it."""
    ended = {"finished_at": _CLOCK, "held": None}
    match outcome:
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


def _guarded(tx: Tx, claimed: Claim, states: set[JobState] | frozenset[JobState], **values: Any) -> bool:
    """Change a job only while the caller's token is the newest and the state allows it."""
    where = (JobRow.id == claimed.job_id, JobRow.lease_token == claimed.token, JobRow.state.in_(states))
    return tx.execute(sa.update(JobRow).where(*where).values(**values)).rowcount == 1


def put_aside(tx: Tx, claimed: Claim, *, why: str, until: datetime) -> None:
    """Undo a claim: something holds the job back until then. It costs nothing and leaves no trace of an attempt."""
    waiting = {"held": why[:300], "next_attempt_at": until, "published_at": None, "publishes": 0}
    if _guarded(tx, claimed, {JobState.RUNNING}, state=JobState.READY, lease_until=None, claims=JobRow.claims - 1,
                **waiting):  # fmt: skip
        tx.execute(
            sa.delete(AttemptRow).where(AttemptRow.job_id == claimed.job_id, AttemptRow.lease_token == claimed.token)
        )


_FREEING = 0x66726565  # "free": any constant does, as long as both sides take the same


def let_nobody_free(tx: Tx) -> None:
    """Hold off `free_held` until this transaction ends, which is about to put a job aside that it could not see yet."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_FREEING)))


def free_held(tx: Tx) -> int:
    """Make every job that waits for a pause, cap or budget due now (they are checked again); return how many."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_FREEING)))
    freed = sa.update(JobRow).where(JobRow.held.is_not(None), JobRow.state.in_((JobState.READY, JobState.UNKNOWN)))
    return tx.execute(freed.values(held=None, next_attempt_at=_CLOCK, published_at=None, publishes=0)).rowcount


def in_flight(tx: Tx) -> int:
    """Return how many outside writes may be under way at this moment."""
    query = sa.select(sa.func.count()).where(JobRow.state == JobState.SENDING, JobRow.lease_until > _CLOCK)
    return int(tx.scalar(query) or 0)


def _ring(row: Any) -> Ring:
    return Ring(row.id, JobKind(row.kind), Priority(row.priority))
