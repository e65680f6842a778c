"""The report of a run: faults, recovery times, effects, and broken promises.

Pure except for the versions. `fleet chaos` shows it and writes it as JSON; `page` makes docs/reliability.md.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import metadata
from math import ceil
from typing import Any

from fleet.chaos.judge.checker import JudgeResult
from fleet.chaos.judge.ledger import Numbers
from fleet.chaos.kinds import KINDS
from fleet.chaos.nemesis import FaultResult

_VERSIONS = ("fleet", "celery", "kombu", "psycopg", "redis", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a person: enough to repeat the run."""

    minutes: float
    seed: int
    agents: int
    faults: str
    surface: str = "gallery"

    def command(self) -> str:
        """Return the command that repeats the run."""
        more = "" if self.faults == "all" else f" --faults {self.faults}"
        where = "" if self.surface == "gallery" else f" --surface {self.surface}"
        return f"fleet chaos{where} --minutes {self.minutes:g} --seed {self.seed} --agents {self.agents}{more}"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of fault in numbers. `recovered` counts those whose recovery ended before the next fault."""

    kind: str
    acts: int
    missed: int
    recovered: int
    median_s: float | None
    p99_s: float | None
    stuck: int


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one run."""

    wanted: RunOptions
    began: datetime
    took_s: float
    planned: int
    deeds: Sequence[FaultResult]
    numbers: Numbers
    left: int
    verdict: JudgeResult
    counts: Mapping[str, str] = field(default_factory=dict)
    """Figures of the surface, by name."""

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.verdict.violations and self.left == 0

    def rows(self) -> list[Row]:
        """Return the table of faults, in the order of the catalogue; kinds that did not come are left out."""
        return [row for kind in KINDS if (row := _row(kind.name, self.deeds)) is not None]

    def strikes(self) -> dict[str, int]:
        """Return how often a process was killed or suspended at each line of the protocol."""
        found: dict[str, int] = {}
        for deed in self.deeds:
            for point, pids in deed.act.detail.get("suffered", {}).items():
                found[point] = found.get(point, 0) + len(pids)
        return dict(sorted(found.items()))

    def to_data(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {
            "clean": self.clean, "repeat": self.wanted.command(), "wanted": asdict(self.wanted),
            "began": self.began.isoformat(), "took_s": round(self.took_s, 1), "planned": self.planned,
            "faults": [asdict(row) for row in self.rows()], "strikes": self.strikes(),
            "numbers": asdict(self.numbers), "counts": dict(self.counts), "left": self.left,
            "duplicates": self.verdict.duplicates, "losses": self.verdict.losses, "answers": self.verdict.answers,
            "heard": self.verdict.heard, "deliveries": self.verdict.deliveries,
            "violations": [asdict(one) for one in self.verdict.violations],
            "stuck": [{"seq": d.act.seq, "kind": d.act.kind, "ills": list(d.stuck)} for d in self.deeds if d.stuck],
            "failed": [{"seq": d.act.seq, "kind": d.act.kind, "why": d.failed} for d in self.deeds if d.failed],
            "versions": versions(self.numbers.server_versions),
        }  # fmt: skip


def _row(kind: str, deeds: Sequence[FaultResult]) -> Row | None:
    mine = [deed for deed in deeds if deed.act.kind == kind]
    if not mine:
        return None
    times = sorted(deed.recovered_s for deed in mine if deed.hit and deed.recovered_s is not None)
    return Row(
        kind, sum(deed.hit for deed in mine), sum(not deed.hit for deed in mine), len(times),
        round(statistics.median(times), 1) if times else None, p99(times), sum(bool(deed.stuck) for deed in mine),
    )  # fmt: skip


def p99(times: Sequence[float]) -> float | None:
    """Return the 99th percentile of sorted times by the nearest rank: of less than a hundred that is the longest."""
    return round(times[ceil(0.99 * len(times)) - 1], 1) if times else None


def versions(servers: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of all programs, by name."""
    packages = {name: metadata.version(name) for name in _VERSIONS}
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    return {**packages, **servers, "Python": platform.python_version(), "machine": machine}
