"""Acts on the AT Protocol network: wrong, late, lost and doubled answers, a server that dies, an account taken down.

All but the last three happen in the proxy before the server of the accounts (PDS).
"""

from __future__ import annotations

import signal
from typing import Any

import httpx

from fleet.chaos.acts.people import resumed
from fleet.chaos.acts.struck import Struck
from fleet.chaos.plan import Planned
from fleet.chaos.surfaces.atproto import AtProtoSurface
from fleet.chaos.surfaces.fault_proxy import NetworkFault
from fleet.chaos.surfaces.network import PDS
from fleet.chaos.world import LEASE_S, World
from fleet.core import clock
from fleet.core.errors import FleetError

_TARGET = "the PDS"
_WRITES = ("putRecord", "deleteRecord")
_READS = ("getTimeline", "listNotifications", "getRecord", "getPosts", "getProfiles", "getPostThread", "resolveHandle")


def _network(world: World) -> AtProtoSurface:
    assert isinstance(world.surface, AtProtoSurface)
    return world.surface


def _while_faulty(world: World, planned: Planned, rate: float | None = None, **fault: Any) -> Struck:
    began, proxy = clock.now(), _network(world).proxy
    share = planned.detail["rate"] if rate is None else rate
    proxy.arm(NetworkFault(share, planned.dice, **fault))
    try:
        world.wait(planned.detail["for_s"])
        made = proxy.made
    finally:
        proxy.arm(None)
    return Struck(_TARGET, {"made": made}, hit=made > 0, at=began, until=clock.now())


def errors(world: World, planned: Planned) -> Struck:
    """Answer 500 to a share of the calls."""
    return _while_faulty(world, planned, answer=(500, {"error": "InternalServerError", "message": "fault"}, {}))


def throttle(world: World, planned: Planned) -> Struck:
    """Answer 429 with Retry-After to a share of the calls."""
    again = {"retry-after": str(planned.detail["retry_after_s"])}
    return _while_faulty(world, planned, answer=(429, {"error": "RateLimitExceeded", "message": "fault"}, again))


def slow(world: World, planned: Planned) -> Struck:
    """Take longer than a lease."""
    calls = _READS if planned.detail["reads_only"] else ()
    return _while_faulty(world, planned, calls=calls, delay_s=LEASE_S + planned.detail["beyond_lease_s"])


def lost_reply(world: World, planned: Planned) -> Struck:
    """Execute a share of the writes, and lose the response."""
    return _while_faulty(world, planned, calls=_WRITES, loses=True)


def twice(world: World, planned: Planned) -> Struck:
    """Take a share of the writes twice."""
    return _while_faulty(world, planned, calls=_WRITES, is_twice=True)


def cut(world: World, planned: Planned) -> Struck:
    """Close every connection without an answer."""
    return _while_faulty(world, planned, rate=1.0, is_cut=True)


def expire_tokens(world: World, planned: Planned) -> Struck:
    """Say of a share of the calls that their token has expired."""
    return _while_faulty(world, planned, answer=(400, {"error": "ExpiredToken", "message": "Token has expired"}, {}))


def lie(world: World, planned: Planned) -> Struck:
    """Execute a share of the calls, and answer 200 with an error inside."""
    return _while_faulty(world, planned, lies=True)


def lose_media(world: World, planned: Planned) -> Struck:
    """Refuse a share of the posts with pictures, since these are gone."""
    gone: Any = (400, {"error": "BlobNotFound", "message": "Could not find blob"}, {})
    return _while_faulty(world, planned, calls=("putRecord",), answer=gone, only_with=b"app.bsky.embed.images")


def kill(world: World, planned: Planned) -> Struck:  # noqa: ARG001 - every act is called alike
    """SIGKILL the PDS."""
    pid = world.pid(PDS)
    return Struck(_TARGET, {"pid": pid}, hit=world.signal(pid, signal.SIGKILL))


def pause(world: World, planned: Planned) -> Struck:
    """Suspend the PDS."""
    pid = world.pid(PDS)
    hit = world.signal(pid, signal.SIGSTOP)
    try:
        world.wait(planned.detail["for_s"])
    finally:
        world.signal(pid, signal.SIGCONT)
    return Struck(_TARGET, {"pid": pid}, hit=hit)


def take_down(world: World, planned: Planned) -> Struck:
    """Take an agent's account down for a while; then a person resumes what the fleet paused."""
    surface = _network(world)
    username = world.choose(sorted(surface.dids), planned.pick)
    did = surface.dids[username]
    began = clock.now()
    surface.network.take_down(did, applied=True)
    try:
        world.wait(planned.detail["for_s"])
    finally:
        if not world.wait_until(lambda: _restored(surface, did), 60):
            raise FleetError(f"The account of {username} could not be restored.")
    until = clock.now()
    return Struck(username, {"did": did, "woken": resumed(world)}, at=began, until=until)


def _restored(surface: AtProtoSurface, did: str) -> bool:
    try:
        surface.network.take_down(did, applied=False)
    except httpx.HTTPError:
        return False
    return True
