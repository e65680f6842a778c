"""How fast agents are woken: fleets of 1k to 1M agents beside celery beat, RedBeat and the two floors below dispatch.

Run `python -m bench.bench_dispatch`; `--quick` stays below 20,000 agents. Contestants take turns, round by round, on
the same servers; figures are medians. Needs the `bench` group for RedBeat.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from bench import schedulers
from bench.fleets import BenchFleet, Servers, cpu_s, servers
from bench.results import Goal, Plot, Result, Table, write
from fleet.engine import deps as runtime_deps
from fleet.engine import registry
from fleet.engine.dispatch import dispatch

BEAT, REDBEAT, FLEET = "celery beat", "celery-redbeat", "fleet"
CLAIM, PUSH = "SQL claim alone", "LPUSH alone"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    fleets: tuple[int, ...]
    rivals: tuple[int, ...]
    rounds: int
    seconds: float
    polls: int


FULL = Plan((1_000, 10_000, 100_000, MILLION), (1_000, 10_000, 100_000), rounds=5, seconds=1.0, polls=200)
QUICK = Plan((1_000, 10_000), (1_000, 10_000), rounds=2, seconds=0.3, polls=50)


@dataclass(frozen=True, slots=True)
class Cost:
    """One round of dispatch: ticks a second, and CPU by process in microseconds a tick."""

    rate: float
    python_us: float
    postgres_us: float
    valkey_us: float

    @property
    def cores(self) -> float:
        """How many cores were busy, those that write Postgres' files in the background left out."""
        return (self.python_us + self.postgres_us + self.valkey_us) * self.rate / 1e6


@dataclass
class Found:
    """Every round's figure, by what was measured and at which size."""

    rates: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    costs: dict[int, list[Cost]] = field(default_factory=lambda: defaultdict(list))
    idle_ms: dict[int, float] = field(default_factory=dict)

    def rate(self, who: str, size: int) -> float | None:
        """Return the median of a contestant's rounds; None where it did not take part."""
        return statistics.median(self.rates[who, size]) if self.rates.get((who, size)) else None

    def times(self, one: tuple[str, int], other: tuple[str, int]) -> float:
        """Return how many times the one is as fast as the other, round by round: what disturbs hits both."""
        pairs = zip(self.rates[one], self.rates[other], strict=True)
        return statistics.median(a / b for a, b in pairs)


def one_round(fleet: BenchFleet, world: Servers) -> Cost:
    """Let the dispatcher work for its turn (a second, or until nobody is due)."""
    fleet.consume(late=min(fleet.agents, 20_000))
    watched = ([os.getpid()], fleet.backends(), [world.valkey.child.pid])
    before, since = [cpu_s(pids) for pids in watched], time.perf_counter()
    opened = dispatch(fleet.deps)
    took_s = time.perf_counter() - since
    spent = [(cpu_s(pids) - was) / opened * 1e6 for pids, was in zip(watched, before, strict=True)]
    return Cost(opened / took_s, *spent)


def idle_ms(fleet: BenchFleet, polls: int) -> float:
    """Return how long a call takes that finds nobody due."""
    fleet.all_on_time()
    times = []
    for _ in range(polls):
        since = time.perf_counter()
        if dispatch(fleet.deps):
            raise RuntimeError("somebody was due")
        times.append(time.perf_counter() - since)
    return statistics.median(times) * 1e3


def together(fleet: BenchFleet, world: Servers, processes: int, seconds: float) -> float:
    """Return ticks a second of several dispatchers, each in a process of its own."""
    fleet.consume(late=min(fleet.agents, 50_000))
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(processes), context.Queue()
    settings = world.settings(fleet.agents)
    # Their class is made of the features' settings, so no other process finds it by its name.
    places = {"database_url": settings.database_url, "broker_url": settings.broker_url}
    workers = [context.Process(target=_dispatch_for, args=(places, seconds, start, told)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    counts = [told.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    return sum(opened for opened, _ in counts) / max(took_s for _, took_s in counts)


def _dispatch_for(places: Mapping[str, str], seconds: float, start: Any, told: Any) -> None:
    deps = runtime_deps.build(registry.load_settings(**places))
    deps.now()  # connects
    start.wait(30)
    opened, since = 0, time.perf_counter()
    while time.perf_counter() - since < seconds and (new := dispatch(deps)):
        opened += new
    told.put((opened, time.perf_counter() - since))
    deps.close()


def measure(plan: Plan) -> Found:
    """Let everybody take turns."""
    found, largest = Found(), max(plan.fleets)
    with servers() as world, ExitStack() as stack:
        fleets = {size: stack.enter_context(world.fleet(size, late=0.5 if size == MILLION else 1.0))
                  for size in plan.fleets}  # fmt: skip
        broker = world.valkey.url(1)
        most = {size: max(20, size // (plan.rounds + 2)) for size in plan.rivals}
        beats = {size: schedulers.celery_beat(broker, size, most_ticks=most[size], seconds=plan.seconds)
                 for size in plan.rivals}  # fmt: skip
        redbeats = {size: schedulers.redbeat(world.valkey.url(place), broker, size, due=min(1_000, most[size]))
                    for place, size in enumerate(plan.rivals, start=2)}  # fmt: skip
        for number in range(-1, plan.rounds):
            print(f"round {number + 1} of {plan.rounds}" if number >= 0 else "warming up", flush=True)
            kept = found if number >= 0 else Found()
            for fleet in fleets.values():
                _fleet_round(kept, fleet, world, largest)
            for size in plan.rivals:
                kept.rates[BEAT, size].append(beats[size]())
                kept.rates[REDBEAT, size].append(redbeats[size]())
        print("one dispatcher, and two together", flush=True)
        for _ in range(plan.rounds):
            for processes in (1, 2):
                rate = together(fleets[largest], world, processes, 2 * plan.seconds)
                found.rates[f"{processes} together", largest].append(rate)
        print("nobody is due", flush=True)
        for size, fleet in fleets.items():
            found.idle_ms[size] = idle_ms(fleet, plan.polls)
    return found


def _fleet_round(found: Found, fleet: BenchFleet, world: Servers, largest: int) -> None:
    cost = one_round(fleet, world)
    found.costs[fleet.agents].append(cost)
    found.rates[FLEET, fleet.agents].append(cost.rate)
    messages = fleet.messages.lrange("ticks", 0, 9_999)
    fleet.consume(late=min(fleet.agents, 10_000))
    found.rates[CLAIM, fleet.agents].append(schedulers.claim_alone(fleet, ticks=min(fleet.agents, 5_000)))
    if fleet.agents == largest:
        found.rates[PUSH, largest].append(schedulers.lpush_alone(fleet.messages, messages))


def result(plan: Plan, found: Found) -> Result:
    """Put the figures into the report's shape, and judge the goals of which this run tells."""
    return Result(
        name="dispatch",
        title="Dispatch: waking agents",
        order=1,
        method=(
            "One dispatcher calls `fleet.engine.dispatch.dispatch` with the real publisher on embedded Postgres and "
            "Valkey with their default, durable settings; a tick counts once it is claimed, committed and published. "
            "Agents have the shipped personas, wake every 30 minutes to 4 hours, and are due in an order that is "
            "independent of the order of their rows. Between the rounds, outside the timed part, ticks are marked as "
            "decided and messages removed, as workers would do; when too few agents are due, all are made due "
            "again. celery beat (in-memory `Scheduler`) and celery-redbeat have one hourly entry per agent, all of "
            "them due, and no lock; their `tick` is called without a pause. The SQL claim alone is one statement that "
            "claims, reschedules and inserts 500 ticks without leaving the server; LPUSH alone pushes the bytes "
            f"that dispatch sent. Medians of {plan.rounds} rounds in which all take turns on the same servers."
        ),
        command="python -m bench.bench_dispatch",
        tables=[_rates(plan, found), _costs(plan, found), _floors(plan, found)],
        goals=_goals(plan, found),
        plots=[_plot(plan, found)],
        notes=[
            "Postgres, Valkey and the dispatchers share the machine's cores. " + _room(plan, found),
            "Fleet stores the next wake times in Postgres, so they survive a wiped Redis; RedBeat stores them in "
            "Redis, beat in a local file.",
            "The goals in ticks a second were set on a machine on which celery beat woke 140 agents a second out of "
            f"10,000; on this one it woke {found.rate(BEAT, 10_000) or 0:.0f}.",
        ],
    )


def _room(plan: Plan, found: Found) -> str:
    """Return how much two dispatchers could gain at most."""
    cores, busy = os.cpu_count() or 1, statistics.median(cost.cores for cost in found.costs[max(plan.fleets)])
    return f"One dispatcher keeps {busy:.2f} of {cores} busy, so two can wake {cores / busy:.2f} times as many at most."


def _rates(plan: Plan, found: Found) -> Table:
    def ratio(rival: str, size: int) -> str:
        return f"{found.times((FLEET, size), (rival, size)):.1f}" if found.rate(rival, size) else ""

    rows = [
        [f"{size:,}", *(_whole(found.rate(who, size)) for who in (BEAT, REDBEAT, FLEET)), ratio(BEAT, size),
         ratio(REDBEAT, size), round(found.idle_ms[size], 2)]
        for size in plan.fleets
    ]  # fmt: skip
    columns = ["agents", "celery beat, ticks/s", "celery-redbeat, ticks/s", "fleet, ticks/s", "fleet ÷ beat",
               "fleet ÷ RedBeat", "idle poll, ms"]  # fmt: skip
    return Table("Ticks a second", columns, rows, "An empty cell was not measured.")


def _costs(plan: Plan, found: Found) -> Table:
    def medians(size: int) -> list[float]:
        return [round(statistics.median(getattr(cost, name) for cost in found.costs[size]), 1)
                for name in ("python_us", "postgres_us", "valkey_us")]  # fmt: skip

    rows = [[f"{size:,}", round(1e6 / (found.rate(FLEET, size) or 1), 1), *medians(size)] for size in plan.fleets]
    columns = ["agents", "elapsed, µs/tick", "CPU dispatcher, µs/tick", "CPU Postgres backends, µs/tick",
               "CPU Valkey, µs/tick"]  # fmt: skip
    return Table("What one tick costs", columns, rows)


def _floors(plan: Plan, found: Found) -> Table:
    largest = max(plan.fleets)
    rows = [[f"{CLAIM}, {size:,} agents", _whole(found.rate(CLAIM, size)),
             round(found.times((CLAIM, size), (FLEET, size)), 1)] for size in plan.fleets]  # fmt: skip
    rows.append([f"{PUSH}, the same bytes", _whole(found.rate(PUSH, largest)),
                 round(found.times((PUSH, largest), (FLEET, largest)), 1)])  # fmt: skip
    one, two = ("1 together", largest), ("2 together", largest)
    rows.append([f"one dispatcher in a process of its own, {largest:,} agents", _whole(found.rate(*one)), ""])
    rows.append([f"two dispatchers in two processes, {largest:,} agents", _whole(found.rate(*two)), ""])
    note = f"Two dispatchers wake {found.times(two, one):.2f} times as many as one."
    return Table("Floors, and two dispatchers", ["what", "ticks/s", "÷ fleet's dispatch"], rows, note)


def _goals(plan: Plan, found: Found) -> list[Goal]:
    largest, small = max(plan.fleets), 10_000
    beat = found.times((FLEET, small), (BEAT, small))
    redbeat = found.times((FLEET, small), (REDBEAT, small))
    two = found.times(("2 together", largest), ("1 together", largest))
    goals = [
        Goal("Times celery beat at 10k agents", "50 or more", f"{beat:.0f}", beat >= 50),
        Goal("Two dispatchers ÷ one", "1.5 or more", f"{two:.2f}", two >= 1.5),
        Goal("Stretch: times RedBeat at 10k agents", "15 or more", f"{redbeat:.1f}", redbeat >= 15),
    ]
    if largest != MILLION:
        return goals
    rate, idle = found.rate(FLEET, MILLION) or 0.0, found.idle_ms[MILLION]
    slower = found.times((FLEET, small), (FLEET, MILLION))
    return [
        Goal("Ticks/s at 1M agents", "5,000 or more", f"{rate:,.0f}", rate >= 5_000),
        Goal("Cost of a tick at 1M agents ÷ at 10k", "1.25 or less", f"{slower:.2f}", slower <= 1.25),
        Goal("Idle poll at 1M agents", "under 2 ms", f"{idle:.2f} ms", idle < 2),
        *goals,
        Goal("Stretch: ticks/s at 1M agents", "15,000 or more", f"{rate:,.0f}", rate >= 15_000),
    ]


def _plot(plan: Plan, found: Found) -> Plot:
    series = {who: [_whole(found.rate(who, size)) or None for size in plan.fleets] for who in (FLEET, REDBEAT, BEAT)}
    return Plot("dispatch", "Agents woken by one scheduler", "agents", "ticks/s", list(plan.fleets), series, True, True)


def _whole(rate: float | None) -> int | str:
    return "" if rate is None else round(rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small fleets, short rounds")
    plan = QUICK if parser.parse_args().quick else FULL
    print(write(result(plan, measure(plan))))


if __name__ == "__main__":
    main()
