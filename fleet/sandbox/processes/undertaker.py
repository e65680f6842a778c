"""The process that cleans up when a supervisor is killed: its children, and whatever those had forked.

Run by `supervisor` as `python -I -S undertaker.py GRACE_S`; it reads "+ SESSION START" and "- SESSION" lines
from its standard input and acts when that closes, however the supervisor ended. The kernel has by then asked
the children to stop; what still lives after the grace is killed. Stays runnable without Fleet on the path.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_POLL_S = 0.05
_FORCE_S = 10.0


def main(grace_s: float) -> None:
    """Keep the book of living sessions until the supervisor is gone, then bury what it left."""
    for signal_no in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_no, signal.SIG_IGN)  # a farewell to the whole group must not take us along
    sessions: dict[int, int] = {}
    for line in sys.stdin:
        mark, session, *started = line.split()
        if mark == "+":
            sessions[int(session)] = int(started[0])
        else:
            sessions.pop(int(session), None)
    now = time.monotonic()
    force_at, give_up_at = now + grace_s, now + grace_s + _FORCE_S
    while (left := _living(sessions)) and (now := time.monotonic()) < give_up_at:
        if now >= force_at:
            _kill(left)
        time.sleep(_POLL_S)


def _living(sessions: dict[int, int]) -> list[int]:
    """Return the pids in these sessions. A session whose number went to a newer process is over."""
    with os.scandir("/proc") as entries:
        stats = [stat for entry in entries if entry.name.isdigit() and (stat := _stat(int(entry.name)))]
    reused = {pid for pid, _, started in stats if pid in sessions and sessions[pid] != started}
    return [pid for pid, session, _ in stats if session in sessions and session not in reused]


def _stat(pid: int) -> tuple[int, int, int] | None:
    """Return (pid, session, start) of a living process, None for a gone one or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:  # noqa: PTH123  pathlib costs 10 ms here
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (pid, int(fields[3]), int(fields[19]))


def _kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main(float(sys.argv[1]))
