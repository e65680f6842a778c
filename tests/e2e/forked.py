"""Processes that begin as copies of one that has loaded all of Fleet: each start by itself costs two seconds of work.

Called by `world`. A copy runs a module as `python -m` would, with an environment, a session and a log of its own. How
the programs start by themselves is what `test_up` and `test_compose` are about.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from fleet.sandbox.processes.launch import die_with_parent

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.e2e.preloaded"])


class Forked:
    """A running copy: what tests need of `subprocess.Popen`."""

    def __init__(self, argv: tuple[str, ...], environment: dict[str, str], folder: Path, log: Path) -> None:
        self.argv = argv
        reader, writer = _SERVER.Pipe(duplex=False)
        self._process = _SERVER.Process(target=_run, args=(argv, environment, folder, log, writer))
        self._process.start()
        writer.close()
        with reader:
            reader.recv()  # from now on it has a session of its own, and may be killed with all that it forks
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to it, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when it has ended. Raises as Popen does."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.argv, timeout or 0.0)
        return self._process.exitcode


def _run(argv: tuple[str, ...], environment: dict[str, str], folder: Path, log: Path, started: IO[bytes]) -> None:
    """Become the program: everything that `python -m` finds when it begins.

    The server ends when the last copy of a pipe is closed that the run of the tests holds, and a copy ends with it.
    """
    os.setsid()
    os.closerange(3, started.fileno())  # the pipe is among them: multiprocessing hands it to each copy
    os.closerange(started.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    die_with_parent(os.getppid(), signal.SIGKILL)
    os.chdir(folder)
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.argv = [*argv]
    started.send(True)  # type: ignore[attr-defined]
    started.close()
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
