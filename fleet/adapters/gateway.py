"""The gateway: every write to an outside system passes it, and the rules about writing are here and nowhere else.

It checks dry run, the allow-list of hosts, labels, the adapter's capabilities, caps, the kill switch and the lease that
ends soon. Pure except for the functions that it is given. It knows only the registered types of action.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fleet.adapters.base import (
    ActionType,
    Adapter,
    AnyAction,
    Cap,
    OutsideSystem,
    Payload,
    Receipt,
    ReservingAdapter,
    UploadingAdapter,
)
from fleet.adapters.pictures import PictureFile, PictureMaker, PictureOrder
from fleet.core.clock import SYSTEM, Clock
from fleet.core.errors import FleetError
from fleet.core.failpoints import Point, reach

FetchPicture = Callable[[str, float], PictureFile]
MARGIN_S = 2.0
"""A write must be able to end this long before the lease does."""


class NotAllowed(FleetError):
    """The rules forbid this write, now and later."""


class Stopped(FleetError):
    """The kill switch is on."""


class DryRun(FleetError):
    """Nothing was sent because dry run is on; `draft` is the payload."""

    def __init__(self, draft: dict[str, object]) -> None:
        super().__init__("dry run: nothing was sent")
        self.draft = draft


class LeaseEnding(FleetError):
    """Too little of the lease is left to write safely."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps in force, by the name of the type of action; one for each type that a feature registered."""

    actions: Mapping[str, Cap] = field(default_factory=dict)
    day: timedelta = timedelta(days=1)

    @classmethod
    def of(cls, types: Iterable[ActionType[Payload]]) -> Caps:
        """Return the caps that types of action have by default."""
        return cls({one.name: one.cap for one in types})

    @property
    def window(self) -> timedelta:
        """How far back an agent's writes count: a day, or the longest gap."""
        return max((self.day, *(cap.gap for cap in self.actions.values())))


@dataclass(frozen=True, slots=True)
class WriteUsage:
    """What an agent has written lately: for each type of action how often within `Caps.day`, and when last."""

    counts: Mapping[str, int] = field(default_factory=dict)
    last_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`."""

    until: datetime
    why: str


def wait_for(one: ActionType[Payload], usage: WriteUsage, caps: Caps, now: datetime) -> Wait | None:
    """Return how long an agent's own caps make it wait with an action; None if it may go ahead."""
    cap = caps.actions.get(one.name, one.cap)
    last = usage.last_at.get(one.name)
    if last is not None and now < last + cap.gap:
        return Wait(last + cap.gap, f"cap: one {one.noun} in {_span(cap.gap)}")
    if cap.per_day is not None and usage.counts.get(one.name, 0) >= cap.per_day:
        return Wait(now + caps.day / 24, f"cap: {cap.per_day} {one.noun}s a day")
    return None


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
    writes_per_minute: int = 100
    """Of the whole fleet through one account; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Lease:
    """How long this process may act, on its own rising clock."""

    ends_at_s: float
    clock: Clock = SYSTEM

    def left_s(self) -> float:
        """Return the seconds left; negative when it has run out."""
        return self.ends_at_s - self.clock.monotonic_s()


@dataclass(frozen=True, slots=True)
class SystemRules:
    """What the rules of a system say about an account: why operations are off, and why each single one needs consent.

    Both are by name, with the rule and its source.
    """

    off: Mapping[str, str] = field(default_factory=dict)
    consent: Mapping[str, str] = field(default_factory=dict)


class _Guard:
    """The rules that every write passes, whatever it is. `stopped` returns why nothing may be sent now, or None."""

    def __init__(self, system: OutsideSystem, policy: Policy, stopped: Callable[[], str | None]) -> None:
        self.policy = policy
        self._system = system
        self._stopped = stopped

    @property
    def is_allowed_host(self) -> bool:
        """Whether this fleet may write to the system's host; an entry with a port opens that port alone."""
        allowed, system = self.policy.allowed_hosts, self._system
        host = f"[{system.host}]" if ":" in system.host else system.host
        return bool(allowed & {system.host, host, f"{host}:{system.port}"})

    def require_host(self) -> None:
        """Raise NotAllowed where the owner of the fleet has not named the system's host."""
        if not self.is_allowed_host:
            raise NotAllowed(
                f"{self._system.host}:{self._system.port} is not among the hosts that this fleet may write to.",
                fix="If it is yours, add it to FLEET_ALLOWED_HOSTS.",
            )

    def _permit_system(self) -> None:
        self.require_host()
        system = self._system
        if not self.policy.label and system.third_party:
            raise NotAllowed(
                f"Agents on {system.name} must be labelled: the system belongs to others.",
                fix="Remove FLEET_LABEL_AGENTS=false.",
            )

    def _clear_to_send(self, lease: Lease, stopped: Callable[[], str | None] | None = None) -> float:
        """Return how many seconds the call may take. `stopped` also knows the pauses of a job."""
        why = (stopped or self._stopped)()
        if why is not None:
            raise Stopped(why)
        left_s = lease.left_s() - MARGIN_S
        if left_s <= 0:
            raise LeaseEnding("the lease ends before the write could")
        reach(Point.JOB_CLEARED)
        # One limit for the first byte of the response and one for the rest of it.
        return left_s / 2


class Gateway(_Guard):
    """The gateway of one account. `stopped` reads the kill switch; `rules` are those of the system."""

    def __init__(
        self, adapter: Adapter, policy: Policy, stopped: Callable[[], str | None], rules: SystemRules = SystemRules()
    ) -> None:
        super().__init__(adapter, policy, stopped)
        self.adapter = adapter
        # Asked once: to compare an object with a protocol takes as long as a tenth of a statement.
        self.uploading = adapter if isinstance(adapter, UploadingAdapter) else None
        self._reserving = adapter if isinstance(adapter, ReservingAdapter) else None
        self._rules = rules

    def under(self, policy: Policy) -> Gateway:
        """Return this gateway with other rules."""
        if policy is self.policy or policy == self.policy:
            return self
        other = copy.copy(self)
        other.policy = policy
        return other

    def permit(self, one: ActionType[Payload], *, is_approved: bool = True) -> None:
        """Raise NotAllowed if the rules forbid such a write whatever its payload is.

        `is_approved`: a person has approved this single write, or will be asked to.
        """
        self._permit_system()
        if one.name not in self.policy.caps.actions:
            raise NotAllowed(
                f"No feature of this fleet registers the action {one.name}.", fix="Register it in `Feature.actions`."
            )
        if one.name not in self.adapter.actions:
            why = self._rules.off.get(one.name, "")
            raise NotAllowed(f"The surface {self.adapter.name} has no action {one.name}{why and f': {why}'}.")
        if one.name in self._rules.off:
            raise NotAllowed(
                f"{self.adapter.name}: {one.name} is off. {self._rules.off[one.name]}",
                fix=f"`fleet adapters allow ACCOUNT {one.name} --reason WHY` switches it on, if the rule allows it.",
            )
        if one.name in self._rules.consent and not is_approved and not self.policy.dry_run:
            raise NotAllowed(
                f"{self.adapter.name}: a person must approve each {one.noun}. {self._rules.consent[one.name]}",
                fix="Make the agent supervised: it proposes, and people approve.",
            )

    def consent_rule(self, action: AnyAction) -> str:
        """Return the rule by which a person must approve this write and has not; empty if it needs nobody."""
        if action.is_approved or self.policy.dry_run:
            return ""
        return self._rules.consent.get(action.type.name, "")

    def can_decide_alone(self, name: str) -> bool:
        """Say whether agents may do an operation by themselves: the account has it, it is on, and needs no consent."""
        return name in self.adapter.actions and name not in self._rules.off and name not in self._rules.consent

    def upload(
        self, action: AnyAction, lease: Lease, *, stopped: Callable[[], str | None] | None = None
    ) -> Mapping[str, Any] | None:
        """Send what the write will refer to; None if it needs nothing. Raises as `write`, and UploadPending."""
        self.permit(action.type, is_approved=action.is_approved)
        if self.policy.dry_run or self.uploading is None:
            return None
        return self.uploading.upload(action, timeout_s=self._clear_to_send(lease, stopped))

    def reserve(self, action: AnyAction) -> None:
        """Reserve room for a write in the system's limits. Raises LimitSpent without room."""
        if self._reserving is not None:
            self._reserving.reserve(action)

    def release(self, action: AnyAction) -> None:
        """Give back what was reserved for a write that is not made."""
        if self._reserving is not None:
            self._reserving.release(action)

    def write(self, action: AnyAction, lease: Lease, *, stopped: Callable[[], str | None] | None = None) -> Receipt:
        """Make the one outside write. Raises NotAllowed, DryRun, Stopped, LeaseEnding or an AdapterError.

        The kill switch and the lease are read last, with nothing but the call itself after them; of a job also the
        pauses, which `stopped` reads together with the kill switch.
        """
        self.permit(action.type, is_approved=action.is_approved)
        if self.policy.dry_run:
            raise DryRun(action.draft())
        return self.adapter.write(action, timeout_s=self._clear_to_send(lease, stopped))


class PictureGateway(_Guard):
    """The gateway of one account whose system makes pictures. An order costs money, so it passes the rules of a write.

    `stopped` reads the kill switch. `fetch` fetches a picture from the maker within seconds, from the addresses that
    the owner allows.
    """

    def __init__(
        self, maker: PictureMaker, policy: Policy, stopped: Callable[[], str | None], *, fetch: FetchPicture
    ) -> None:
        super().__init__(maker, policy, stopped)
        self._maker = maker
        self._fetch = fetch

    def under(self, policy: Policy) -> PictureGateway:
        """Return this gateway with other rules."""
        return self if policy == self.policy else PictureGateway(self._maker, policy, self._stopped, fetch=self._fetch)

    def make(self, order: PictureOrder, lease: Lease) -> str:
        """Have a picture made. Returns its address. Raises as `Gateway.write`."""
        self._permit_system()
        if self.policy.dry_run:
            raise DryRun({"verb": "image", "as": order.account.username, "prompt": order.prompt})
        return self._maker.make(order, timeout_s=self._clear_to_send(lease))

    def fetch(self, url: str, lease: Lease) -> PictureFile:
        """Fetch a picture that the maker made, to check it. Raises LeaseEnding, NotAllowed or an AdapterError.

        The maker chose the address, so `fetch` checks it and sends no token.
        """
        left_s = lease.left_s() - MARGIN_S
        if left_s <= 0:
            raise LeaseEnding("the lease ends before the picture could be checked")
        return self._fetch(url, left_s)
