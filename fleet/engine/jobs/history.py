"""Jobs that followed from decisions, found by the time of the decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.jobs.models import JobRow, TickRow

_BESIDE = timedelta(minutes=1)  # between a decision and its jobs, both on the database's clock


def jobs_of_ticks(tx: Tx, ticks: Sequence[TickRow]) -> dict[int, list[JobRow]]:
    """Return the jobs that followed from decisions of one agent, by the number of the tick, oldest first.

    Jobs are inserted with the record of their decision, so their time finds them (ix_jobs_agent), however many the
    agent has.
    """
    moments = [tick.decided_at for tick in ticks if tick.decided_at is not None]
    if not moments:
        return {}
    query = (
        sa.select(JobRow)
        .where(
            JobRow.agent_id == ticks[0].agent_id,
            JobRow.kind.in_(list(registry.current().jobs)),
            JobRow.created_at.between(min(moments) - _BESIDE, max(moments) + _BESIDE),
            JobRow.tick_no.in_([tick.tick_no for tick in ticks]),
        )
        .order_by(JobRow.created_at, JobRow.id)
    )
    found: dict[int, list[JobRow]] = {}
    for job in tx.session.scalars(query):
        found.setdefault(int(job.tick_no or 0), []).append(job)
    return found
