"""Targets of comments: checked before a text is paid for, and set on a job once the post is chosen.

Called by `fleet.engine`. A job that may choose is created without a target; setting it needs the lease, and of two jobs
of one agent on the same post the database refuses the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.core.db import Database, Tx
from fleet.core.db.sql import Statement
from fleet.engine.jobs.ledger import Claim, guarded
from fleet.engine.jobs.models import STANDING, JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.publishing.kinds import COMMENT

_ON_TARGETS = (
    JobRow.target == sa.func.any(sa.bindparam("targets", type_=ARRAY(sa.String))),
    JobRow.kind == COMMENT,
    *STANDING,
)


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """The posts that are targets of an agent's other jobs, and the number of the fleet's comments on each post."""

    answered: frozenset[str]
    ours: Mapping[str, int]


def look(db: Database, claimed: Claim, targets: Sequence[str]) -> TargetCounts:
    """Return the state of some posts for the agent of a claimed job, that job itself left out."""
    rows = db.run(_LOOK, targets=list(targets), agent_id=claimed.agent_id, a_job=claimed.job_id)
    return TargetCounts(frozenset(row.target for row in rows if row.answered), {row.target: row.ours for row in rows})


def aim(tx: Tx, claimed: Claim, target: str) -> bool:
    """Set the target of a job; False if the lease is gone, or another job of its agent has the same target."""
    try:
        with tx.session.begin_nested():
            return guarded(tx, claimed, {JobState.RUNNING}, target=target)
    except sa.exc.IntegrityError:  # uq_jobs_once
        return False


def _looking() -> Statement:
    """Return both questions as one statement, both served by one index (uq_jobs_once)."""
    mine = (
        sa.select(JobRow.target)
        .where(
            *_ON_TARGETS,
            JobRow.agent_id == sa.bindparam("agent_id", type_=sa.Uuid),
            JobRow.id != sa.bindparam("a_job", type_=sa.Uuid),
        )
        .subquery("mine")
    )
    ours = (
        sa.select(JobRow.target, sa.func.count().label("number"))
        .where(*_ON_TARGETS, JobRow.state.in_((JobState.SENDING, JobState.UNKNOWN, JobState.DONE)))
        .group_by(JobRow.target)
        .subquery("ours")
    )
    both = sa.join(mine, ours, mine.c.target == ours.c.target, full=True)
    target = sa.func.coalesce(mine.c.target, ours.c.target).label("target")
    number = sa.func.coalesce(ours.c.number, 0).label("ours")
    return Statement(sa.select(target, number, mine.c.target.is_not(None).label("answered")).select_from(both))


_LOOK = _looking()
