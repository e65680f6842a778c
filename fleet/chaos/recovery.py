"""Recovery of the fleet: its definition, and a watch that measures it.

A fleet has recovered when every process and server runs and answers; no tick and no due agent from before the fault's
end is still open; no lease taken before it is still held and no outcome from before it still unknown; no due job waits
unclaimed for more than `LAG_S`; and a new effect has been shown since. Called by `nemesis` and `run`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.chaos.world import World
from fleet.core import clock
from fleet.core.errors import FleetError

LAG_S = 5.0
"""A due job that is unclaimed for so long shows that workers cannot keep up."""

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
_OPEN_LONG = sa.text(
    "SELECT extract(epoch FROM clock_timestamp() - xact_start)::int AS for_s, left(query, 100) AS query"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND xact_start < clock_timestamp() - make_interval(secs => :lag_s) ORDER BY xact_start LIMIT 3"
)

SETTLE_IN_S = 10.0
_SETTLE_IN_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class FleetHealth:
    """The problems of the fleet; none when it has recovered."""

    ills: tuple[str, ...]

    @property
    def well(self) -> bool:
        return not self.ills


def look(world: World, since: datetime) -> FleetHealth:
    """Return the problems of the fleet, counted from the end of a fault."""
    if not world.all_run():
        return FleetHealth(("a process is down",))
    try:
        with world.deps.db.transaction() as tx:
            numbers = tx.execute(_LOOK, {"since": since, "lag_s": LAG_S}).one()
            ills = [f"{what}: {number}" for what, number in zip(_ILLS, numbers, strict=True) if number]
            if ills:  # a transaction that does not end explains most of them
                open_long = tx.execute(_OPEN_LONG, {"lag_s": LAG_S})
                ills += [f"transaction open for {one.for_s} s: {' '.join(one.query.split())}" for one in open_long]
    except FleetError:
        return FleetHealth(("the database is away",))
    if not world.broker.answers():
        ills.append("the broker is away")
    if not ills and not world.surface.answers():
        ills.append("the surface is away")
    return FleetHealth(tuple(ills))


def settle_in(world: World) -> bool:
    """Run the fleet until it works steadily, at a slower pace if this machine needs it; False if it never does."""
    for _ in range(_SETTLE_IN_ROUNDS):
        world.wait(SETTLE_IN_S)
        since = clock.now() - timedelta(seconds=LAG_S)
        if world.wait_until(lambda since=since: look(world, since).well, LAG_S):  # type: ignore[misc]
            return True
        world.slow_down()
    return False
