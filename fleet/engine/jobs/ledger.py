"""The ledger's verbs on jobs: add, claim, checkpoint, send, finish.

Called by `fleet.engine` inside its transactions. Each move is one guarded UPDATE on the database's clock that reports
whether it happened: a holder of an old lease token changes nothing, and a second delivery of a message claims nothing.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, assert_never

import sqlalchemy as sa

from fleet.core.db import Also, Database, Tx
from fleet.engine import registry
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.outcomes import Absent, Dead, Done, Failure, Held, Retry, Skipped, Unknown
from fleet.engine.jobs.states import LIVE, DeadReason, JobState
from fleet.engine.policy import Priority
from fleet.engine.sql import group_statement, statement

_ADD_JOBS = statement("add_jobs")
_SAVE_STEP = group_statement("save_step")
_ENTER_SENDING = group_statement("enter_sending")


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be added, due now or `due_in` some time. The id is derived, so adding it twice adds it once."""

    id: uuid.UUID
    agent_id: uuid.UUID
    kind: str
    surface: str
    tick_no: int | None = None
    target: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    requested_by: str | None = None
    due_in: timedelta = timedelta(0)
    worth_doing: timedelta | None = None  # where it differs from the kind's own
    account_id: uuid.UUID | None = None
    """The account to act through; None is the account of the settings."""
    lane: str | None = None  # of a paced job: `pacing` publishes it, unless a person requests it
    priority: Priority | None = None
    """None: that of its kind, or high if a person requests it."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The content of a message about a job."""

    job_id: uuid.UUID
    kind: str
    priority: Priority
    is_published: bool = True
    """Whether a message is to be sent now. For a paced job `pacing` decides when."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a job until `lease_until`, by the database's clock. `state` is running or unknown."""

    job_id: uuid.UUID
    agent_id: uuid.UUID
    kind: str
    surface: str
    account_id: uuid.UUID | None
    target: str | None
    payload: Mapping[str, Any]
    state: JobState
    token: int
    attempts: int
    claims: int
    max_attempts: int
    tick_no: int | None
    checkpoint: Mapping[str, Any]
    sending_at: datetime | None
    created_at: datetime
    expires_at: datetime
    requested_by: str | None


def add(tx: Tx, jobs: Sequence[NewJob]) -> list[Ring]:
    """Insert jobs, marked as published; return those that are new, for the caller to publish after COMMIT.

    A job that exists already, or the second of an agent on one target of a kind that is done once per target, is left
    out; so is one that is due later, which the sweep publishes, and one that is paced (`pacing`).
    """
    return new_rings(tx.run(_ADD_JOBS, jobs=job_documents(jobs)).fetchall()) if jobs else []


def job_documents(jobs: Sequence[NewJob]) -> list[dict[str, Any]]:
    """Return new jobs as documents with the columns of `_job_columns.sql`."""
    return [_document(job) for job in jobs]


def new_rings(rows: Iterable[Any]) -> list[Ring]:
    """Return messages for added jobs that are due now, from rows of `add_jobs.sql`."""
    return rings(row for row in rows if row.publishes)


def rings(rows: Iterable[Any]) -> list[Ring]:
    """Return messages, from rows with a job's id, kind and priority."""
    return [Ring(row.id, row.kind, Priority(row.priority)) for row in rows]


def _document(job: NewJob) -> dict[str, Any]:
    handler = registry.current().job(job.kind)
    return {
        "id": str(job.id),
        "agent_id": str(job.agent_id),
        "tick_no": job.tick_no,
        "kind": job.kind,
        "priority": job.priority or (Priority.HIGH if job.requested_by else handler.priority),
        "surface": job.surface,
        "account_id": None if job.account_id is None else str(job.account_id),
        "target": job.target,
        "payload": dict(job.payload),
        "requested_by": job.requested_by,
        "max_attempts": handler.retry.max_attempts,
        "expires_after_s": (job.worth_doing or handler.expires_after).total_seconds(),
        "due_in_s": job.due_in.total_seconds(),
        "once": handler.once_per_target,
        "rare": not handler.is_frequent,
        "lane": None if job.requested_by else job.lane,
    }


def claim_parameters(job_id: uuid.UUID, *, worker: str, lease_s: float) -> dict[str, Any]:
    """Return a call of `claim_job.sql`."""
    return {"job_id": job_id, "worker": worker, "lease_s": lease_s}


def claim_of(row: Any) -> Claim:
    """Return the claim in a row."""
    columns = {name: getattr(row, name) for name in Claim.__slots__}
    return Claim(**{**columns, "state": JobState(columns["state"])})


def save_step(db: Database, claimed: Claim, name: str, value: Any, *, also: Also | None = None) -> bool:
    """Keep the result of a paid step, so that a retry does not pay again or get another result; False if fenced.

    `also` is called in the same transaction.
    """
    return bool(db.run(_SAVE_STEP, also, **_mine(claimed), state=claimed.state, step={name: value}))


def forget_step(claimed: Claim, name: str, tx: Tx) -> None:
    """Forget the result of a step, so that the next attempt runs it again."""
    tx.execute(sa.update(JobRow).where(JobRow.id == claimed.job_id).values(checkpoint=JobRow.checkpoint.op("-")(name)))


def enter_sending(tx: Tx, claims: Sequence[Claim], *, lease_s: float, patience_ms: int) -> list[bool]:
    """Commit to the one outside write of each claim, and renew its lease for it.

    Say for each whether it may go out: not if it is fenced, or its lease has run out.
    """
    asked = [{**_mine(one), "lease_s": lease_s} for one in claims]
    return [bool(rows) for rows in tx.run_all(_ENTER_SENDING, asked, patience_ms=patience_ms)]


def _mine(claimed: Claim) -> dict[str, Any]:
    return {"job_id": claimed.job_id, "token": claimed.token}


def finish(tx: Tx, claimed: Claim, outcome: Failure, *, dice: random.Random,
           failed_account: uuid.UUID | None = None) -> JobState | None:  # fmt: skip
    """Record how an attempt failed; return the job's new state, or None if another worker has the lease.

    The attempt's own row is closed in any case: it is history, not state. `failed_account` is the account whose outside
    system failed it.
    """
    state, values = _consequence(claimed, outcome, dice, tx.sql_now)
    moved = guarded(tx, claimed, _FROM[type(outcome)], state=state, lease_until=None, **values)
    ended = {"ended_at": tx.sql_now, "outcome": type(outcome).__name__.lower() if moved else "fenced"}
    tx.execute(
        sa.update(AttemptRow)
        .where(AttemptRow.job_id == claimed.job_id, AttemptRow.lease_token == claimed.token)
        .values(**ended, error=getattr(outcome, "why", None), failed_account=failed_account)
    )
    return state if moved else None


def _consequence(
    claimed: Claim, outcome: Failure, dice: random.Random, now: sa.ColumnElement[datetime]
) -> tuple[JobState, dict[str, Any]]:
    """Return the state that follows an outcome, and the columns that go with it."""
    ended = {"finished_at": now, "held": None}
    match outcome:
        case Retry():
            return _after_failure(claimed, outcome, dice, now)
        case Held(why=why, until=until):
            # An attempt that was only told to wait (a 429) is no sign of poison.
            waiting = {"held": why[:300], "next_attempt_at": until, "claims": JobRow.claims - 1}
            return _back(claimed), {**waiting, **_unsent(claimed)}
        case Unknown(why=why, settle=settle):
            return JobState.UNKNOWN, {"error": why, "next_attempt_at": now + settle, "published_at": None}
        case Absent():
            return _after_absence(claimed, outcome, now)
        case Dead(reason=reason, why=why):
            sent = {} if reason is DeadReason.UNKNOWN_OUTCOME else {"sending_at": None}
            return JobState.DEAD, {**ended, **sent, "dead_reason": reason, "error": why}
        case Skipped(why=why, result=result):
            return JobState.SKIPPED, {**ended, "sending_at": None, "error": why, "result": dict(result)}
        case _:
            assert_never(outcome)


def _after_failure(
    claimed: Claim, outcome: Retry, dice: random.Random, now: sa.ColumnElement[datetime]
) -> tuple[JobState, dict[str, Any]]:
    attempts = claimed.attempts + 1
    failed = {"attempts": attempts, "error": outcome.why}
    if attempts >= claimed.max_attempts:
        unresolved = claimed.state is JobState.UNKNOWN
        reason = DeadReason.UNKNOWN_OUTCOME if unresolved else DeadReason.EXHAUSTED
        return JobState.DEAD, {**failed, **_unsent(claimed), "dead_reason": reason, "finished_at": now}
    delay = registry.current().job(claimed.kind).retry.delay(attempts, dice, retry_after_s=outcome.after_s)
    return _back(claimed), {**failed, "next_attempt_at": now + delay, **_unsent(claimed)}


def _after_absence(claimed: Claim, outcome: Absent, now: sa.ColumnElement[datetime]) -> tuple[JobState, dict[str, Any]]:
    """Count the lost write as an attempt: a surface that swallows every one must not be tried for ever."""
    counted = {"attempts": claimed.attempts + 1, "error": outcome.why, "sending_at": None}
    if claimed.attempts + 1 >= claimed.max_attempts:
        return JobState.DEAD, {**counted, "dead_reason": DeadReason.EXHAUSTED, "finished_at": now}
    return JobState.READY, {**counted, "next_attempt_at": now, "published_at": None}


def _back(claimed: Claim) -> JobState:
    """Return the state in which a job waits for its next attempt: an unknown one stays unknown until it is resolved."""
    return JobState.UNKNOWN if claimed.state is JobState.UNKNOWN else JobState.READY


def _unsent(claimed: Claim) -> dict[str, Any]:
    """Return the column values of a job whose write, if any, was refused for certain: it counts toward no cap."""
    return {"published_at": None} if claimed.state is JobState.UNKNOWN else {"published_at": None, "sending_at": None}


_ANY = frozenset({JobState.RUNNING, JobState.SENDING, JobState.UNKNOWN})
_FROM: dict[type[Any], frozenset[JobState]] = {
    Retry: _ANY,
    Held: _ANY,
    Unknown: frozenset({JobState.SENDING, JobState.UNKNOWN}),
    Absent: frozenset({JobState.UNKNOWN}),
    Dead: _ANY,
    Skipped: frozenset({JobState.RUNNING, JobState.SENDING}),
}


def finish_parameters(claimed: Claim, outcome: Done) -> dict[str, Any]:
    """Return the parameters of `finish_job.sql` for the job."""
    is_act = registry.current().job(claimed.kind).is_act
    return {**_mine(claimed), "remote_id": outcome.remote_id, "result": dict(outcome.result), "is_act": is_act}


def guarded(tx: Tx, claimed: Claim, states: set[JobState] | frozenset[JobState], **values: Any) -> bool:
    """Change a job only while the caller's token is the newest and the state allows it."""
    where = (JobRow.id == claimed.job_id, JobRow.lease_token == claimed.token, JobRow.state.in_(states))
    return tx.execute(sa.update(JobRow).where(*where).values(**values)).rowcount == 1


def locked_in_order(*where: sa.ColumnElement[bool]) -> sa.Subquery:
    """Return the ids of many jobs, locked in the one order that avoids deadlocks between callers."""
    return sa.select(JobRow.id).where(*where).order_by(JobRow.id).with_for_update(key_share=True).subquery("locked")


def count_open(tx: Tx, account_id: uuid.UUID) -> int:
    """Return how many jobs of an account have not ended. For rare questions: it reads all open jobs."""
    query = sa.select(sa.func.count()).where(JobRow.account_id == account_id, JobRow.state.in_(LIVE))
    return int(tx.scalar(query) or 0)


def in_flight(tx: Tx) -> int:
    """Return how many outside writes may be under way at this moment."""
    query = sa.select(sa.func.count()).where(JobRow.state == JobState.SENDING, JobRow.lease_until > tx.sql_now)
    return int(tx.scalar(query) or 0)
