"""The embedded PostgreSQL: made once, then run in the foreground below our own process.

Used by `services` and by the tests. It listens on TCP at 127.0.0.1 with a password and has no socket file,
so neither the length of a path nor other users of the machine matter.
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

import psycopg
import sqlalchemy as sa
from psycopg import sql

from fleet.core import logs
from fleet.core.db import roles
from fleet.core.db.roles import Login
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.sandbox import disk, ports
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.child import Child, spawn
from fleet.sandbox.servers import binaries, cluster
from fleet.sandbox.servers.embedded import Complaint, EmbeddedServer

_CONNECT_TIMEOUT_S = 2  # libpq's least
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
_LEAST_CONNECTIONS = 200
OWNER, APP, GALLERY = "fleet_owner", "fleet_app", "fleet_gallery"
"""The roles of a fleet. The cluster's superuser only administers the server."""
_MOST_BUFFERS_MB, _SHARE_OF_MEMORY = 512, 8
# Commits still reach the operating system (synchronous_commit stays on), so a killed server loses nothing.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


def _buffers_mb() -> int:
    """Return how much of a ledger the server may keep at hand; taken from the machine only as the ledger grows.

    A million agents cost a fifth less processor time a tick with 512 MB than with 128 (bench/bench_dispatch.py).
    """
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(32, min(_MOST_BUFFERS_MB, memory_mb // _SHARE_OF_MEMORY))


@dataclass(frozen=True, slots=True)
class LedgerUrls:
    """The two addresses of the fleet's database: migrations use the owner's, everything else the app's."""

    owner: str = field(repr=False)
    app: str = field(repr=False)


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL over `data_dir`. `durable=False` is for tests: quick, and lost with the machine's power.

    `connections` is how many its clients may hold together; it takes 200 in any case.

    `port` is a port that the user named (taken: InvalidInput); `preferred_port` is only tried first.
    """

    title = "PostgreSQL"
    port_setting = "FLEET_POSTGRES_PORT"
    program_names = frozenset({"postgres"})
    # "Fast": rolls back and goes. SIGTERM would wait for pooled clients, however long they stay.
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
        connections: int = 0,
    ) -> None:
        super().__init__(data_dir, port=port, preferred_port=preferred_port, log_path=log_path, durable=durable)
        self.connections = max(_LEAST_CONNECTIONS, connections)
        self._cluster: cluster.Cluster | None = None

    def url(self, database: str = "fleet", *, role: str = cluster.SUPERUSER) -> str:
        """Return the SQLAlchemy URL of one of its databases, by default the superuser's."""
        password = self._password if role == cluster.SUPERUSER else self.login(role).password
        return f"postgresql+psycopg://{role}:{password}@{ports.LOOPBACK}:{self.port}/{database}"

    def login(self, role: str) -> Login:
        """Return a role's login. Its password follows from the superuser's, which cannot be computed back from it."""
        return Login(role, hmac.new(self._password.encode(), role.encode(), hashlib.sha256).hexdigest())

    def ensure_ledger(self, name: str = "fleet") -> LedgerUrls:
        """Create the fleet's database and its roles, or take those of an older version over; return the addresses."""
        self._keep_to_superuser("postgres", "template1")
        roles.set_up(self.connect, name, owner=self.login(OWNER), app=self.login(APP))
        return LedgerUrls(self.url(name, role=OWNER), self.url(name, role=APP))

    def ensure_gallery(self, name: str = "gallery") -> str:
        """Create the gallery's database, which its role owns, or take that of an older version over; return its URL."""
        roles.set_up(self.connect, name, owner=self.login(GALLERY))
        return self.url(name, role=GALLERY)

    def ensure_database(self, name: str) -> str:
        """Create a database that the superuser owns unless it exists; return its URL. For benchmarks and tests."""
        with self.connect() as connection:
            _create_unless_known(connection, name)
        return self.url(name)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open an autocommit connection as the superuser, for administration."""
        return psycopg.connect(
            host=ports.LOOPBACK, port=self.port, user=cluster.SUPERUSER, password=self._password, dbname=database,
            autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S, application_name="fleet-sandbox",
        )  # fmt: skip

    def _keep_to_superuser(self, *databases: str) -> None:
        with self.connect() as connection:
            for name in databases:
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))

    def _prepare(self) -> None:
        self._password = disk.kept_password(self.password_path)
        self._cluster = cluster.locate(self.data_dir, binaries.find_postgres())
        if not self._cluster.exists():
            cluster.create(self._cluster, self._password, durable=self.durable)

    def _spawn(self, port: int) -> Child:
        place = self._place()
        settings = {
            **_SETTINGS,
            "max_connections": str(self.connections),
            "shared_buffers": f"{_buffers_mb()}MB",
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
        try:
            self.connect().close()
        except psycopg.OperationalError as error:
            # Unless our own server says so too, somebody else answers on a port that ours is about to lose.
            refused = "password authentication failed"
            if refused in str(error) and refused in self.child.said():
                raise InvalidInput(
                    f"The password in {self.password_path} is not that of the database in {self._place().data}.",
                    fix="Restore that file, or move both away to start with an empty database.",
                ) from error
            return False
        return True

    def _complaint(self, said: str) -> Complaint:
        if disk.sounds_full(said):
            return Complaint.DISK_FULL
        if "could not bind" in said or "could not create any TCP/IP sockets" in said:
            return Complaint.PORT_TAKEN
        if re.search(r'lock file "[^"]*" already exists|pre-existing shared memory block', said):
            return Complaint.LEFTOVERS
        return Complaint.OTHER

    def _leftovers(self) -> list[proc.ProcessRef]:
        """Return postmaster and backends of a killed run; drops a pid file whose number is nobody of ours.

        PostgreSQL itself only looks whether that number is alive, and would wait for a stranger for ever.
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
        """Stop fast; if that hangs, give up at once (SIGQUIT) and let the next start recover."""
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


def ensure_sibling(url: str, name: str) -> str:
    """Make a database `<that of url>_<name>` on a server of the user's, unless it is there; returns its URL.

    Raises InvalidInput when the user may not create databases, Unavailable when the server is out of reach.
    """
    address = sa.make_url(url)
    sibling = address.set(database=f"{address.database}_{name}")
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(plain, autocommit=True, connect_timeout=10) as connection:
            _create_unless_known(connection, str(sibling.database))
    except psycopg.errors.InsufficientPrivilege as error:
        raise InvalidInput(
            f"The database user may not create the database {sibling.database}.",
            fix=f"Create it by hand: CREATE DATABASE {sibling.database}; or name another with --gallery-database-url.",
        ) from error
    except psycopg.OperationalError as error:
        first_line = logs.mask(str(error).strip().split("\n", maxsplit=1)[0])
        raise Unavailable(f"The database cannot be reached: {first_line}.", fix="Check FLEET_DATABASE_URL.") from error
    return sibling.render_as_string(hide_password=False)


def _create_unless_known(connection: psycopg.Connection, name: str) -> None:
    # Asked first, since a user without the right to create may still use one that is there.
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        with suppress(psycopg.errors.DuplicateDatabase):  # somebody else was quicker
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _recorded_postmaster(pid_file: Path) -> proc.ProcessRef | None:
    """Return the living process whose number stands in postmaster.pid, whoever it is."""
    with suppress(OSError, ValueError, IndexError):
        return proc.ref(int(pid_file.read_text(errors="replace").splitlines()[0]))
    return None


def _serves(pid: int, data: Path) -> bool:
    """Tell whether a process was started as `postgres -D data`; works for processes of other users too."""
    words = proc.command_line(pid)
    return bool(words) and Path(words[0]).name == "postgres" and str(data) in words
