"""How fast a tick becomes an effect: the fleet beside tasks that do nothing, and beside a fleet without a ledger.

Run `python -m bench.bench_pipeline`; `--quick` tries the program itself. The surface has no latency, so what is
measured is the engine. Contestants take turns, round by round, on the same servers; figures are medians.
"""

from __future__ import annotations

import argparse
import operator
import os
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import storm
from bench.results import Goal, Plot, Result, Table, write
from bench.stand import FLEET_WORKER, PLAIN_WORKER, PREFORK, THREADS, Ledger, Meter, Pool, Stand, stand
from bench.storm import Storm


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    agents: int
    nothing: int
    rounds: int
    storm_agents: int
    kills: int


GOAL = 0.35
"""The share of the ceiling."""
FULL = Plan(agents=1_000, nothing=10_000, rounds=5, storm_agents=2_000, kills=10)
QUICK = Plan(agents=100, nothing=300, rounds=1, storm_agents=150, kills=1)


@dataclass(frozen=True, slots=True)
class Contestant:
    """An implementation in a pool."""

    name: str
    module: str
    pool: Pool

    @property
    def is_plain(self) -> bool:
        return self.module == PLAIN_WORKER


FLEET = Contestant("fleet, threads", FLEET_WORKER, THREADS)
FORKED = Contestant("fleet, prefork", FLEET_WORKER, PREFORK)
PLAIN = Contestant("plain, prefork", PLAIN_WORKER, PREFORK)
CONTESTANTS = (FLEET, FORKED, PLAIN)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round showed: effects and no-op tasks a second, and the processor time of one of each."""

    effects_s: float
    nothing_s: float
    cost: Meter
    effects: int
    nothing_ms: float

    def cpu_ms(self, whose: str) -> float:
        return float(getattr(self.cost, whose)) * 1e3 / self.effects


@dataclass
class Found:
    rounds: dict[str, list[Round]] = field(default_factory=lambda: defaultdict(list))
    written: dict[str, Ledger] = field(default_factory=dict)
    storms: dict[str, Storm] = field(default_factory=dict)

    def median(self, who: Contestant, of: Callable[[Round], float]) -> float:
        return statistics.median(of(one) for one in self.rounds[who.name])

    def times(self, one: Contestant, other: Contestant) -> float:
        """Return how many times the one is as fast as the other, round by round: what disturbs hits both."""
        pairs = zip(self.rounds[one.name], self.rounds[other.name], strict=True)
        return statistics.median(a.effects_s / b.effects_s for a, b in pairs)


def layer(place: Stand, who: Contestant, agents: int) -> Callable[[], int]:
    """Make agents; return what lays out one tick for each of them."""
    if who.is_plain:
        plain = place.plain_agents_of(agents)
        return lambda: place.ring_plain(plain)
    made, tick_no = place.fleet_of(agents, like=1.0), iter(range(1, 1_000))
    return lambda: place.ring_ticks(made, next(tick_no))


def one_round(place: Stand, who: Contestant, plan: Plan) -> Round:
    """Let workers start, warm up, and measure effects and no-op tasks in the very same processes."""
    place.settle()
    warm_up, ring = layer(place, who, 100), layer(place, who, plan.agents)

    def nothing(count: int) -> Callable[[], int]:
        return lambda: place.ring_nothing(count, plain=who.is_plain)

    with place.running(who.module, who.pool):
        place.round(warm_up)
        place.round(nothing(100))
        seconds, effects, cost = place.round(ring)
        nothing_s, tasks, idle = place.round(nothing(plan.nothing))
    return Round(effects / seconds, tasks / nothing_s, cost, effects, idle.all_s * 1e3 / tasks)


def written(place: Stand, who: Contestant, agents: int) -> Ledger:
    """Return what the database was asked to do for that many effects, the laying out of ticks left out."""
    place.settle()
    place.effects.clear()
    layer(place, who, agents)()
    before = place.ledger()
    with place.running(who.module, who.pool):
        place.wait_for_effects(agents)
    return place.ledger().since(before)


def measure(plan: Plan) -> Found:
    found = Found()
    with stand() as place:
        for number in range(plan.rounds):
            print(f"round {number + 1} of {plan.rounds}", flush=True)
            for who in random.sample(CONTESTANTS, len(CONTESTANTS)):
                found.rounds[who.name].append(one_round(place, who, plan))
        for who in (FLEET, PLAIN):
            found.written[who.name] = written(place, who, plan.agents)
        for who in (FLEET, PLAIN):
            print(f"storm: {who.name}", flush=True)
            place.settle()
            found.storms[who.name] = storm.of(place, plain=who.is_plain, agents=plan.storm_agents, kills=plan.kills)
    return found


def result(plan: Plan, found: Found) -> Result:
    """Put the figures into the report's shape, and judge the goals."""
    return Result(
        name="pipeline",
        title="Pipeline: from a tick to its effect",
        order=2,
        method=(
            "Each agent has one tick, which leads to one like on a surface without latency (an append of "
            "80 bytes to a file). An effect takes two messages: the tick and the job. The messages are in Valkey "
            "before the workers start; the clock stops with the last effect. The ceiling is a Celery task that "
            "appends one byte, in the same processes right afterwards. The plain fleet is Celery and an ORM "
            "without a ledger, with Celery's own safeguards (late acknowledgement, tasks of lost workers run "
            "again, retries after lost responses). All on embedded Postgres and Valkey with durable settings. Medians "
            f"of {plan.rounds} rounds in which contestants take turns in changing order, {plan.agents:,} effects each. "
            f"In the storm {plan.storm_agents:,} effects meet {plan.kills} kill -9 of a worker, and 5 % of the "
            "surface's responses are lost after the write; an effect that appears twice counts as doubled."
        ),
        command="python -m bench.bench_pipeline",
        tables=[_speeds(found), _costs(found), _written(plan, found), _storms(plan, found)],
        goals=_goals(plan, found),
        plots=[_plot(found)],
        notes=[
            "An effect takes two messages, so half of the ceiling is the maximum.",
            "Since messages are not acknowledged (ADR 008), a no-op task costs a third of what it cost before, so "
            "the share of the ceiling fell while effects became faster.",
            _room(found),
        ],
    )


def _room(found: Found) -> str:
    """Return what the goal leaves for an effect beside its messages and Postgres."""
    nothing = found.median(FLEET, lambda r: r.nothing_ms)
    postgres = found.median(FLEET, lambda r: r.cpu_ms("postgres_cpu_s"))
    return (
        f"A no-op task takes {nothing:.2f} ms of processor time here. The goal of {100 * GOAL:.0f} % would "
        f"leave {nothing / GOAL:.2f} ms for an effect, of which its two messages take {2 * nothing:.2f} and Postgres "
        f"{postgres:.2f}."
    )


def _speeds(found: Found) -> Table:
    rows = [
        [who.name, str(who.pool), round(found.median(who, lambda r: r.effects_s)),
         round(found.median(who, lambda r: r.nothing_s)),
         round(100 * found.median(who, lambda r: r.effects_s / r.nothing_s), 1), round(found.times(who, PLAIN), 2)]
        for who in CONTESTANTS
    ]  # fmt: skip
    columns = ["who", "pool (processes x each)", "effects/s", "no-op tasks/s", "% of the ceiling", "÷ plain"]
    return Table("Effects a second", columns, rows)


def _costs(found: Found) -> Table:
    whose = ("worker_cpu_s", "postgres_cpu_s", "valkey_cpu_s", "all_s")
    rows = [[who.name, *(round(found.median(who, operator.methodcaller("cpu_ms", name)), 2) for name in whose)]
            for who in CONTESTANTS]  # fmt: skip
    return Table("Processor time of an effect, ms", ["who", "workers", "Postgres", "Valkey", "all"], rows)


def _written(plan: Plan, found: Found) -> Table:
    names = ("transactions", "inserted", "updated", "updated_in_place", "wal_bytes")
    rows = [[who, *(round(getattr(ledger, name) / plan.agents, 0 if name == "wal_bytes" else 1) for name in names)]
            for who, ledger in found.written.items()]  # fmt: skip
    columns = ["who", "transactions", "rows inserted", "rows updated", "of these in place (HOT)", "WAL, bytes"]
    return Table("What Postgres does for an effect", columns, rows,
                 "From the tick's message to the recorded effect; opening the tick is dispatch's. A statement alone is "
                 "a transaction of its own, one round trip.")  # fmt: skip


def _storms(plan: Plan, found: Found) -> Table:
    rows = [[who, one.asked, one.shown, one.doubled, one.missing, round(one.seconds)]
            for who, one in found.storms.items()]  # fmt: skip
    columns = ["who", "effects asked for", "shown", "doubled", "missing", "seconds until all ended"]
    return Table(f"Storm: {plan.kills} kills, 5 % of the replies lost", columns, rows)


def _goals(plan: Plan, found: Found) -> list[Goal]:
    faster = found.times(FLEET, PLAIN)
    share = found.median(FLEET, lambda r: r.effects_s / r.nothing_s)
    fleet, plain = found.storms[FLEET.name], found.storms[PLAIN.name]
    kept = f"{fleet.doubled} doubled, {fleet.missing} missing (plain: {plain.doubled}, {plain.missing})"
    return [
        Goal("Effects/s ÷ the plain implementation's", "more than 1", f"{faster:.2f}", faster > 1),
        Goal(f"In a storm of {plan.kills} kills, 5 % of the replies lost", "nothing doubled, nothing missing", kept,
             fleet.doubled == fleet.missing == 0),
        Goal("Effects/s ÷ no-op tasks/s in the same pool", f"{GOAL} or more", f"{share:.2f}", share >= GOAL),
    ]  # fmt: skip


def _plot(found: Found) -> Plot:
    series = {
        "effects/s": [round(found.median(who, lambda r: r.effects_s)) for who in CONTESTANTS],
        "half of the no-op tasks/s": [round(found.median(who, lambda r: r.nothing_s) / 2) for who in CONTESTANTS],
    }
    return Plot("pipeline", "From a tick to its effect", "", "a second", [who.name for who in CONTESTANTS], series)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few effects, one round")
    plan = QUICK if parser.parse_args().quick else FULL
    since = time.perf_counter()
    print(write(result(plan, measure(plan))), f"{time.perf_counter() - since:.0f} s on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
