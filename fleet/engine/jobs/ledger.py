"""The ledger's verbs on jobs: add, claim, checkpoint, send, finish.

Called by `fleet.engine` inside its transactions. Each move is one guarded UPDATE on the database's clock that says
whether it happened: a holder of an old lease token changes nothing, and a second delivery of a message claims nothing.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from fleet.core.db import Database, Tx
from fleet.core.db.sql import GroupStatement, Statement, given, unindexed
from fleet.engine import registry
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.outcomes import Absent, Dead, Done, Failure, Held, Retry, Skipped, Unknown
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.jobs.ticks import seconds
from fleet.engine.policy import Priority

_CLOCK = sa.func.clock_timestamp()


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
    worth_doing: timedelta | None = None  # where it is not what the kind says
    lane: str | None = None  # of a paced job: `pacing` publishes it, unless a person asks for it


@dataclass(frozen=True, slots=True)
class Ring:
    """What a message about a job must say."""

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
    out; so is one that is due later, for which the sweep rings, and one that is paced (`pacing`).
    """
    return new_rings(tx.run(_ADD, **add_parameters(jobs)).fetchall()) if jobs else []


def adding(wanted: sa.FromClause) -> sa.CTE:
    """Return the insertion of the jobs that stand in `wanted` (`wanting`, `wanted_by`), for a larger statement.

    `new_rings` reads its rows.
    """
    due_at = _CLOCK + seconds(wanted.c.due_in_s)
    now = sa.and_(wanted.c.due_in_s == 0, wanted.c.lane.is_(None))
    published = (sa.case((now, _CLOCK)), sa.case((now, 1), else_=0))
    made = sa.select(
        *(wanted.c[name] for name in _GIVEN), due_at, due_at + seconds(wanted.c.worth_doing_s), *published
    )  # fmt: skip
    return (
        insert(JobRow)
        .from_select([*_GIVEN, "next_attempt_at", "expires_at", "published_at", "publishes"], made)
        .on_conflict_do_nothing()
        .returning(JobRow.id, JobRow.kind, JobRow.priority, JobRow.publishes)
        .cte("added")
    )


def wanting(jobs: sa.ColumnElement[Any]) -> sa.TableValuedAlias:
    """Return the jobs of a document (`add_parameters`) as a table."""
    # A foreign key has no type before its table is known, and that one is another room's.
    types = {"agent_id": sa.Uuid(), "worth_doing_s": sa.Double(), "due_in_s": sa.Double()}
    kinds = {name: getattr(JobRow, name).type for name in _GIVEN} | types
    columns = (sa.column(name, kind) for name, kind in kinds.items())
    return sa.func.jsonb_to_recordset(jobs).table_valued(*columns, name="job").render_derived(with_types=True)


def wanted_by(calls: sa.CTE, *, of: sa.CTE) -> sa.CTE:
    """Return the jobs of the calls for which there is a row in `of`, with the number of their call."""
    job = wanting(calls.c.jobs)
    own = of.join(calls, of.c.n == calls.c.n).join(job, sa.true())
    return sa.select(of.c.n, *job.c).select_from(own).cte("wanted")


def add_parameters(jobs: Sequence[NewJob]) -> dict[str, Any]:
    """Return what `wanting` needs to know."""
    return {"jobs": [_values(job) for job in jobs]}


def new_rings(rows: Iterable[Any]) -> list[Ring]:
    """Return what messages must say of added jobs that are due now, from rows that begin as `adding` returns them."""
    return rings(row for row in rows if row.publishes)


def rings(rows: Iterable[Any]) -> list[Ring]:
    """Return what messages must say, from rows with a job's id, kind and priority."""
    return [Ring(row.id, row.kind, Priority(row.priority)) for row in rows]


def _values(job: NewJob) -> dict[str, Any]:
    handler = registry.current().job(job.kind)
    return {
        "id": str(job.id),
        "agent_id": str(job.agent_id),
        "tick_no": job.tick_no,
        "kind": job.kind,
        "priority": Priority.HIGH if job.requested_by else handler.priority,
        "surface": job.surface,
        "target": job.target,
        "payload": dict(job.payload),
        "requested_by": job.requested_by,
        "max_attempts": handler.retry.max_attempts,
        "worth_doing_s": (job.worth_doing or handler.expires_after).total_seconds(),
        "due_in_s": job.due_in.total_seconds(),
        "once": handler.once_per_target,
        "rare": not handler.is_frequent,
        "lane": None if job.requested_by else job.lane,
    }


_GIVEN = ("id", "agent_id", "tick_no", "kind", "priority", "surface", "target", "payload", "requested_by",
          "max_attempts", "once", "rare", "lane")  # fmt: skip
_ADD = Statement(sa.select(adding(wanting(sa.bindparam("jobs", type_=JSONB)))))


def claiming(calls: sa.CTE) -> tuple[sa.CTE, sa.CTE]:
    """Return the taking of the right to carry out jobs, or to resolve their unknown outcome, and their attempts' rows.

    Both for a larger statement whose `calls` have what `CLAIM` names, and from whose rows `claim_of` makes Claims. No
    row where the job is finished, leased by somebody else, or not due yet: a duplicate or early message.
    """
    state = unindexed(JobRow.state)
    taken = (
        sa.update(JobRow)
        .where(
            JobRow.id == calls.c.a_job,
            state.in_((JobState.READY, JobState.UNKNOWN)),
            JobRow.next_attempt_at <= _CLOCK,
            sa.or_(JobRow.lease_until.is_(None), JobRow.lease_until < _CLOCK),
            sa.or_(state == JobState.UNKNOWN, JobRow.expires_at > _CLOCK),
            JobRow.agent_id.is_not(None),
        )
        .values(
            state=sa.case((JobRow.state == JobState.READY, JobState.RUNNING.value), else_=JobRow.state),
            lease_token=JobRow.lease_token + 1,
            lease_until=_CLOCK + seconds(calls.c.lease_s),
            claims=JobRow.claims + 1,
            publishes=0,
            held=None,
        )
        .returning(calls.c.n, calls.c.worker, *_CLAIMED)
        .cte("claimed")
    )
    attempt = sa.select(taken.c.job_id, taken.c.token, taken.c.worker)
    begun = sa.insert(AttemptRow).inline().from_select(["job_id", "lease_token", "worker"], attempt)
    return taken, begun.cte("begun")


CLAIM: Mapping[str, sa.types.TypeEngine[Any]] = {"a_job": sa.Uuid(), "worker": sa.String(), "lease_s": sa.Double()}
"""The columns of `claim_parameters`."""
_CLAIMED = (
    JobRow.id.label("job_id"),
    JobRow.lease_token.label("token"),
    *(getattr(JobRow, name) for name in Claim.__slots__ if name not in ("job_id", "token")),
)


def claim_parameters(job_id: uuid.UUID, *, worker: str, lease_s: float) -> dict[str, Any]:
    """Return what `claiming` needs to know."""
    return {"a_job": job_id, "worker": worker, "lease_s": lease_s}


def claim_of(row: Any) -> Claim:
    """Return the claim that stands in a row."""
    columns = {name: getattr(row, name) for name in Claim.__slots__}
    return Claim(**{**columns, "state": JobState(columns["state"])})


def save_step(db: Database, claimed: Claim, name: str, value: Any, *, also: Callable[[Tx], None] | None = None) -> bool:
    """Keep the result of a paid step, so that a retry neither pays again nor says something else; False if fenced.

    `also` writes in the same transaction.
    """
    told = {**_mine(claimed), "in_state": claimed.state, "step": {name: value}}
    return bool(db.run(_SAVE_STEP, also, **told))


def enter_sending(tx: Tx, claims: Sequence[Claim], *, lease_s: float, patience_ms: int) -> list[bool]:
    """Announce the one outside write of each claim, renewing its lease for it.

    Say for each whether it may go out: not if it is fenced, or its lease has run out.
    """
    asked = [{**_mine(one), "lease_s": lease_s} for one in claims]
    return [bool(rows) for rows in tx.run_all(_ENTER_SENDING, asked, patience_ms=patience_ms)]


def _mine(claimed: Claim) -> dict[str, Any]:
    return {"a_job": claimed.job_id, "a_token": claimed.token}


_MINE: Mapping[str, sa.types.TypeEngine[Any]] = {"a_job": sa.Uuid(), "a_token": sa.BigInteger()}


def _is_mine(calls: sa.CTE) -> tuple[sa.ColumnElement[bool], ...]:
    """Say that a job's newest token is the caller's."""
    return JobRow.id == calls.c.a_job, JobRow.lease_token == calls.c.a_token


def _saving_step() -> GroupStatement:
    calls = given(**_MINE, in_state=sa.String(), step=JSONB())
    saved = sa.update(JobRow).where(*_is_mine(calls), JobRow.state == calls.c.in_state)
    saved = saved.values(checkpoint=JobRow.checkpoint.op("||")(calls.c.step))
    return GroupStatement(saved.returning(calls.c.n), order="a_job")


def _entering_sending() -> GroupStatement:
    calls = given(**_MINE, lease_s=sa.Double())
    leased = (unindexed(JobRow.state) == JobState.RUNNING, JobRow.lease_until > _CLOCK)
    until = _CLOCK + seconds(calls.c.lease_s)
    sending = sa.update(JobRow).where(*_is_mine(calls), *leased)
    sending = sending.values(state=JobState.SENDING, sending_at=_CLOCK, lease_until=until)
    return GroupStatement(sending.returning(calls.c.n), order="a_job")


_SAVE_STEP = _saving_step()
_ENTER_SENDING = _entering_sending()


def finish(tx: Tx, claimed: Claim, outcome: Failure, *, dice: random.Random) -> JobState | None:
    """Record how an attempt failed; return the job's new state, or None if the lease has gone to somebody else.

    The attempt's own row is closed in any case: it is history, not state.
    """
    state, values = _consequence(claimed, outcome, dice)
    moved = guarded(tx, claimed, _FROM[type(outcome)], state=state, lease_until=None, **values)
    why = getattr(outcome, "why", None)
    tx.execute(
        sa.update(AttemptRow)
        .where(AttemptRow.job_id == claimed.job_id, AttemptRow.lease_token == claimed.token)
        .values(ended_at=_CLOCK, outcome=type(outcome).__name__.lower() if moved else "fenced", error=why)
    )
    return state if moved else None


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
    delay = registry.current().job(claimed.kind).retry.delay(attempts, dice, retry_after_s=outcome.after_s)
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


_ANY = frozenset({JobState.RUNNING, JobState.SENDING, JobState.UNKNOWN})
_FROM: dict[type[Any], frozenset[JobState]] = {
    Retry: _ANY,
    Held: _ANY,
    Unknown: frozenset({JobState.SENDING, JobState.UNKNOWN}),
    Absent: frozenset({JobState.UNKNOWN}),
    Dead: _ANY,
    Skipped: frozenset({JobState.RUNNING, JobState.SENDING}),
}


def finishing(calls: sa.CTE) -> tuple[sa.CTE, sa.CTE]:
    """Return the end of attempts that succeeded, and the closing of their rows, which happens in any case.

    Both for a larger statement whose `calls` have what `FINISH` names. No row where the lease has gone to somebody
    else.
    """
    moved = (
        sa.update(JobRow)
        .where(*_is_mine(calls), unindexed(JobRow.state).in_(_ANY))
        .values(
            state=JobState.DONE, lease_until=None, finished_at=_CLOCK, held=None, error=None,
            remote_id=calls.c.an_id, result=calls.c.a_result,
        )
        .returning(calls.c.n, JobRow.id, JobRow.agent_id)
        .cte("finished")
    )  # fmt: skip
    is_done = sa.exists(sa.select(moved.c.id).where(moved.c.n == calls.c.n))
    closed = (
        sa.update(AttemptRow)
        .where(AttemptRow.job_id == calls.c.a_job, AttemptRow.lease_token == calls.c.a_token)
        .values(ended_at=_CLOCK, outcome=sa.case((is_done, "done"), else_="fenced"))
        .cte("closed")
    )
    return moved, closed


FINISH: Mapping[str, sa.types.TypeEngine[Any]] = {**_MINE, "an_id": sa.String(), "a_result": JSONB()}
"""The columns of `finish_parameters`."""


def finish_parameters(claimed: Claim, outcome: Done) -> dict[str, Any]:
    """Return what `finishing` needs to know."""
    return {**_mine(claimed), "an_id": outcome.remote_id, "a_result": dict(outcome.result)}


def guarded(tx: Tx, claimed: Claim, states: set[JobState] | frozenset[JobState], **values: Any) -> bool:
    """Change a job only while the caller's token is the newest and the state allows it."""
    where = (JobRow.id == claimed.job_id, JobRow.lease_token == claimed.token, JobRow.state.in_(states))
    return tx.execute(sa.update(JobRow).where(*where).values(**values)).rowcount == 1


def locked_in_order(*where: sa.ColumnElement[bool]) -> sa.Subquery:
    """Return the ids of many jobs, locked in the one order for all who wait for the rows of several."""
    return sa.select(JobRow.id).where(*where).order_by(JobRow.id).with_for_update(key_share=True).subquery("locked")


def in_flight(tx: Tx) -> int:
    """Return how many outside writes may be under way at this moment."""
    query = sa.select(sa.func.count()).where(JobRow.state == JobState.SENDING, JobRow.lease_until > _CLOCK)
    return int(tx.scalar(query) or 0)
