"""The gateway's rules, with a surface that counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fleet.adapters.base import Account, Action, ImageOrder, PictureFile, Receipt, Verb
from fleet.adapters.gateway import (
    Caps,
    DryRun,
    Gateway,
    Lease,
    LeaseEnding,
    NotAllowed,
    Policy,
    Stopped,
    WriteUsage,
    comment_would_crowd,
    wait_for,
)
from fleet.core import clock

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ACCOUNT = Account("a", "ada_1", "Ada", None)
POST = Action(Verb.POST, ACCOUNT, "key", text="Hello", image_url="http://x")


class Surface:
    name, host, port, third_party, capabilities = "test", "127.0.0.1", 8000, False, frozenset(Verb)

    def __init__(self) -> None:
        self.timeouts: list[float] = []

    def write(self, action: Action, *, timeout_s: float) -> Receipt:
        self.timeouts.append(timeout_s)
        return Receipt("r1")

    def make_image(self, order: ImageOrder, *, timeout_s: float) -> str:
        self.timeouts.append(timeout_s)
        return "http://x/1.png"


def no_picture(url: str, within_s: float) -> PictureFile:
    raise AssertionError(f"{url} was fetched within {within_s} s")


def gateway(surface: Any, *, stopped: str | None = None, **policy: Any) -> Gateway:
    return Gateway(surface, Policy(**policy), lambda: stopped, fetch=no_picture)


def lease(seconds: float = 60) -> Lease:
    return Lease(clock.monotonic_s() + seconds)


ORDER = ImageOrder(ACCOUNT, "a harbour", "key")
EVERY_WAY = [lambda door: door.write(POST, lease()), lambda door: door.make_image(ORDER, lease())]


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
        way(gateway(surface, **rules))
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
        gateway(Surface(), dry_run=True).write(POST, lease())
    assert caught.value.draft == {"verb": "post", "as": "ada_1", "text": "Hello", "image_url": "http://x"}


def test_the_call_ends_before_the_lease_does() -> None:
    surface = Surface()
    gateway(surface).write(POST, lease(30))
    assert 0 < surface.timeouts[0] * 2 <= 28


@pytest.mark.parametrize("left_s", [-5.0, 0.0, 1.9])
def test_a_lease_that_is_about_to_end_forbids_the_write(left_s: float) -> None:
    surface = Surface()
    with pytest.raises(LeaseEnding):
        gateway(surface).write(POST, lease(left_s))
    assert surface.timeouts == []


def test_the_kill_switch_is_read_after_every_other_rule() -> None:
    read: list[str] = []

    def stopped() -> None:
        read.append("kill switch")

    surface = Surface()
    Gateway(surface, Policy(), stopped, fetch=no_picture).write(POST, lease())  # type: ignore[arg-type]
    assert read == ["kill switch"]
    with pytest.raises(NotAllowed):
        Gateway(surface, Policy(frozenset()), stopped, fetch=no_picture).write(  # type: ignore[arg-type]
            POST, lease()
        )
    assert read == ["kill switch"]


def test_what_a_surface_cannot_do_is_not_tried() -> None:
    surface = Surface()
    surface.capabilities = frozenset({Verb.LIKE})  # type: ignore[misc]
    with pytest.raises(NotAllowed, match="no post"):
        gateway(surface).write(POST, lease())


def test_labels_stay_on_where_others_live() -> None:
    surface = Surface()
    gateway(surface, label=False).write(POST, lease())
    surface.third_party = True  # type: ignore[misc]
    with pytest.raises(NotAllowed, match="label"):
        gateway(surface, label=False).write(POST, lease())


def test_a_gap_is_kept_to_the_second() -> None:
    caps = Caps()
    last = WriteUsage({"post": 1}, {"post": NOW})
    wait = wait_for(Verb.POST, last, caps, NOW + timedelta(minutes=29, seconds=59))
    assert wait is not None and wait.until == NOW + timedelta(minutes=30)
    assert wait_for(Verb.POST, last, caps, NOW + timedelta(minutes=30)) is None
    assert wait_for(Verb.LIKE, last, caps, NOW) is None


def test_a_daily_cap_waits_and_looks_again() -> None:
    wait = wait_for(Verb.COMMENT, WriteUsage({"comment": 50}, {}), Caps(), NOW)
    assert wait is not None and NOW < wait.until <= NOW + timedelta(hours=1)
    assert wait_for(Verb.COMMENT, WriteUsage({"comment": 49}, {}), Caps(), NOW) is None


@given(st.integers(0, 30), st.integers(0, 10))
def test_ai_comments_never_exceed_the_human_ones_by_more_than_the_lead(human: int, lead: int) -> None:
    caps, ours = Caps(ai_comment_lead=lead), 0
    while not comment_would_crowd(human + ours, ours, caps):
        ours += 1
    assert ours == human + lead


def test_a_count_that_the_surface_shows_late_does_not_let_us_in() -> None:
    assert comment_would_crowd(comments=0, ours=3, caps=Caps())
