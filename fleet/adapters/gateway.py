"""The gateway: every write to an outside system passes it, and the rules about writing are here and nowhere else.

It checks dry run, the allow-list of hosts, labels, capabilities, caps, the kill switch and the lease that ends soon.
Pure but for the calls that it is handed. `fleet.features.publishing.rules` asks the same caps before it chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fleet.adapters.base import Action, ImageOrder, PictureFile, Platform, Receipt, Verb
from fleet.core import clock
from fleet.core.errors import FleetError
from fleet.core.failpoints import Point, reach

FetchPicture = Callable[[str, float], PictureFile]
MARGIN_S = 2.0
"""A write must be able to end this long before its lease does."""


class NotAllowed(FleetError):
    """The rules forbid this write, now and later."""


class Stopped(FleetError):
    """The kill switch is on."""


class DryRun(FleetError):
    """Nothing was sent because the fleet runs dry; `draft` is what would have been."""

    def __init__(self, draft: dict[str, object]) -> None:
        super().__init__("dry run: nothing was sent")
        self.draft = draft


class LeaseEnding(FleetError):
    """Too little of the lease is left to write safely."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much is enough. Zero gaps and very large counts switch a cap off."""

    post_gap: timedelta = timedelta(minutes=30)
    comment_gap: timedelta = timedelta(seconds=20)
    posts_per_day: int = 48
    comments_per_day: int = 50
    likes_per_day: int = 500
    connects_per_day: int = 10
    ai_comment_lead: int = 3
    surface_writes_per_minute: int = 100
    day: timedelta = timedelta(days=1)

    def gap(self, verb: Verb) -> timedelta:
        """Return the least time between two writes of this kind by one agent."""
        return {Verb.POST: self.post_gap, Verb.COMMENT: self.comment_gap}.get(verb, timedelta(0))

    def daily(self, verb: Verb) -> int | None:
        """Return the most writes of this kind by one agent in a day; None where there is no cap."""
        counts = {
            Verb.POST: self.posts_per_day, Verb.COMMENT: self.comments_per_day, Verb.LIKE: self.likes_per_day,
            Verb.REACT: self.likes_per_day, Verb.CONNECT: self.connects_per_day,
        }  # fmt: skip
        return counts.get(verb)


@dataclass(frozen=True, slots=True)
class WriteUsage:
    """What an agent has written lately: for each kind how often within `Caps.day`, and when last."""

    counts: Mapping[str, int] = field(default_factory=dict)
    last_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`."""

    until: datetime
    why: str


def wait_for(verb: Verb, usage: WriteUsage, caps: Caps, now: datetime) -> Wait | None:
    """Return how long an agent's own caps make it wait with a kind of write; None if it may go ahead."""
    last = usage.last_at.get(verb)
    if last is not None and now < last + caps.gap(verb):
        return Wait(last + caps.gap(verb), f"cap: one {verb} in {_span(caps.gap(verb))}")
    most = caps.daily(verb)
    if most is not None and usage.counts.get(verb, 0) >= most:
        return Wait(now + caps.day / 24, f"cap: {most} {verb}s a day")
    return None


def comment_would_crowd(comments: int, ours: int, caps: Caps) -> bool:
    """Say whether one more AI comment would put them beyond the human ones plus the lead.

    `comments` counts all on the post, `ours` the fleet's (some perhaps not shown yet).
    """
    human = max(0, comments - ours)
    return ours + 1 > human + caps.ai_comment_lead


def _span(gap: timedelta) -> str:
    seconds = gap.total_seconds()
    return f"{seconds / 60:.3g} min" if seconds >= 60 else f"{seconds:.3g} s"


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's rules about writing."""

    allowed_hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    dry_run: bool = False
    label: bool = True
    caps: Caps = field(default_factory=Caps)


@dataclass(frozen=True, slots=True)
class Lease:
    """How long this process may act, on its own rising clock."""

    ends_at_s: float

    def left_s(self) -> float:
        """Return the seconds left; negative when it has run out."""
        return self.ends_at_s - clock.monotonic_s()


class Gateway:
    """The door to one surface.

    `stopped` reads the kill switch and returns why it is on, or None. `fetch` fetches a picture of the surface within
    seconds, from the addresses that the owner allows.
    """

    def __init__(
        self, platform: Platform, policy: Policy, stopped: Callable[[], str | None], *, fetch: FetchPicture
    ) -> None:
        self.platform = platform
        self.policy = policy
        self._stopped = stopped
        self._fetch = fetch

    @property
    def is_allowed_host(self) -> bool:
        """Whether this fleet may write to the surface's host; an entry with a port opens that port alone."""
        allowed, platform = self.policy.allowed_hosts, self.platform
        host = f"[{platform.host}]" if ":" in platform.host else platform.host
        return bool(allowed & {platform.host, host, f"{host}:{platform.port}"})

    def permit(self, verb: Verb) -> None:
        """Raise NotAllowed where the rules forbid such a write whatever it says."""
        platform = self.platform
        if not self.is_allowed_host:
            raise NotAllowed(
                f"{platform.host}:{platform.port} is not among the hosts that this fleet may write to.",
                fix="If it is yours, add it to FLEET_ALLOWED_HOSTS.",
            )
        if verb not in platform.capabilities:
            raise NotAllowed(f"The surface {platform.name} has no {verb}.")
        if not self.policy.label and platform.third_party:
            raise NotAllowed(
                f"Agents on {platform.name} must be labelled: it belongs to somebody else.",
                fix="Remove FLEET_LABEL_AGENTS=false.",
            )

    def write(self, action: Action, lease: Lease) -> Receipt:
        """Make the one outside write. Raises NotAllowed, DryRun, Stopped, LeaseEnding or a PlatformError.

        The kill switch and the lease are read last, with nothing but the call itself after them.
        """
        self.permit(action.verb)
        if self.policy.dry_run:
            raise DryRun(action.draft())
        return self.platform.write(action, timeout_s=self._clear_to_send(lease))

    def make_image(self, order: ImageOrder, lease: Lease) -> str:
        """Have a picture made, which costs; under the same rules as a post. Returns its address."""
        self.permit(Verb.POST)
        if self.policy.dry_run:
            raise DryRun({"verb": "image", "as": order.account.username, "prompt": order.prompt})
        return self.platform.make_image(order, timeout_s=self._clear_to_send(lease))

    def fetch_image(self, url: str, lease: Lease) -> PictureFile:
        """Fetch a picture that a workflow made, to look at it. Raises NotAllowed, LeaseEnding or a PlatformError.

        The surface chose the address, so `fetch` judges it; it never sends our token.
        """
        left_s = lease.left_s() - MARGIN_S
        if left_s <= 0:
            raise LeaseEnding("the lease ends before the picture could be looked at")
        return self._fetch(url, left_s)

    def _clear_to_send(self, lease: Lease) -> float:
        """Return how many seconds the call may take."""
        why = self._stopped()
        if why is not None:
            raise Stopped(why)
        left_s = lease.left_s() - MARGIN_S
        if left_s <= 0:
            raise LeaseEnding("the lease ends before the write could")
        reach(Point.JOB_CLEARED)
        # One limit for the first byte of the answer and one for the rest of it.
        return left_s / 2
