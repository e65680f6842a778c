"""Delete what is older than the retention: ended runs, handled events, settled conflicts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.features.stores.models import ShopEventRow, SyncConflictRow, SyncRunRow


def prune_runs(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` runs that ended more than `days` ago; return how many."""
    row = SyncRunRow
    return _delete(tx, row, (row.id,), row.ended_at < tx.sql_now - _age(days), limit)


def prune_events(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` events that were handled more than `days` ago; return how many."""
    row = ShopEventRow
    return _delete(tx, row, (row.account_id, row.event_id), row.handled_at < tx.sql_now - _age(days), limit)


def prune_conflicts(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` settled conflicts that are older than `days`; return how many."""
    row = SyncConflictRow
    is_old = sa.and_(row.state == "settled", row.created_at < tx.sql_now - _age(days))
    return _delete(tx, row, (row.id,), is_old, limit)


def _age(days: float) -> sa.ColumnElement[Any]:
    return sa.literal(f"{days} days").cast(sa.Interval)


def _delete(tx: Tx, row: Any, key: tuple[Any, ...], where: sa.ColumnElement[bool], limit: int) -> int:
    which = sa.select(*key).where(where).limit(limit)
    return tx.execute(sa.delete(row).where(sa.tuple_(*key).in_(which))
                      .execution_options(synchronize_session=False)).rowcount  # fmt: skip
