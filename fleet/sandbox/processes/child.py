"""One child process of Fleet: started through launch.py, logged to a file, stopped without leftovers.

`spawn` is called by the embedded servers and by the supervisor. Every child leads its own session, so a
Ctrl-C in the terminal reaches only us, and gets its stop signal from the kernel when we die. The kernel
ties that to the *thread* that forked, so children are started from the main thread and nowhere else.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fleet.core import clock
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.sandbox import disk
from fleet.sandbox.processes import proc

_LAUNCH = Path(__file__).with_name("launch.py")
_POLL_S = 0.01
_KILL_WAIT_S = 5.0
_FORK_FIX = "Is the memory used up, or the number of processes (`ulimit -u`)?"
LOG_CAP_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class RunAs:
    """The identity of a child: our own user, our user under another uid in a user namespace, or another user."""

    namespace_uid: int | None = None
    setuid: tuple[int, int] | None = None

    def options(self) -> list[str]:
        """Return the arguments of launch.py for this identity."""
        if self.namespace_uid is not None:
            return ["--namespace-uid", str(self.namespace_uid)]
        if self.setuid is not None:
            return ["--setuid", f"{self.setuid[0]}:{self.setuid[1]}"]
        return []


OURSELVES = RunAs()


def launch_arguments(argv: Sequence[str], *, run_as: RunAs = OURSELVES, parent_death: signal.Signals) -> list[str]:
    """Return the command that runs `argv` (its first item a path) through launch.py."""
    start = [sys.executable, "-I", "-S", str(_LAUNCH)]
    parent = ["--parent", str(os.getpid()), "--parent-death", str(int(parent_death))]
    return [*start, *parent, *run_as.options(), "--", *argv]


class Handle(Protocol):
    """What `Child` uses of `subprocess.Popen`."""

    returncode: Any

    def wait(self) -> int:
        """Wait until it has ended."""

    def send_signal(self, signal_no: int, /) -> None:
        """Send a signal."""


@dataclass(slots=True)
class Child:
    """A started process. Not thread-safe: use it from the thread that started it."""

    name: str
    ref: proc.ProcessRef
    log_path: Path
    stop_signal: signal.Signals
    _process: Handle = field(repr=False)
    _log_start: int = 0

    @property
    def pid(self) -> int:
        return self.ref.pid

    def exit_code(self) -> int | None:
        """Return None while it runs, else its return code (negative: the signal that ended it)."""
        if self._process.returncode is None and self._has_ended():
            proc.kill_session(self.pid)  # before `wait` frees the pid for another process
            self._process.wait()
        code: int | None = self._process.returncode
        return code

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end, wait, then kill its whole session. Returns whether force was needed.

        Only the leader gets the stop signal: servers with worker processes end those in their own order.
        """
        forced = False
        if self.exit_code() is None:
            self.signal(self.stop_signal)
            forced = not self.wait(timeout_s)
        if forced:
            self.kill()
        return forced

    def kill(self) -> None:
        """End it and all of its session at once."""
        if self._process.returncode is None:
            proc.kill_session(self.pid)
            self.wait(_KILL_WAIT_S)

    def signal(self, signal_no: signal.Signals) -> None:
        """Send a signal to the leader; nothing happens when it has ended."""
        if self._process.returncode is None:
            self._process.send_signal(signal_no)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; returns False when the time is up first."""
        deadline = clock.monotonic_s() + timeout_s
        while self.exit_code() is None:
            if clock.monotonic_s() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def said(self) -> str:
        """Return the output of this process in its log (the last 64 kB)."""
        return _tail_bytes(self.log_path, since=self._log_start)

    def last_lines(self, count: int = 12) -> str:
        """Return the last lines of its log, for error messages."""
        return "\n".join(deque((line for line in self.said().splitlines() if line.strip()), maxlen=count))

    def _has_ended(self) -> bool:
        try:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.pid, flags) is not None
        except ChildProcessError:
            return True


def spawn(
    name: str,
    argv: Sequence[str],
    *,
    log_path: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    run_as: RunAs = OURSELVES,
    stdin: int = subprocess.DEVNULL,
) -> Child:
    """Start a process in its own session, its output appended to `log_path`.

    `env` is the whole environment (ours when None). Raises InvalidInput for a missing program, Unavailable when the
    system cannot create a process now, FleetError when not called from the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise FleetError(f"{name} can only be started from the main thread, or it would die with the other one.")
    program = shutil.which(argv[0], path=(env or os.environ).get("PATH"))
    if program is None:
        raise InvalidInput(f"The program of {name} is missing: {argv[0]}.", fix="Run `make setup`.")
    with opened_log(log_path) as log:
        try:
            process = subprocess.Popen(
                launch_arguments([program, *argv[1:]], run_as=run_as, parent_death=stop_signal),
                stdin=stdin, stdout=log, stderr=log, cwd=cwd, env=env, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Unavailable(f"{name} cannot be started: {error.strerror}.", fix=_FORK_FIX) from error
        log_start = os.fstat(log).st_size
    started = proc.ref(process.pid) or proc.ProcessRef(process.pid, 0)
    return Child(name, started, log_path, stop_signal, process, log_start)


@contextmanager
def opened_log(path: Path) -> Iterator[int]:
    """Open a log for appending; rotate it first if it is too long. Raises FleetError as `disk.explained`."""
    with disk.explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        rotate_log(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def rotate_log(path: Path, cap_bytes: int = LOG_CAP_BYTES) -> None:
    """Move a log past its cap to `<name>.1` by copy and cut, which is safe while its writer appends.

    The copy is a new file that only its owner can read, since it must not be more readable than the log.
    """
    if path.exists() and path.stat().st_size > cap_bytes:
        copy = path.with_name(f"{path.name}.1")
        copy.unlink(missing_ok=True)
        made = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with path.open("rb") as log, os.fdopen(made, "wb") as file:
            shutil.copyfileobj(log, file)
        os.truncate(path, 0)


def _tail_bytes(path: Path, since: int, most: int = 65_536) -> str:
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(since if since <= size else 0, size - most))
            return log.read().decode(errors="replace")
    except OSError:
        return ""
