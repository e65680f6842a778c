"""The manifest of an adapter: how it connects to an account, what its system can do, and the system's rules.

Read by `registry`, which checks it. Pure data: the plugin manager enforces limits, the content checks read the rules of
text, and people see all of it on the page *Adapters*. Each rule and limit names its source.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from fleet.adapters.base import Adapter, Resolution
from fleet.adapters.limits import Observe, ignore
from fleet.adapters.pictures import PictureMaker
from fleet.adapters.shops import ShopTraits
from fleet.adapters.webhook_signatures import WebhookRules
from fleet.core.errors import InvalidInput


class Capability(StrEnum):
    """How well a system does an operation."""

    NATIVE = "native"
    WORKAROUND = "workaround"
    UNSUPPORTED = "unsupported"


READ_METHODS: Mapping[str, str] = {
    "feed": "feed", "comments": "comments", "item": "item", "notifications": "notifications",
    "own_posts": "posts", "own_post": "posts",
    "post_metrics": "metrics", "account_metrics": "metrics", "trends": "trends", "check": "check", "probe": "probe",
    "upload": "upload", "shop": "shop", "products": "products", "product": "products", "find_products": "products",
    "changed_products": "changes", "stock": "stock", "stock_of": "stock", "orders": "orders", "order": "orders",
}  # fmt: skip
"""The operation that each method of an adapter is; `write` is the type of its action."""
READS = tuple(dict.fromkeys(READ_METHODS.values()))
"""The operations that publish nothing. All others are names of types of action."""
BACKGROUND_READS = frozenset({"metrics", "posts", "trends", "products", "changes", "stock"})
"""Reads that nobody waits for: they leave room to writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a system: the name of a type of action, or one of `READS`."""

    name: str
    capability: Capability = Capability.NATIVE
    note: str = ""
    """For a workaround, how it is done: "as comments on its own post". Else anything that people must know."""
    unknown: Resolution | None = None
    """Of a write: how an unknown outcome is resolved."""
    is_on: bool = True
    """False: agents do it only where a person has switched it on for their account (`rule` says why)."""
    needs_consent: bool = False
    """Whether a person must approve each single one (`rule` says why)."""
    usd: float = 0.0
    """What one call costs at least, in US dollars."""
    batch: int = 1
    """Of reads: how many objects one request can ask for. More at once are several requests."""
    rule: str = ""
    """The system's rule behind `is_on`, `needs_consent` or a missing capability, with its source and its date."""


class LimitScope(StrEnum):
    """What shares one limit."""

    ACCOUNT = "account"
    HOST = "host"  # all accounts at the same host
    APP = "app"  # all accounts of one adapter, whose credentials belong to one registered app


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit of a system: at most `most` units in any `window`.

    An operation costs what `costs` names for it, any other one `cost`; 0 for operations that do not count.
    """

    name: str
    most: int
    window: timedelta
    costs: Mapping[str, int] = field(default_factory=dict)
    cost: int = 1
    scope: LimitScope = LimitScope.ACCOUNT
    source: str = ""
    by_request: bool = False
    """Whether the system counts HTTP requests: those that an operation sent beyond its cost are added afterwards."""

    def cost_of(self, operation: str) -> int:
        """Return the units that an operation uses."""
        return self.costs.get(operation, self.cost)


class TextUnit(StrEnum):
    """How a system counts the length of a text."""

    CHARACTERS = "characters"  # Unicode code points
    GRAPHEMES = "graphemes"
    UTF16 = "utf16"
    WEIGHTED = "weighted"  # as X counts


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRule:
    """The form of one kind of text: of a post, a comment, a bio, an alt text."""

    most: int
    unit: TextUnit = TextUnit.CHARACTERS
    most_bytes: int | None = None
    """Of its UTF-8 form, besides `most`."""
    url_length: int | None = None
    """The length that each URL counts for; None: its own."""
    hashtags: int = 0
    best_hashtags: int = 0
    """The number that performs best; texts are written with at most so many."""
    mentions: int = 0
    links: bool = True
    """Whether links in it work."""
    line_breaks: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRule:
    """The form of one kind of media: pictures or videos of a post."""

    most: int
    """How many one post can have."""
    types: tuple[str, ...]
    most_bytes: int
    min_ratio: float | None = None
    """The least width divided by height."""
    max_ratio: float | None = None
    best_ratio: float | None = None
    min_width: int | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    alt_text: int = 0
    """The most characters of an alt text; 0: it has none."""
    is_required: bool = False
    """Whether each post has at least one."""
    by_url: bool = False
    """Whether the system fetches it from a public address instead of receiving it."""


@runtime_checkable
class TextLimitingAdapter(Protocol):
    """An adapter whose servers have limits of text of their own."""

    def text_rules(self) -> Mapping[str, TextRule]:
        """Return the account's rules by kind, as `AdapterType.texts` has them. May call; raises an AdapterError."""


class AuthKind(StrEnum):
    """How a person gives Fleet access to an account."""

    TOKEN = "token"  # noqa: S105 - a kind, no secret
    APP_PASSWORD = "app_password"  # noqa: S105 - a kind, no secret
    OAUTH2 = "oauth2"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExchange:
    """A call that gives another access token for one, as Meta has them in place of refresh tokens."""

    url: str
    grant_type: str
    token_name: str = "access_token"  # noqa: S105 - the name of a parameter
    has_app: bool = True
    """Whether it takes the app's id and secret besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """The OAuth 2 of a system. A URL may begin with `{address}`, the address of the account."""

    authorize_url: str
    token_url: str
    revoke_url: str = ""
    register_url: str = ""
    """Where an app registers itself, for systems where every server has its own apps."""
    scopes: tuple[str, ...]
    scope_separator: str = " "
    has_pkce: bool = True
    client_id_name: str = "client_id"
    rotates: bool = False
    """Whether a refresh makes the old refresh token invalid."""
    refresh_before: timedelta = timedelta(minutes=10)
    """How long before its end an access token is refreshed."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the address that people open."""
    long_lived: TokenExchange | None = None
    """Gives a token that lives long for the one that a login gives."""
    renewal: TokenExchange | None = None
    """Gives a new token for one that has not ended, where the system has no refresh tokens."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses that Fleet itself calls for a login and for renewals; empty ones are left out."""
        exchanges = [one.url for one in (self.long_lived, self.renewal) if one is not None]
        return tuple(one for one in (self.register_url, self.token_url, *exchanges) if one)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """How a system marks automation: of the account, and of each post made by a model."""

    account: str
    post: str
    source: str = ""


class TokenStore(Protocol):
    """Short-lived tokens of one account, sealed, shared by all processes."""

    def load(self) -> str | None:
        """Return the stored tokens, as the adapter wrote them."""

    def renew(self, known: str | None, make: Callable[[str | None], str]) -> str:
        """Return tokens newer than `known`: those that another process stored, else what `make(stored)` returns.

        One caller at a time runs `make`, over all processes. What it returns is stored before this method returns.
        """


class MemoryTokens:
    """A token store of one process: for adapters that are used without a database."""

    def __init__(self, stored: str | None = None) -> None:
        self._stored = stored
        self._lock = threading.Lock()

    def load(self) -> str | None:
        """Return the stored tokens."""
        return self._stored

    def renew(self, known: str | None, make: Callable[[str | None], str]) -> str:
        """Return tokens newer than `known`."""
        with self._lock:
            if self._stored is None or self._stored == known:
                self._stored = make(self._stored)
            return self._stored


@dataclass(frozen=True, slots=True)
class MediaFile:
    """The bytes of a picture or a video."""

    data: bytes
    content_type: str


class MediaTools(Protocol):
    """What adapters do with pictures but cannot do themselves."""

    def fit(self, file: MediaFile, rule: MediaRule) -> MediaFile:
        """Return a picture as a system takes it: its type, size and ratio. Raises InvalidInput."""

    def publish(self, file: MediaFile) -> str:
        """Return an address at which everybody can fetch a picture for an hour or longer. Raises InvalidInput."""


class NoMediaTools:
    """For adapters that are used apart from a fleet: pictures must come as the system takes them."""

    def fit(self, file: MediaFile, rule: MediaRule) -> MediaFile:
        """Return the picture. Raises InvalidInput if it had to be changed."""
        if file.content_type not in rule.types or len(file.data) > rule.most_bytes:
            raise InvalidInput(f"The picture must be {' or '.join(rule.types)} of at most {rule.most_bytes} bytes.")
        return file

    def publish(self, file: MediaFile) -> str:
        """Raise InvalidInput."""
        raise InvalidInput(f"The {file.content_type} has no public address.", fix="Set FLEET_OBJECTS_URL.")


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """What an adapter needs to reach an account. The adapter defines the meaning of `credentials`, one secret text."""

    address: str
    credentials: SecretStr
    timeout_s: float = 30.0
    tokens: TokenStore = field(default_factory=MemoryTokens)
    observe: Observe = ignore
    """Takes what responses say about limits. Give it to `HttpClient`."""
    media: MediaTools = field(default_factory=NoMediaTools)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterType:
    """An outside system. Connecting makes no call; it raises InvalidInput for a malformed address or credentials."""

    name: str
    help: str
    credentials: str
    """The kind of the credentials, for the person who enters them: "service token (fst_...)"."""
    connect: Callable[[AccountAccess], Adapter]
    connect_pictures: Callable[[AccountAccess], PictureMaker] | None = None
    """The maker of pictures of the same account, if the system has one."""
    operations: tuple[Operation, ...] = ()
    """What it can do. An operation that is not named is unsupported, for an adapter that names any."""
    limits: tuple[Limit, ...] = ()
    auth: AuthKind = AuthKind.TOKEN
    oauth: OAuth | None = None
    texts: Mapping[str, TextRule] = field(default_factory=dict)
    """By kind: "post", "comment", "bio", "alt_text"."""
    pictures: MediaRule | None = None
    videos: MediaRule | None = None
    labels: Labels | None = None
    webhooks: WebhookRules | None = None
    """How it signs what it sends to `/hooks/in/network/ACCOUNT`; None for a system that sends nothing."""
    shop: ShopTraits | None = None
    """The traits of a shop; None for another system."""
    pages: str = ""
    """Where people see what it publishes, if that is not the account's address: "https://x.com". `url_of` may return
    addresses there."""
    docs: str = ""
    """Its page in docs/: what was read, when, and what could not be tried."""

    @property
    def writes(self) -> Mapping[str, Resolution]:
        """The writes that it can do, and how an unknown outcome of each is resolved: what `Adapter.actions` is."""
        return {one.name: one.unknown for one in self.operations if one.unknown is not None}

    def operation(self, name: str) -> Operation:
        """Return an operation; one that is not named is unsupported."""
        found = next((one for one in self.operations if one.name == name), None)
        return found or Operation(name=name, capability=Capability.UNSUPPORTED)


def check(one: AdapterType) -> AdapterType:
    """Return a manifest that makes sense. Raises InvalidInput that names the adapter and what is wrong."""
    wrong = [*_wrong_operations(one), *_wrong_limits(one)]
    if (one.auth is AuthKind.OAUTH2) != (one.oauth is not None):
        wrong.append("`auth` is OAuth 2 exactly if `oauth` is given")
    wrong += [f"the text {kind} has no length" for kind, rule in one.texts.items() if rule.most < 1]
    media = {"pictures": one.pictures, "videos": one.videos}
    wrong += [f"{kind} have no type or size" for kind, rule in media.items()
              if rule is not None and (not rule.types or rule.most_bytes < 1)]  # fmt: skip
    if wrong:
        raise InvalidInput(f"The manifest of the adapter {one.name} is wrong: {'; '.join(wrong)}.")
    return one


def _wrong_operations(one: AdapterType) -> list[str]:
    wrong, names = [], [operation.name for operation in one.operations]
    wrong += [f"{name} is named twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for operation in one.operations:
        is_done = operation.capability is not Capability.UNSUPPORTED
        is_write = operation.name not in READS
        if (operation.unknown is not None) != (is_done and is_write):
            wrong.append(f"{operation.name}: `unknown` is for writes that it can do, and for these it must be given")
        if operation.capability is Capability.WORKAROUND and not operation.note:
            wrong.append(f"{operation.name}: `note` must say how the workaround is done")
        if is_done and (not operation.is_on or operation.needs_consent) and not operation.rule:
            wrong.append(f"{operation.name}: `rule` must say why it is off, or needs consent")
    return wrong


def _wrong_limits(one: AdapterType) -> list[str]:
    wrong, known = [], {operation.name for operation in one.operations}
    for limit in one.limits:
        if limit.most < 1 or limit.window <= timedelta(0):
            wrong.append(f"the limit {limit.name} allows nothing")
        if min((limit.cost, *limit.costs.values())) < 0:
            wrong.append(f"the limit {limit.name} has a negative cost")
        if max((limit.cost, *limit.costs.values())) > limit.most:
            wrong.append(f"the limit {limit.name} has an operation that costs more than it allows")
        unknown = sorted(set(limit.costs) - known)
        if unknown:
            wrong.append(f"the limit {limit.name} has costs of operations that are not named: {', '.join(unknown)}")
    names = [limit.name for limit in one.limits]
    return wrong + [f"the limit {name} is named twice" for name in sorted({n for n in names if names.count(n) > 1})]
