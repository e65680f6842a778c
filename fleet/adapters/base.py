"""Outside systems: what an adapter declares, actions with typed payloads, and how a call can fail.

Pure values. Adapters translate their vendor's responses into these errors; the class of an error says whether the write
certainly did not happen, may have happened, or must wait. `fleet.adapters.social` has the types of action of social
platforms; a feature registers the types that its jobs use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from fleet.core.errors import FleetError

LONGEST_ID = 200
"""The longest id of a surface that the ledger stores, in characters. An object with a longer one cannot be acted on."""

KEY_LIFE = timedelta(minutes=50)
"""How long surfaces of RESEND_THEN_PROBE surely remember an idempotency key. Mastodon does for an hour."""


class Resolution(StrEnum):
    """How an adapter resolves a write whose outcome is unknown."""

    RESEND = "resend"  # send again: the surface honours the idempotency key
    RESEND_THEN_PROBE = "resend_then_probe"  # as RESEND for `KEY_LIFE`, counted from the job's birth, then as PROBE
    PROBE = "probe"  # probe for the effect; adopt it, or send again once it has certainly not happened
    NATURAL = "natural"  # send again: doing it twice is doing it once
    ASK = "ask"  # it cannot be found out: a person decides


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account is used. `remote_id` is the surface's id of it, once provisioned."""

    agent_id: str
    username: str
    name: str
    persona_id: str | None
    bio: str = ""
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """The content of one action. Subclasses are frozen dataclasses; they hold no secret, since dry runs show them."""

    @property
    def words(self) -> str:
        """The text that users will read; empty for an action without one."""
        return ""

    def draft(self) -> dict[str, Any]:
        """Return the payload as data for people."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


P = TypeVar("P", bound=Payload)
P_co = TypeVar("P_co", bound=Payload, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """How much one agent may do of one type of action: the least time between two, and the most in a day."""

    gap: timedelta = timedelta(0)
    per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionType(Generic[P_co]):
    """A type of write to an outside system. A feature registers it; adapters declare the types that they support."""

    name: str
    noun: str
    """For sentences, without an article: "post", "stock level"."""
    payload: type[P_co]
    cap: Cap = field(default_factory=Cap)
    """The default; `FLEET_CAPS` sets another."""
    is_counted: bool = True
    """Whether its cap and the surface's writes a minute apply to it."""


@dataclass(frozen=True, slots=True)
class Action(Generic[P_co]):
    """One outside write. `key` is the job's id: sent as idempotency key where the surface honours one."""

    type: ActionType[P_co]
    account: Account
    key: str
    payload: P_co
    created_at: datetime | None = None
    """When its job was added: the same in every attempt."""
    uploads: Mapping[str, Any] = field(default_factory=dict)
    """What `UploadingAdapter.upload` returned for it, from whichever attempt."""
    is_approved: bool = False
    """Whether a person has approved this single write."""

    def __post_init__(self) -> None:
        if not isinstance(self.payload, self.type.payload):
            expected, found = self.type.payload.__name__, type(self.payload).__name__
            raise TypeError(f"the payload of the action {self.type.name} is a {found}, not a {expected}")

    def draft(self) -> dict[str, Any]:
        """Return the payload as data for people."""
        content = {"verb": self.type.name, "as": self.account.username, **self.payload.draft()}
        return {name: value for name, value in content.items() if value is not None and value != ""}


AnyAction = Action[Payload]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A write that happened. `remote_id` names its effect on the surface."""

    remote_id: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceObject:
    """What a write left on a surface: the name of its type of action, the surface's id of it, and its author's name."""

    action: str
    id: str
    username: str
    target: str | None = None
    """The surface's id of what the write was about."""


class OutsideSystem(Protocol):
    """An outside system as the rules see it."""

    name: str
    scheme: str
    host: str
    port: int
    third_party: bool


class Adapter(OutsideSystem, Protocol):
    """An adapter to one account at an outside system. Every call has a deadline of its own."""

    actions: Mapping[str, Resolution]
    """The types of action that it does, by name, and for each how an unknown outcome is resolved."""

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt: ...

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None: ...

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the address of its page for people, at the surface's own host; None without one. Makes no call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAccount:
    """The account at the outside system that credentials open, as the system describes it."""

    id: str
    username: str
    url: str | None = None
    is_bot: bool | None = None
    """Whether the system shows that the account is automated; None where systems have no such mark."""


@runtime_checkable
class CheckingAdapter(Protocol):
    """An adapter that can check its account with one cheap call that writes nothing."""

    def check(self, *, timeout_s: float) -> RemoteAccount: ...


@runtime_checkable
class UploadingAdapter(Protocol):
    """An adapter whose writes refer to media, or to a container, that is sent before and shown to nobody.

    The engine calls `upload` before it commits to the write, and stores the result with the job, so that each attempt
    refers to the same objects. None: the action needs no upload. Raises UploadPending while the system processes what
    was sent; the next call has that error's `uploads` in `action.uploads`. A write raises UploadsLost if the system no
    longer has them.
    """

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None: ...


@runtime_checkable
class ReservingAdapter(Protocol):
    """An adapter whose writes take room in limits. The engine reserves it before it commits to a write.

    A write that was reserved takes no more room. `release` gives back what a write that is not made has reserved.
    """

    def reserve(self, action: AnyAction) -> None:
        """Raise LimitSpent if there is no room."""

    def release(self, action: AnyAction) -> None: ...


class AdapterError(FleetError):
    """An outside system did not do what was requested. Base class; the subclass says what follows."""


class Refused(AdapterError):
    """A definite no that will stay one (validation, forbidden content)."""


class Vanished(AdapterError):
    """What the action is about is not there any more."""


class AccountMissing(AdapterError):
    """The surface does not know the account; it has to be provisioned again."""


class TokenRefused(AdapterError):
    """The surface refuses our credentials: no job of ours can succeed until a person mends that."""


class Throttled(AdapterError):
    """Too fast. Definitely not done; `retry_after_s` is the surface's wish, if it has one."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LimitSpent(Throttled):
    """A limit of the system has no room for the call, as Fleet counts it over all its processes. No call was made.

    `retry_after_s` is the time until there is room.
    """


class SurfaceBudgetSpent(AdapterError):
    """The surface's budget for one agent, or for the whole fleet, is used up. Definitely not done."""

    def __init__(self, message: str, *, whole_fleet: bool, reset_at: datetime | None) -> None:
        super().__init__(message)
        self.whole_fleet = whole_fleet
        self.reset_at = reset_at


class SurfacePaused(AdapterError):
    """The surface's own kill switch is on. Definitely not done; only a person lifts it."""


class UploadPending(AdapterError):
    """The system still processes an upload. Nothing is published; `uploads` is stored for the next call."""

    def __init__(self, message: str, *, uploads: Mapping[str, Any], retry_after_s: float) -> None:
        super().__init__(message)
        self.uploads = uploads
        self.retry_after_s = retry_after_s


class UploadsLost(AdapterError):
    """The system no longer has the uploads of an action, or could not process them. Nothing is published."""


class Unreachable(AdapterError):
    """No connection came about: definitely not done."""


class Uncertain(AdapterError):
    """Timeout, reset or server error after sending began: it may have been done."""
