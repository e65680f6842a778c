"""What `make run` takes, and commands beside it; run `python -m bench.bench_footprint`.

Memory is the proportional set size (PSS) of the whole process tree: a page that several processes share counts once.
Processor time is what the kernel charges to the tree while the fleet is paused. Of commands it is that of the whole
process, and the memory its largest resident set.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.live import say
from bench.results import Goal, Result, Table, write
from fleet.sandbox.processes.runfile import RunFile

AGENTS, TEMPO = 12, 20
BUDGET_MB, IDLE_SHARE = 550, 3.0
HELP_S, LIST_S, LIST_MB = 0.15, 0.4, 40
_TRIES = 7
_MEASURED = """
import atexit, re, sys
from pathlib import Path

peak = lambda: re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
atexit.register(lambda: print(peak(), file=sys.stderr))
from fleet.cli import main
main()
"""
"""Runs the command line and tells its largest resident set (kB): that of getrusage is at least its parent's."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_START_S = 120.0
_SETTLE_S = 20.0
_STOP_S = 60.0
_SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Seen:
    """Memory and processor time so far, by name of the process; children count with their parent."""

    pss_mb: Mapping[str, float]
    cpu_s: Mapping[str, float]
    processes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Running:
    """A `fleet up` of its own, in a folder of its own."""

    pid: int
    home: Path

    def command(self, *words: str) -> None:
        """Run a command of the command line for this fleet."""
        argv = [sys.executable, "-m", "fleet.cli", "--home", str(self.home), *words]
        subprocess.run(argv, cwd=self.home, env=_environment(self.home), check=True, stdout=subprocess.DEVNULL)

    def cost(self, *words: str) -> tuple[float, float]:
        """Return the median processor time (s) and memory (MB) of a command."""
        argv = [sys.executable, "-c", _MEASURED, *words]
        times, sizes = [], []
        for _ in range(_TRIES):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(argv, cwd=self.home, env=_environment(self.home), check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            sizes.append(int(done.stderr.split()[-1]) / 1024)
        return statistics.median(times), statistics.median(sizes)

    def look(self) -> Seen:
        """Measure each process of the tree."""
        pss: dict[str, float] = defaultdict(float)
        cpu: dict[str, float] = defaultdict(float)
        number: dict[str, int] = defaultdict(int)
        for pid, name in self._tree():
            try:
                found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            pss[name] += int(found[1]) / 1024 if found else 0.0
            cpu[name] += (int(fields[11]) + int(fields[12])) * _TICK_S
            number[name] += 1
        return Seen(pss, cpu, number)

    def _tree(self) -> Iterator[tuple[int, str]]:
        """Yield every process of the tree with the name that `fleet up` gave to it or to its ancestor."""
        info = RunFile.read(self.home)
        assert info is not None, "the fleet does not run"
        names = {one.ref.pid: name for name, one in info.processes.items()}
        children = _children()

        def below(pid: int, name: str) -> Iterator[tuple[int, str]]:
            name = names.get(pid, name)
            yield pid, name
            for child in children[pid]:
                yield from below(child, name)

        return below(self.pid, _SUPERVISOR)


def _children() -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            found[parent].append(int(entry.name))
    return found


def _environment(home: Path) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("FLEET_", "MALLOC_"))}
    return {**plain, "FLEET_HOME": str(home), "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def _wait(what: str, true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + _START_S
    while not true():
        if process.poll() is not None or time.monotonic() > until_s:
            raise RuntimeError(f"never happened: {what}")
        time.sleep(0.2)


@contextmanager
def running() -> Iterator[Running]:
    """Run what `make run` runs; all of it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        home, output = Path(folder) / "home", Path(folder) / "output"
        argv = [sys.executable, "-m", "fleet.cli", "up", "--tempo", str(TEMPO), "--agents", str(AGENTS)]
        with output.open("wb") as told:
            process = subprocess.Popen(argv, cwd=folder, env=_environment(home), stdout=told, stderr=told)
        try:
            _wait("all is running", lambda: "All is running" in output.read_text(errors="replace"), process)
            yield Running(process.pid, home)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def result(act_s: int, idle_s: int) -> Result:
    """Measure a fleet that acts, then the same fleet paused."""
    with running() as fleet:
        say(f"twelve agents act for {act_s} s")
        looks = []
        for _ in range(6):
            time.sleep(act_s / 6)
            looks.append(fleet.look())
        commands = {name: fleet.cost(*name.split()) for name in ("--help", "agents list", "status", "jobs list")}
        fleet.command("pause", "fleet", "--yes")
        time.sleep(_SETTLE_S)
        say(f"nobody acts for {idle_s} s")
        before, began_s = fleet.look(), time.monotonic()
        time.sleep(idle_s)
        after, took_s = fleet.look(), time.monotonic() - began_s
    last = looks[3:]  # by then everybody has acted, and has been asked for a picture
    pss = {name: statistics.median(look.pss_mb.get(name, 0.0) for look in last) for name in last[-1].pss_mb}
    share = {name: (after.cpu_s[name] - before.cpu_s.get(name, 0.0)) / took_s * 100 for name in after.cpu_s}
    total_mb, total_share = sum(pss.values()), sum(share.values())
    rows: list[list[object]] = [
        [name, last[-1].processes[name], round(mb, 1), round(share.get(name, 0.0), 2)]
        for name, mb in sorted(pss.items(), key=lambda one: -one[1])
    ]
    rows.append(["all", sum(last[-1].processes.values()), round(total_mb), round(total_share, 2)])
    (help_s, _), (list_s, list_mb) = commands["--help"], commands["agents list"]
    costs: list[list[object]] = [
        [f"fleet {name}", round(took, 2), round(size)] for name, (took, size) in commands.items()
    ]
    return Result(
        name="footprint",
        title="Footprint of `make run`",
        order=11,
        method=(
            f"`fleet up --tempo {TEMPO} --agents {AGENTS}`: the sandbox gallery, two workers, beat, the dashboard with "
            "the metrics, Flower, embedded Postgres and Valkey. Memory is the proportional set size of each process "
            f"with its children, the median of three looks in the second half of {act_s} s in which the agents act. "
            f"Processor time is that of {idle_s} s in which the fleet is paused. Commands are the medians of {_TRIES} "
            "processes against the running fleet."
        ),
        command="python -m bench.bench_footprint",
        tables=[Table("By process", ["process", "with children", "MB (PSS)", "% of a core, paused"], rows),
                Table("Commands", ["command", "processor time (s)", "MB (largest resident set)"], costs)],
        goals=[
            Goal("memory of all processes", f"at most {BUDGET_MB} MB", f"{total_mb:.0f} MB", total_mb <= BUDGET_MB),
            Goal("processor time while paused", f"under {IDLE_SHARE:g} % of a core", f"{total_share:.1f} %",
                 total_share < IDLE_SHARE),
            Goal("processor time of `fleet --help`", f"at most {HELP_S} s", f"{help_s:.2f} s", help_s <= HELP_S),
            Goal("processor time of `fleet agents list`", f"at most {LIST_S} s", f"{list_s:.2f} s", list_s <= LIST_S),
            Goal("memory of `fleet agents list`", f"at most {LIST_MB} MB", f"{list_mb:.0f} MB", list_mb <= LIST_MB),
        ],
    )  # fmt: skip


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter looks")
    arguments = parser.parse_args()
    found = result(*((24, 15) if arguments.quick else (180, 90)))
    for row in found.tables[0].rows:
        print(f"{row[0]!s:12} {row[1]!s:>3} processes {row[2]!s:>7} MB {row[3]!s:>6} %")
    print(write(found))


if __name__ == "__main__":
    main()
