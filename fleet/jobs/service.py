"""The ledger's verbs on jobs: add, claim, checkpoint, send, finish.

Called by `fleet.runtime` inside its transactions. Each move is one guarded UPDATE on the database's clock that says
whether it happened: a holder of an old lease token changes nothing, and a second delivery of a message claims nothing.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from fleet.core.db import Tx
from fleet.core.sql import Statement
from fleet.jobs.endings import consequence
from fleet.jobs.models import AttemptRow, JobRow
from fleet.jobs.outcomes import Absent, Dead, Done, Failure, Held, Retry, Skipped, Unknown
from fleet.jobs.policy import PRIORITY, RETRY, WORTH_DOING, JobKind, Priority
from fleet.jobs.states import JobState
from fleet.jobs.ticks import seconds

_CLOCK = sa.func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be added, due now or `due_in` some time. The id is derived, so adding it twice adds it once."""

    id: uuid.UUID
    agent_id: uuid.UUID
    kind: JobKind
    surface: str
    tick_no: int | None = None
    target: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    requested_by: str | None = None
    priority: Priority | None = None
    due_in: timedelta = timedelta(0)
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

    A job that exists already, or a second like or comment of an agent on one post, is left out; so is one that is due
    later, for which the sweep rings.
    """
    return new_rings(tx.run(_ADD, **add_parameters(jobs)).fetchall()) if jobs else []


def adding(*, after: sa.FromClause | None = None) -> sa.CTE:
    """Return the insertion of jobs, to be run with `add_parameters` in a larger statement; `new_rings` reads its rows.

    `after` is what must have happened: without a row there, nothing is inserted.
    """
    # A foreign key has no type before its table is known, and that one is another room's.
    types = {"agent_id": sa.Uuid(), "worth_doing_s": sa.Double(), "due_in_s": sa.Double()}
    kinds = {name: getattr(JobRow, name).type for name in _GIVEN} | types
    given = (
        sa.func.jsonb_to_recordset(sa.bindparam("jobs", type_=JSONB))
        .table_valued(*(sa.column(name, kind) for name, kind in kinds.items()), name="given")
        .render_derived(with_types=True)
    )
    due_at, now = _CLOCK + seconds(given.c.due_in_s), given.c.due_in_s == 0
    published = (sa.case((now, _CLOCK)), sa.case((now, 1), else_=0))
    made = sa.select(
        *(given.c[name] for name in _GIVEN), due_at, due_at + seconds(given.c.worth_doing_s), *published
    )  # fmt: skip
    if after is not None:
        made = made.where(sa.exists(sa.select(sa.literal_column("1")).select_from(after)))
    return (
        insert(JobRow)
        .from_select([*_GIVEN, "next_attempt_at", "expires_at", "published_at", "publishes"], made)
        .on_conflict_do_nothing()
        .returning(JobRow.id, JobRow.kind, JobRow.priority, JobRow.publishes)
        .cte("added")
    )


def add_parameters(jobs: Sequence[NewJob]) -> dict[str, Any]:
    """Return what `adding` needs to know."""
    return {"jobs": [_values(job) for job in jobs]}


def new_rings(rows: Iterable[Any]) -> list[Ring]:
    """Return what messages must say of added jobs that are due now, from rows that begin as `adding` returns them."""
    return rings(row for row in rows if row.publishes)


def rings(rows: Iterable[Any]) -> list[Ring]:
    """Return what messages must say, from rows with a job's id, kind and priority."""
    return [Ring(row.id, JobKind(row.kind), Priority(row.priority)) for row in rows]


def _values(job: NewJob) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "agent_id": str(job.agent_id),
        "tick_no": job.tick_no,
        "kind": job.kind,
        "priority": job.priority or (Priority.HIGH if job.requested_by else PRIORITY[job.kind]),
        "surface": job.surface,
        "target": job.target,
        "payload": dict(job.payload),
        "requested_by": job.requested_by,
        "max_attempts": RETRY[job.kind].max_attempts,
        "worth_doing_s": (job.worth_doing or WORTH_DOING[job.kind]).total_seconds(),
        "due_in_s": job.due_in.total_seconds(),
    }


_GIVEN = ("id", "agent_id", "tick_no", "kind", "priority", "surface", "target", "payload", "requested_by",
          "max_attempts")  # fmt: skip
_ADD = Statement(sa.select(adding()))


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


def finish(tx: Tx, claimed: Claim, outcome: Failure, *, dice: random.Random) -> JobState | None:
    """Record how an attempt failed; return the job's new state, or None if the lease has gone to somebody else.

    The attempt's own row is closed in any case: it is history, not state.
    """
    state, values = consequence(claimed, outcome, dice)
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
    Retry: _ANY,
    Held: _ANY,
    Unknown: frozenset({JobState.SENDING, JobState.UNKNOWN}),
    Absent: frozenset({JobState.UNKNOWN}),
    Dead: _ANY,
    Skipped: frozenset({JobState.RUNNING, JobState.SENDING}),
}


def finishing() -> tuple[sa.CTE, sa.CTE]:
    """Return the end of an attempt that succeeded, and the closing of its row, which happens in any case.

    Both to be run with `finish_parameters` in a larger statement. No row when the lease has gone to somebody else.
    """
    moved = (
        sa.update(JobRow)
        .where(*_IS_MINE, JobRow.state.in_(_ANY))
        .values(
            state=JobState.DONE, lease_until=None, finished_at=_CLOCK, held=None, error=None,
            remote_id=sa.bindparam("an_id", type_=sa.String), result=sa.bindparam("a_result", type_=JSONB),
        )
        .returning(JobRow.id, JobRow.agent_id)
        .cte("finished")
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
    return moved, closed


def finish_parameters(claimed: Claim, outcome: Done) -> dict[str, Any]:
    """Return what `finishing` needs to know."""
    return {**_mine(claimed), "an_id": outcome.remote_id, "a_result": dict(outcome.result)}


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
