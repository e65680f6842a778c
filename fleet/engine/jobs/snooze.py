"""Jobs that something holds back: put aside without a trace of an attempt, and freed when it is lifted.

Called by `fleet.engine` inside its transactions.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.jobs.ledger import Claim, guarded, locked_in_order
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.states import JobState


def put_aside(tx: Tx, claimed: Claim, *, why: str, until: datetime) -> None:
    """Undo a claim: something holds the job back until then. It costs nothing and leaves no trace of an attempt."""
    waiting = {"held": why[:300], "next_attempt_at": until, "published_at": None, "publishes": 0}
    if guarded(tx, claimed, {JobState.RUNNING}, state=JobState.READY, lease_until=None, claims=JobRow.claims - 1,
                **waiting):  # fmt: skip
        tx.execute(
            sa.delete(AttemptRow).where(AttemptRow.job_id == claimed.job_id, AttemptRow.lease_token == claimed.token)
        )


_FREEING = 0x66726565  # "free": any constant works, as long as both sides use the same


def let_nobody_free(tx: Tx) -> None:
    """Block `free_held` until this transaction commits; it would miss the job being snoozed here."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_FREEING)))


def free_held(tx: Tx, kinds: Collection[str] | None = None) -> int:
    """Make every job (of these kinds) that waits for a pause, cap or budget due now; return how many.

    The next attempt checks the reason again. Call this before any agent's row is locked: a transaction that snoozes a
    job needs that lock, too.
    """
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_FREEING)))  # waits for all transactions that snooze jobs
    waiting = [JobRow.held.is_not(None), JobRow.state.in_((JobState.READY, JobState.UNKNOWN))]
    if kinds is not None:
        waiting.append(JobRow.kind.in_(kinds))
    freed = sa.update(JobRow).where(JobRow.id == locked_in_order(*waiting).c.id)
    return tx.execute(freed.values(held=None, next_attempt_at=tx.sql_now, published_at=None, publishes=0)).rowcount
