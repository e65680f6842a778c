"""What an agent has done lately, as its finished jobs tell it. Called by `fleet.runtime.remembering`.

Reads results and never checkpoints: what was written and not published has not happened.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.core.db import Database
from fleet.core.sql import Statement
from fleet.jobs.models import JobRow
from fleet.jobs.policy import JobKind
from fleet.jobs.states import JobState


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
