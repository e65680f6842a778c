"""The process that cleans up when a supervisor is killed: it ends the supervisor's children and their forks.

Run by `supervisor` as `python -I -S undertaker.py GRACE_S`; it reads "+ SESSION START" and "- SESSION" lines
from its standard input and acts when that closes, however the supervisor ended. By then the kernel has sent
the children their stop signal; processes that still live after GRACE_S seconds are killed. It must
run without Fleet on the path.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_POLL_S = 0.05
_FORCE_S = 10.0


def main(grace_s: float) -> None:
    """Track the sessions of the supervisor until it is gone, then kill those that remain."""
    for signal_no in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_no, signal.SIG_IGN)  # a signal to the whole group must not end us
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
    """Return the pids in these sessions. A session whose id belongs to a newer process is over."""
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
