"""Start-up shared by both embedded servers: retries on port conflicts and leftovers of a killed run.

Subclasses (`EmbeddedPostgres`, `EmbeddedValkey`) run their program, check that it answers, and read its
errors. Servers listen on 127.0.0.1 only and always require a password.
"""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from enum import Enum
from pathlib import Path

from fleet.core import clock, logs
from fleet.core.errors import Conflict, FleetError, InvalidInput, Unavailable
from fleet.sandbox import disk, ports
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.child import Child
from fleet.sandbox.servers.datalock import FolderLock

log = logs.get(__name__)

_READY_TIMEOUT_S = 60.0
_READY_POLL_S = 0.02
_LEFTOVER_PATIENCE_S = 12.0
_LEFTOVER_POLL_S = 0.25
_PORT_TRIES = 5


class StartFailure(Enum):
    """The reason why a server ended before it was ready."""

    PORT_TAKEN = "port taken"
    LEFTOVERS = "leftovers of a killed server"
    DISK_FULL = "disk full"
    OTHER = "other"


class EmbeddedServer(ABC):
    """One server over one data folder. Start, stop and poll it from the main thread."""

    title: str
    port_setting: str
    program_names: frozenset[str]
    stop_signal: signal.Signals
    stop_timeout_s: float
    leftover_patience_s = 5.0

    def __init__(self, data_dir: Path, *, port: int | None = None, preferred_port: int | None = None,
                 log_path: Path | None = None, durable: bool = True) -> None:  # fmt: skip
        self.data_dir = data_dir.absolute()
        self.durable = durable
        self.log_path = log_path or self.data_dir.parent / f"{self.title.lower()}.log"
        self._named_port = port
        self._preferred_port = preferred_port
        self._port: int | None = None
        self._child: Child | None = None
        self._lock = FolderLock(self.data_dir.with_name(f"{self.data_dir.name}.lock"))
        self.password_path = self.data_dir.with_name(f"{self.data_dir.name}.password")
        self._password = ""

    @property
    def port(self) -> int:
        """The port that it listens on. Raises Conflict before the first start."""
        if self._port is None:
            raise Conflict(f"{self.title} has not been started.")
        return self._port

    @property
    def child(self) -> Child:
        """The running process. Raises Conflict when it has not been started or was stopped."""
        if self._child is None:
            raise Conflict(f"{self.title} is not running.")
        return self._child

    def is_running(self) -> bool:
        return self._child is not None and self._child.exit_code() is None

    def start(self) -> None:
        """Start the server and return when it answers; starting a running one does nothing.

        Raises InvalidInput (named port taken, program or folder missing), Conflict (another process holds the
        data), Unavailable (disk full), FleetError with the server's last output otherwise.
        """
        if self.is_running():
            return
        if not Path("/proc/self/stat").exists():
            raise InvalidInput(
                f"The embedded {self.title} needs Linux.", fix="Set FLEET_DATABASE_URL, FLEET_BROKER_URL."
            )
        self.stop()  # leftovers of a server that died, above all its lock
        began = clock.monotonic_s()
        disk.private_folder(self.data_dir.parent)
        self._take_lock()
        try:
            self._prepare()
            self._start_with_patience()
        except BaseException:
            self.stop()
            raise
        log.info("server_started", server=self.title, port=self.port, took_s=round(clock.monotonic_s() - began, 2))

    def stop(self) -> None:
        """Stop the server in its quickest clean way, by force after a timeout. Does nothing when it is stopped."""
        if self._child is not None:
            if self._stop_child(self._child):
                log.warning("server_killed", server=self.title)
            self._child = None
        self._lock.release()

    def kill(self) -> None:
        """Kill the server, as a crash would; the next start recovers."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._lock.release()

    @abstractmethod
    def _prepare(self) -> None:
        """Create the data folder if necessary."""

    @abstractmethod
    def _spawn(self, port: int) -> Child:
        """Start the program on this port."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether it accepts clients now. Raises FleetError if it answers but refuses our password."""

    @abstractmethod
    def _start_failure(self, said: str) -> StartFailure:
        """Read the output of a server that ended early."""

    @abstractmethod
    def _leftovers(self) -> list[proc.ProcessRef]:
        """Return processes of a killed run that still work on the data folder."""

    def _stop_child(self, child: Child) -> bool:
        return child.stop(self.stop_timeout_s)

    def _take_lock(self) -> None:
        if not self._lock.acquire():
            holder = self._lock.holder()
            raise Conflict(
                f"Another process (pid {holder}) already runs {self.title} on {self.data_dir}.",
                fix="Stop it first, or choose another folder with FLEET_HOME.",
            )

    def _start_with_patience(self) -> None:
        """Start with retries: clear leftovers, wait for processes that are ending, change a port that was taken."""
        deadline = clock.monotonic_s() + _LEFTOVER_PATIENCE_S
        lost_ports = 0
        while True:
            complaint = self._try_start() if self._clear_leftovers() else StartFailure.LEFTOVERS
            if complaint is None:
                return
            if complaint is StartFailure.LEFTOVERS and clock.monotonic_s() < deadline:
                time.sleep(_LEFTOVER_POLL_S)
            elif complaint is StartFailure.PORT_TAKEN and self._named_port is None and lost_ports < _PORT_TRIES:
                lost_ports += 1
                self._preferred_port = None
            else:
                raise self._failure(complaint)

    def _try_start(self) -> StartFailure | None:
        """Start once and wait until it answers; return the reason if it ended."""
        self._port = ports.choose(
            purpose=self.title, setting=self.port_setting, named=self._named_port, preferred=self._preferred_port
        )
        self._child = self._spawn(self._port)
        deadline = clock.monotonic_s() + _READY_TIMEOUT_S
        while self._child.exit_code() is None:
            if self._answers():
                self._preferred_port = self._port
                return None
            if clock.monotonic_s() > deadline:
                raise Unavailable(f"{self.title} does not answer after {_READY_TIMEOUT_S:.0f} s.\n{self._words()}")
            time.sleep(_READY_POLL_S)
        return self._start_failure(self._child.said())

    def _failure(self, complaint: StartFailure) -> FleetError:
        if complaint is StartFailure.PORT_TAKEN and self._named_port is not None:
            return ports.taken(self._named_port, self.title, self.port_setting)
        if complaint is StartFailure.DISK_FULL:
            return disk.full(self.data_dir.parent)
        if complaint is StartFailure.LEFTOVERS:
            return Conflict(f"A killed {self.title} still holds {self.data_dir}.\n{self._words()}",
                            fix="Wait until its processes have ended, or end them.")  # fmt: skip
        return InvalidInput(f"{self.title} did not start.\n{self._words()}", fix=f"See {self.log_path}.")

    def _words(self) -> str:
        return self._child.last_lines() if self._child else ""

    def _clear_leftovers(self) -> bool:
        """Stop processes of a killed run that use our data: cleanly first, then by force. Returns whether all ended."""
        for signal_no, patience_s in ((self.stop_signal, self.leftover_patience_s), (signal.SIGKILL, 2.0)):
            left = self._leftovers()
            if not left:
                return True
            log.warning("stopping_leftovers", server=self.title, pids=[p.pid for p in left], signal=signal_no.name)
            for process in left:
                proc.send(process, signal_no)
            _wait_gone(left, patience_s)
        return not self._leftovers()


def _wait_gone(processes: list[proc.ProcessRef], timeout_s: float) -> None:
    deadline = clock.monotonic_s() + timeout_s
    while any(proc.is_alive(process) for process in processes) and clock.monotonic_s() < deadline:
        time.sleep(0.02)
