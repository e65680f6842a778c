"""What an agent has done lately, as its jobs tell it. Called by `fleet.features.publishing.memory` and `roster`.

What it remembers are results and never checkpoints: what was written and not published has not happened.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from fleet.core.db import Database, Tx
from fleet.core.db.sql import Statement
from fleet.engine.jobs.models import JobRow, TickRow
from fleet.engine.jobs.policy import JobKind
from fleet.engine.jobs.states import JobState

_BESIDE = timedelta(minutes=1)  # of its decision a job is born; on the database's clock both


@dataclass(frozen=True, slots=True)
class Deed:
    """A post or comment that stands. `to` is the name of whom a comment answers, as its surface tells it."""

    kind: JobKind
    text: str
    to: str


def deeds(db: Database, agent_id: uuid.UUID, *, limit: int) -> list[Deed]:
    """Return an agent's newest posts and comments, at most `limit` of each, newest first."""
    rows = db.run(_DEEDS, agent_id=agent_id, most=limit)
    return [Deed(JobKind(row.kind), row.text, row.to or "") for row in rows]


def jobs_of_ticks(tx: Tx, ticks: Sequence[TickRow]) -> dict[int, list[JobRow]]:
    """Return what came of decisions of one agent, by the number of the tick, oldest first.

    Jobs are born with the record of their decision, so their time finds them (ix_jobs_agent), however many the agent
    has.
    """
    moments = [tick.decided_at for tick in ticks if tick.decided_at is not None]
    if not moments:
        return {}
    query = (
        sa.select(JobRow)
        .where(
            JobRow.agent_id == ticks[0].agent_id,
            JobRow.kind.in_(JobKind),
            JobRow.created_at.between(min(moments) - _BESIDE, max(moments) + _BESIDE),
            JobRow.tick_no.in_([tick.tick_no for tick in ticks]),
        )
        .order_by(JobRow.created_at, JobRow.id)
    )
    found: dict[int, list[JobRow]] = {}
    for job in tx.session.scalars(query):
        found.setdefault(int(job.tick_no or 0), []).append(job)
    return found


def _newest(kind: JobKind) -> sa.Select[str, str, str, object]:
    """Return the newest of one kind: each kind has its own stretch of ix_jobs_agent."""
    said = JobRow.result["text"].astext
    to = sa.func.coalesce(JobRow.result["to"].astext, JobRow.payload["author_name"].astext)
    return (
        sa.select(JobRow.kind.label("kind"), said.label("text"), to.label("to"), JobRow.created_at.label("at"))
        .where(
            JobRow.agent_id == sa.bindparam("agent_id", type_=sa.Uuid),
            JobRow.kind == kind,
            JobRow.state == JobState.DONE,
            said.is_not(None),
        )
        .order_by(JobRow.created_at.desc())
        .limit(sa.bindparam("most", type_=sa.Integer))
    )


def _both() -> Statement:
    both = sa.union_all(_newest(JobKind.POST).subquery().select(), _newest(JobKind.COMMENT).subquery().select())
    told = both.subquery()
    return Statement(sa.select(told.c.kind, told.c.text, told.c.to).order_by(told.c.at.desc()))


_DEEDS = _both()
