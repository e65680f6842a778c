"""Failpoints: the named lines of the protocol at which the fault harness may strike. Off, one costs a comparison.

`fleet.engine` says where it stands with `reach`; a door arms them from FLEET_FAILPOINTS_DIR, which only the harness
sets. A strike is a file named after its point: the first process that reaches the point takes the file and suffers it.
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
    """Each line of the protocol (ARCHITECTURE.md); where two facts could part, there is a point between them."""

    DISPATCH_CLAIMED = "dispatch.claimed"  # agents locked, ticks inserted, nothing committed
    DISPATCH_COMMITTED = "dispatch.committed"  # ticks stand, no message sent
    DISPATCH_PUBLISHED = "dispatch.published"
    TICK_CLAIMED = "tick.claimed"
    TICK_DECIDED = "tick.decided"  # decided, nothing recorded
    TICK_RECORDED = "tick.recorded"  # the decision and its jobs stand, no message sent
    TICK_PUBLISHED = "tick.published"
    JOB_CLAIMED = "job.claimed"
    CALL_RESERVED = "call.reserved"  # money is set aside, no model was asked
    CALL_SETTLED = "call.settled"  # the words are paid, not yet saved
    JOB_STEP_PAID = "job.step.paid"  # a paid step is done and not yet saved
    JOB_STEP_SAVED = "job.step.saved"
    JOB_PREPARED = "job.prepared"
    JOB_ANNOUNCED = "job.announced"  # `sending` is committed, nothing has left the house
    JOB_CLEARED = "job.cleared"  # lease and kill switch were read for the last time
    JOB_SENT = "job.sent"  # the surface has answered, nothing is recorded
    JOB_RECORDING = "job.recording"  # the end is being written, not committed
    JOB_FINISHED = "job.finished"  # committed; the task has not returned
    SWEEP_RELEASED = "sweep.released"  # leases taken back, not committed
    SWEEP_PUBLISHED = "sweep.published"


class Strike(StrEnum):
    """What may happen to a process at a point: the content of the file."""

    KILL = "KILL"
    STOP = "STOP"  # suspended until somebody sends SIGCONT


_SIGNALS = {Strike.KILL: signal.SIGKILL, Strike.STOP: signal.SIGSTOP}
_hook: Callable[[Point], None] | None = None


def reach(point: Point) -> None:
    """Say that the process stands at a point."""
    if _hook is not None:
        _hook(point)


def arm(hook: Callable[[Point], None] | None) -> None:
    """Have `hook` called at every point from now on; None switches them off."""
    global _hook
    _hook = hook


def strikes_from(folder: Path) -> Callable[[Point], None]:
    """Return a hook that suffers the strikes laid into a folder. Raises InvalidInput if there is no such folder."""
    if not folder.is_dir():
        raise InvalidInput(f"FLEET_FAILPOINTS_DIR: {folder} is no folder.", fix="Only the fault harness sets it.")

    def suffer(point: Point) -> None:
        order = folder / point
        taken = folder / f"{point}.taken.{os.getpid()}"
        try:
            order.rename(taken)  # one process wins, whoever else reaches the point
        except FileNotFoundError:
            return
        strike = _SIGNALS[Strike(taken.read_text(encoding="ascii").strip())]
        # To this thread and no other: a signal to the process may wake another one first, and this one ran on past the
        # point meanwhile.
        signal.pthread_kill(threading.get_ident(), strike)

    return suffer


def lay(folder: Path, point: Point, strike: Strike) -> None:
    """Lay a strike at a point, for whichever process comes first."""
    half = folder / f".{point}.{os.getpid()}"
    half.write_text(strike, encoding="ascii")
    half.rename(folder / point)


def take_back(folder: Path, point: Point) -> bool:
    """Remove a strike that nobody has suffered yet; False if somebody has."""
    try:
        (folder / point).unlink()
    except FileNotFoundError:
        return False
    return True


def suffered(folder: Path, point: Point) -> list[int]:
    """Return the pids of the processes that suffered a strike at a point, in no order."""
    return [int(path.name.rpartition(".")[2]) for path in folder.glob(f"{point}.taken.*")]
