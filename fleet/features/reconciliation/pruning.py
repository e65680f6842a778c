"""Delete what is older than the retention: ended runs, and discrepancies that are over."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.features.reconciliation.models import DiscrepancyRow, ReconciliationRow

_OVER = ("fixed", "undone", "dismissed", "settled")


def prune_runs(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` runs that ended more than `days` ago; return how many."""
    row = ReconciliationRow
    return _delete(tx, row, row.ended_at < tx.sql_now - _age(days), limit)


def prune_discrepancies(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` discrepancies that have been over for more than `days`; return how many."""
    row = DiscrepancyRow
    return _delete(tx, row, sa.and_(row.state.in_(_OVER), row.changed_at < tx.sql_now - _age(days),
                                    row.seen_at < tx.sql_now - _age(days)), limit)  # fmt: skip


def _age(days: float) -> sa.ColumnElement[Any]:
    return sa.literal(f"{days} days").cast(sa.Interval)


def _delete(tx: Tx, row: Any, where: sa.ColumnElement[bool], limit: int) -> int:
    which = sa.select(row.id).where(where).limit(limit)
    return tx.execute(sa.delete(row).where(row.id.in_(which))
                      .execution_options(synchronize_session=False)).rowcount  # fmt: skip
