"""What a ledger needs that was restored to another server: its readers' positions are transaction ids of the old one.

Called by `fleet migrate` and `fleet up` before anything else lives. The new server counts its transactions from its own
beginning; until it has come as far as the old one, readers would hear of nothing that happens.
"""

from __future__ import annotations

from fleet.core import events
from fleet.core.db import Database
from fleet.engine.events import positions

_BATCH = 20_000


def settle(db: Database) -> bool:
    """Put all that happened before a restore below all that will; False if the ledger is this server's own.

    Readers go on where they stood. Safe to be called again, also after it was killed on the way.
    """
    with db.transaction() as tx:
        if not (events.are_from_elsewhere(tx) or positions.are_from_elsewhere(tx)):
            return False
        positions.put_first(tx)
    while True:
        with db.transaction() as tx:
            if not events.put_first(tx, limit=_BATCH):
                return True
