"""Our end of `fork_server`: have a process that loaded modules once fork programs, which become our children.

Used by `fleet up` while it starts. A program that the server does not fork is started by itself, as is each program
that is started again later: no program depends on the server once it runs.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fleet.core import logs
from fleet.sandbox.processes import child, proc
from fleet.sandbox.processes.child import Child
from fleet.sandbox.processes.fork_server import GO

log = logs.get(__name__)

_ROOM = "." * 400
"""An argument of the server that gives its programs room to show theirs."""
_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_S = 60.0
_STOP_S = 5.0


class ForkServer:
    """Starts at once, and loads what `ref` loads while others start. For the main thread; close it after the start."""

    def __init__(
        self, ref: str, *, log_path: Path, cwd: Path, env: Mapping[str, str], patience_s: float = _PATIENCE_S
    ) -> None:
        """`patience_s` is how long a program may take to be forked, the loading included. Raises as `child.spawn`."""
        self._patience_s, self._is_usable = patience_s, True
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            argv = [sys.executable, "-m", "fleet.sandbox.processes.fork_server", ref, _ROOM]
            self._server = child.spawn("preload", argv, log_path=log_path, cwd=cwd, env=env, stdin=theirs.fileno())

    def spawn(
        self, name: str, argv: Sequence[str], *, log_path: Path, cwd: Path, env: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Child:  # fmt: skip
        """Start `python -m MODULE ...` as `child.spawn` does; by itself if the server cannot. Raises as that.

        A server that failed once is ended: the next program would wait for it as long again.
        """
        request = {"argv": argv, "cwd": str(cwd), "env": dict(env), "parent": os.getpid(),
                   "stop_signal": int(stop_signal)}  # fmt: skip
        forked = self._forked(name, json.dumps(request).encode(), log_path) if self._is_usable else None
        if forked is None:
            return child.spawn(name, argv, log_path=log_path, cwd=cwd, env=env, stop_signal=stop_signal)
        pid, log_start = forked
        ref = proc.ref(pid) or proc.ProcessRef(pid, 0)
        return Child(name, ref, log_path, stop_signal, Adopted(pid), log_start)

    def _forked(self, name: str, request: bytes, log_path: Path) -> tuple[int, int] | None:
        """Return the pid of the program that the server forks, and where its log begins; None if the server cannot."""
        try:
            with child.opened_log(log_path) as output:
                log_start = os.fstat(output).st_size
                return self._ask(request, output), log_start
        except OSError as error:
            log.warning("not_forked", process=name, error=str(error))
            self._is_usable = False
            self._server.kill()
            return None

    def close(self) -> None:
        """End the server; programs that it forked stay."""
        self._channel.close()
        self._server.stop(_STOP_S)

    def _ask(self, request: bytes, output: int) -> int:
        """Return the pid of the program that the server forks for a request. Raises OSError."""
        others = _children()
        try:
            return self._answer(request, output)
        except OSError:
            for late in _children() - others:  # adopted, and told nobody in time: nobody would wait for its end
                os.kill(late, signal.SIGKILL)
                os.waitpid(late, 0)
            raise

    def _answer(self, request: bytes, output: int) -> int:
        ours, theirs = socket.socketpair()
        with ours, _adopting():
            with theirs:
                socket.send_fds(self._channel, [request], [theirs.fileno(), output])
            ours.settimeout(self._patience_s)
            told = ours.recv(32)
            if not told:
                raise ConnectionResetError("the process that forks has ended")
            ours.sendall(GO)  # without this word the program ends
            return int(told)


class Adopted:
    """A child that another process forked for us: what `Child` uses of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, signal_no: int) -> None:
        """Send a signal to it, if it runs or its exit code was not read yet."""
        if self.returncode is None:
            os.kill(self.pid, signal_no)


def _children() -> set[int]:
    """Return the children of this thread, those that have ended and were not waited for too."""
    return {int(pid) for pid in Path("/proc/thread-self/children").read_text().split()}


@contextmanager
def _adopting() -> Iterator[None]:
    """Become the parent of processes below us whose own parent ends meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
