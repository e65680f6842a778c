"""Reminders of credentials: old ones, access that ends soon, tokens that are lost. Each is an event, once a week.

The health of the account shows the same for as long as it lasts.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from fleet.accounts import service, tokens
from fleet.accounts.models import AccountRow
from fleet.core import events
from fleet.engine.deps import Deps
from fleet.features.accounts.queries import access_state

AGAIN_AFTER = timedelta(days=7)
_REMINDING = 0x72656D696E64  # "remind": any constant works, as long as all sweeps use the same


def sweep(deps: Deps) -> int:
    """Tell people what to do about credentials; return 0, as nothing was lost. One sweep at a time does it."""
    with deps.db.transaction() as tx:
        if not tx.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_REMINDING))):
            return 0
        now, connected = tx.now(), tokens.states(tx)
        for row in service.listed(tx):
            attention = access_state(row, connected.get(row.id), now)[2]
            is_due = row.reminded_at is None or row.reminded_at <= now - AGAIN_AFTER
            if attention and is_due:
                events.emit(tx, "account.attention", account=row.name, why=attention)
            if (attention and is_due) or (not attention and row.reminded_at is not None):
                told = {"reminded_at": now if attention else None}
                tx.execute(sa.update(AccountRow).where(AccountRow.id == row.id).values(**told))
    return 0
