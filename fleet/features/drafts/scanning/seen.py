"""The items that each agent has read. Called by `fleet.engine` inside its transactions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core.db import Tx
from fleet.features.drafts.models import SeenRow

_CLOCK = sa.func.clock_timestamp()
_A_DAY: sa.ColumnElement[timedelta] = sa.literal(timedelta(days=1), sa.Interval)


def unseen(tx: Tx, agent_id: uuid.UUID, item_ids: Sequence[str]) -> set[str]:
    """Return which of the items an agent has not read yet, and record that the others are still in its feed."""
    mine = (SeenRow.agent_id == agent_id, SeenRow.item_id.in_(item_ids))
    seen = set(tx.session.scalars(sa.select(SeenRow.item_id).where(*mine)))
    tx.execute(sa.update(SeenRow).where(*mine, SeenRow.last_at < _CLOCK - _A_DAY).values(last_at=_CLOCK))
    return set(item_ids) - seen


def mark(tx: Tx, agent_id: uuid.UUID, scan_id: uuid.UUID, item_ids: Sequence[str]) -> None:
    """Record that an agent has read items, in the transaction that records the result."""
    if not item_ids:
        return
    rows = [{"agent_id": agent_id, "item_id": item_id, "scan_id": scan_id} for item_id in sorted(set(item_ids))]
    tx.execute(insert(SeenRow).on_conflict_do_nothing(), rows)


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete items that have been in no feed for so long; return how many."""
    cutoff = sa.select(_CLOCK).scalar_subquery() - sa.literal(timedelta(days=days), sa.Interval)
    old = sa.select(SeenRow.agent_id, SeenRow.item_id).where(SeenRow.last_at < cutoff).order_by(SeenRow.last_at)
    victims = old.limit(limit).subquery()
    gone = sa.delete(SeenRow).where(SeenRow.agent_id == victims.c.agent_id, SeenRow.item_id == victims.c.item_id)
    return tx.execute(gone.execution_options(synchronize_session=False)).rowcount
