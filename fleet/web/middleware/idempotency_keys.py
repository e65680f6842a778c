"""Writes with a key of the program's own, so that sending one again does nothing twice. Called by the API.

Claim and answer are transactions of their own around the write. The write's transaction is another one, and holds a
line of the audit log: by it the next claim knows, after `repeats.ABANDONED`, whether a process that died had written.
"""

from __future__ import annotations

import uuid

from fleet.access import idempotency_keys
from fleet.access.idempotency_keys import KeptResponse, Use
from fleet.engine.deps import Deps


def claim(deps: Deps, use: Use) -> uuid.UUID | KeptResponse:
    """Take a key for a request, or return what it was answered before. Raises InvalidInput, UnderWay, Unanswered."""
    with deps.db.transaction() as tx:
        return idempotency_keys.claim(tx, use)


def keep(deps: Deps, use: Use, claim_id: uuid.UUID, answer: KeptResponse) -> None:
    """Keep what was answered, for a day."""
    with deps.db.transaction() as tx:
        idempotency_keys.keep(tx, use, claim_id, answer)


def release(deps: Deps, use: Use, claim_id: uuid.UUID) -> None:
    """Let the key be used again: nothing was done under it."""
    with deps.db.transaction() as tx:
        idempotency_keys.release(tx, use, claim_id)
