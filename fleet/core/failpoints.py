"""Failpoints: named lines of the protocol where the fault harness can strike. Switched off, one costs a comparison.

Callers reach them by `reach`; entry points arm them from FLEET_FAILPOINTS_DIR, which only the harness sets. A strike is
a file named after its point: the first process that reaches the point takes the file and suffers the fault.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from fleet.core.errors import InvalidInput


class Point(StrEnum):
    """Each line of the protocol (ARCHITECTURE.md) has a point wherever a crash could separate two facts."""

    DISPATCH_CLAIMED = "dispatch.claimed"  # agents locked, ticks inserted, nothing committed
    DISPATCH_COMMITTED = "dispatch.committed"  # ticks are committed, no message sent
    DISPATCH_PUBLISHED = "dispatch.published"
    TICK_CLAIMED = "tick.claimed"
    TICK_DECIDED = "tick.decided"  # decided, nothing recorded
    TICK_RECORDED = "tick.recorded"  # the decision and its jobs are committed, no message sent
    TICK_PUBLISHED = "tick.published"
    JOB_CLAIMED = "job.claimed"
    CALL_RESERVED = "call.reserved"  # the budget is reserved, no model called
    CALL_SETTLED = "call.settled"  # the text is paid for, not yet saved
    JOB_STEP_PAID = "job.step.paid"  # a paid step is done and not yet saved
    JOB_STEP_SAVED = "job.step.saved"
    JOB_PREPARED = "job.prepared"
    JOB_ANNOUNCED = "job.announced"  # `sending` is committed, nothing has left the house
    JOB_CLEARED = "job.cleared"  # lease and kill switch were read for the last time
    JOB_SENT = "job.sent"  # the surface has answered, nothing is recorded
    JOB_RECORDING = "job.recording"  # the outcome is written, not committed
    JOB_FINISHED = "job.finished"  # committed; the task has not returned
    SWEEP_RELEASED = "sweep.released"  # leases taken back, not committed
    SWEEP_PUBLISHED = "sweep.published"
    PICTURE_CLAIMED = "picture.claimed"  # the note about a picture is claimed, its file is there
    PICTURE_DELETED = "picture.deleted"  # the file is gone, the note is there


class Strike(StrEnum):
    """What may happen to a process at a point: the content of the file."""

    KILL = "KILL"
    STOP = "STOP"  # suspended until a SIGCONT


_SIGNALS = {Strike.KILL: signal.SIGKILL, Strike.STOP: signal.SIGSTOP}
_hook: Callable[[Point], None] | None = None


def reach(point: Point) -> None:
    """Suffer the strike at a point, if there is one."""
    if _hook is not None:
        _hook(point)


def arm(hook: Callable[[Point], None] | None) -> None:
    """Have `hook` called at every point from now on; None switches them off."""
    global _hook
    _hook = hook


def strikes_from(folder: Path) -> Callable[[Point], None]:
    """Return a hook that applies the strikes in a folder. Raises InvalidInput if there is no such folder."""
    if not folder.is_dir():
        raise InvalidInput(f"FLEET_FAILPOINTS_DIR: {folder} is no folder.", fix="Only the fault harness sets it.")

    def suffer(point: Point) -> None:
        order = folder / point
        taken = folder / f"{point}.taken.{os.getpid()}"
        try:
            order.rename(taken)  # one process wins, however many reach the point
        except FileNotFoundError:
            return
        strike = _SIGNALS[Strike(taken.read_text(encoding="ascii").strip())]
        # To this thread and no other: a signal to the process may interrupt another thread first, and this one would
        # run past the point meanwhile.
        signal.pthread_kill(threading.get_ident(), strike)

    return suffer


def lay(folder: Path, point: Point, strike: Strike) -> None:
    """Lay a strike at a point, for whichever process comes first."""
    half = folder / f".{point}.{os.getpid()}"
    half.write_text(strike, encoding="ascii")
    half.rename(folder / point)


def take_back(folder: Path, point: Point) -> bool:
    """Remove a strike that no process has taken yet; False if one has."""
    try:
        (folder / point).unlink()
    except FileNotFoundError:
        return False
    return True


def suffered(folder: Path, point: Point) -> list[int]:
    """Return the pids of the processes that suffered a strike at a point, in no order."""
    return [int(path.name.rpartition(".")[2]) for path in folder.glob(f"{point}.taken.*")]
