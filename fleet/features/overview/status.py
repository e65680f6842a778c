"""The state of the fleet in numbers, as `fleet status` and the API show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.core.errors import FleetError
from fleet.engine import controls
from fleet.engine.agents import queries
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger, stats, ticks
from fleet.engine.jobs.states import JobState
from fleet.features.overview import watch
from fleet.features.overview.watch import HealthReading

_PATIENCE_S = 1.5
"""How long a process that has just started waits for broker and workers."""


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The status of the fleet. Queue depths are None when the broker is down; ages are seconds.

    `health` is that of the pages of this process.

    `jobs` has the unfinished and dead ones by (kind, state); `totals` all done ones by kind.
    """

    agents: Mapping[tuple[str, str], int]
    jobs: Mapping[tuple[str, str], int]
    dead: Mapping[str, int]
    holds: list[Hold]
    queues: Mapping[str, int] | None
    broker_problem: str | None
    oldest_tick_s: float | None
    most_overdue_agent_s: float | None
    in_flight: int
    unknown: int
    health: HealthReading
    totals: Mapping[str, int] = field(default_factory=dict)


def read(deps: Deps) -> FleetStatus:
    """Return the status. Raises Unavailable when the database is down, not when the broker is."""
    try:
        queues, problem = deps.publisher.depths(), None
    except FleetError as error:
        queues, problem = None, str(error)
    health = watch.of(deps).asked(depths=queues, within_s=_PATIENCE_S)
    with deps.db.transaction() as tx:
        jobs = stats.live_and_dead(tx)
        census = queries.census(tx)
        return FleetStatus(
            agents=census.agents,
            jobs=jobs,
            dead=stats.dead_letters(tx),
            holds=controls.in_force(tx),
            queues=queues,
            broker_problem=problem,
            oldest_tick_s=ticks.oldest_open_s(tx),
            most_overdue_agent_s=queries.overdue_s(tx),
            in_flight=ledger.in_flight(tx),
            unknown=sum(number for (_, state), number in jobs.items() if state == JobState.UNKNOWN),
            health=health,
            totals=census.totals,
        )
