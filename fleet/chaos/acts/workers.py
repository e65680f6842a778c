"""Faults of workers and beats: SIGKILL at any time, kill or suspend at a step of the protocol, kill of a child."""

from __future__ import annotations

import signal
from pathlib import Path

from fleet.chaos.acts.keys import honoured
from fleet.chaos.acts.struck import Struck
from fleet.chaos.plan import Planned
from fleet.chaos.world import LEASE_S, World
from fleet.core import failpoints
from fleet.core.failpoints import Point, Strike
from fleet.sandbox.processes import proc

_REACHED_WITHIN_S = 12.0
_SENDS_LATE_S = 3.0


def kill(world: World, planned: Planned) -> Struck:
    """SIGKILL a worker at a random moment."""
    name = world.choose(world.workers, planned.pick)
    pid = world.pid(name)
    return Struck(name, {"pid": pid}, hit=world.signal(pid, signal.SIGKILL))


def kill_child(world: World, planned: Planned) -> Struck:
    """SIGKILL one child of the prefork worker."""
    leader = world.pid("forked")
    children = sorted(one.pid for one in proc.session_members(leader or 0) if one.pid != leader) if leader else []
    if not children:
        return Struck("forked", hit=False)
    pid = children[min(int(planned.pick * len(children)), len(children) - 1)]
    return Struck("forked", {"pid": pid}, hit=world.signal(pid, signal.SIGKILL))


def kill_at_point(world: World, planned: Planned) -> Struck:
    """Lay SIGKILL at several lines of the protocol and wait until they have been reached."""
    folder = world.points(planned.detail["folder"])
    points = [Point(name) for name in planned.detail["points"]]
    pids = _strike(world, folder, points, Strike.KILL)
    return _struck(planned, pids)


def stop_at_point(world: World, planned: Planned) -> Struck:
    """Suspend a process at a line of the protocol until its lease has run out.

    A suspended process of many threads may have one between its last check of the lease and the socket, which then
    sends late; so may any at `job.cleared`. No client can prevent that: the surface must honour keys meanwhile, as
    every write has one. A pool child works on one job at a time and is tested without.
    """
    folder = world.points(planned.detail["folder"])
    points = [Point(name) for name in planned.detail["points"]]
    lone = planned.detail["folder"] == "forked" and Point.JOB_CLEARED not in points
    if lone:
        return _suspend(world, planned, folder, points)
    with honoured(world, late_s=_SENDS_LATE_S):
        return _suspend(world, planned, folder, points)


def _suspend(world: World, planned: Planned, folder: Path, points: list[Point]) -> Struck:
    pids = _strike(world, folder, points, Strike.STOP)
    try:
        if pids:
            world.wait(LEASE_S + planned.detail["past_lease_s"])
    finally:
        for pid in (pid for found in pids.values() for pid in found):
            world.signal(pid, signal.SIGCONT)
    return _struck(planned, pids)


def _strike(world: World, folder: Path, points: list[Point], strike: Strike) -> dict[str, list[int]]:
    """Place a strike at each point and return the processes that it hit; strikes that no process reached in time are
    removed.
    """
    for point in points:
        for old in folder.glob(f"{point}.taken.*"):
            old.unlink()
        failpoints.lay(folder, point, strike)
    try:
        world.wait_until(lambda: all(failpoints.suffered(folder, point) for point in points), _REACHED_WITHIN_S)
    finally:
        for point in points:
            failpoints.take_back(folder, point)
    return {str(point): pids for point in points if (pids := failpoints.suffered(folder, point))}


def _struck(planned: Planned, pids: dict[str, list[int]]) -> Struck:
    detail = {"folder": planned.detail["folder"], "points": planned.detail["points"], "suffered": pids}
    return Struck(", ".join(pids) or ", ".join(planned.detail["points"]), detail, hit=bool(pids))


def kill_beat(world: World, planned: Planned) -> Struck:
    """SIGKILL one beat or both."""
    names = world.beats if planned.detail["both"] else (world.choose(world.beats, planned.pick),)
    pids = {name: world.pid(name) for name in names}
    hits = [world.signal(pid, signal.SIGKILL) for pid in pids.values()]
    return Struck(", ".join(names), {"pids": pids}, hit=any(hits))


def stop_beat(world: World, planned: Planned) -> Struck:
    """Suspend both beats."""
    pids = {name: world.pid(name) for name in world.beats}
    try:
        hits = [world.signal(pid, signal.SIGSTOP) for pid in pids.values()]
        world.wait(planned.detail["for_s"])
    finally:
        for pid in pids.values():
            world.signal(pid, signal.SIGCONT)
    return Struck(", ".join(world.beats), {"pids": pids}, hit=any(hits))
