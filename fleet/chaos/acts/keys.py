"""Idempotency keys at the surface: some faults double an effect whatever a client does, unless the surface honours
keys.

Acts that cause such faults switch keys on for their duration, and for as long as affected requests may be sent again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.chaos.world import LEASE_S, World
from fleet.core import logs
from fleet.core.errors import Unavailable

_OVER_WITHIN_S = 90.0
_TRIED = sa.text(
    "SELECT id FROM jobs WHERE kind <> 'deliver'"  # no write to the surface, and tried again for half a day
    " AND (state IN ('sending', 'unknown') OR state IN ('ready', 'running')"
    " AND id IN (SELECT job_id FROM job_attempts WHERE started_at >= :since))"
)
_LIVE = sa.text("SELECT id FROM jobs WHERE id = ANY(:ids) AND state IN ('ready', 'running', 'sending', 'unknown')")

log = logs.get(__name__)


@contextmanager
def honoured(world: World, *, late_s: float = 0.0) -> Iterator[None]:
    """Let the surface honour keys while the block runs, and until all attempts made within it have ended.

    The block ends when no further request is affected; one that was may be on its way for `late_s` more. A busy machine
    may take long to probe and to send again, so this checks the ledger, not the clock.
    """
    if world.surface.always_honours_keys:
        yield
        return
    since = world.deps.now() - timedelta(seconds=LEASE_S)
    world.surface.honour_keys(world, on=True)
    try:
        yield
    finally:
        tried: list[uuid.UUID] = []
        asked = world.wait_until(lambda: _ask(world, since, tried), _OVER_WITHIN_S)
        world.wait(late_s)
        if asked and world.wait_until(lambda: _are_over(world, tried), _OVER_WITHIN_S):
            world.surface.honour_keys(world, on=False)
        else:  # until the next act of this sort is over, or the run
            log.warning("keys_stay_honoured", jobs=len(tried))


def _ask(world: World, since: datetime, tried: list[uuid.UUID]) -> bool:
    """Record the live jobs with attempts since a moment; False while the database is down."""
    try:
        with world.deps.db.transaction() as tx:
            tried[:] = [row.id for row in tx.execute(_TRIED, {"since": since})]
    except Unavailable:
        return False
    return True


def _are_over(world: World, jobs: Sequence[uuid.UUID]) -> bool:
    try:
        with world.deps.db.transaction() as tx:
            return not tx.execute(_LIVE, {"ids": list(jobs)}).all()
    except Unavailable:
        return False
