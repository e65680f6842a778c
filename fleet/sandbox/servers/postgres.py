"""The embedded PostgreSQL: created once, then run in the foreground as a child process.

Used by `services` and by the tests. It listens on TCP at 127.0.0.1 with a password and has no socket file:
socket paths have a length limit, and other users of the machine could connect.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError, InvalidInput
from fleet.sandbox import disk, ports
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.child import Child, spawn
from fleet.sandbox.processes.forked_calls import Call, call_here
from fleet.sandbox.servers import binaries, cluster
from fleet.sandbox.servers.embedded import EmbeddedServer, StartFailure

if TYPE_CHECKING:
    import psycopg

_DATABASES = "fleet.sandbox.servers.databases"
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_replication_slots": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "wal_buffers": "2MB",  # by itself it takes 16 MB, all of it at the start
    "max_pred_locks_per_transaction": "10",  # no transaction is serializable; 1.4 MB
}
_SINCE_18 = {"io_method": "sync", "autovacuum_worker_slots": "3"}
"""Saves three processes that read ahead: a ledger of this size is in memory. Slots: as many as work by default."""
_LEAST_CONNECTIONS, _DEFAULT_CONNECTIONS = 100, 200
"""A hundred more take 4 MB, even if nobody uses them."""
OWNER, APP, GALLERY, SHOP = "fleet_owner", "fleet_app", "fleet_gallery", "fleet_shop"
"""The roles of a fleet. The cluster's superuser only administers the server."""
_MOST_BUFFERS_MB, _SHARE_OF_MEMORY = 512, 8
# Commits still reach the operating system (synchronous_commit stays on), so a killed server loses nothing.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


def _buffers_mb() -> int:
    """Return the size of `shared_buffers`; it takes memory only as the ledger grows.

    With 1,000,000 agents a tick needs a fifth less CPU time with 512 MB than with 128 (bench/bench_dispatch.py).
    """
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(32, min(_MOST_BUFFERS_MB, memory_mb // _SHARE_OF_MEMORY))


@dataclass(frozen=True, slots=True)
class LedgerUrls:
    """The two URLs of the fleet's database: `owner` for migrations, `app` for everything else."""

    owner: str = field(repr=False)
    app: str = field(repr=False)


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL over `data_dir`. `durable=False` is for tests: faster, and a power failure loses data.

    `connections` is the maximum of all clients, at least 100.

    `port` is a port that the user named (taken: InvalidInput); `preferred_port` is only tried first.
    """

    title = "PostgreSQL"
    port_setting = "FLEET_POSTGRES_PORT"
    program_names = frozenset({"postgres"})
    # "Fast" shutdown: rolls transactions back. SIGTERM would wait until pooled clients disconnect.
    stop_signal = signal.SIGINT
    stop_timeout_s = 15.0

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        preferred_port: int | None = None,
        log_path: Path | None = None,
        durable: bool = True,
        connections: int = _DEFAULT_CONNECTIONS,
        call: Call = call_here,
    ) -> None:
        """Prepare; `call` calls functions that need the driver, in another process if this one must not load it."""
        super().__init__(data_dir, port=port, preferred_port=preferred_port, log_path=log_path, durable=durable)
        self.connections = max(_LEAST_CONNECTIONS, connections)
        self._cluster: cluster.Cluster | None = None
        self._call = call

    def url(self, database: str = "fleet", *, role: str = cluster.SUPERUSER) -> str:
        """Return the SQLAlchemy URL of one of its databases, by default the superuser's."""
        password = self._password if role == cluster.SUPERUSER else self._login(role)[1]
        return f"postgresql+psycopg://{role}:{password}@{ports.LOOPBACK}:{self.port}/{database}"

    def _login(self, role: str) -> tuple[str, str]:
        """Return a role and its password, a one-way hash of the superuser's password."""
        return role, hmac.new(self._password.encode(), role.encode(), hashlib.sha256).hexdigest()

    def ensure_ledger(self, name: str = "fleet") -> LedgerUrls:
        """Create the fleet's database and its roles, or upgrade those of an older version; return the URLs."""
        self._set_up(name, self._login(OWNER), self._login(APP))
        return LedgerUrls(self.url(name, role=OWNER), self.url(name, role=APP))

    def ensure_gallery(self, name: str = "gallery") -> str:
        """Create the gallery's database, owned by its role, or upgrade that of an older version; return its URL."""
        self._set_up(name, self._login(GALLERY))
        return self.url(name, role=GALLERY)

    def ensure_shop(self, name: str = "shop") -> str:
        """Create the sandbox shop's database, owned by its role; return its URL."""
        self._set_up(name, self._login(SHOP))
        return self.url(name, role=SHOP)

    def ensure_database(self, name: str) -> str:
        """Create a database that the superuser owns unless it exists; return its URL. For benchmarks and tests."""
        self._call(f"{_DATABASES}:ensure_database", self.port, self._password, name)
        return self.url(name)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open an autocommit connection as the superuser, for administration."""
        from fleet.sandbox.servers import databases

        return databases.connect(self.port, self._password, database)

    def _set_up(self, name: str, *logins: tuple[str, str]) -> None:
        self._call(f"{_DATABASES}:set_up", self.port, self._password, name, *logins)

    def _prepare(self) -> None:
        self._password = disk.stored_password(self.password_path)
        self._cluster = cluster.locate(self.data_dir, binaries.find_postgres())
        if not self._cluster.exists():
            cluster.create(self._cluster, self._password, durable=self.durable)

    def _spawn(self, port: int) -> Child:
        place = self._place()
        settings = {
            **_SETTINGS,
            "max_connections": str(self.connections),
            "shared_buffers": f"{_buffers_mb()}MB",
            **(_SINCE_18 if place.programs.version >= 18 else {}),
            **({} if self.durable else _NOT_DURABLE),
            "port": str(port),
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return spawn(
            "postgres",
            [str(place.programs.postgres), "-D", str(place.data), *options],
            log_path=self.log_path,
            cwd=place.data.parent,
            env=cluster.server_environment(),
            stop_signal=self.stop_signal,
            run_as=place.run_as,
        )

    def _answers(self) -> bool:
        refusal = self._call(f"{_DATABASES}:refusal", self.port, self._password)
        # Unless our own server reports ready too, another program answers on this port and ours is about to fail.
        refused = "password authentication failed"
        if refused in (refusal or "") and refused in self.child.said():
            raise InvalidInput(
                f"The password in {self.password_path} is not that of the database in {self._place().data}.",
                fix="Restore that file, or move both away to start with an empty database.",
            )
        return refusal is None

    def _start_failure(self, said: str) -> StartFailure:
        if disk.reports_full_disk(said):
            return StartFailure.DISK_FULL
        if "could not bind" in said or "could not create any TCP/IP sockets" in said:
            return StartFailure.PORT_TAKEN
        if re.search(r'lock file "[^"]*" already exists|pre-existing shared memory block', said):
            return StartFailure.LEFTOVERS
        return StartFailure.OTHER

    def _leftovers(self) -> list[proc.ProcessRef]:
        """Return postmaster and backends of a killed run. Delete a pid file whose process is not ours.

        PostgreSQL only checks that the pid is alive, and would wait for an unrelated process for ever.
        """
        data = self._place().data
        found = {process.pid: process for process in proc.working_in(data, self.program_names)}
        pid_file = data / "postmaster.pid"
        recorded = _recorded_postmaster(pid_file)
        if recorded is not None and recorded.pid not in found and _serves(recorded.pid, data):
            found[recorded.pid] = recorded
        if not found:
            with disk.explained(data):
                pid_file.unlink(missing_ok=True)
        # The postmaster first: it ends its own children.
        postmaster = recorded.pid if recorded else 0
        return sorted(found.values(), key=lambda process: process.pid != postmaster)

    def _stop_child(self, child: Child) -> bool:
        """Shut down fast; if that hangs, immediately (SIGQUIT), so that the next start recovers."""
        child.signal(self.stop_signal)
        if child.wait(self.stop_timeout_s):
            return False
        child.signal(signal.SIGQUIT)
        if not child.wait(5.0):
            child.kill()
        return True

    def _place(self) -> cluster.Cluster:
        if self._cluster is None:
            raise FleetError("PostgreSQL has no data folder yet; start it first.")
        return self._cluster


def _recorded_postmaster(pid_file: Path) -> proc.ProcessRef | None:
    """Return the living process whose pid is in postmaster.pid, even if it is not a postmaster."""
    with suppress(OSError, ValueError, IndexError):
        return proc.ref(int(pid_file.read_text(errors="replace").splitlines()[0]))
    return None


def _serves(pid: int, data: Path) -> bool:
    """Tell whether a process was started as `postgres -D data`; works for processes of other users too."""
    words = proc.command_line(pid)
    return bool(words) and Path(words[0]).name == "postgres" and str(data) in words
