"""Cleanup of processes that outlive Fleet: by the undertaker when a supervisor is killed, by `reap` at the next start.

`supervisor` keeps an Undertaker informed while it runs; `services` calls `reap` before it starts anything.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fleet.core import clock, logs
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.runfile import RunFile

log = logs.get(__name__)

_UNDERTAKER = Path(__file__).with_name("undertaker.py")
_REAP_PATIENCE_S = 5.0


class Undertaker:
    """Our end of undertaker.py: it acts when the pipe between us closes, also when we are killed."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._watched: set[proc.ProcessRef] = set()
        self._process: subprocess.Popen[str] | None = None

    def watch(self, leader: proc.ProcessRef) -> None:
        """Ask the undertaker to end the session of this process if we die."""
        self._watched.add(leader)
        if not self.revive():
            self._tell([f"+ {leader.pid} {leader.started}"])

    def forget(self, leader: proc.ProcessRef) -> None:
        """Undo `watch`; for a session that has ended."""
        self._watched.discard(leader)
        self._tell([f"- {leader.pid}"])

    def revive(self) -> bool:
        """Start the undertaker if it is needed and does not run; tells whether it was started."""
        if not self._watched or (self._process is not None and self._process.poll() is None):
            return False
        self._dismiss()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_UNDERTAKER), str(self._grace_s)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:  # no process can be created now; the next call tries again
            log.warning("undertaker_not_started", error=error.strerror)
            return False
        self._tell([f"+ {leader.pid} {leader.started}" for leader in self._watched])
        return True

    def close(self) -> None:
        """End the undertaker. Call it when all children have ended."""
        self._watched.clear()
        self._dismiss()

    def _dismiss(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.kill()
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()

    def _tell(self, lines: list[str]) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with suppress(BrokenPipeError):  # the undertaker is gone; `revive` starts another and sends it every session
            self._process.stdin.write("".join(f"{line}\n" for line in lines))
            self._process.stdin.flush()


def reap(home: Path, report: Callable[[str], None]) -> None:
    """Stop processes that a killed run of this home left: in reverse order, by stop signal, then by SIGKILL.

    For the holder of the home's lock only.
    """
    info = RunFile.last(home)
    orphans = info.orphans() if info is not None and not info.is_alive() else {}
    if not orphans:
        return
    report(f"Stopping what an interrupted run left: {', '.join(orphans)}")
    for name, orphan in reversed(orphans.items()):
        log.warning("orphan_stopped", process=name, pid=orphan.ref.pid)
        for one in [orphan.ref] if proc.is_alive(orphan.ref) else proc.session_members(orphan.ref.pid):
            proc.send(one, orphan.stop_signal)
        deadline = clock.monotonic_s() + _REAP_PATIENCE_S
        while proc.session_members(orphan.ref.pid) and clock.monotonic_s() < deadline:
            time.sleep(0.02)
        proc.kill_session(orphan.ref.pid)
