"""How late agents are: from the moment a tick is due to its decision, at 50 % and 80 % of what the fleet can do.

Run `python -m bench.bench_lateness`; `--quick` takes seconds and tells nothing. Beat, broker and workers are real
processes; only the surface answers at once. Goal: 99 of 100 ticks are decided within 2 s at 80 %.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bench import growth_load, live
from bench.live import Servers
from bench.results import Goal, Plot, Result, Table, write
from fleet.engine.deps import Deps
from fleet.features.personas.service import personas_of

LOADS = (0.5, 0.8)
GOAL_S = 2.0
PERCENTILES = (50, 90, 99, 100)

_EVERYBODY_RESTS = "UPDATE agents SET status = 'running', next_tick_at = clock_timestamp() + interval '30 days'"
_WAKE = """
UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 s' * (:lead_s + :spread_s * chosen.place)
FROM (SELECT id, row_number() OVER (ORDER BY md5(id::text || :round))::float8 / CAST(:ticks AS int) AS place
      FROM agents ORDER BY 2 LIMIT CAST(:ticks AS int)) AS chosen
WHERE agents.id = chosen.id
"""
_LATENESS = """
SELECT extract(epoch FROM decided_at - due_at)::float8 FROM ticks
WHERE decided_at IS NOT NULL AND due_at >= :since ORDER BY 1
"""
_LEFT = """
SELECT (SELECT count(*) FROM ticks WHERE due_at >= :since AND decided_at IS NULL)
     + (SELECT count(*) FROM jobs WHERE finished_at IS NULL)
     + (SELECT count(*) FROM agents WHERE next_tick_at < clock_timestamp())
"""
# Until the last job that followed is done: jobs of low priority stand behind ticks, and have to be done as well.
_CAPACITY = """
SELECT count(*) / extract(epoch FROM greatest(max(decided_at), (SELECT max(finished_at) FROM jobs)) - min(decided_at))
FROM ticks WHERE due_at >= :since
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    agents: int
    workers: int
    threads: int
    backlog: int
    rounds: int
    seconds: float


FULL = Plan(agents=30_000, workers=2, threads=8, backlog=1_000, rounds=3, seconds=25.0)
QUICK = Plan(agents=2_000, workers=1, threads=8, backlog=200, rounds=1, seconds=5.0)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found: ticks a second at most, and by load how late each tick was, in seconds, in order."""

    capacity: float
    late_s: dict[float, list[float]]


class Bench:
    """The fleet under measurement."""

    def __init__(self, servers: Servers, deps: Deps) -> None:
        self._servers, self._deps, self._numbers = servers, deps, 0

    def wake(self, ticks: int, *, spread_s: float) -> datetime:
        """Let so many agents fall due over a stretch of time, and wait until all that follows is done.

        Returns the moment from which their ticks are due.
        """
        self._numbers += 1
        with self._deps.db.transaction() as tx:
            tx.execute(sa.text(_EVERYBODY_RESTS))
            since = tx.now()
            values = {"lead_s": 2.0, "spread_s": spread_s, "ticks": ticks, "round": str(self._numbers)}
            tx.execute(sa.text(_WAKE), values)
        time.sleep(2.0 + spread_s)
        self._servers.wait_until("all is done", lambda: not self._number(_LEFT, since), timeout_s=240)
        return since

    def _number(self, query: str, since: datetime) -> float:
        with self._deps.db.transaction() as tx:
            return float(tx.scalar(sa.text(query).bindparams(since=since)) or 0)

    def capacity(self, backlog: int) -> float:
        """Return how many ticks a second the fleet decides, with the jobs that follow, when it never waits."""
        return self._number(_CAPACITY, self.wake(backlog, spread_s=0.1))

    def lateness(self, rate: float, seconds: float) -> list[float]:
        """Return how late each tick was when they come at a rate."""
        since = self.wake(max(20, round(rate * seconds)), spread_s=seconds)
        with self._deps.db.transaction() as tx:
            return list(tx.session.scalars(sa.text(_LATENESS).bindparams(since=since)))


def measure(plan: Plan) -> list[Round]:
    """Start a fleet, and in each round find out what it can do, then load it with parts of that."""
    with live.servers() as servers:
        settings = servers.settings("fleet", pool_size=plan.threads)
        with live.connected(settings) as deps:
            with servers.postgres.connect("fleet") as connection:
                growth_load.add_agents(connection, plan.agents, personas_of(deps).ids)
            for number in range(plan.workers):
                servers.start_worker(settings, name=f"worker{number}", concurrency=plan.threads)
            servers.start_beat(settings)
            bench = Bench(servers, deps)
            live.say("warming up")
            bench.wake(plan.backlog // 4, spread_s=0.1)
            return [_round(bench, plan, number) for number in range(1, plan.rounds + 1)]


def _round(bench: Bench, plan: Plan, number: int) -> Round:
    capacity = bench.capacity(plan.backlog)
    live.say(f"round {number} of {plan.rounds}: {capacity:.0f} ticks/s")
    most = plan.agents / plan.seconds
    late_s = {load: bench.lateness(min(most, load * capacity), plan.seconds) for load in LOADS}
    live.say(", ".join(f"{load:.0%}: p99 {percentile(late, 99):.2f} s" for load, late in late_s.items()))
    return Round(capacity, late_s)


def percentile(ordered: list[float], percent: int) -> float:
    """Return a percentile of figures that stand in order; 100 is the last."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def result(plan: Plan, rounds: list[Round]) -> Result:
    """Put the figures into the report's shape."""
    figures: dict[float, dict[int, float]] = defaultdict(dict)
    for load in LOADS:
        for percent in PERCENTILES:
            figures[load][percent] = statistics.median(percentile(one.late_s[load], percent) for one in rounds)
    capacity = statistics.median(one.capacity for one in rounds)
    rows = [
        [f"{load:.0%}", round(load * capacity), sum(len(one.late_s[load]) for one in rounds),
         *(round(figures[load][percent], 2) for percent in PERCENTILES)]
        for load in LOADS
    ]  # fmt: skip
    by_round = [
        [number, round(one.capacity), *(round(percentile(one.late_s[load], 99), 2) for load in LOADS)]
        for number, one in enumerate(rounds, start=1)
    ]
    late = figures[0.8][99]
    return Result(
        name="lateness",
        title="Lateness: from due to decided",
        order=40,
        method=(
            f"{plan.agents:,} agents, beat, broker, and {plan.workers} worker processes of {plan.threads} threads, as "
            "`fleet up` starts them; the surface is a stub that responds at once. Each round first makes "
            f"{plan.backlog:,} agents due together: the ticks a second until their last job is done "
            f"are the capacity. Then agents become due one after another for {plan.seconds:.0f} s at half and "
            "at four fifths of the capacity. The lateness of a tick is the time from the due time of its agent until "
            "its decision is committed, on the database's clock."
        ),
        command="python -m bench.bench_lateness",
        tables=[
            Table("How late ticks are", ["load", "ticks/s", "ticks", *(f"p{percent}, s" for percent in PERCENTILES)],
                  rows, f"Medians of {len(rounds)} rounds; p100 is the latest tick of a round."),
            Table("By round", ["round", "capacity, ticks/s", *(f"p99 at {load:.0%}, s" for load in LOADS)], by_round),
        ],
        goals=[Goal("p99 from due to decided at 80 % of capacity", "under 2 s", f"{late:.2f} s", late < GOAL_S)],
        plots=[Plot("lateness", "How late ticks are", "percentile", "s from due to decided",
                    [f"p{percent}" for percent in PERCENTILES],
                    {f"at {load:.0%} of capacity": [round(figures[load][percent], 2) for percent in PERCENTILES]
                     for load in LOADS})],
        notes=["Beat sends `fleet.dispatch` once a second, so the median cannot be far below half a second."],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round with one worker")
    plan = QUICK if parser.parse_args().quick else FULL
    print(write(result(plan, measure(plan))))


if __name__ == "__main__":
    main()
