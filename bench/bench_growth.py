"""What a grown ledger costs: 10M events and 5M jobs beside a young one, prune day by day, 100k jobs in one worker.

Run `python -m bench.bench_growth`; `--quick` takes a twentieth of the rows and fewer days, `--scale 0.5` half of
them. Needs about 25 GB on the disk at full size.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from bench import growth_cases, growth_load, growth_prune, live, one_worker, quiet_surface
from bench.growth_cases import Case, Timing
from bench.growth_load import Size
from bench.growth_prune import Days
from bench.live import Servers
from bench.one_worker import Memory
from bench.results import Goal, Plot, Result, Table, write
from fleet.core.settings import Settings
from fleet.engine import sweep
from fleet.engine.deps import Deps
from fleet.features.personas.service import personas_of

GOAL_MS, GOAL_MEMORY, GOAL_FILES = 20.0, 0.05, 1.1
GROUPS = {"activity": "Activity feed", "job list": "Job list", "dead list": "Dead list", "dispatch": "Dispatch"}
YOUNGER = 1000
_BYTES_A_ROW = 1_400  # of the largest kind of ledger, with indexes, and room to prune and refill
_MIB = 2**20
_ROWS_A_JOB, _WORKERS = 4, 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    size: Size
    days: int
    jobs: int
    worker_s: float


FULL = Plan(growth_load.FULL, days=6, jobs=100_000, worker_s=300.0)
QUICK = Plan(growth_load.QUICK, days=3, jobs=1_000, worker_s=30.0)


@dataclass(frozen=True, slots=True)
class Found:
    """Cases with their timing on the young and on the grown ledger, the days, and the worker's memory."""

    timings: list[tuple[Case, Timing, Timing]]
    days: Days
    memory: Memory


def measure(plan: Plan) -> Found:
    """Load both ledgers; time every case on both in turn; then prune one while a worker works on the other."""
    quiet_surface.register()
    with live.servers() as servers, ExitStack() as stack:
        ledgers = {"young": plan.size.times(1 / YOUNGER), "grown": plan.size}
        settings = {name: servers.settings(name) for name in ledgers}
        young, grown = (stack.enter_context(_ledger(servers, settings[name], name, size)) for name, size in
                        ledgers.items())  # fmt: skip
        timings = _time_all(young, grown)
        with ThreadPoolExecutor(1) as pool:
            memory = pool.submit(one_worker.run, servers, settings["young"], plan.jobs, most_s=plan.worker_s)
            with servers.postgres.connect("grown") as connection:
                days = growth_prune.live_days(grown, connection, plan.days, told=live.say)
            live.say("waiting for the worker")
            return Found(timings, days, memory.result())


@contextmanager
def _ledger(servers: Servers, settings: Settings, name: str, size: Size) -> Iterator[Deps]:
    """Load a ledger and connect to it, with a doorbell that rings nowhere."""
    live.say(f"loading the {name} ledger: {size}")
    with live.connected(settings) as deps:
        growth_load.load(servers.postgres, name, size, personas_of(deps).ids)
        yield replace(deps, publisher=quiet_surface.Bell())  # type: ignore[arg-type]


def _time_all(young: Deps, grown: Deps) -> list[tuple[Case, Timing, Timing]]:
    timings = []
    worlds = [growth_cases.world(deps) for deps in (young, grown)]
    gc.freeze()  # as workers and the dashboard do once they are up
    pairs = zip(*map(growth_cases.all_cases, worlds), strict=True)
    for before, after in pairs:
        first, second = growth_cases.time_side_by_side(before, after)
        timings.append((after, first, second))
        live.say(f"{after.group}, {after.name}: p95 {second.p95_ms:.1f} ms, young {first.p95_ms:.1f} ms")
    return timings


def result(plan: Plan, found: Found) -> Result:
    """Put the figures into the report's shape, and judge the goals."""
    return Result(
        name="growth",
        title="Growth: a ledger of millions",
        order=50,
        method=(
            f"A ledger of {plan.size} is loaded in bulk, and a second one with {YOUNGER:,} times fewer rows on the "
            "same server. Every operation of people and of the loop is timed on both in turn, with transaction and "
            f"Python. Then {plan.days} days are simulated: prune deletes the oldest day, and as many new rows are "
            f"written. Meanwhile one real worker process of eight threads performs {found.memory.done:,} jobs on "
            f"the young ledger, on a surface that responds at once ({plan.jobs:,} jobs, or as many as it can in "
            f"{plan.worker_s / 60:g} minutes: --worker-minutes)."
        ),
        command="python -m bench.bench_growth",
        tables=[_goal_table(found), _every_table(found), _files_table(found), _prune_table(found)],
        goals=_goals(plan, found),
        plots=[_files_plot(found), _memory_plot(found)],
        notes=[
            "Vacuum runs when autovacuum would, by the settings of each table.",
            "Prune keeps the jobs of likes and comments, since they prevent a second one: the jobs table grows by "
            "these rows permanently. New rows in this run are of the kinds that prune deletes.",
            f"Prune may work {sweep.PRUNE_FOR_S:.0f} s of each minute; a job leaves {_ROWS_A_JOB} rows to delete: its "
            "tick, itself, and an event of each.",
        ],
    )


def _worst(found: Found, group: str) -> tuple[Case, Timing, Timing]:
    return max((one for one in found.timings if one[0].group == group and one[0].goal), key=lambda one: one[2].p95_ms)


def _ratio(young: Timing, grown: Timing) -> float:
    return round(grown.p50_ms / young.p50_ms, 2)


def _goal_table(found: Found) -> Table:
    rows = []
    for group, title in GROUPS.items():
        case, young, grown = _worst(found, group)
        ratios = [_ratio(*timings) for one, *timings in found.timings if one.group == group and one.goal]
        rows.append([title, len(ratios), case.name, round(grown.p95_ms, 1), round(young.p95_ms, 1),
                     round(statistics.median(ratios), 2)])  # fmt: skip
    columns = ["what", "cases", "slowest case", "its p95, ms", "on the young ledger, ms", "p50 ÷ young, median"]
    return Table("Slowest of each", columns, rows)


def _every_table(found: Found) -> Table:
    rows = [
        [case.group, case.name, round(grown.p50_ms, 1), round(grown.p95_ms, 1), round(young.p50_ms, 1),
         _ratio(young, grown)]
        for case, young, grown in found.timings
    ]  # fmt: skip
    return Table("Every verb", ["what", "case", "p50, ms", "p95, ms", "young p50, ms", "p50 ÷ young"], rows)


def _files_table(found: Found) -> Table:
    days, columns = found.days, ["table", "MiB before", "MiB after", "after ÷ before"]
    rows = [
        [table, round(days.before[table] / _MIB), round(days.days[-1].bytes[table] / _MIB), round(days.grown(table), 3)]
        for table in growth_prune.TABLES
    ]
    note = "Tables with their indexes, before the first and after the last day; the same number of rows."
    return Table("Files", columns, rows, note)


def _prune_table(found: Found) -> Table:
    batches_ms = sorted(1000 * took_s for day in found.days.days for took_s in day.batches_s)
    rows: list[list[str | float]] = [
        ["rows deleted a second", round(found.days.rows_s)],
        ["rows of one day", round(statistics.mean(sum(day.pruned.values()) for day in found.days.days))],
        ["seconds to prune one day", round(statistics.mean(day.took_s for day in found.days.days), 1)],
        ["one transaction, p50, ms", round(statistics.median(batches_ms))],
        ["one transaction, longest, ms", round(batches_ms[-1])],
        ["jobs a second that the worker did meanwhile", round(found.memory.done / found.memory.took_s)],
        ["workers at full speed that prune keeps up with", round(_keeps_up(found), 1)],
    ]
    return Table("Prune", ["what", "figure"], rows, "Prune and the worker share the machine's cores.")


def _keeps_up(found: Found) -> float:
    """Return how many workers at full speed leave no more than prune can delete."""
    rows_s = found.days.rows_s * min(1.0, sweep.PRUNE_FOR_S / 60)
    return rows_s / (_ROWS_A_JOB * found.memory.done / found.memory.took_s)


def _goals(plan: Plan, found: Found) -> list[Goal]:
    goals = []
    for group, title in GROUPS.items():
        p95 = _worst(found, group)[2].p95_ms
        goals.append(
            Goal(f"{title}, p95 of its slowest case", f"under {GOAL_MS:.0f} ms", f"{p95:.1f} ms", p95 < GOAL_MS)
        )
    keeps_up, files = _keeps_up(found), max(map(found.days.grown, growth_prune.TABLES))
    done = found.memory.done
    memory = found.memory.grown(warm=done // 20)
    return [
        *goals,
        Goal("Workers at full speed that prune keeps up with", f"{_WORKERS} or more", f"{keeps_up:.1f}",
             keeps_up >= _WORKERS),
        Goal("Largest growth of a table by prune and refill", f"{GOAL_FILES} or less", f"{files:.2f}",
             files <= GOAL_FILES),
        Goal(f"Memory of a worker after {plan.jobs:,} jobs", f"+{GOAL_MEMORY:.0%} at most",
             f"{memory:+.1%} after {done:,}", memory <= GOAL_MEMORY and done >= plan.jobs),
    ]  # fmt: skip


def _files_plot(found: Found) -> Plot:
    every = [found.days.before, *(day.bytes for day in found.days.days)]
    series = {table: [round(sizes[table] / _MIB) for sizes in every] for table in growth_prune.TABLES}
    return Plot("growth_files", "Tables, pruned and refilled", "days", "MiB", list(range(len(every))), series)


def _memory_plot(found: Found) -> Plot:
    series = {"resident memory": [round(rss / _MIB, 1) for rss in found.memory.rss]}
    return Plot("growth_memory", "One worker", "jobs done", "MiB", found.memory.jobs, series)


def _check_room(size: Size) -> None:
    needed = _BYTES_A_ROW * (size.events + size.jobs + size.ticks)
    if shutil.disk_usage(tempfile.gettempdir()).free < needed:
        sys.exit(f"This needs {needed / 1e9:.0f} GB in {tempfile.gettempdir()}; take a smaller --scale, or set TMPDIR.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the rows, fewer days, few jobs")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the rows")
    parser.add_argument("--worker-minutes", type=float, help="how long the worker may take for its jobs")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    worker_s = plan.worker_s if arguments.worker_minutes is None else 60 * arguments.worker_minutes
    plan = replace(plan, size=plan.size.times(arguments.scale), worker_s=worker_s)
    _check_room(plan.size)
    print(write(result(plan, measure(plan))))


if __name__ == "__main__":
    main()
