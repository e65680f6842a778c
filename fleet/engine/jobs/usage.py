"""Count recent writes: the numbers that caps are compared with, before a decision and before every write.

Each function is one statement.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from fleet.accounts.models import key_of
from fleet.adapters.gateway import WriteUsage
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.jobs.ledger import Claim
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE

Writes = Mapping[str, tuple[int, datetime]]
"""By kind, the number of an agent's recent writes and the time of the last one."""


@dataclass(frozen=True, slots=True)
class BeforeWrite:
    """The numbers that caps are compared with.

    `now` is the database's time; counting stops once the account is full.
    """

    now: datetime
    writes: Writes
    surface_writes_in_a_minute: int


def before_write_parameters(claim: Claim, *, within: timedelta, full: int) -> dict[str, Any]:
    """Return a call of `count_writes.sql`: it counts the writes of a job's agent within that span.

    `full` is how many writes a minute fill the job's account; 0 when nothing does, and then nothing is counted.
    """
    return {
        "agent_id": claim.agent_id, "surface": claim.surface, "account_id": key_of(claim.account_id),
        "within_s": within.total_seconds(), "max_writes": full,
    }  # fmt: skip


def counted(row: Any) -> BeforeWrite:
    """Return the counts in a row of `count_writes.sql`."""
    return BeforeWrite(row.now, writes_of(row.writes), row.surface_writes)


def usage_of(writes: Writes) -> WriteUsage:
    """Return the ledger's counts by type of action, from counts by kind of job."""
    counts: dict[str, int] = {}
    last_at: dict[str, datetime] = {}
    for kind, (number, at) in writes.items():
        action = registry.current().action_of(kind)
        counts[action] = counts.get(action, 0) + number
        last_at[action] = max(at, last_at.get(action, at))
    return WriteUsage(counts, last_at)


def open_targets(tx: Tx, agent_id: uuid.UUID, kind: str) -> frozenset[str]:
    """Return the targets of an agent's jobs of a kind that have not ended."""
    open_ones = (
        JobRow.agent_id == agent_id, JobRow.kind == kind, JobRow.state.in_(LIVE),
        # No cap looks further back (ix_jobs_agent).
        JobRow.created_at > sa.select(tx.sql_now).scalar_subquery() - 2 * registry.current().job(kind).expires_after,
    )  # fmt: skip
    return frozenset(tx.session.scalars(sa.select(JobRow.target).where(*open_ones, JobRow.target.is_not(None))))


def writes_of(data: Mapping[str, tuple[int, str]]) -> Writes:
    """Return the writes that `writes_after` counted."""
    return {kind: (number, datetime.fromisoformat(last)) for kind, (number, last) in data.items()}


def as_object(pairs: sa.Subquery, key: str, value: Any) -> sa.ScalarSelect[Any]:
    """Return a subquery's rows as one JSON object."""
    empty = sa.literal_column("'{}'::jsonb", JSONB)
    return sa.select(sa.func.coalesce(sa.func.jsonb_object_agg(pairs.c[key], value), empty)).scalar_subquery()


def writes_after(moment: Any, *, of: Any, calls: sa.CTE) -> sa.ScalarSelect[Any]:
    """Return the column that counts an agent's writes by kind, with the time of the last, for a larger statement."""
    counted = (
        sa.select(JobRow.kind, sa.func.count().label("number"), sa.func.max(JobRow.sending_at).label("last"))
        .where(JobRow.agent_id == of, JobRow.sending_at > moment)
        .group_by(JobRow.kind)
        .correlate(calls)
        .subquery()
    )
    return as_object(counted, "kind", sa.func.jsonb_build_array(counted.c.number, counted.c.last))
