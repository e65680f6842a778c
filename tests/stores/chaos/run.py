"""One run: start the world, sync it, let people work and the nemesis strike, bring it to rest, check, report."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fleet.chaos.nemesis import FaultResult, Nemesis
from fleet.chaos.plan import plan
from fleet.chaos.quiet import take_back
from fleet.chaos.report import p99, versions
from fleet.core.errors import Unavailable
from tests.stores.chaos import acts
from tests.stores.chaos.hands import Hands
from tests.stores.chaos.judge import StoresVerdict, judge
from tests.stores.chaos.shops import exclusive
from tests.stores.chaos.world import StoresWorld

_MOST_ROUNDS = 12
_ENDS_WITHIN_S, _SYNC_WITHIN_S = 300.0, 900.0
_LIVE = (
    "SELECT count(*) FROM jobs WHERE state IN ('ready', 'running', 'sending', 'unknown') AND kind IN"
    " ('create_product', 'update_product', 'update_variants', 'set_stock', 'remove_product', 'update_order')"
)
_PULL = (
    "UPDATE jobs SET next_attempt_at = clock_timestamp(), published_at = NULL, publishes = 0, held = NULL"
    " WHERE state = 'ready' AND lease_until IS NULL AND next_attempt_at > clock_timestamp() + interval '3 s'"
)
_DONE = ("created", "updated", "gone", "sent")


@dataclass(slots=True)
class StoresReport:
    """The results of a run."""

    command: str
    began: datetime
    took_s: dict[str, float] = field(default_factory=dict)
    deeds: list[FaultResult] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    relays: dict[str, dict[str, int]] = field(default_factory=dict)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    left: int = 0
    verdict: StoresVerdict = field(default_factory=StoresVerdict)

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return self.verdict.is_clean and not self.left

    def to_data(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        kinds: dict[str, list[FaultResult]] = {}
        for one in self.deeds:
            kinds.setdefault(one.act.kind, []).append(one)
        faults = {}
        for kind, found in sorted(kinds.items()):
            times = sorted(one.recovered_s for one in found if one.hit and one.recovered_s is not None)
            faults[kind] = {
                "count": sum(one.hit for one in found), "missed": sum(not one.hit for one in found),
                "calls": sum(int(one.act.detail.get("made", 0)) for one in found),
                "median_s": round(times[len(times) // 2], 1) if times else None, "p99_s": p99(times),
            }  # fmt: skip
        strikes: Counter[str] = Counter()
        for one in self.deeds:
            for point, pids in one.act.detail.get("suffered", {}).items():
                strikes[point] += len(pids)
        return {
            "clean": self.is_clean, "command": self.command, "began": self.began.isoformat(),
            "took_s": {name: round(value, 1) for name, value in self.took_s.items()}, "faults": faults,
            "strikes": dict(sorted(strikes.items())), "webhooks": self.relays, "calls": self.calls,
            "quiet": self.rounds, "left": self.left, "customers": self.refused, "problems": self.problems,
            "counts": self.verdict.counts, "stock": self.verdict.stock,
            "findings": {name: found for name, found in self.verdict.findings.items() if found},
            "failed_acts": [f"{one.act.kind}: {one.failed}" for one in self.deeds if one.failed],
            "stuck": [f"{one.act.kind}: {', '.join(one.stuck)}" for one in self.deeds if one.stuck],
            "versions": versions({}),
        }  # fmt: skip

    def to_text(self) -> str:
        """Return the report for people."""
        data = self.to_data()
        lines = [self.command, f"began {data['began']}, took {data['took_s']}", ""]
        for kind, one in data["faults"].items():
            lines.append(f"  {kind:24} {one['count']:4}  missed {one['missed']}  calls {one['calls']:4}  recovery"
                         f" {one['median_s']} / {one['p99_s']} s")  # fmt: skip
        for name in ("strikes", "webhooks", "calls", "customers", "counts", "stock", "quiet"):
            lines += ["", name, *(f"  {key}: {value}" for key, value in _items(data[name]))]
        for name, found in data["findings"].items():
            lines += ["", f"BROKEN: {name}: {len(found)}", *(f"  {one}" for one in found[:40])]
        for name in ("problems", "failed_acts", "stuck"):
            if data[name]:
                lines += ["", name, *(f"  {one}" for one in data[name][:30])]
        lines += ["", "Every promise was kept." if self.is_clean else "A promise was broken."]
        return "\n".join(lines)


def _items(found: Any) -> list[tuple[Any, Any]]:
    return list(found.items()) if isinstance(found, dict) else list(enumerate(found))


def run(minutes: float, products: int, seed: int, *, home: Path | None = None, keeps: bool = False) -> StoresReport:
    """Run everything; return the report. Raises FleetError when the world itself failed."""
    acts.install()
    place = home or Path(tempfile.mkdtemp(prefix="fleet-stores-chaos-"))
    command = f"python -m tests.stores.chaos --minutes {minutes:g} --products {products} --seed {seed}"
    report = StoresReport(command, datetime.now(UTC))
    world = StoresWorld(place, seed=seed, products=products)
    try:
        _live(world, report, minutes, products, seed, place)
    except BaseException:
        world.kill()
        raise
    world.stop()
    if not keeps and home is None and report.is_clean:
        shutil.rmtree(place, ignore_errors=True)
    return report


def _live(world: StoresWorld, report: StoresReport, minutes: float, products: int, seed: int, place: Path) -> None:
    began = time.monotonic()

    def took(name: str) -> None:
        nonlocal began
        report.took_s[name] = time.monotonic() - began
        began = time.monotonic()
        say(f"{name}: {report.took_s[name]:.0f} s")

    world.start(say)
    took("start")
    world.shops.first_sync(world)
    took("first sync")
    hands = Hands(world, products, seed)
    hands.start()
    planned = plan(seed, minutes, acts.KINDS)
    nemesis = Nemesis(world, place / "acts.jsonl", _tell)
    until = time.monotonic() + minutes * 60
    nemesis.follow(planned, minutes * 60)
    report.deeds = nemesis.deeds
    world.wait(max(0.0, until - time.monotonic()))
    took("faults")
    take_back(world)
    if not hands.finish(120):
        report.problems.append("people did not end in time")
    hands.close_orders()
    _quiet(world, report)
    took("quiet")
    half = products // 2
    report.verdict = judge(world, hands, half + exclusive(half))
    report.problems += hands.problems
    report.refused = dict(hands.refused)
    for name, site in world.shops.sites.items():
        assert site.proxy is not None and site.relay is not None
        report.relays[name] = dict(site.relay.counts)
        report.calls[name] = {**site.proxy.calls, **{f"fault: {kind}": number for kind, number in
                                                    site.proxy.faults.items()}}  # fmt: skip
    (place / "journal.json").write_text(json.dumps(hands.to_data(), default=str))
    took("check")


def _quiet(world: StoresWorld, report: StoresReport) -> None:
    """Wait until webhooks and writes have ended, and read both stores wholly until there is nothing to do."""
    names = list(world.shops.sites)
    world.shops.resume(world)
    world.wait_until(lambda: not any(one.relay.waiting for one in world.shops.sites.values() if one.relay), 120)
    quiet_rounds = 0
    for _ in range(_MOST_ROUNDS):
        _await_writes(world)
        counts = world.shops.synced(world, names, _SYNC_WITHIN_S)
        _await_writes(world)
        report.rounds.append({name: {what: one[what] for what in (*_DONE, "stock", "orders", "conflicts", "failed")
                                     if one.get(what)} for name, one in zip(names, counts, strict=True)})  # fmt: skip
        say(f"full syncs: {report.rounds[-1]}")
        quiet_rounds = quiet_rounds + 1 if not any(one.get(what) for one in counts for what in _DONE) else 0
        if quiet_rounds == 2:
            break
    with world.deps.db.transaction() as tx:
        report.left = int(tx.scalar(sa.text(_LIVE)) or 0)


def _await_writes(world: StoresWorld) -> None:
    def none() -> bool:
        with suppress(Unavailable), world.deps.db.transaction() as tx:
            return not tx.scalar(sa.text(_LIVE))
        return False

    until = time.monotonic() + _ENDS_WITHIN_S
    while time.monotonic() < until and not world.wait_until(none, 5):
        with suppress(Unavailable), world.deps.db.transaction() as tx:
            tx.execute(sa.text(_PULL))


def say(what: str) -> None:
    """Print progress."""
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", flush=True)


def _tell(deed: FaultResult) -> None:
    after = f"recovered after {deed.recovered_s:.1f} s" if deed.recovered_s is not None else \
        f"stuck: {', '.join(deed.stuck)}" if deed.stuck else deed.failed or "the next came first"  # fmt: skip
    say(f"{deed.act.kind} {deed.act.target}: {after}")
