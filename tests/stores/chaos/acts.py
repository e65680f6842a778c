"""The faults of the two shops, and the kinds from which a run of stores draws its plan."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
from collections.abc import Callable
from typing import Any

from fleet.chaos.acts import ACTS, Struck, workers
from fleet.chaos.acts.people import resumed
from fleet.chaos.kinds import BY_NAME, Detail, FaultKind
from fleet.chaos.plan import Planned
from fleet.chaos.world import LEASE_S, World
from fleet.core import clock
from fleet.core.failpoints import Point
from tests.stores.chaos.shop_proxy import ShopFault
from tests.stores.chaos.world import STORE_LEASE_S, ShopSite, StoresWorld

_FROM_THE_HARNESS = (
    "worker.kill", "worker.kill-at-point", "worker.stop-at-point", "worker.kill-child", "worker.deploy", "beat.kill",
    "beat.stop", "broker.flush", "broker.kill", "broker.duplicate", "broker.reorder", "broker.delay", "database.kill",
    "database.kill-backend", "database.terminate", "database.cut-commit", "web.kill", "fleet.kill-switch",
)  # fmt: skip


def _rate(least: float, most: float) -> Callable[[random.Random], Detail]:
    return lambda dice: {"for_s": round(dice.uniform(6, 14), 2), "rate": round(dice.uniform(least, most), 2)}


def _for(least_s: float, most_s: float) -> Callable[[random.Random], Detail]:
    return lambda dice: {"for_s": round(dice.uniform(least_s, most_s), 2)}


_OF_SHOPS = (
    FaultKind("shop.lost-reply", "A shop performs a write and its response is lost.", _rate(0.4, 0.9), times=4),
    FaultKind("shop.errors", "A shop responds with 500, and does nothing.", _rate(0.3, 0.8)),
    FaultKind("shop.throttle", "A shop responds with 429 and Retry-After.", _rate(0.3, 0.8)),
    FaultKind("shop.slow-reads", "A shop needs 9 s to answer a read.", _rate(0.1, 0.4)),
    FaultKind("shop.slow-writes", "A write reaches a shop three seconds late.", _rate(0.3, 0.8)),
    FaultKind("shop.cut", "Every connection to a shop is cut.", _for(2, 6)),
    FaultKind("shop.kill", "A shop gets SIGKILL and is restarted over its data.", _for(1, 5), times=2),
    FaultKind("shop.pause", "A shop is suspended for a while.", _for(2, 6)),
)
KINDS = (*(BY_NAME[name] for name in _FROM_THE_HARNESS), *_OF_SHOPS)


def _site(world: World, planned: Planned) -> ShopSite:
    assert isinstance(world, StoresWorld)
    return world.shops.sites[world.choose(("vendure", "oscar"), planned.pick)]


def _while_faulty(world: World, planned: Planned, rate: float | None = None, **fault: Any) -> Struck:
    site, began = _site(world, planned), clock.now()
    assert site.proxy is not None
    share = planned.detail["rate"] if rate is None else rate
    site.proxy.arm(ShopFault(share, planned.dice, **fault))
    try:
        world.wait(planned.detail["for_s"])
        made = site.proxy.made
    finally:
        site.proxy.arm(None)
    until = clock.now()
    return Struck(site.name, {"made": made, "woken": resumed(world)}, hit=made > 0, at=began, until=until)


def _lost_reply(world: World, planned: Planned) -> Struck:
    return _while_faulty(world, planned, only_writes=True, loses=True)


def _errors(world: World, planned: Planned) -> Struck:
    return _while_faulty(world, planned, answer=(500, {}))


def _throttle(world: World, planned: Planned) -> Struck:
    return _while_faulty(world, planned, answer=(429, {"retry-after": "2"}))


def _slow_reads(world: World, planned: Planned) -> Struck:
    return _while_faulty(world, planned, only_reads=True, delay_s=LEASE_S + 1)


def _slow_writes(world: World, planned: Planned) -> Struck:
    return _while_faulty(world, planned, only_writes=True, delay_s=3.0)


def _cut(world: World, planned: Planned) -> Struck:
    return _while_faulty(world, planned, rate=1.0, is_cut=True)


def _kill(world: World, planned: Planned) -> Struck:
    site, began = _site(world, planned), clock.now()
    pid = site.shop.pid
    site.kills += 1
    site.shop.kill()
    try:
        world.wait(planned.detail["for_s"])
    finally:
        site.shop.start()
    return Struck(site.name, {"pid": pid, "woken": resumed(world)}, at=began, until=clock.now())


def _pause(world: World, planned: Planned) -> Struck:
    site, began = _site(world, planned), clock.now()
    pid = site.shop.pid
    os.killpg(pid, signal.SIGSTOP)
    try:
        world.wait(planned.detail["for_s"])
    finally:
        os.killpg(pid, signal.SIGCONT)
    return Struck(site.name, {"pid": pid}, at=began, until=clock.now())


def _stop_at_point(world: World, planned: Planned) -> Struck:
    """Suspend a pool child, but not between its last look at the lease and the socket: shops have no keys."""
    points = [one if one != Point.JOB_CLEARED else str(Point.JOB_SENT) for one in planned.detail["points"]]
    past_s = planned.detail["past_lease_s"] + STORE_LEASE_S - LEASE_S
    detail = {**planned.detail, "folder": "forked", "points": points, "past_lease_s": past_s}
    return workers.stop_at_point(world, dataclasses.replace(planned, detail=detail))


def install() -> None:
    """Let the nemesis know these acts."""
    ACTS.update({
        "shop.lost-reply": _lost_reply, "shop.errors": _errors, "shop.throttle": _throttle,
        "shop.slow-reads": _slow_reads, "shop.slow-writes": _slow_writes, "shop.cut": _cut, "shop.kill": _kill,
        "shop.pause": _pause, "worker.stop-at-point": _stop_at_point,
    })  # fmt: skip
