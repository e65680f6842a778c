"""Limits over processes: eight of them call through three limits at once, as fast as these allow.

Run `python -m bench.bench_limits`; `--quick` tries the program itself. A call counts at the moment after its room was
taken, when a worker would send it; an exact count over these moments says whether any window has more than it may.
"""

from __future__ import annotations

import argparse
import bisect
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import make_url

from bench.results import Goal, Result, Table, write
from fleet import app
from fleet.accounts.directory import OpenAccount
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.accounts.service import AccountKey
from fleet.adapters import registry as adapters
from fleet.adapters.base import LimitSpent
from fleet.adapters.manifest import AccountAccess, Limit, LimitScope
from fleet.core import db
from fleet.core.db import Database
from fleet.features.adapters.limits.limiter import Limiter, RoomRequest, limits_of
from fleet.features.adapters.limits.window import Caller
from fleet.sandbox.servers.postgres import EmbeddedPostgres

PROCESSES = 8
LEAST_USED = 0.97
_ACCOUNT = OpenAccount(AccountKey(SETTINGS_ACCOUNT, "gallery", 1), "floimg", AccountAccess("", SecretStr("")), {})


class _System:
    name, scheme, host, port, third_party = "floimg", "http", "127.0.0.1", 8640, False


@dataclass(frozen=True, slots=True)
class Plan:
    """The limits, and how many calls are made."""

    calls: int
    limits: tuple[Limit, ...]


def _limit(name: str, most: int, seconds: float, scope: LimitScope) -> Limit:
    return Limit(name=name, most=most, window=timedelta(seconds=seconds), scope=scope)


FULL = Plan(20_000, (
    _limit("account", 350, 5, LimitScope.ACCOUNT), _limit("host", 600, 10, LimitScope.HOST),
    _limit("app", 1_500, 30, LimitScope.APP),
))  # fmt: skip
QUICK = Plan(600, (
    _limit("account", 100, 1, LimitScope.ACCOUNT), _limit("host", 180, 2, LimitScope.HOST),
    _limit("app", 250, 3, LimitScope.APP),
))  # fmt: skip
_FREE = tuple(replace(one, name=f"free {one.name}", most=1_000_000) for one in FULL.limits)


@dataclass(frozen=True, slots=True)
class Made:
    """The moments of all calls, in order, the waits that were told, and the time that a statement took."""

    at: Sequence[float]
    refused: int
    took_s: Sequence[float]


def _worker(url: str, limits: tuple[Limit, ...], number: int, left: Any, begin: Any, out: Any) -> None:
    app.load()
    kind = replace(adapters.get("floimg"), limits=limits)
    counted = limits_of(kind, _ACCOUNT, _System())
    limiter, refused = Limiter(Database(url, pool_size=2)), 0
    at: list[float] = []
    took_s: list[float] = []
    begin.wait()
    while True:
        with left.get_lock():
            if left.value <= 0:
                break
            left.value -= 1
        call = RoomRequest("like", Caller(f"{number}-{len(at)}", f"agent {number}"), counted)
        while True:
            since = time.perf_counter()
            try:
                limiter.take(call)
            except LimitSpent as error:
                refused += 1
                time.sleep(error.retry_after_s or 0.0)
                continue
            at.append(time.time())
            took_s.append(time.perf_counter() - since)
            break
    out.put((at, refused, took_s))


def run(url: str, plan: Plan) -> Made:
    """Let eight processes make the calls of a plan."""
    spawn = multiprocessing.get_context("spawn")
    left, begin, out = spawn.Value("i", plan.calls), spawn.Barrier(PROCESSES), spawn.Queue()
    workers = [spawn.Process(target=_worker, args=(url, plan.limits, number, left, begin, out))
               for number in range(PROCESSES)]  # fmt: skip
    for one in workers:
        one.start()
    found = [out.get() for _ in workers]
    for one in workers:
        one.join()
    at = sorted(moment for moments, _, _ in found for moment in moments)
    return Made(at, sum(refused for _, refused, _ in found), [took for _, _, all_took in found for took in all_took])


def most_in_a_window(at: Sequence[float], window_s: float) -> int:
    """Return the most calls in any window that ends with one of them."""
    return max(place + 1 - bisect.bisect_right(at, moment - window_s) for place, moment in enumerate(at))


def ideal_s(plan: Plan, gap_s: float) -> float:
    """Return how long an exact count would take for the calls, with this time between two calls at least."""
    at: list[float] = []
    for number in range(plan.calls):
        earliest = [at[-1] + gap_s] if at else [0.0]
        earliest += [at[number - one.most] + one.window.total_seconds() for one in plan.limits if number >= one.most]
        at.append(max(earliest))
    return at[-1]


def result(plan: Plan, free: Made, made: Made) -> Result:
    """Put the figures into the report's shape, and judge the goals."""
    gap_s = (free.at[-1] - free.at[0]) / (len(free.at) - 1)
    taken_s, allowed_s = made.at[-1] - made.at[0], ideal_s(plan, gap_s)
    peaks = [most_in_a_window(made.at, one.window.total_seconds()) for one in plan.limits]
    beyond = sum(max(0, peak - one.most) for peak, one in zip(peaks, plan.limits, strict=True))
    used = allowed_s / taken_s
    times = sorted(free.took_s)
    return Result(
        name="limits",
        title="Limits over all workers",
        order=45,
        method=(
            f"{PROCESSES} processes make {plan.calls:,} calls of one account, each through three limits at once (of "
            "the account, its host and its app), and come again when they are told. Each call is one transaction on "
            "embedded Postgres with its default, durable settings. Calls are counted exactly, at the moment after "
            "their room was taken. What is allowed is the time that an exact sliding count would need, which takes "
            "as long for a call as the same processes without a limit that is spent."
        ),
        command="python -m bench.bench_limits",
        tables=[
            Table("Calls in the fullest window", ["limit", "window, s", "allowed", "made"],
                  [[one.name, one.window.total_seconds(), one.most, peak]
                   for one, peak in zip(plan.limits, peaks, strict=True)]),
            Table("Time", ["calls", "seconds", "seconds of an exact count", "waits that were told"],
                  [[len(made.at), round(taken_s, 1), round(allowed_s, 1), made.refused]]),
            Table("Room for a call, three limits, none spent", ["calls/s, 8 processes", "median, ms", "p99, ms"],
                  [[round(1 / gap_s), round(1e3 * statistics.median(times), 2),
                    round(1e3 * times[int(0.99 * len(times))], 2)]]),
        ],
        goals=[
            Goal("Calls beyond a limit, of 20,000 through three at once", "0", f"{beyond:,}", beyond == 0),
            Goal("Share of what the limits allow that is used", "97 % or more", f"{used:.1%}".replace("%", " %"),
                 used >= LEAST_USED),
        ],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few calls")
    plan = QUICK if parser.parse_args().quick else FULL
    app.load()
    app.load_tables()
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as name:
        postgres = EmbeddedPostgres(Path(name) / "postgres" / "data")
        postgres.start()
        try:
            urls = postgres.ensure_ledger()
            db.migrate(urls.owner, app_role=make_url(urls.app).username or "")
            free = run(urls.app, Plan(plan.calls // 10, _FREE))
            made = run(urls.app, plan)
        finally:
            postgres.stop()
    print(write(result(plan, free, made)), f"{made.at[-1] - made.at[0]:.0f} s on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
