"""Scans in the ledger: which are open, which wait, and how many began before one. Each question is one statement."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from fleet.core.db import Database, Tx
from fleet.core.db.sql import Statement
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.drafts.kinds import SCAN_FEED

_NOW = sa.func.statement_timestamp()
_OLDEST_SCAN = timedelta(hours=48)  # older ones have ended: a scan expires after half as long
_IS_RECENT = JobRow.created_at > _NOW - _OLDEST_SCAN  # for the indexes ix_jobs_agent and ix_jobs_rare
_AGENT = JobRow.agent_id == sa.bindparam("agent_id", type_=sa.Uuid)


def has_open_scan(db: Database, agent_id: uuid.UUID) -> bool:
    """Return whether an agent has a scan that waits or runs."""
    return bool(db.run(_OPEN_SCAN, agent_id=agent_id))


def last_scan(tx: Tx, agent_id: uuid.UUID) -> tuple[datetime, Mapping[str, Any]] | None:
    """Return when an agent last finished a scan, and its result (ix_jobs_agent).

    None without one, or when it was so long ago that it is pruned.
    """
    mine = (JobRow.agent_id == agent_id, JobRow.kind == SCAN_FEED, JobRow.state == JobState.DONE)
    newest = sa.select(JobRow.finished_at, JobRow.result).where(*mine).order_by(JobRow.created_at.desc()).limit(1)
    row = tx.execute(newest).one_or_none()
    return None if row is None else (row.finished_at, row.result or {})


def scans_ahead(db: Database, job_id: uuid.UUID) -> int:
    """Return how many scans are running that began before this one: each finds its place in the queue by itself."""
    (row,) = db.run(_SCANS_AHEAD, a_job=job_id)
    return int(row.number)


def scans_waiting(db: Database) -> int:
    """Return how many scans are not under way yet."""
    (row,) = db.run(_SCANS_WAITING)
    return int(row.number)


_OPEN_SCAN = Statement(
    sa.select(sa.literal_column("1"))
    .where(
        _AGENT,
        JobRow.kind == SCAN_FEED,
        _IS_RECENT,
        JobRow.state.in_((JobState.READY, JobState.RUNNING)),
    )
    .limit(1)
)


_SCANS_WAITING = Statement(
    sa.select(sa.func.count().label("number")).where(
        JobRow.kind == SCAN_FEED, JobRow.rare, _IS_RECENT, JobRow.state == JobState.READY
    )
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
        other.kind == SCAN_FEED, other.state == JobState.RUNNING, other.lease_until > _NOW,
    )  # fmt: skip
    return Statement(number.where(*under_way))


_SCANS_AHEAD = _scans_ahead()
