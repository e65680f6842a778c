"""Database and broker of a fleet that runs from one folder: embedded unless the user has servers of their own.

Called by `fleet up`, in its main thread. One fleet runs from one home at a time; homes are independent.
Processes of a killed run are stopped before any server starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from fleet.core import clock, logs
from fleet.core.errors import Conflict, FleetError, Unavailable
from fleet.sandbox import disk
from fleet.sandbox.processes import orphans, proc
from fleet.sandbox.processes.forked_calls import Call, call_here
from fleet.sandbox.processes.restart import Record, RestartPolicy
from fleet.sandbox.processes.runfile import Recorded, RunFile, RunInfo, ourselves
from fleet.sandbox.processes.supervisor import Died, Event, Restarted
from fleet.sandbox.servers.datalock import FolderLock
from fleet.sandbox.servers.embedded import EmbeddedServer
from fleet.sandbox.servers.postgres import EmbeddedPostgres, LedgerUrls
from fleet.sandbox.servers.valkey import EmbeddedValkey

log = logs.get(__name__)

_POLICY = RestartPolicy()


@dataclass(frozen=True, slots=True)
class ServiceUrls:
    """The URLs of the database and the broker, with passwords. `owner` is the database URL for migrations."""

    database: str = field(repr=False)
    broker: str = field(repr=False)
    owner: str = field(default="", repr=False)


class Services:
    """The servers below one fleet. Use it as a context manager, or call `start` and `stop`."""

    def __init__(
        self,
        home: Path,
        *,
        database_url: str = "",
        database_owner_url: str = "",
        broker_url: str = "",
        postgres_port: int | None = None,
        valkey_port: int | None = None,
        durable: bool = True,
        connections: int = 0,
        report: Callable[[str], None] | None = None,
        call: Call = call_here,
    ) -> None:
        """Prepare, without starting servers. A server whose URL is given is not embedded. `report` gets progress lines.

        `connections` limits the connections of all processes to the embedded database. `call` calls functions that
        need the driver, in another process if this one must not load it.
        """
        self.home = home.absolute()
        self.logs_dir = self.home / "logs"
        self._given = ServiceUrls(database_url, broker_url, database_owner_url or database_url)
        self._named_ports = {"postgres": postgres_port, "valkey": valkey_port}
        self._durable = durable
        self._connections = connections
        self._call = call
        self._report = report or (lambda _line: None)
        self._lock = FolderLock(self.home / "lock")
        self._last_ports: Mapping[str, int] = {}
        self._info: RunInfo | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._valkey: EmbeddedValkey | None = None
        self._records: dict[str, tuple[Record, float]] = {}

    def start(self) -> ServiceUrls:
        """Lock the home, clean up after a killed run, start the servers, and return their URLs.

        Raises Conflict when a fleet already runs from this home, other FleetErrors with the fix otherwise.
        """
        disk.private_folder(self.home)
        disk.private_folder(self.logs_dir)
        self._take_home()
        try:
            orphans.reap(self.home, self._report)
            self._info = RunInfo(fleet=ourselves(), boot=proc.boot_id(), ports=self._last_ports)
            self._write()
            ledger = self._start_database()
            urls = ServiceUrls(ledger.app, self._start_broker(), ledger.owner)
            self.record(urls={"database": urls.database, "database_owner": urls.owner, "broker": urls.broker})
        except BaseException:
            self.stop()
            raise
        return urls

    def gallery_database(self) -> str:
        """Return the URL of the gallery's database, created if it is missing.

        On the embedded server its role reaches no other database. On a server of the user's, the fleet's role owns it.
        """
        if self._postgres is not None:
            return self._postgres.ensure_gallery()
        url: str = self._call("fleet.sandbox.servers.databases:ensure_sibling", self._given.database, "gallery")
        return url

    def shop_database(self) -> str:
        """Return the URL of the sandbox shop's database, created if it is missing. Its role is as the gallery's."""
        if self._postgres is not None:
            return self._postgres.ensure_shop()
        url: str = self._call("fleet.sandbox.servers.databases:ensure_sibling", self._given.database, "shop")
        return url

    def last_port(self, name: str) -> int | None:
        """Return the port that a server of this home used in the last run, to prefer it again."""
        return self._last_ports.get(name)

    def record(
        self,
        *,
        urls: Mapping[str, str] | None = None,
        ports: Mapping[str, int] | None = None,
        processes: Mapping[str, Recorded] | None = None,
        token: str | None = None,
    ) -> None:
        """Write the run file, for other terminals and the next start. Entries are added; `processes` replaces all.

        Call it with the supervisor's processes after each start and restart.
        """
        info, own = self._running_info(), self._own_processes()
        others = info.processes if processes is None else processes
        self._info = replace(
            info,
            urls={**info.urls, **(urls or {})},
            ports={**info.ports, **(ports or {})},
            token=info.token if token is None else token,
            processes={**own, **{name: one for name, one in others.items() if name not in own}},
        )
        self._write()

    def poll(self) -> list[Event]:
        """Restart embedded servers that died. Raises FleetError when one keeps dying."""
        events: list[Event] = []
        for server in self._servers():
            if not server.is_running():
                events += self._revive(server)
        if events:
            self.record()
        return events

    def stop(self) -> None:
        """Stop the embedded servers, the database last, and unlock the home. Does nothing when stopped."""
        for server in reversed(self._servers()):
            self._report(f"Stopping {server.title}")
            server.stop()
        self._postgres = self._valkey = None
        if self._info is not None:
            info, self._info = self._info, None
            try:
                RunFile.write(self.home, replace(info, fleet=proc.ProcessRef(0, 0), urls={}, processes={}))
            except FleetError as error:
                log.warning("run_file_not_written", error=str(error))
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _take_home(self) -> None:
        if self._lock.acquire():
            running = RunFile.read(self.home)
            if running is None or running.fleet == ourselves():
                last = RunFile.last(self.home)
                self._last_ports = last.ports if last else {}
                return
            self._lock.release()
        raise _already_running(self.home, self._lock.holder())

    def _start_database(self) -> LedgerUrls:
        if self._given.database:
            return LedgerUrls(owner=self._given.owner, app=self._given.database)
        self._report("Starting PostgreSQL")
        server = EmbeddedPostgres(
            self.home / "postgres",
            port=self._named_ports["postgres"],
            preferred_port=self._last_ports.get("postgres"),
            log_path=self.logs_dir / "postgres.log",
            durable=self._durable,
            connections=self._connections,
            call=self._call,
        )
        server.start()
        self._postgres = server
        self._note_started("postgres", server)
        return server.ensure_ledger()

    def _start_broker(self) -> str:
        if self._given.broker:
            return self._given.broker
        self._report("Starting Valkey")
        server = EmbeddedValkey(
            self.home / "valkey",
            port=self._named_ports["valkey"],
            preferred_port=self._last_ports.get("valkey"),
            log_path=self.logs_dir / "valkey.log",
            durable=self._durable,
        )
        server.start()
        self._valkey = server
        self._note_started("valkey", server)
        return server.url()

    def _note_started(self, name: str, server: EmbeddedServer) -> None:
        """Record a started server at once, so that a kill during the rest of the start is cleaned up too."""
        self._records.setdefault(name, (Record(), 0.0))
        self._records[name] = (self._records[name][0], clock.monotonic_s())
        self.record(ports={name: server.port})

    def _revive(self, server: EmbeddedServer) -> list[Event]:
        name, port = server.child.name, server.port
        record, started_s = self._records[name]
        record = record.after_death(clock.monotonic_s() - started_s, _POLICY)
        self._records[name] = (record, started_s)
        words = server.child.last_lines()
        how = proc.describe_exit(server.child.exit_code() or 0)
        log.warning("server_died", server=name, how=how)
        if record.delay_s(_POLICY) is None:
            raise Unavailable(f"{server.title} keeps ending ({how}). Its last lines:\n{words}",
                              fix=f"See {server.log_path}.")  # fmt: skip
        server.stop()
        server.start()
        if server.port != port:
            raise Unavailable(f"{server.title} died, and its port {port} is now taken.", fix="Start Fleet again.")
        self._note_started(name, server)
        return [Died(name, how, 0.0, words), Restarted(name, server.child.pid, record.deaths)]

    def _servers(self) -> list[EmbeddedServer]:
        return [server for server in (self._postgres, self._valkey) if server is not None]

    def _own_processes(self) -> dict[str, Recorded]:
        running = [server.child for server in self._servers() if server.is_running()]
        return {child.name: Recorded(child.ref, child.stop_signal) for child in running}

    def _running_info(self) -> RunInfo:
        if self._info is None:
            raise Conflict("The services have not been started.")
        return self._info

    def _write(self) -> None:
        RunFile.write(self.home, self._running_info())


def _already_running(home: Path, holder: int | None) -> Conflict:
    info = RunFile.read(home)
    pid = info.pid if info else holder
    who = f" (pid {pid})" if pid else ""
    place = f"; its gallery is at {info.gallery_url}" if info and info.gallery_url else ""
    return Conflict(
        f"Fleet already runs from this folder{who}{place}.",
        fix="Use that one, stop it with Ctrl-C in its terminal, or set FLEET_HOME to another folder.",
    )
