"""Acts on Postgres: killed whole or in part, its sessions ended, a connection cut during COMMIT, its disk full."""

from __future__ import annotations

import random
import signal

from fleet.chaos.acts.struck import Struck
from fleet.chaos.plan import Planned
from fleet.chaos.world import World
from fleet.chaos.world.proxy import Cut

_TARGET = "Postgres"
_CUT_WITHIN_S = 10.0


def kill(world: World, planned: Planned) -> Struck:  # noqa: ARG001 - every act is called alike
    """SIGKILL all of Postgres."""
    pid = world.servers.kill_postgres()
    return Struck(_TARGET, {"pid": pid}, hit=pid > 0)


def kill_backend(world: World, planned: Planned) -> Struck:
    """SIGKILL the process of one session, after which Postgres restarts all the others."""
    pids = world.servers.sessions()
    if not pids:
        return Struck(_TARGET, hit=False)
    pid = pids[min(int(planned.pick * len(pids)), len(pids) - 1)]
    return Struck(_TARGET, {"pid": pid}, hit=world.signal(pid, signal.SIGKILL))


def terminate(world: World, planned: Planned) -> Struck:
    """End a share of the sessions, a few times."""
    dice, ended = random.Random(planned.dice), 0
    for _ in range(planned.detail["rounds"]):
        pids = world.servers.sessions()
        some = dice.sample(pids, max(1, int(len(pids) * planned.detail["share"]))) if pids else []
        ended += world.servers.terminate(some)
        world.wait(0.3)
    return Struck(_TARGET, {"ended": ended}, hit=ended > 0)


def cut_commit(world: World, planned: Planned) -> Struck:
    """Cut the proxied worker's connections while they commit."""
    before, wanted = world.proxy.cuts, planned.detail["cuts"]
    world.proxy.arm(Cut(planned.detail["mode"]), wanted)
    try:
        world.wait_until(lambda: world.proxy.cuts - before >= wanted, _CUT_WITHIN_S)
    finally:
        world.proxy.disarm()
    cuts = world.proxy.cuts - before
    return Struck("proxied", {"mode": planned.detail["mode"], "cuts": cuts}, hit=cuts > 0)


def disk_full(world: World, planned: Planned) -> Struck:
    """Let Postgres write nothing more for a while; it panics, stops, and is started again when there is space."""
    if not world.servers.postgres.is_running():
        return Struck(_TARGET, hit=False)
    limited = world.servers.fill_postgres_disk()
    try:
        panicked = world.wait_until(lambda: not world.servers.postgres.is_running(), planned.detail["for_s"])
    finally:
        world.servers.empty_postgres_disk()
    return Struck(_TARGET, {"processes": limited, "stopped_by_itself": panicked}, hit=limited > 0)
