"""Repair readers' positions after a restore to another server: positions are transaction ids of the old one.

Called by `fleet migrate` and `fleet up` before anything else starts. The new server counts transactions from the
beginning; until it reaches the old server's count, readers would miss all new events.
"""

from __future__ import annotations

from fleet.core import events
from fleet.core.db import Database
from fleet.engine.events import positions

_BATCH = 20_000


def settle(db: Database) -> bool:
    """Place all events from before a restore below all new ones; False if the ledger was written by this server.

    Readers keep their places. Safe to call again, also after a kill half-way.
    """
    with db.transaction() as tx:
        if not (events.are_from_elsewhere(tx) or positions.are_from_elsewhere(tx)):
            return False
        positions.put_first(tx)
    while True:
        with db.transaction() as tx:
            if not events.put_first(tx, limit=_BATCH):
                return True
