"""The gateway's rules, with a surface that counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.adapters.base import Account, Action, AnyAction, Receipt, Resolution, SurfaceObject
from fleet.adapters.gateway import (
    Caps,
    DryRun,
    Gateway,
    Lease,
    LeaseEnding,
    NotAllowed,
    PictureGateway,
    Policy,
    Stopped,
    SystemRules,
    WriteUsage,
    wait_for,
)
from fleet.adapters.pictures import PictureFile, PictureOrder
from fleet.adapters.social import ACTIONS, COMMENT, LIKE, POST, FeedItem, Offers, SaidComment
from fleet.core import clock
from tests.factories import act

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ACCOUNT = Account("a", "ada_1", "Ada", None)
CAPS = Caps.of(ACTIONS)
HELLO = act(POST, ACCOUNT, text="Hello", image_url="http://x")


class Surface:
    name, scheme, host, port, third_party = "test", "http", "127.0.0.1", 8000, False
    actions = dict.fromkeys((one.name for one in ACTIONS), Resolution.NATURAL)

    def __init__(self) -> None:
        self.timeouts: list[float] = []

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        self.timeouts.append(timeout_s)
        return Receipt("r1")

    def make(self, order: PictureOrder, *, timeout_s: float) -> str:
        self.timeouts.append(timeout_s)
        return "http://x/1.png"

    def offers(self) -> Offers:
        return Offers()

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        return []

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        return []

    def item(self, account: Account, item_id: str) -> FeedItem:
        raise AssertionError(item_id)

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        return None

    def url_of(self, found: SurfaceObject) -> str | None:
        return None


def no_picture(url: str, within_s: float) -> PictureFile:
    raise AssertionError(f"{url} was fetched within {within_s} s")


def gateway(surface: Any, *, stopped: str | None = None, **policy: Any) -> Gateway:
    return Gateway(surface, Policy(**{"caps": CAPS, **policy}), lambda: stopped)


def picture_gateway(surface: Any, *, stopped: str | None = None, **policy: Any) -> PictureGateway:
    return PictureGateway(surface, Policy(**policy), lambda: stopped, fetch=no_picture)


def lease(seconds: float = 60) -> Lease:
    return Lease(clock.monotonic_s() + seconds)


ORDER = PictureOrder(ACCOUNT, "a harbour", "key")
EVERY_WAY = [
    lambda *given, **rules: gateway(*given, **rules).write(HELLO, lease()),
    lambda *given, **rules: picture_gateway(*given, **rules).make(ORDER, lease()),
]


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize(
    ("rules", "error"),
    [
        ({"dry_run": True}, DryRun),
        ({"stopped": "kill switch"}, Stopped),
        ({"allowed_hosts": frozenset({"gallery.example"})}, NotAllowed),
    ],
)
def test_no_path_leads_past_a_rule(way: Any, rules: dict[str, Any], error: type[Exception]) -> None:
    surface = Surface()
    with pytest.raises(error):
        way(surface, **rules)
    assert surface.timeouts == []


@pytest.mark.parametrize(
    ("allowed", "host", "port", "is_allowed"),
    [
        ("127.0.0.1", "127.0.0.1", 9000, True),
        ("127.0.0.1:8000", "127.0.0.1", 8000, True),
        ("127.0.0.1:8000", "127.0.0.1", 9000, False),
        ("localhost:8000", "127.0.0.1", 8000, False),
        ("[::1]:8000", "::1", 8000, True),
        ("[::1]:8000", "::1", 9000, False),
        ("::1", "::1", 9000, True),
    ],
)
def test_an_allowed_host_may_be_held_to_its_port(allowed: str, host: str, port: int, is_allowed: bool) -> None:
    surface = Surface()
    surface.host, surface.port = host, port  # type: ignore[misc]
    assert gateway(surface, allowed_hosts=frozenset({allowed})).is_allowed_host is is_allowed


def test_a_dry_run_returns_the_draft_as_data() -> None:
    with pytest.raises(DryRun) as caught:
        gateway(Surface(), dry_run=True).write(HELLO, lease())
    assert caught.value.draft == {"verb": "post", "as": "ada_1", "text": "Hello", "image_url": "http://x"}


def test_the_call_ends_before_the_lease_does() -> None:
    surface = Surface()
    gateway(surface).write(HELLO, lease(30))
    assert 0 < surface.timeouts[0] * 2 <= 28


@pytest.mark.parametrize("left_s", [-5.0, 0.0, 1.9])
def test_a_lease_that_is_about_to_end_forbids_the_write(left_s: float) -> None:
    surface = Surface()
    with pytest.raises(LeaseEnding):
        gateway(surface).write(HELLO, lease(left_s))
    assert surface.timeouts == []


def test_the_kill_switch_is_read_after_every_other_rule() -> None:
    read: list[str] = []

    def stopped() -> None:
        read.append("kill switch")

    surface = Surface()
    Gateway(surface, Policy(caps=CAPS), stopped).write(HELLO, lease())  # type: ignore[arg-type]
    assert read == ["kill switch"]
    with pytest.raises(NotAllowed):
        Gateway(surface, Policy(frozenset(), caps=CAPS), stopped).write(  # type: ignore[arg-type]
            HELLO, lease()
        )
    assert read == ["kill switch"]


def test_what_a_surface_cannot_do_is_not_tried() -> None:
    surface = Surface()
    surface.actions = {LIKE.name: Resolution.NATURAL}  # type: ignore[misc]
    with pytest.raises(NotAllowed, match="no action post"):
        gateway(surface).write(HELLO, lease())


def test_an_action_that_no_feature_registers_is_not_written() -> None:
    surface = Surface()
    with pytest.raises(NotAllowed, match="No feature of this fleet registers the action post"):
        gateway(surface, caps=Caps.of((LIKE,))).write(HELLO, lease())
    assert surface.timeouts == []


def test_a_payload_of_another_action_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="the action like is a PostPayload, not a LikePayload"):
        Action(LIKE, ACCOUNT, "key", HELLO.payload)  # type: ignore[arg-type]


def test_labels_stay_on_where_others_live() -> None:
    surface = Surface()
    gateway(surface, label=False).write(HELLO, lease())
    surface.third_party = True  # type: ignore[misc]
    with pytest.raises(NotAllowed, match="label"):
        gateway(surface, label=False).write(HELLO, lease())


def test_a_gap_is_kept_to_the_second() -> None:
    last = WriteUsage({"post": 1}, {"post": NOW})
    wait = wait_for(POST, last, CAPS, NOW + timedelta(minutes=29, seconds=59))
    assert wait is not None and wait.until == NOW + timedelta(minutes=30)
    assert wait_for(POST, last, CAPS, NOW + timedelta(minutes=30)) is None
    assert wait_for(LIKE, last, CAPS, NOW) is None


def test_a_daily_cap_waits_and_looks_again() -> None:
    wait = wait_for(COMMENT, WriteUsage({"comment": 50}, {}), CAPS, NOW)
    assert wait is not None and NOW < wait.until <= NOW + timedelta(hours=1)
    assert wait_for(COMMENT, WriteUsage({"comment": 49}, {}), CAPS, NOW) is None


def test_a_write_that_needs_consent_passes_only_with_the_approval_of_this_one() -> None:
    surface, rules = Surface(), SystemRules(consent={"post": "Rule 8.2."})
    lease = Lease(clock.SYSTEM.monotonic_s() + 60)
    gateway = Gateway(surface, Policy(caps=CAPS), lambda: None, rules)
    with pytest.raises(NotAllowed, match=r"a person must approve each post. Rule 8.2"):
        gateway.write(HELLO, lease)
    assert gateway.consent_rule(HELLO) == "Rule 8.2." and not surface.timeouts
    approved = replace(HELLO, is_approved=True)
    assert gateway.consent_rule(approved) == "" and gateway.write(approved, lease).remote_id == "r1"
    with pytest.raises(DryRun):
        gateway.under(Policy(caps=CAPS, dry_run=True)).write(HELLO, lease)
