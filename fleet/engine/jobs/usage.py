"""What the ledger knows that a decision or a cap needs: how much was written lately, by whom, on what.

Called by `fleet.engine` before every decision and every write, so each question is one statement.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import aliased

from fleet.core.db import Database, Tx
from fleet.core.db.sql import GroupStatement, Statement, given
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.policy import WORTH_DOING, JobKind
from fleet.engine.jobs.states import LIVE, JobState
from fleet.engine.ticks import seconds

Writes = Mapping[str, tuple[int, datetime]]
"""For each kind how often an agent's writes went out lately, and when the last one did."""

_MINUTE = timedelta(minutes=1)
# Not clock_timestamp(), which may change from row to row: no index could be asked for what is later than it.
_NOW = sa.func.statement_timestamp()
_AGENT = JobRow.agent_id == sa.bindparam("agent_id", type_=sa.Uuid)
_STANDS = JobRow.state.in_((JobState.SENDING, JobState.UNKNOWN, JobState.DONE))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the ledger knows about an agent and the posts it sees.

    `posting` says that a post of it waits or is being made; one that went out is among the writes. `commenting` says
    that a comment of it waits for something, such as a budget.
    `ours` counts the fleet's comments that stand or may stand on each; `reactions` are the (kind, target) pairs that
    the agent has done, is doing, or must not try again.
    """

    writes: Writes
    ours: Mapping[str, int]
    reactions: frozenset[tuple[str, str]]
    posting: bool
    commenting: bool


@dataclass(frozen=True, slots=True)
class BeforeWrite:
    """What the caps are compared with. `now` is the database's time; nobody counts on once the surface is full."""

    now: datetime
    writes: Writes
    surface_writes_in_a_minute: int


def surroundings(db: Database, agent_id: uuid.UUID, targets: Sequence[str], *, since: datetime) -> Surroundings:
    """Return what a decision needs, as it is now."""
    (row,) = db.run(_SURROUNDINGS, agent_id=agent_id, targets=list(targets), since=since)
    reactions = frozenset((kind, target) for kind, target in row.reactions)
    return Surroundings(_writes(row.writes), row.ours, reactions, row.posting, row.commenting)


def before_write_parameters(agent_id: uuid.UUID, surface: str, *, within: timedelta, full: int) -> dict[str, Any]:
    """Return what `before_write` needs to know: it counts an agent's writes within that span.

    `full` is how many writes a minute fill a surface; 0 when nothing does, and then nobody counts.
    """
    return {"agent_id": agent_id, "surface": surface, "within_s": within.total_seconds(), "full": full}


def counted(row: Any) -> BeforeWrite:
    """Return what stands in a row's columns `now` and `before_write`."""
    return BeforeWrite(row.now, _writes(row.writes), row.surface_writes)


def open_targets(tx: Tx, agent_id: uuid.UUID, kind: JobKind) -> frozenset[str]:
    """Return the targets of an agent's jobs of a kind that have not ended."""
    open_ones = (
        JobRow.agent_id == agent_id, JobRow.kind == kind, JobRow.state.in_(LIVE),
        JobRow.created_at > _NOW - 2 * WORTH_DOING[kind],  # nothing lives longer (ix_jobs_agent)
    )  # fmt: skip
    return frozenset(tx.session.scalars(sa.select(JobRow.target).where(*open_ones, JobRow.target.is_not(None))))


def has_open_scan(db: Database, agent_id: uuid.UUID) -> bool:
    """Say whether an agent has a look at its feed before it, or under way."""
    return bool(db.run(_OPEN_SCAN, agent_id=agent_id))


def last_scan(tx: Tx, agent_id: uuid.UUID) -> tuple[datetime, Mapping[str, Any]] | None:
    """Return when an agent last came to the end of a look at its feed, and what came of it (ix_jobs_agent).

    None without one, or when it was so long ago that it is pruned.
    """
    mine = (JobRow.agent_id == agent_id, JobRow.kind == JobKind.SCAN_FEED, JobRow.state == JobState.DONE)
    newest = sa.select(JobRow.finished_at, JobRow.result).where(*mine).order_by(JobRow.created_at.desc()).limit(1)
    row = tx.execute(newest).one_or_none()
    return None if row is None else (row.finished_at, row.result or {})


def scans_ahead(db: Database, job_id: uuid.UUID) -> int:
    """Return how many scans are under way that began before this one: each knows its place without asking others."""
    (row,) = db.run(_SCANS_AHEAD, a_job=job_id)
    return int(row.number)


def scans_waiting(db: Database) -> int:
    """Return how many scans are not under way yet."""
    (row,) = db.run(_SCANS_WAITING)
    return int(row.number)


def comments_on(tx: Tx, target: str) -> int:
    """Return how many of the fleet's comments stand or may stand on a post."""
    row: Any = tx.run(_COMMENTS_ON, target=target).fetchone()
    return int(row.number)


def _writes(data: Mapping[str, tuple[int, str]]) -> Writes:
    return {kind: (number, datetime.fromisoformat(last)) for kind, (number, last) in data.items()}


def _as_object(pairs: sa.Subquery, key: str, value: Any) -> sa.ScalarSelect[Any]:
    """Return a subquery's rows as one JSON object."""
    empty = sa.literal_column("'{}'::jsonb", JSONB)
    return sa.select(sa.func.coalesce(sa.func.jsonb_object_agg(pairs.c[key], value), empty)).scalar_subquery()


def _writes_after(moment: Any, *, of: Any, calls: sa.CTE) -> sa.ScalarSelect[Any]:
    counted = (
        sa.select(JobRow.kind, sa.func.count().label("number"), sa.func.max(JobRow.sending_at).label("last"))
        .where(JobRow.agent_id == of, JobRow.sending_at > moment)
        .group_by(JobRow.kind)
        .correlate(calls)
        .subquery()
    )
    return _as_object(counted, "kind", sa.func.jsonb_build_array(counted.c.number, counted.c.last))


def _ours(targets: Any, *, calls: sa.CTE) -> sa.ScalarSelect[Any]:
    counted = (
        sa.select(JobRow.target, sa.func.count().label("number"))
        .where(JobRow.target == sa.func.any(targets), JobRow.kind == JobKind.COMMENT, _STANDS)
        .group_by(JobRow.target)
        .correlate(calls)
        .subquery()
    )
    return _as_object(counted, "target", counted.c.number)


def _reactions(targets: Any, *, of: Any) -> sa.ScalarSelect[Any]:
    pairs = sa.func.jsonb_agg(sa.func.jsonb_build_array(JobRow.kind, JobRow.target))
    return (
        sa.select(sa.func.coalesce(pairs, sa.literal_column("'[]'::jsonb", JSONB)))
        .where(
            JobRow.agent_id == of,
            JobRow.target == sa.func.any(targets),
            JobRow.kind.in_((JobKind.LIKE, JobKind.COMMENT, JobKind.REACT, JobKind.CONNECT)),
            JobRow.state.not_in((JobState.SKIPPED, JobState.CANCELLED)),
        )
        .scalar_subquery()
    )


def _unsent(kind: JobKind, *where: sa.ColumnElement[bool], of: Any) -> sa.ColumnElement[bool]:
    """Say whether a job of a kind is yet to go out; older ones than it is worth have ended (ix_jobs_agent)."""
    return sa.exists(
        sa.select(sa.literal_column("1")).where(
            JobRow.agent_id == of,
            JobRow.kind == kind,
            JobRow.state.in_((JobState.READY, JobState.RUNNING)),
            JobRow.created_at > _NOW - WORTH_DOING[kind],
            *where,
        )
    )


def _surroundings() -> GroupStatement:
    calls = given(agent_id=sa.Uuid(), targets=ARRAY(sa.String()), since=sa.DateTime(timezone=True))
    of, targets = calls.c.agent_id, calls.c.targets
    query = sa.select(
        calls.c.n,
        _writes_after(calls.c.since, of=of, calls=calls).label("writes"),
        _ours(targets, calls=calls).label("ours"),
        _reactions(targets, of=of).label("reactions"),
        _unsent(JobKind.POST, of=of).label("posting"),
        _unsent(JobKind.COMMENT, JobRow.held.is_not(None), of=of).label("commenting"),
    )
    return GroupStatement(query, order="agent_id")


BEFORE_WRITE: Mapping[str, sa.types.TypeEngine[Any]] = {
    "agent_id": sa.Uuid(), "surface": sa.String(), "within_s": sa.Double(), "full": sa.Integer(),
}  # fmt: skip
"""The columns of `before_write_parameters`."""


def before_write(calls: sa.CTE) -> tuple[sa.Label[Any], ...]:
    """Return what each agent, and the fleet on its surface, have written, as columns of a larger statement."""
    lately = (
        sa.select(sa.literal_column("1"))
        .where(JobRow.surface == calls.c.surface, JobRow.sending_at > _NOW - _MINUTE)
        .limit(calls.c.full)
        .correlate(calls)
        .subquery()
    )
    writes = _writes_after(_NOW - seconds(calls.c.within_s), of=calls.c.agent_id, calls=calls)
    number = sa.select(sa.func.count()).select_from(lately).scalar_subquery()
    return writes.label("writes"), number.label("surface_writes")


_SURROUNDINGS = _surroundings()
_COMMENTS_ON = Statement(
    sa.select(sa.func.count().label("number")).where(
        JobRow.target == sa.bindparam("target", type_=sa.String), JobRow.kind == JobKind.COMMENT, _STANDS
    )
)
_OPEN_SCAN = Statement(
    sa.select(sa.literal_column("1"))
    .where(_AGENT, JobRow.kind == JobKind.SCAN_FEED, JobRow.state.in_((JobState.READY, JobState.RUNNING)))
    .limit(1)
)


_SCANS_WAITING = Statement(
    sa.select(sa.func.count().label("number")).where(JobRow.kind == JobKind.SCAN_FEED, JobRow.state == JobState.READY)
)


def _scans_ahead() -> Statement:
    """Count by when each attempt began; of two at once the one with the lower id was first."""
    other, theirs, mine = aliased(JobRow), aliased(AttemptRow), aliased(AttemptRow)
    my_id = sa.bindparam("a_job", type_=sa.Uuid)
    began = sa.select(mine.started_at, mine.job_id).where(mine.job_id == my_id)
    own = began.order_by(mine.lease_token.desc()).limit(1).subquery("own")
    attempt = sa.and_(theirs.job_id == other.id, theirs.lease_token == other.lease_token)
    before_me = sa.tuple_(theirs.started_at, theirs.job_id) < sa.tuple_(own.c.started_at, own.c.job_id)
    number = sa.select(sa.func.count().label("number")).select_from(other).join(theirs, attempt).join(own, before_me)
    under_way = (
        other.kind == JobKind.SCAN_FEED, other.state == JobState.RUNNING, other.lease_until > _NOW,
    )  # fmt: skip
    return Statement(number.where(*under_way))


_SCANS_AHEAD = _scans_ahead()
