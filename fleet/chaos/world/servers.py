"""The embedded servers of a world: killed, suspended, starved of disk space, and restarted.

Called by `world`, whose loop checks for dead ones and restarts them after a while, as an operator's machine would. Data
are not synced to disk: processes die here, machines do not, and the data of a process survive it.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import psycopg

from fleet.core import clock
from fleet.sandbox.processes import proc
from fleet.sandbox.servers.embedded import EmbeddedServer
from fleet.sandbox.servers.postgres import EmbeddedPostgres
from fleet.sandbox.servers.valkey import EmbeddedValkey

_RESTART_S = (0.2, 2.5)


class Servers:
    """Postgres and Valkey below one home. Use it from the main thread."""

    def __init__(self, home: Path, logs: Path, dice: random.Random) -> None:
        self.postgres = EmbeddedPostgres(home / "postgres", log_path=logs / "postgres.log", durable=False)
        self.valkey = EmbeddedValkey(home / "valkey", log_path=logs / "valkey.log", durable=False)
        self._dice = dice
        self._due_s: dict[str, float] = {}
        self._held: set[str] = set()

    def start(self) -> None:
        """Start both."""
        self.postgres.start()
        self.valkey.start()

    def stop(self) -> None:
        """Stop both, the database last."""
        self.valkey.stop()
        self.postgres.stop()

    def look_after(self) -> list[str]:
        """Restart dead servers whose restart is due; return the names of those started."""
        started = []
        for server in (self.postgres, self.valkey):
            if server.is_running() or server.title in self._held:
                continue
            due_s = self._due_s.setdefault(server.title, clock.monotonic_s() + self._dice.uniform(*_RESTART_S))
            if clock.monotonic_s() >= due_s:
                server.start()
                del self._due_s[server.title]
                started.append(server.title)
        return started

    def all_run(self) -> bool:
        """Return whether both processes run; that does not mean that they answer."""
        return self.postgres.is_running() and self.valkey.is_running()

    def kill_postgres(self) -> int:
        """SIGKILL the postmaster and every process below it; return the postmaster's number."""
        others = self._postgres_processes()
        pid = _killed(self.postgres)
        for process in others:
            proc.send(process, signal.SIGKILL)
        return pid

    def kill_valkey(self, *, empty: bool) -> int:
        """SIGKILL the broker, and let it come back empty if so wished; return its number."""
        pid = _killed(self.valkey)
        if empty:
            for path in self.valkey.data_dir.glob("*append*"):
                shutil.rmtree(path, ignore_errors=True)
        return pid

    def pause_valkey(self, *, resume: bool = False) -> int:
        """Suspend the broker, or let it go on; return its number."""
        pid = self.valkey.child.pid
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT if resume else signal.SIGSTOP)
        return pid

    def sessions(self) -> list[int]:
        """Return the processes that serve clients of Postgres; none while it is down."""
        with suppress(psycopg.Error), self.postgres.connect() as connection:
            query = (
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name LIKE %s"
            )
            return sorted(row[0] for row in connection.execute(query, ["fleet%"]) if row[0])
        return []

    def terminate(self, pids: list[int]) -> int:
        """End sessions as an administrator would; return how many there were."""
        with suppress(psycopg.Error), self.postgres.connect() as connection:
            ended = connection.execute("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM"
                                       " unnest(%s::int[]) AS pid", [pids]).fetchone()  # fmt: skip
            return int(ended[0]) if ended else 0
        return 0

    def fill_postgres_disk(self) -> int:
        """Let no process of Postgres write to any file, and do not restart it; return how many processes.

        Without privileges a disk cannot be filled for one program alone. A limit of zero on the size of files has the
        same effect: write() fails (EFBIG where a full disk gives ENOSPC), the journal cannot be written, Postgres
        panics.
        """
        self._held.add(self.postgres.title)
        return sum(limit_file_size(process.pid, 0) for process in self._postgres_processes())

    def empty_postgres_disk(self) -> None:
        """End the rest of Postgres and allow its restart, without the limit."""
        self.kill_postgres()
        self._held.discard(self.postgres.title)

    def _postgres_processes(self) -> list[proc.ProcessRef]:
        """Return the postmaster, first, and all processes that it forked: each leads a session of its own, in the
        same folder.
        """
        if not self.postgres.is_running():
            return []
        pid = self.postgres.child.pid
        found = proc.working_in(Path(f"/proc/{pid}/cwd"), self.postgres.program_names)
        return sorted(found, key=lambda process: process.pid != pid)


def limit_file_size(pid: int, most_bytes: int) -> bool:
    """Limit the size of files that a process may write; -1 lifts it. False when the process is gone."""
    with suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if most_bytes < 0 else most_bytes, hard))
        return True
    return False


def _killed(server: EmbeddedServer) -> int:
    pid = server.child.pid if server.is_running() else 0
    server.kill()
    return pid
