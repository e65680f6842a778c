"""A fleet in real processes for benchmarks: embedded servers in a temporary folder, Celery workers, beat.

They are called as `fleet worker` and `fleet beat` call them, except that the surface is the quiet one. All are gone
when the block ends, and the folder with them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import quiet_surface
from fleet.cli.commands import processes
from fleet.cli.commands.processes import Program
from fleet.core import db, logs
from fleet.core.settings import Settings
from fleet.engine import deps as runtime_deps
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.sandbox.servers.postgres import EmbeddedPostgres
from fleet.sandbox.servers.valkey import EmbeddedValkey

_ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Servers:
    """Postgres and Valkey, durable as in `fleet up`, and the processes that were started on them."""

    folder: Path
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def settings(self, database: str, **changes: object) -> Settings:
        """Return settings under which no write waits, for a migrated database of that name (made if need be)."""
        url = self.postgres.ensure_database(database)
        db.migrate(url)
        values = {**quiet_surface.NO_CAPS, "database_url": url, "broker_url": self.valkey.url(),
                  "log_level": "WARNING", **changes}  # fmt: skip
        return registry.load_settings(**values)

    def start_worker(self, settings: Settings, *, name: str, concurrency: int) -> subprocess.Popen[bytes]:
        """Start a worker of so many threads."""
        return self._start(name, processes.worker_program(settings, name=name, concurrency=concurrency))

    def start_beat(self, settings: Settings) -> subprocess.Popen[bytes]:
        """Start the metronome."""
        return self._start("beat", processes.beat_program(settings))

    def start_web(self, settings: Settings) -> tuple[subprocess.Popen[bytes], str]:
        """Start the dashboard on a free port; return it and its address. Raises RuntimeError when it does not come."""
        process = self._start("web", processes.web_program(settings, host="127.0.0.1", port=0))
        said = self.folder / "web.log"
        spoken = "dashboard listening on "
        self.wait_until("the dashboard listens", lambda: spoken in said.read_text(errors="replace"), timeout_s=60)
        line = next(line for line in said.read_text(errors="replace").splitlines() if spoken in line)
        return process, line.rpartition(" ")[2]

    def _start(self, name: str, program: Program) -> subprocess.Popen[bytes]:
        argv = [word.replace("workers.app", "bench.quiet_worker") for word in program.argv]
        environment = {**os.environ, **program.env, "PYTHONPATH": str(_ROOT)}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(argv, cwd=self.folder, env=environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def check(self) -> None:
        """Raise if a process has died, with what it said last."""
        if any(process.poll() is not None for process in self.processes):
            said = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log"))
            raise RuntimeError(f"a process has died:\n{said}")

    def stop_processes(self) -> None:
        """Let every process finish, and end those that do not."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def wait_until(self, what: str, true: Callable[[], object], *, timeout_s: float) -> None:
        """Wait for something. Raises when it never comes, or a process dies meanwhile."""
        until_s = time.monotonic() + timeout_s
        while not true():
            self.check()
            if time.monotonic() > until_s:
                raise RuntimeError(f"never happened: {what}")
            time.sleep(0.1)


@contextmanager
def servers() -> Iterator[Servers]:
    """Start both servers; processes, servers and their folder are gone afterwards."""
    logs.configure("warning")
    folder = Path(tempfile.mkdtemp(prefix="fleet-bench-"))
    made = Servers(folder, EmbeddedPostgres(folder / "postgres"), EmbeddedValkey(folder / "valkey"))
    try:
        made.postgres.start()
        made.valkey.start()
        yield made
    finally:
        made.stop_processes()
        made.valkey.stop()
        made.postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def connected(settings: Settings) -> Iterator[Deps]:
    """Connect to a ledger and its broker for the length of a block."""
    deps = runtime_deps.build(settings)
    try:
        yield deps
    finally:
        deps.close()


def say(words: str) -> None:
    """Tell whoever waits for a benchmark how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)
