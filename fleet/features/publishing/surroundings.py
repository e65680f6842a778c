"""What a decision about publishing needs to know from the ledger: an agent's writes, and the posts that it sees.

Each question is one statement.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from fleet.core.db import Database, Tx
from fleet.core.db.sql import NOW_FOR_INDEX, GroupStatement, Statement, given
from fleet.engine.jobs.models import STANDING, JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.usage import Writes, as_object, writes_after, writes_of
from fleet.features.publishing.kinds import COMMENT, CONNECT, POST, REACT
from fleet.features.publishing.rules import REACTIONS

_IS_OUT = JobRow.state.in_((JobState.SENDING, JobState.UNKNOWN, JobState.DONE))
_OLDEST_POST, _OLDEST_COMMENT = timedelta(hours=24), timedelta(hours=6)  # older jobs have expired (ix_jobs_agent)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The ledger's facts about an agent and the posts in its feed.

    `posting` says that a post of it waits or is being made; a sent one is among the writes. `commenting` says that a
    comment of it waits for something, such as a budget. `ours` counts the fleet's existing or pending comments on each;
    `reactions` are the (kind, target) pairs that the agent has done, is doing, or must not try again.
    """

    writes: Writes
    ours: Mapping[str, int]
    reactions: frozenset[tuple[str, str]]
    posting: bool
    commenting: bool


def surroundings(db: Database, agent_id: uuid.UUID, targets: Sequence[str], *, since: datetime) -> Surroundings:
    """Return the current facts for a decision."""
    (row,) = db.run(_SURROUNDINGS, agent_id=agent_id, targets=list(targets), since=since)
    reactions = frozenset((kind, target) for kind, target in row.reactions)
    return Surroundings(writes_of(row.writes), row.ours, reactions, row.posting, row.commenting)


def comments_on(tx: Tx, target: str) -> int:
    """Return how many of the fleet's comments exist or are pending on a post."""
    row: Any = tx.run(_COMMENTS_ON, target=target).fetchone()
    return int(row.number)


def _ours(targets: Any, *, calls: sa.CTE) -> sa.ScalarSelect[Any]:
    counted = (
        sa.select(JobRow.target, sa.func.count().label("number"))
        .where(JobRow.target == sa.func.any(targets), JobRow.kind == COMMENT, *STANDING, _IS_OUT)
        .group_by(JobRow.target)
        .correlate(calls)
        .subquery()
    )
    return as_object(counted, "target", counted.c.number)


def _reactions(targets: Any, *, of: Any) -> sa.ScalarSelect[Any]:
    pairs = sa.func.jsonb_agg(sa.func.jsonb_build_array(JobRow.kind, JobRow.target))
    return (
        sa.select(sa.func.coalesce(pairs, sa.literal_column("'[]'::jsonb", JSONB)))
        .where(
            JobRow.agent_id == of,
            JobRow.target == sa.func.any(targets),
            JobRow.kind.in_((*REACTIONS, COMMENT, REACT, CONNECT)),
            *STANDING,
        )
        .scalar_subquery()
    )


def _unsent(kind: str, oldest: timedelta, *where: sa.ColumnElement[bool], of: Any) -> sa.ColumnElement[bool]:
    """Return whether a job of a kind is yet to be sent; older ones than its expiry have ended (ix_jobs_agent)."""
    return sa.exists(
        sa.select(sa.literal_column("1")).where(
            JobRow.agent_id == of,
            JobRow.kind == kind,
            JobRow.state.in_((JobState.READY, JobState.RUNNING)),
            JobRow.created_at > NOW_FOR_INDEX - oldest,
            *where,
        )
    )


def _surroundings() -> GroupStatement:
    calls = given(agent_id=sa.Uuid(), targets=ARRAY(sa.String()), since=sa.DateTime(timezone=True))
    of, targets = calls.c.agent_id, calls.c.targets
    query = sa.select(
        calls.c.n,
        writes_after(calls.c.since, of=of, calls=calls).label("writes"),
        _ours(targets, calls=calls).label("ours"),
        _reactions(targets, of=of).label("reactions"),
        _unsent(POST, _OLDEST_POST, of=of).label("posting"),
        _unsent(COMMENT, _OLDEST_COMMENT, JobRow.held.is_not(None), of=of).label("commenting"),
    )
    return GroupStatement(query, order="agent_id")


_SURROUNDINGS = _surroundings()
_COMMENTS_ON = Statement(
    sa.select(sa.func.count().label("number")).where(
        JobRow.target == sa.bindparam("target", type_=sa.String), JobRow.kind == COMMENT, *STANDING, _IS_OUT
    )
)
