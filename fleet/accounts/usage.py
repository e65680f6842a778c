"""What was called through each account, by credential, day and operation: calls, refusals, units of limits and dollars.

A credential is named by the version of its account when it was used, so that a replaced key has lines of its own. One
upsert a call, after the call; what a killed process called last is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts.models import AccountUsageRow
from fleet.accounts.service import AccountKey
from fleet.core.db import Tx

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """The calls of one operation with one credential on one day (UTC). `microusd` are millionths of a dollar."""

    day: date
    version: int
    operation: str
    calls: int
    refused: int
    units: int
    microusd: int


def record(tx: Tx, key: AccountKey, operation: str, *, is_refused: bool, units: int, microusd: int) -> None:
    """Count one call. A refused call costs units, which the system counts too, but no money."""
    row = AccountUsageRow
    values = {"calls": 1, "refused": int(is_refused), "units": units, "microusd": 0 if is_refused else microusd}
    today = sa.func.date(sa.func.timezone("UTC", tx.sql_now))
    made = insert(row).values(account_id=key.id, version=key.version, day=today, operation=operation[:40], **values)
    added = {name: getattr(row, name) + getattr(made.excluded, name) for name in values}
    tx.execute(made.on_conflict_do_update(index_elements=["account_id", "day", "version", "operation"], set_=added))


def of_account(tx: Tx, account_id: UUID, *, days: int) -> Sequence[AccountUsage]:
    """Return the usage of an account in the last days, today first."""
    row = AccountUsageRow
    since = tx.now().date() - timedelta(days=min(days, MOST_DAYS) - 1)
    columns = [getattr(row, name) for name in AccountUsage.__slots__]
    query = sa.select(*columns).where(row.account_id == account_id, row.day >= since)
    query = query.order_by(row.day.desc(), row.version.desc(), row.operation)
    return [AccountUsage(*found) for found in tx.execute(query)]


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete the usage of days long ago."""
    row = AccountUsageRow
    since = tx.now().date() - timedelta(days=days)
    old = sa.select(row.account_id, row.day, row.version, row.operation).where(row.day < since).limit(limit)
    gone = sa.delete(row).where(sa.tuple_(row.account_id, row.day, row.version, row.operation).in_(old))
    return tx.execute(gone.execution_options(synchronize_session=False)).rowcount
