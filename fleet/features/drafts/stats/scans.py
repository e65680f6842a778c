"""Results of scans, summed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.drafts.kinds import SCAN_FEED


@dataclass(frozen=True, slots=True)
class Scans:
    """Sums of scans: `idle` ones of the done found nothing new and called no model.

    `dropped` counts by reason the proposals that became no draft, `left_out` the posts that a scan skipped, once for
    each scan.
    """

    done: int = 0
    idle: int = 0
    failed: int = 0
    new_posts: int = 0
    drafts: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def counted(tx: Tx, *, since: datetime, agent_id: uuid.UUID | None = None) -> Scans:
    """Return the sums of the scans that began since a moment, of all agents or of one."""
    mine = sa.true() if agent_id is None else JobRow.agent_id == agent_id
    where = (JobRow.kind == SCAN_FEED, JobRow.rare, JobRow.created_at >= since, mine)
    new, drafts = (sa.cast(JobRow.result[name].astext, sa.Integer) for name in ("new", "drafts"))
    done = JobRow.state == JobState.DONE
    numbers = sa.select(
        sa.func.count().filter(done), sa.func.count().filter(done, new == 0),
        sa.func.count().filter(JobRow.state == JobState.DEAD),
        sa.func.coalesce(sa.func.sum(new), 0), sa.func.coalesce(sa.func.sum(drafts), 0),
    )  # fmt: skip
    looked, idle, failed, posts, made = map(int, tx.execute(numbers.where(*where)).one())
    return Scans(
        looked, idle, failed, posts, made, *(_summed(tx, name, (*where, done)) for name in ("dropped", "left_out"))
    )


def _summed(tx: Tx, name: str, where: Sequence[sa.SQLColumnExpression[bool]]) -> dict[str, int]:
    """Return the sums of a part of the results that counts by reason, the largest first."""
    fell = sa.func.jsonb_each_text(JobRow.result[name]).table_valued("key", "value").render_derived()
    number = sa.func.sum(sa.cast(fell.c.value, sa.Integer))
    query = sa.select(fell.c.key, number).select_from(sa.join(JobRow, fell, sa.true())).where(*where)
    found = tx.execute(query.group_by(fell.c.key).order_by(number.desc(), fell.c.key))
    return {str(why): int(times) for why, times in found}
