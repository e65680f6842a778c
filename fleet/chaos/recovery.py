"""When is the fleet well again? The definition, and a watch that looks.

Well is: every process and server runs and answers; no tick and no waking from before the fault's end is still open; no
lease taken before it is still held and no outcome from before it still unknown; no due job waits unclaimed for more
than `LAG_S`; and an effect has been shown since. Called by `nemesis` and `run`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.chaos.world import World
from fleet.core import clock
from fleet.core.errors import FleetError

LAG_S = 5.0
"""A due job that nobody has claimed for so long says that workers cannot keep up."""

_ILLS = {
    "agents not woken": "SELECT count(*) FROM agents WHERE status = 'running' AND deleted_at IS NULL"
                        " AND next_tick_at < :since",
    "ticks undecided": "SELECT count(*) FROM ticks WHERE decided_at IS NULL AND due_at < :since",
    "leases held": "SELECT count(*) FROM jobs j JOIN job_attempts a ON a.job_id = j.id"
                   " AND a.lease_token = j.lease_token WHERE j.lease_until IS NOT NULL AND a.started_at < :since",
    "outcomes unknown": "SELECT count(*) FROM jobs WHERE state = 'unknown' AND sending_at < :since",
    "jobs unclaimed": "SELECT count(*) FROM jobs WHERE state = 'ready' AND held IS NULL"
                      " AND next_attempt_at < clock_timestamp() - make_interval(secs => :lag_s)",
    "no effect": "SELECT CASE WHEN EXISTS (SELECT FROM jobs WHERE finished_at > :since AND state = 'done')"
                 " THEN 0 ELSE 1 END",
}  # fmt: skip
_LOOK = sa.text("SELECT " + ", ".join(f"({query})" for query in _ILLS.values()))


SETTLE_IN_S = 10.0
_SETTLE_IN_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class FleetHealth:
    """What is still wrong; nothing when the fleet is well."""

    ills: tuple[str, ...]

    @property
    def well(self) -> bool:
        return not self.ills


def look(world: World, since: datetime) -> FleetHealth:
    """Return how the fleet is, seen from a moment at which a fault ended."""
    if not world.all_run():
        return FleetHealth(("a process is down",))
    try:
        with world.deps.db.transaction() as tx:
            numbers = tx.execute(_LOOK, {"since": since, "lag_s": LAG_S}).one()
    except FleetError:
        return FleetHealth(("the database is away",))
    ills = [f"{what}: {number}" for what, number in zip(_ILLS, numbers, strict=True) if number]
    if not world.broker.answers():
        ills.append("the broker is away")
    if not ills and not world.gallery_answers():
        ills.append("the gallery is away")
    return FleetHealth(tuple(ills))


def settle_in(world: World) -> bool:
    """Let the fleet live until it is well by itself, slower where this machine asks for it; False if it never is."""
    for _ in range(_SETTLE_IN_ROUNDS):
        world.wait(SETTLE_IN_S)
        since = clock.now() - timedelta(seconds=LAG_S)
        if world.wait_until(lambda since=since: look(world, since).well, LAG_S):  # type: ignore[misc]
            return True
        world.slow_down()
    return False
