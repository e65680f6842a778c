"""What of access is past its time: sessions, failed logins, invitations. Called by `fleet.engine.sweep`'s prune."""

from __future__ import annotations

from fleet.access import invitations, sessions, throttle
from fleet.core.db import Tx


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete expired rows, invitations so many days after their end; return how many.

    The audit log is never touched: its table refuses.
    """
    return (
        sessions.prune(tx, limit=limit) + throttle.prune(tx, limit=limit)
        + invitations.prune(tx, days=days, limit=limit)
    )  # fmt: skip
