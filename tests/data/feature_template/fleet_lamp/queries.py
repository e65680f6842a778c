"""What the agent, the page, the API, the command and the metric read. Each function is given a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.agents.models import AgentRow
from fleet.engine.jobs.models import JobRow
from fleet_lamp.models import LampChangeRow

HOUR = timedelta(hours=1)


def dead_letters(tx: Tx) -> int:
    """Return how many jobs became dead letters in the last hour."""
    query = sa.select(sa.func.count()).where(JobRow.state == "dead", JobRow.finished_at > tx.now() - HOUR)
    return int(tx.scalar(query))


def shown(tx: Tx, agent_id: uuid.UUID) -> str | None:
    """Return the colour that a lamp was set to last; None for a new one."""
    query = sa.select(LampChangeRow.colour).where(LampChangeRow.agent_id == agent_id)
    colour: str | None = tx.scalar(query.order_by(LampChangeRow.changed_at.desc()).limit(1))
    return colour


def changes(tx: Tx, *, limit: int, below: uuid.UUID | None = None) -> Sequence[sa.Row[Any]]:
    """Return changes, newest first; `below` is the last one of the page above."""
    query = sa.select(
        LampChangeRow.job_id, AgentRow.username.label("lamp"), LampChangeRow.colour, LampChangeRow.why,
        LampChangeRow.changed_at,
    ).join(AgentRow, AgentRow.id == LampChangeRow.agent_id)  # fmt: skip
    place = sa.tuple_(LampChangeRow.changed_at, LampChangeRow.job_id)
    if below is not None:
        above = sa.select(LampChangeRow.changed_at, LampChangeRow.job_id).where(LampChangeRow.job_id == below)
        query = query.where(place < above.scalar_subquery())
    return tx.execute(query.order_by(LampChangeRow.changed_at.desc(), LampChangeRow.job_id.desc()).limit(limit)).all()


def lamps_by_colour(tx: Tx) -> dict[str, int]:
    """Return how many lamps show which colour."""
    latest = sa.select(LampChangeRow.agent_id, LampChangeRow.colour).distinct(LampChangeRow.agent_id)
    latest = latest.order_by(LampChangeRow.agent_id, LampChangeRow.changed_at.desc())
    last = latest.join(AgentRow, AgentRow.id == LampChangeRow.agent_id).where(AgentRow.deleted_at.is_(None)).subquery()
    rows = tx.execute(sa.select(last.c.colour, sa.func.count()).group_by(last.c.colour))
    return dict(rows.tuples().all())


def prune(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` changes that are older than `days`; return how many."""
    old = sa.select(LampChangeRow.job_id).where(LampChangeRow.changed_at < tx.now() - timedelta(days=days))
    gone = tx.execute(sa.delete(LampChangeRow).where(LampChangeRow.job_id.in_(old.limit(limit))))
    return gone.rowcount
