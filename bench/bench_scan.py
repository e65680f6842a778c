"""What supervised agents cost: a thousand of them look at their feeds, are answered offline, and propose.

Run `python -m bench.bench_scan`; `--quick` tries the program itself. Surface and writer have no latency, so what is
measured is the engine; a model's seconds come on top and cost waiting, not processor time.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass

import sqlalchemy as sa

from bench.results import Goal, Result, Table, write
from bench.stand import FLEET_WORKER, THREADS, Meter, Stand, stand
from bench.storm import sweeper
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import FINAL, JobState
from fleet.features.drafts.kinds import SCAN_FEED
from fleet.features.drafts.models import DraftRow

HOUR_S = 3_600.0
_GIVE_UP_S = 1_800.0


@dataclass(frozen=True, slots=True)
class Found:
    """What one run showed."""

    agents: int
    seconds: float
    done: int
    posts: int
    drafts: int
    cost: Meter


def measure(agents: int) -> Found:
    """Ring for one tick of every agent while the workers are held, let them go, and wait for the last scan."""
    with stand() as place:
        made = place.fleet_of(agents, supervised=True, post=1.0)
        with place.running(FLEET_WORKER, THREADS):
            place.hold(True)
            place.ring_ticks(made, 1)
            before, since = place.meter(), time.perf_counter()
            place.hold(False)
            _wait_for_scans(place, agents)
            seconds, cost = time.perf_counter() - since, place.meter().since(before)
        done, posts, drafts = _counted(place)
    return Found(agents, seconds, done, posts, drafts, cost)


def _wait_for_scans(place: Stand, agents: int) -> None:
    ended = sa.select(sa.func.count()).where(JobRow.kind == SCAN_FEED, JobRow.state.in_(FINAL))
    deadline, tend = time.perf_counter() + _GIVE_UP_S, sweeper(place)  # scans that wait their turn are rung for by it
    while True:
        with place.engine.connect() as connection:
            if connection.scalar(ended) == agents:
                return
        if time.perf_counter() > deadline:
            raise RuntimeError(f"the scans did not end: {place.logs()}")
        tend()


def _counted(place: Stand) -> tuple[int, int, int]:
    scans = (JobRow.kind == SCAN_FEED, JobRow.state == JobState.DONE)
    posts = sa.func.coalesce(sa.func.sum(sa.cast(JobRow.result["new"].astext, sa.Integer)), 0)
    with place.engine.connect() as connection:
        done, seen = connection.execute(sa.select(sa.func.count(), posts).where(*scans)).one()
        drafts = connection.scalar(sa.select(sa.func.count()).select_from(DraftRow))
    return int(done), int(seen), int(drafts or 0)


def result(found: Found) -> Result:
    """Put the figures into the report's shape, and judge the goal."""
    per_scan = {name: 1e3 * getattr(found.cost, name) / found.agents
                for name in ("worker_cpu_s", "postgres_cpu_s", "valkey_cpu_s", "all_s")}  # fmt: skip
    return Result(
        name="scan",
        title="Scans: supervised agents propose",
        order=8,
        method=(
            f"{found.agents:,} supervised agents have one tick each: the tick decides to scan, the scan reads 50 "
            "unseen posts, the offline writer answers, and its proposals become drafts with requests for "
            "approval. All ticks are in Valkey before the workers (threads 2x16, concurrent scans as in the "
            "default settings) start; the clock stops with the last scan. Embedded Postgres and Valkey, durable."
        ),
        command="python -m bench.bench_scan",
        tables=[
            Table("Scans", ["agents", "done", "seconds", "scans/s", "posts read", "drafts"],
                  [[found.agents, found.done, round(found.seconds, 1), round(found.done / found.seconds, 1),
                    found.posts, found.drafts]]),
            Table("Processor time of a scan, ms", ["workers", "Postgres", "Valkey", "all"],
                  [[round(value, 1) for value in per_scan.values()]]),
        ],
        goals=[Goal("1,000 supervised agents scanned within their hour, hours ÷ time taken", "1 or more",
                    f"{HOUR_S / (found.seconds * 1_000 / found.agents):,.0f}",
                    found.done == found.agents and found.seconds * 1_000 / found.agents <= HOUR_S)],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few agents")
    found = measure(40 if parser.parse_args().quick else 1_000)
    print(write(result(found)), f"{found.seconds:.0f} s on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
