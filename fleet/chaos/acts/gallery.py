"""Acts on the gallery: its responses, its speed, duplicate requests, and whether it is up at all."""

from __future__ import annotations

import signal
from typing import Any

from fleet.chaos.acts.keys import honoured
from fleet.chaos.acts.people import resumed
from fleet.chaos.acts.struck import Struck
from fleet.chaos.plan import Planned
from fleet.chaos.surfaces.gallery import GallerySurface
from fleet.chaos.world import LEASE_S, World
from fleet.chaos.world.servers import limit_file_size
from fleet.core import clock

_TARGET = "gallery"
_NO_BUDGETS: dict[str, Any] = {}


def _control(world: World, method: str, path: str, body: object = None) -> Any:
    assert isinstance(world.surface, GallerySurface)
    return world.surface.control(world, method, path, body)


def errors(world: World, planned: Planned) -> Struck:
    """Answer 500 to a share of all requests."""
    return _while_ruled(world, planned, match="/api/*", error_rate=planned.detail["rate"])


def throttle(world: World, planned: Planned) -> Struck:
    """Answer 429 with Retry-After to a share of all requests."""
    again_s = planned.detail["retry_after_s"]
    return _while_ruled(world, planned, match="/api/*", too_many_rate=planned.detail["rate"], retry_after_s=again_s)


def lost_reply(world: World, planned: Planned) -> Struck:
    """Execute a share of the writes, and lose the response."""
    return _while_ruled(
        world, planned, match="/api/showcase*", methods=["POST"], drop_rate=planned.detail["rate"]
    )  # fmt: skip


def like_twice(world: World, planned: Planned) -> Struck:
    """Execute a share of the likes twice; the second undoes the first."""
    match = "/api/showcase/*/like"
    return _while_ruled(world, planned, match=match, methods=["POST"], duplicate_rate=planned.detail["rate"])


def twice(world: World, planned: Planned) -> Struck:
    """Take a share of the writes twice, while keys are honoured: without them no client could help it."""
    with honoured(world):
        return _while_ruled(
            world, planned, match="/api/showcase*", methods=["POST"], duplicate_rate=planned.detail["rate"]
        )  # fmt: skip


def slow(world: World, planned: Planned) -> Struck:
    """Take longer than a lease. A write that takes effect so late has been given up, so keys are honoured for those."""
    delay_s = LEASE_S + planned.detail["beyond_lease_s"]
    rule = {"match": "/api/*", "latency_rate": planned.detail["rate"], "latency_ms": int(delay_s * 1000)}
    if planned.detail["reads_only"]:
        return _while_ruled(world, planned, **rule, methods=["GET"])
    with honoured(world, late_s=delay_s):
        return _while_ruled(world, planned, **rule)


def _while_ruled(world: World, planned: Planned, **rule: Any) -> Struck:
    """Let the gallery misbehave for a while by one rule; a gallery that was killed meanwhile has forgotten it."""
    began = clock.now()
    _control(world, "PUT", "/api/sandbox/faults", [{**rule, "seed": planned.dice}])
    made = 0
    try:
        world.wait(planned.detail["for_s"])
        rules = _control(world, "GET", "/api/sandbox/faults")["rules"]
        made = sum(int(one["made"]) for one in rules)
    finally:
        _control(world, "PUT", "/api/sandbox/faults", [])
    return Struck(_TARGET, {**rule, "made": made}, at=began, until=clock.now())


def budget(world: World, planned: Planned) -> Struck:
    """Grant no more pictures for a while; then a person grants them again and wakes the sleeping agents."""
    whose = "fleetDaily" if planned.detail["whole_fleet"] else "agentDaily"
    try:
        _control(world, "PUT", "/api/sandbox/budgets", {whose: 0})
        world.wait(planned.detail["for_s"])
    finally:
        _control(world, "PUT", "/api/sandbox/budgets", _NO_BUDGETS)
    woken = resumed(world)
    return Struck(_TARGET, {"budget": whose, "woken": woken})


def paused(world: World, planned: Planned) -> Struck:
    """Throw the surface's own kill switch; a person lifts it, and the pause that the fleet drew from it."""
    try:
        _control(world, "PUT", "/api/sandbox/paused", {"paused": True})
        world.wait(planned.detail["for_s"])
    finally:
        _control(world, "PUT", "/api/sandbox/paused", {"paused": False})
    return Struck(_TARGET, {"woken": resumed(world)})


def kill(world: World, planned: Planned) -> Struck:  # noqa: ARG001 - every act is called alike
    """SIGKILL the gallery."""
    pid = world.pid(_TARGET)
    return Struck(_TARGET, {"pid": pid}, hit=world.signal(pid, signal.SIGKILL))


def disk_full(world: World, planned: Planned) -> Struck:
    """Let the gallery write no file: pictures cannot be stored, while its database works."""
    pid = world.pid(_TARGET)
    if pid is None or not limit_file_size(pid, 0):
        return Struck(_TARGET, hit=False)
    try:
        world.wait(planned.detail["for_s"])
    finally:
        limit_file_size(pid, -1)
    return Struck(_TARGET, {"pid": pid})
