"""How many wakes a second one process can plan; run `python -m bench.bench_schedule`, `--profile` shows where.

Dispatch calls `next_wake` once for each due agent, so its cost bounds the pace of the whole fleet. The plain sum that
knows no week (`now + gap`) is the floor that it is compared with. Best of several rounds, one thread.
"""

from __future__ import annotations

import argparse
import cProfile
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.results import Result, Table, write
from fleet.engine import schedule as room
from fleet.engine.schedule import ALWAYS, Schedule, next_wake

CALLS, QUICK_CALLS = 20_000, 2_000
ROUNDS = 5
START = datetime(2026, 3, 6, tzinfo=UTC)
EVERY_DAY = frozenset(range(7))
WORKDAYS = frozenset({1, 2, 3, 4, 5})

PERSONAS = {
    "product_photographer": (Schedule("America/New_York", WORKDAYS, ((9, 12), (13, 17)), (), 2.0, 0.3), 60, 300),
    "social_marketer": (Schedule("America/Los_Angeles", EVERY_DAY, ((7, 9), (12, 14), (18, 22)), (), 2.5, 0.5), 30, 90),
    "indie_game_dev": (Schedule("America/Chicago", frozenset({5, 6, 0}), ((18, 24), (0, 2)), (), 3.0, 0.4), 60, 300),
    "data_viz": (Schedule("Europe/London", WORKDAYS, ((8, 12), (14, 18)), (), 2.0, 0.2), 300, 900),
    "ai_artist": (Schedule("UTC", EVERY_DAY, ((20, 24), (0, 4)), (), 2.0, 0.7), 30, 90),
    "asleep at night": (Schedule("America/New_York", WORKDAYS, ((9, 17),), ((23, 7),), 2.0, 0.3), 60, 300),
    "no persona": (ALWAYS, 60, 300),
    "hours at a time": (Schedule("America/New_York", WORKDAYS, ((9, 17),), ((23, 7),), 2.0, 0.3), 7_200, 86_400),
}

Plan = Callable[[Schedule, datetime, float], datetime]


@dataclass(frozen=True, slots=True)
class Load:
    """Moments spread over a fortnight with a clock change in it, so that every hour and both offsets are met."""

    schedule: Schedule
    min_s: float
    max_s: float
    moments: list[datetime]


def plainly(_: Schedule, now: datetime, gap_s: float) -> datetime:
    return now + timedelta(seconds=gap_s)


def loads(calls: int) -> dict[str, Load]:
    dice = random.Random(1)
    moments = [START + timedelta(seconds=dice.uniform(0, 14 * 86_400)) for _ in range(calls)]
    return {name: Load(*persona, moments) for name, persona in PERSONAS.items()}


def microseconds_a_call(plan: Plan, load: Load) -> float:
    def once() -> float:
        dice = random.Random(1)
        gaps_s = [dice.uniform(load.min_s, load.max_s) for _ in load.moments]
        since = time.perf_counter()
        for now, gap_s in zip(load.moments, gaps_s, strict=True):
            plan(load.schedule, now, gap_s)
        return time.perf_counter() - since

    once()
    return min(once() for _ in range(ROUNDS)) / len(load.moments) * 1e6


def microseconds_a_cold_day(load: Load) -> float:
    """Time the first call of a day, which lays the week on that day."""
    days = 365
    room._day.cache_clear()
    since = time.perf_counter()
    for day in range(days):
        next_wake(load.schedule, START + timedelta(days=day), 6)
    return (time.perf_counter() - since) / days * 1e6


def result(calls: int) -> Result:
    rows: list[list[str | float | int]] = []
    for name, load in loads(calls).items():
        ours, plain = microseconds_a_call(next_wake, load), microseconds_a_call(plainly, load)
        rows.append([name.replace("_", " "), round(1e6 / ours), round(ours, 2), round(ours / plain, 1),
                     round(microseconds_a_cold_day(load), 1)])  # fmt: skip
    columns = ["schedule", "wakes/s", "µs/wake", "÷ plain sum", "µs, first wake of a day"]
    return Result(
        name="schedule",
        title="Schedule: planning the next wake",
        order=2,
        method=(
            "Dispatch calls `next_wake` once for each due agent, so its cost bounds the pace of the whole fleet. "
            "Moments are spread over a fortnight with a clock change in it. The floor is the plain sum without a "
            f"schedule (now plus the gap). Best of {ROUNDS} rounds of {calls:,} calls, one thread."
        ),
        command="python -m bench.bench_schedule",
        tables=[Table("Wakes a second, by persona", columns, rows)],
    )


def profile() -> None:
    load = loads(CALLS)["indie_game_dev"]
    with cProfile.Profile() as profiler:
        microseconds_a_call(next_wake, load)
    profiler.print_stats("tottime")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="show where the time of next_wake goes, measure nothing")
    parser.add_argument("--quick", action="store_true", help="fewer calls")
    arguments = parser.parse_args()
    if arguments.profile:
        profile()
    else:
        print(write(result(QUICK_CALLS if arguments.quick else CALLS)))


if __name__ == "__main__":
    main()
