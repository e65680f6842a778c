"""What a benchmark found, in one shape for all: written as JSON, from which `bench.report` makes docs/benchmarks.md.

A benchmark measures what it is compared with in the same run, several times, and hands in medians. Figures here are
plain numbers with their unit in the name of the column.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fleet.core import clock

FOLDER = Path(__file__).parent / "results"
QUICK = FOLDER / "quick"
ADDITIONS = 5_000_000


def commit(folder: Path = FOLDER.parents[1]) -> str:
    """Return the commit that is checked out, "+ changes" if code differs from it; nothing outside of a checkout."""
    # Results and pages are what a benchmark writes: after the first of `make bench` they always differ.
    asked = (
        ["git", "rev-parse", "--short", "HEAD"],
        ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results", ":!docs"],
    )
    try:
        head, changes = (
            subprocess.run(call, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
            for call in asked
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{head} + changes" if changes else head


# Read when the benchmark begins: who commits while it runs does not change what is measured.
_COMMIT = commit()


def moment() -> dict[str, str]:
    """Return what was measured, when, and how fast the machine was then: the same one is not every day as fast."""
    return {"commit": _COMMIT, "date": clock.now().date().isoformat(), "additions_s": f"{_additions_s():.2f}"}


def _additions_s() -> float:
    """Return how long a fixed loop of plain Python takes, at its best of three."""
    return min(_time_of_additions() for _ in range(3))


def _time_of_additions() -> float:
    began, total = time.perf_counter(), 0
    for number in range(ADDITIONS):
        total += number
    return time.perf_counter() - began


def folder() -> Path:
    """Return where results stand: those of a run with `--quick` apart, since nobody should quote them."""
    return QUICK if "--quick" in sys.argv else FOLDER


def machine() -> dict[str, str]:
    """Return what the figures were made on, as far as it matters to a reader."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": platform.system(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


@dataclass(frozen=True, slots=True)
class Goal:
    """What was aimed at, and what came out; `met` is judged by the benchmark."""

    what: str
    goal: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words and numbers under their columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over numbers, or bars over words; each series has one y for each x (None: not measured)."""

    name: str  # file name, without ending
    title: str
    x_label: str
    y_label: str
    x: Sequence[float | str]
    series: Mapping[str, Sequence[float | str | None]]
    log_x: bool = False
    log_y: bool = False

    def fingerprint(self) -> str:
        """Return what tells this plot from one of other figures; a picture carries its plot's."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Result:
    """All that one benchmark found. `order` says where it stands in the report."""

    name: str
    title: str
    order: int
    method: str
    command: str
    tables: Sequence[Table]
    goals: Sequence[Goal] = ()
    plots: Sequence[Plot] = ()
    notes: Sequence[str] = ()
    machine: dict[str, str] = field(default_factory=machine)
    moment: dict[str, str] = field(default_factory=dict)  # filled in when it is written


def write(result: Result) -> Path:
    """Write a result to its file in bench/results and return the path."""
    folder().mkdir(parents=True, exist_ok=True)
    path = folder() / f"{result.name}.json"
    written = json.dumps(asdict(replace(result, moment=moment())), indent=1, ensure_ascii=False)
    path.write_text(f"{written}\n", encoding="utf-8")
    return path
