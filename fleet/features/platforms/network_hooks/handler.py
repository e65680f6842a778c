"""The job `read_inbox`: read the inbox of an account whose network says that there is news."""

from __future__ import annotations

from fleet.accounts.models import key_of
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.platforms.inbox import reading
from fleet.features.platforms.network_hooks import service
from fleet.features.platforms.network_hooks.models import NetworkHookRow


def prepare(work: Work) -> Done | Skipped:
    """Read new notifications, unless the inbox was read since the delivery. Raises an AdapterError."""
    key, db = key_of(work.claim.account_id), work.deps.db
    with db.transaction() as tx:
        row, began = tx.session.get(NetworkHookRow, key), tx.now()
        if row is not None and row.read_at is not None and row.read_at > work.claim.created_at:
            return Skipped("the inbox was read since then")
    with reading.fresh(work) as tx:
        service.note_reading(tx, key, began)
    return Done()
