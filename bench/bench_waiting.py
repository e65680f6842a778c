"""How many jobs one worker process keeps in flight while they wait: prefork, threads and gevent beside the ideal.

Run `python -m bench.bench_waiting`; `--quick` tries the program itself. A job waits where a model or a surface would
let it wait: in the one outside call, with its lease held and no database connection. The ideal is as many jobs a
second as fit into the pool when nothing but the wait takes time.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from bench.results import Goal, Plot, Result, Table, write
from bench.stand import FLEET_WORKER, Pool, Stand, stand
from bench.stub_surface import WAIT_S

_LOOK_EVERY_S = 0.1
_WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Setup:
    """A pool of one worker process (prefork: with its children), and how long each job waits."""

    pool: Pool
    wait_s: float = 1.0

    def __str__(self) -> str:
        return f"{self.pool.kind} {self.pool.concurrency}, {self.wait_s:g} s"


def _setup(kind: str, concurrency: int, wait_s: float = 1.0) -> Setup:
    return Setup(Pool(kind, 1, concurrency), wait_s)


@dataclass(frozen=True, slots=True)
class Plan:
    setups: tuple[Setup, ...]
    goal: Setup
    waves: int
    rounds: int


GOAL = _setup("threads", 400)
FULL = Plan(
    (_setup("prefork", 8), _setup("threads", 100), _setup("threads", 200), GOAL, _setup("threads", 400, 5.0),
     _setup("gevent", 400), _setup("gevent", 400, 5.0)),
    GOAL, waves=4, rounds=3,
)  # fmt: skip
_SMALL = _setup("threads", 50)
QUICK = Plan((_setup("prefork", 2), _SMALL, _setup("gevent", 50)), _SMALL, waves=4, rounds=1)


@dataclass(frozen=True, slots=True)
class Round:
    """One round: jobs a second in the steady part, and the most that was seen of the rest."""

    jobs_s: float
    ideal: float
    in_flight: int
    rss_mb: float
    connections: int

    @property
    def share(self) -> float:
        return self.jobs_s / self.ideal

    @property
    def mb_each(self) -> float:
        return self.rss_mb / max(1, self.in_flight)


@dataclass
class Seen:
    """Watches a worker while it works, and keeps the most of each."""

    place: Stand
    in_flight: int = 0
    rss_mb: float = 0.0
    connections: int = 0

    def look(self) -> None:
        sending, connections = self.place.in_flight()
        self.in_flight = max(self.in_flight, sending)
        self.connections = max(self.connections, connections)
        self.rss_mb = max(self.rss_mb, sum(_rss_mb(worker) for worker in self.place.workers.values()))


def _rss_mb(worker: psutil.Process) -> float:
    """Return the memory of a process and its children; pages that children share are counted for each, as RSS does."""
    return sum(one.memory_info().rss for one in [worker, *worker.children(recursive=True)]) / 2**20


def one_round(place: Stand, setup: Setup, waves: int) -> Round:
    """Let one worker process go at several poolfuls of jobs; what it does between the first and the last one counts."""
    size = setup.pool.concurrency
    place.settle()
    place.effects.clear()
    made = place.fleet_of(_WARM_UP + size * waves, like=1.0)
    seen = Seen(place)
    with place.running(FLEET_WORKER, setup.pool, **{WAIT_S: str(setup.wait_s)}):
        place.ring_jobs(made[:_WARM_UP])
        _when(place, _WARM_UP, seen)
        place.ring_jobs(made[_WARM_UP:])
        since, first = _when(place, _WARM_UP + size, seen)
        until, last = _when(place, _WARM_UP + size * (waves - 1), seen)
        _when(place, len(made), seen)
    return Round((last - first) / (until - since), size / setup.wait_s, seen.in_flight, seen.rss_mb, seen.connections)


def _when(place: Stand, expected: int, seen: Seen, timeout_s: float = 150.0) -> tuple[float, int]:
    """Return when that many effects were shown, and how many there were by then."""
    deadline = time.perf_counter() + timeout_s
    looked_at = 0.0
    while (shown := place.effects.count()) < expected:
        now = time.perf_counter()
        if now > deadline:
            raise RuntimeError(f"only {shown} of {expected} effects came: {place.logs()}")
        if now > looked_at + _LOOK_EVERY_S:
            seen.look()
            looked_at = now
        time.sleep(0.005)
    return time.perf_counter(), shown


@dataclass
class Found:
    rounds: dict[Setup, list[Round]] = field(default_factory=lambda: defaultdict(list))

    def median(self, setup: Setup, of: Callable[[Round], float]) -> float:
        return statistics.median(of(one) for one in self.rounds[setup])


def measure(plan: Plan) -> Found:
    found = Found()
    with stand() as place:
        for number in range(plan.rounds):
            for setup in random.sample(plan.setups, len(plan.setups)):
                print(f"round {number + 1} of {plan.rounds}: {setup}", flush=True)
                found.rounds[setup].append(one_round(place, setup, plan.waves))
    return found


def result(plan: Plan, found: Found) -> Result:
    """Put the figures into the report's shape, and judge the goals."""
    return Result(
        name="waiting",
        title="Waiting on models",
        order=3,
        method=(
            f"One worker process, the whole engine in it, is given {plan.waves} times as many jobs as its pool holds; "
            "each waits in its one outside call and is recorded in the ledger before and after. Jobs a second are "
            "counted between the end of the first poolful and the start of the last. In flight is what the ledger calls"
            " `sending`; RSS is the worker's and its children's, at its most, divided by the most jobs in flight. "
            f"Medians of {plan.rounds} rounds in which the pools take turns in changing order."
        ),
        command="python -m bench.bench_waiting",
        tables=[_table(plan, found)],
        goals=_goals(plan, found),
        plots=[_plot(plan, found)],
        notes=[
            "Threads are the default pool. No connection is held while a job waits, so the pool of "
            "FLEET_POOL_SIZE connections serves any number of threads.",
            "With 1 s of waiting, 400 in flight ask for 400 jobs a second of one Python process; with 5 s, nearer to "
            "what a model takes, for 80.",
        ],
    )


def _table(plan: Plan, found: Found) -> Table:
    rows = [
        [setup.pool.kind, setup.pool.concurrency, setup.wait_s, round(found.median(setup, lambda r: r.jobs_s), 1),
         round(100 * found.median(setup, lambda r: r.share)), round(found.median(setup, lambda r: r.in_flight)),
         round(found.median(setup, lambda r: r.mb_each), 2), round(found.median(setup, lambda r: r.connections))]
        for setup in plan.setups
    ]  # fmt: skip
    columns = ["pool", "size", "wait, s", "jobs/s", "% of ideal", "in flight, at most", "MB RSS each",
               "Postgres connections"]  # fmt: skip
    return Table("Jobs in flight in one worker process", columns, rows)


def _goals(plan: Plan, found: Found) -> list[Goal]:
    goal, size = plan.goal, plan.goal.pool.concurrency
    share, each = found.median(goal, lambda r: r.share), found.median(goal, lambda r: r.mb_each)
    flying = found.median(goal, lambda r: r.in_flight)
    return [
        Goal(f"In flight in one process, {goal}", f"{size}", f"{flying:.0f}", flying >= size),
        Goal(f"Share of the ideal, {goal}", "90 % or more", f"{100 * share:.0f} %", share >= 0.9),
        Goal(f"RSS of a job in flight, {goal}", "0.6 MB or less", f"{each:.2f} MB", each <= 0.6),
    ]


def _plot(plan: Plan, found: Found) -> Plot:
    shares = [round(100 * found.median(setup, lambda r: r.share)) for setup in plan.setups]
    return Plot("waiting", "Share of the ideal while jobs wait", "pool, size, wait", "%", list(map(str, plan.setups)),
                {"% of the ideal": shares})  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small pools, one round")
    plan = QUICK if parser.parse_args().quick else FULL
    since = time.perf_counter()
    print(write(result(plan, measure(plan))), f"{time.perf_counter() - since:.0f} s on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
