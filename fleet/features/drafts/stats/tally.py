"""Counts of drafts proposed since a moment, by their results. Reading only.

Called by `fleet.features.drafts.stats.queries`. Drafts are pruned some time after their decision, so no count goes back
further.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.features.drafts.models import DraftRow, LessonRow
from fleet.features.drafts.states import DraftsBy, DraftStatus, OwnerAnswer


@dataclass(frozen=True, slots=True)
class DraftTally:
    """Drafts of one group, counted by their results. `key` is None for drafts without it.

    `edited` are the approved ones that people had edited.
    """

    key: str | None
    proposed: int = 0
    waiting: int = 0
    approved: int = 0
    edited: int = 0
    rejected: int = 0
    expired: int = 0
    withdrawn: int = 0

    @property
    def agreed(self) -> float | None:
        """The share of the decided ones that were approved; None without decisions."""
        decided = self.approved + self.rejected
        return self.approved / decided if decided else None


# Literally: a placeholder in the SELECT would differ from that in the GROUP BY.
_UTC, _NO_TOPIC = sa.literal_column("'UTC'", sa.Text), sa.literal_column("''", sa.Text)
_DAY = sa.cast(sa.func.timezone(_UTC, DraftRow.created_at), sa.Date)
_KEYS: dict[DraftsBy, sa.ColumnElement[Any]] = {
    DraftsBy.AGENT: sa.cast(DraftRow.agent_id, sa.Text), DraftsBy.KIND: DraftRow.kind.expression,
    DraftsBy.TOPIC: sa.func.nullif(DraftRow.topic, _NO_TOPIC), DraftsBy.DAY: sa.cast(_DAY, sa.Text),
}  # fmt: skip
_ENDS = (DraftStatus.REJECTED, DraftStatus.EXPIRED, DraftStatus.WITHDRAWN)


def tallies(
    tx: Tx, by: DraftsBy, *, since: datetime, agent_id: uuid.UUID | None = None, limit: int = 100
) -> list[DraftTally]:
    """Return the drafts that were proposed since a moment, counted: the newest days in order, else most first."""
    key = _KEYS[by]
    order = (key.desc(),) if by is DraftsBy.DAY else (sa.func.count().desc(), key)
    query = _counted(key, since, agent_id).group_by(key).order_by(*order).limit(limit)
    found = [DraftTally(*row) for row in tx.execute(query)]
    return found[::-1] if by is DraftsBy.DAY else found


def total(tx: Tx, *, since: datetime, agent_id: uuid.UUID | None = None) -> DraftTally:
    """Return all of them together."""
    return DraftTally(*tx.execute(_counted(sa.null(), since, agent_id)).one())


def _counted(key: sa.ColumnElement[Any], since: datetime, agent_id: uuid.UUID | None) -> sa.Select[Any]:
    edited = sa.and_(LessonRow.draft_id == DraftRow.id, LessonRow.decision == OwnerAnswer.EDITED)
    where = [DraftRow.created_at >= since] + ([] if agent_id is None else [DraftRow.agent_id == agent_id])
    return (
        sa.select(
            key, sa.func.count(), _in(DraftStatus.PENDING), _in(DraftStatus.APPROVED), sa.func.count(LessonRow.id),
            *map(_in, _ENDS),
        )
        .select_from(DraftRow)
        .outerjoin(LessonRow, edited)
        .where(*where)
    )  # fmt: skip


def _in(status: DraftStatus) -> sa.ColumnElement[int]:
    return sa.func.count().filter(DraftRow.status == status)
