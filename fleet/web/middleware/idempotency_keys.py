"""Store idempotency keys, so that a repeated write does nothing twice. Called by the API.

Claim and response are transactions of their own around the write. The write's transaction adds a line to the audit log:
by this line the next claim knows, after `ABANDONED`, whether a process that died had written.
"""

from __future__ import annotations

import uuid

from fleet.access import idempotency_keys
from fleet.access.idempotency_keys import KeptResponse, Use
from fleet.engine.deps import Deps


def claim(deps: Deps, use: Use) -> uuid.UUID | KeptResponse:
    """Claim a key for a request, or return its first response. Raises InvalidInput, UnderWay, Unanswered."""
    with deps.db.transaction() as tx:
        return idempotency_keys.claim(tx, use)


def keep(deps: Deps, use: Use, claim_id: uuid.UUID, answer: KeptResponse) -> None:
    """Keep the response for a day."""
    with deps.db.transaction() as tx:
        idempotency_keys.keep(tx, use, claim_id, answer)


def release(deps: Deps, use: Use, claim_id: uuid.UUID) -> None:
    """Let the key be used again: nothing was done under it."""
    with deps.db.transaction() as tx:
        idempotency_keys.release(tx, use, claim_id)
