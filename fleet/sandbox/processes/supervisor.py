"""Start Fleet's processes, restart those that die, and stop all of them.

`fleet up` adds its processes, starts them in order and calls `poll` from its main loop, in the main
thread (the kernel ties a child's life to the thread that forked it). The caller handles signals: a
Ctrl-C reaches only the caller, which then calls `stop_all`. Output goes to one log per process.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet.core import clock, logs
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound, Unavailable
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.child import Child, rotate_log, spawn
from fleet.sandbox.processes.forks import ForkServer
from fleet.sandbox.processes.orphans import Undertaker
from fleet.sandbox.processes.restart import Record, RestartPolicy

log = logs.get(__name__)

_READY_POLL_S = 0.05
_LOG_CHECK_S = 60.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process to run. `argv[0]` is a path or a name on PATH; `env` is added to ours; `restart=None` means never."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 20.0
    restart: RestartPolicy | None = field(default_factory=RestartPolicy)


@dataclass(frozen=True, slots=True)
class Died:
    """A process ended unexpectedly; it will be started again in `restart_in_s`."""

    name: str
    how: str
    restart_in_s: float
    last_lines: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """A process that had died runs again."""

    name: str
    pid: int
    deaths: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """A process ended and will not be started again; `message` is for the person at the terminal."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """A process has been asked to end."""

    name: str


@dataclass(frozen=True, slots=True)
class ProcessStopped:
    """A process has been stopped; `forced` when it had to be killed."""

    name: str
    forced: bool


Event = Died | Restarted | GaveUp | Stopping | ProcessStopped


@dataclass(slots=True)
class _Slot:
    """One process, its current child, and its record of deaths."""

    process: Process
    child: Child | None = None
    started_s: float = 0.0
    record: Record = field(default_factory=Record)
    restart_at_s: float | None = None


class Supervisor:
    """Runs processes, restarts the ones that die, stops all in reverse order of their start."""

    def __init__(
        self, log_dir: Path, *, report: Callable[[Event], None] | None = None, orphan_grace_s: float = 8.0
    ) -> None:
        self._log_dir = log_dir
        self._report = report
        self._slots: dict[str, _Slot] = {}
        self._order: list[str] = []
        self._undertaker = Undertaker(orphan_grace_s)
        self._logs_checked_s = clock.monotonic_s()

    def add(self, process: Process) -> None:
        """Add a process without starting it. Raises Conflict for a second one of that name."""
        if process.name in self._slots:
            raise Conflict(f"There is a process named {process.name} already.")
        if not process.name or Path(process.name).name != process.name:
            raise InvalidInput(f"{process.name!r} cannot name a log file.")
        self._slots[process.name] = _Slot(process)

    def start(self, name: str, *, forks: ForkServer | None = None) -> None:
        """Start a process that was added; starting a running one does nothing. Raises FleetError.

        `forks` forks it, this time; it is started by itself when it has died.
        """
        slot = self._slot(name)
        if slot.child is None:
            slot.record = Record()
            self._launch(slot, spawn if forks is None else forks.spawn)

    def wait_ready(self, name: str, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `is_ready` returns true. Raises Unavailable when the process dies first or the time is up."""
        deadline = clock.monotonic_s() + timeout_s
        while not is_ready():
            child = self._slot(name).child
            if child is None:
                raise Conflict(f"{name} is not running.")
            if (code := child.exit_code()) is not None:
                raise Unavailable(f"{name} ended before it was ready ({proc.describe_exit(code)}).{_quoted(child)}")
            if clock.monotonic_s() > deadline:
                raise Unavailable(f"{name} is not ready after {timeout_s:.0f} s.{_quoted(child)}")
            time.sleep(_READY_POLL_S)

    def poll(self) -> list[Event]:
        """Check every process once: record deaths, restart those that are due. Call it a few times a second."""
        self._undertaker.revive()
        events = [event for slot in list(self._slots.values()) if (event := self._look_after(slot)) is not None]
        if clock.monotonic_s() - self._logs_checked_s > _LOG_CHECK_S:
            self._logs_checked_s = clock.monotonic_s()
            self._cut_logs()
        for event in events:
            self._tell(event)
        return events

    def running(self) -> dict[str, proc.ProcessRef]:
        """Return the processes that run now, in the order of their start."""
        return {name: child.ref for name in self._order if (child := self._slots[name].child) is not None}

    def log_path(self, name: str) -> Path:
        """Return the file that holds a process's output."""
        return self._log_dir / f"{name}.log"

    def stop(self, name: str) -> None:
        """Stop one process and do not start it again; nothing happens when it does not run."""
        slot = self._slot(name)
        slot.restart_at_s = None
        child, slot.child = slot.child, None
        if child is None:
            return
        self._order.remove(name)
        self._tell(Stopping(name))
        try:
            forced = child.stop(slot.process.stop_timeout_s)
        except BaseException:  # a second Ctrl-C
            child.kill()
            raise
        finally:
            self._undertaker.forget(child.ref)
        self._tell(ProcessStopped(name, forced))

    def stop_all(self) -> None:
        """Stop every process, the last started first; when interrupted, kill the rest at once."""
        try:
            for slot in self._slots.values():
                slot.restart_at_s = None
            for name in reversed(list(self._order)):
                self.stop(name)
        except BaseException:
            self.kill_all()
            raise
        finally:
            self._undertaker.close()

    def kill_all(self) -> None:
        """SIGKILL every process and its forks."""
        for name in reversed(list(self._order)):
            slot = self._slots[name]
            slot.restart_at_s = None
            if slot.child is not None:
                slot.child.kill()
                slot.child = None
        self._order.clear()
        self._undertaker.close()

    def _slot(self, name: str) -> _Slot:
        if name not in self._slots:
            raise NotFound(f"There is no process named {name}.")
        return self._slots[name]

    def _launch(self, slot: _Slot, start: Callable[..., Child] = spawn) -> None:
        process = slot.process
        slot.child = start(
            process.name,
            process.argv,
            log_path=self.log_path(process.name),
            cwd=process.cwd or Path.cwd(),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **process.env},
            stop_signal=process.stop_signal,
        )
        slot.started_s = clock.monotonic_s()
        slot.restart_at_s = None
        self._order.append(process.name)
        self._undertaker.watch(slot.child.ref)

    def _look_after(self, slot: _Slot) -> Event | None:
        if slot.child is not None:
            code = slot.child.exit_code()
            return None if code is None else self._bury(slot, slot.child, proc.describe_exit(code))
        if slot.restart_at_s is not None and clock.monotonic_s() >= slot.restart_at_s:
            return self._restart(slot)
        return None

    def _bury(self, slot: _Slot, child: Child, how: str) -> Event:
        self._undertaker.forget(child.ref)
        self._order.remove(slot.process.name)
        slot.child = None
        return self._after_death(slot, how, child.last_lines())

    def _after_death(self, slot: _Slot, how: str, last_lines: str) -> Event:
        name, policy = slot.process.name, slot.process.restart
        slot.record = slot.record.after_death(clock.monotonic_s() - slot.started_s, policy or RestartPolicy())
        delay_s = slot.record.delay_s(policy) if policy else None
        if delay_s is not None:
            slot.restart_at_s = clock.monotonic_s() + delay_s
            log.warning("process_died", process=name, how=how, restart_in_s=delay_s)
            return Died(name, how, delay_s, last_lines)
        slot.restart_at_s = None
        log.error("process_given_up", process=name, how=how, deaths=slot.record.deaths)
        often = f" {slot.record.quick_in_a_row} times in a row soon after its start" if policy else ""
        return GaveUp(name, f"{name} ended{often} ({how}). Its last lines, from {self.log_path(name)}:\n{last_lines}")

    def _restart(self, slot: _Slot) -> Event:
        slot.started_s = clock.monotonic_s()
        try:
            self._launch(slot)
        except FleetError as error:
            return self._after_death(slot, "it could not be started", str(error))
        child = slot.child
        return Restarted(slot.process.name, child.pid if child else 0, slot.record.deaths)

    def _cut_logs(self) -> None:
        for name in self._slots:
            try:
                rotate_log(self.log_path(name))
            except OSError as error:
                log.warning("log_not_rotated", process=name, error=str(error))

    def _tell(self, event: Event) -> None:
        if self._report is not None:
            self._report(event)


def _quoted(child: Child) -> str:
    lines = child.last_lines()
    return f" Its last lines, from {child.log_path}:\n{lines}" if lines else ""
