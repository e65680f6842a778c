"""What adapters of public networks and of shops share: the address, the credentials, calls, one account of many agents.

An account of a network is a person's or a company's, and Fleet creates none: `provision` looks up whose account the
credentials open, and `deprovision` forgets it.
"""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fleet.adapters import base
from fleet.adapters.answers import body_of
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, Resolution
from fleet.adapters.http import MAX_JSON_BYTES, HttpClient, Response
from fleet.adapters.limits import Observation
from fleet.adapters.manifest import AccountAccess, MediaFile, MediaRule, OAuth
from fleet.adapters.oauth import Bearer
from fleet.adapters.shops import (
    AddVariantsPayload,
    CreateProductPayload,
    OrderPage,
    ProductPage,
    RemoveProductPayload,
    SetStockPayload,
    ShopInfo,
    ShopOrder,
    ShopProduct,
    StockLevel,
    StockPage,
    UpdateProductPayload,
    UpdateVariantsPayload,
)
from fleet.adapters.social import DeprovisionPayload, FeedItem, Media, Offers, ProvisionPayload, read_data_url
from fleet.core import logs, masking
from fleet.core.clock import SYSTEM
from fleet.core.errors import InvalidInput
from fleet.core.net import web_address

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CLOCK_SKEW = timedelta(minutes=10)
"""How far a network's clock may differ from ours."""
ADOPTED: Mapping[str, Any] = {"adopted": True}
_C = TypeVar("_C", bound="NetworkToken")


class NetworkToken(BaseModel):
    """The credentials of an account: a JSON object. Each network has further fields."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    access_token: str = Field("", repr=False)
    client_id: str = ""
    """Of an app whose tokens Fleet gets and refreshes itself (`fleet.adapters.oauth`); else `access_token` is used."""

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.access_token and not self.client_id:
            raise ValueError("neither access_token nor client_id")
        return self


def credentials_of(access: AccountAccess, model: type[_C]) -> _C:
    """Return the credentials in an account. Raises InvalidInput, which repeats nothing of them."""
    names = ", ".join(model.model_fields)
    try:
        found = model.model_validate(json.loads(access.credentials.get_secret_value()))
    except ValidationError as error:
        wrong = sorted({".".join(map(str, one["loc"])) or "the whole" for one in error.errors(include_input=False)})
        raise InvalidInput(f"The credentials lack, or have wrong: {', '.join(wrong)}.",
                           fix=f"Write a JSON object with {names}.") from None  # fmt: skip
    except ValueError:
        raise InvalidInput("The credentials are no JSON.", fix=f"Write a JSON object with {names}.") from None
    if found.access_token:
        masking.conceal(found.access_token)
    return found


class CallDeadline:
    """The time that several calls of one write have together."""

    def __init__(self, timeout_s: float) -> None:
        self._ends_s = SYSTEM.monotonic_s() + timeout_s

    @property
    def left_s(self) -> float:
        """The seconds left. Raises Unreachable if there are none: the next call is not made."""
        left_s = self._ends_s - SYSTEM.monotonic_s()
        if left_s <= 0:
            raise base.Unreachable("the time for the calls is up")
        return left_s

    def is_near(self, least_s: float) -> bool:
        """Return whether fewer seconds are left."""
        return self._ends_s - SYSTEM.monotonic_s() < least_s


@contextlib.contextmanager
def before_the_write() -> Iterator[None]:
    """Run calls that prepare a write: when one has no answer, the write has certainly not happened."""
    try:
        yield
    except base.Uncertain as error:
        raise base.Unreachable(f"before the write: {error}") from error


@contextlib.contextmanager
def after_the_write() -> Iterator[None]:
    """Run calls that read a write back: whatever fails in them, the write has happened, and a probe must tell."""
    try:
        yield
    except base.AdapterError as error:
        raise base.Uncertain(f"written, but not read back: {error}") from error


def read_back(read: Callable[[], list[dict[str, Any]]]) -> dict[str, Any]:
    """Return what a shop has after a write, as `now` of a receipt. Raises Uncertain: a probe must read it then."""
    with after_the_write():
        return {"now": read()}


def removed(target: str, remove: Callable[[], object]) -> Receipt:
    """Remove an object and return the receipt. One that is gone already counts as removed."""
    try:
        remove()
    except base.Vanished:
        return Receipt(target, {"was_gone": True})
    return Receipt(target)


def place_of(access: AccountAccess, name: str) -> tuple[str, str, int]:
    """Return the scheme, host and port of an account's address. Raises InvalidInput."""
    parts = web_address.split(access.address)
    if parts is None or parts.hostname is None:
        raise InvalidInput(
            f"The address of the {name} account is not a URL: {logs.mask(access.address)!r}.",
            fix="Write it as https://host.",
        )
    return parts.scheme, parts.hostname, parts.port or web_address.PORTS[parts.scheme]


class ConnectedAdapter(ABC, Generic[_C]):
    """The base of an adapter to one account. One an account and process; safe to use from many threads."""

    name = ""
    credentials: type[_C]
    """The form of its credentials."""
    oauth: OAuth | None = None
    actions: Mapping[str, Resolution] = {}
    third_party = True
    upload_hosts: tuple[str, ...] = ()
    """Ends of the names of hosts to which the network may direct uploads: ".linkedin.com"."""

    def __init__(self, access: AccountAccess) -> None:
        self._settings = credentials_of(access, self.credentials)
        self.scheme, self.host, self.port = place_of(access, self.name)
        self._base = access.address.rstrip("/")
        self._given, oauth = self._settings.access_token, self._oauth()
        if not self._given and oauth is None:
            raise InvalidInput(f"Fleet refreshes no tokens of {self.name}.", fix="Give an access_token.")
        self._bearer = Bearer(access, oauth) if oauth is not None and not self._given else None
        self._renewed = ""
        self._media = access.media
        self._timeout_s = access.timeout_s
        self._observe = access.observe
        self._http = HttpClient(
            access.address,
            timeout_s=access.timeout_s,
            headers=self._headers(),
            most_bytes=MAX_JSON_BYTES,
            observe=access.observe,
        )

    @abstractmethod
    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the account that the credentials open; one cheap call."""

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make one write. Raises an AdapterError."""
        return self._write(action, CallDeadline(timeout_s))

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @abstractmethod
    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        """Make one write within the deadline."""

    @abstractmethod
    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        """Translate a refusal by its code."""

    def _oauth(self) -> OAuth | None:
        """Return how tokens are refreshed; None where the credentials hold one that stays."""
        return self.oauth

    def _headers(self) -> dict[str, str]:
        """Return the headers of each call, besides the token's."""
        return {}

    def _is_failure(self, response: Response, body: dict[str, Any]) -> bool:
        return not response.is_success

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[Response, dict[str, Any]]:
        """Make one call with the account's token. Raises what the answer means."""
        token = self._access_token()
        with_token = {**self._token_headers(token), **(headers or {})}
        response = self._http.request(method, path, headers=with_token, **options)
        body = body_of(response)
        seen = self._seen(response, body)
        if seen is not None:
            self._observe(seen)
        if self._is_failure(response, body):
            raise self._renewed_or(self._error_of(response, body), token)
        return response, body

    def _seen(self, response: Response, body: dict[str, Any]) -> Observation | None:
        """Return what an answer says about limits beyond the headers that every client reads; None for nothing."""
        return None

    def _token_headers(self, token: str) -> dict[str, str]:
        """Return the headers by which a call shows its token."""
        return {"Authorization": f"Bearer {token}"}

    def _access_token(self) -> str:
        """Return the token of the next call. Raises TokenRefused, an AdapterError of its renewal."""
        return self._given if self._bearer is None else self._bearer.token()

    def _renewed_or(self, error: base.AdapterError, token: str) -> base.AdapterError:
        """Return an error; Throttled instead of a refused token that could be renewed: the next call has the new one.

        A token that is refused although it was just renewed lacks something else than life.
        """
        if not isinstance(error, base.TokenRefused) or self._bearer is None or token == self._renewed:
            return error
        self._renewed = self._bearer.after_refusal(token)
        return base.Throttled("the access token had ended; it is renewed", retry_after_s=1.0)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return self._send(method, path, **options)[1]

    def _picture(self, one: Media, rule: MediaRule) -> MediaFile:
        """Return a picture as the network takes it. Raises Refused, InvalidInput."""
        return self._media.fit(read_data_url(one.url), rule)

    def _public_url(self, url: str, rule: MediaRule) -> str:
        """Return an address at which a system fetches a picture: its own, or one of Fleet's. Raises InvalidInput."""
        if not url.startswith("data:"):
            return url
        return self._media.publish(self._media.fit(read_data_url(url), rule))

    @contextlib.contextmanager
    def _upload_client(self, url: str, timeout_s: float) -> Iterator[tuple[HttpClient, str]]:
        """Open a connection to the address that the network names for an upload; also return the path there.

        Raises Unreachable for a host that is not the network's: an answer must not send our files elsewhere.
        """
        parts = web_address.split(url)
        host = "" if parts is None else parts.hostname or ""
        is_own = host == self.host or (parts is not None and parts.scheme == "https" and host.endswith(self._ends))
        if parts is None or not is_own:
            raise base.Unreachable("the network names a foreign address for the upload")
        client = HttpClient(f"{parts.scheme}://{parts.netloc}", timeout_s=timeout_s)
        try:
            yield client, urlsplit(url)._replace(scheme="", netloc="").geturl()
        finally:
            client.close()

    @property
    def _ends(self) -> tuple[str, ...]:
        return () if self.host in LOOPBACK else self.upload_hosts


class NetworkAdapter(ConnectedAdapter[_C]):
    """The base of an adapter to a public network."""

    def offers(self) -> Offers:
        """Return the capabilities of this account."""
        return Offers()

    @abstractmethod
    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the newest posts that the account sees, at most `limit`."""

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make one write. Raises an AdapterError."""
        match action.payload:
            case ProvisionPayload():
                with before_the_write():
                    found = self.check(timeout_s=timeout_s)
                return Receipt(found.id, {"username": found.username, "created": False})
            case DeprovisionPayload():
                return Receipt(action.account.remote_id, {"was": "the account stays"})
        return super().write(action, timeout_s=timeout_s)


class ProductReads(Protocol):
    """How a `ComposedShop` reads products and stock."""

    def shop(self) -> ShopInfo: ...
    def products(self, *, cursor: str | None, limit: int) -> ProductPage: ...
    def product(self, product_id: str) -> ShopProduct: ...
    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage: ...
    def stock(self, *, cursor: str | None, limit: int) -> StockPage: ...
    def stock_of(self, ids: Sequence[str], /) -> Sequence[StockLevel]: ...


class ProductWrites(Protocol):
    """How it writes products, and looks for the effect of a write."""

    def create(self, action: AnyAction, payload: CreateProductPayload, deadline: CallDeadline) -> Receipt: ...
    def update(self, payload: UpdateProductPayload, deadline: CallDeadline) -> Receipt: ...
    def add_variants(self, payload: AddVariantsPayload, deadline: CallDeadline) -> Receipt: ...
    def remove(self, product_id: str, deadline: CallDeadline) -> Receipt: ...
    def probe_variants(self, payload: AddVariantsPayload) -> Receipt | None: ...
    def probe_update(self, payload: UpdateProductPayload) -> Receipt | None: ...
    def probe_creation(
        self, action: AnyAction, payload: CreateProductPayload, since: datetime, known: frozenset[str]
    ) -> Receipt | None: ...


class VariantWrites(Protocol):
    """How it writes prices, SKUs and stock, and looks for the effect of a write."""

    def update(self, payload: UpdateVariantsPayload, deadline: CallDeadline) -> Receipt: ...
    def set_stock(self, payload: SetStockPayload, deadline: CallDeadline) -> Receipt: ...
    def probe_update(self, payload: UpdateVariantsPayload) -> Receipt | None: ...
    def probe_stock(self, payload: SetStockPayload) -> Receipt | None: ...


class OrderReads(Protocol):
    """How it reads orders."""

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage: ...
    def order(self, order_id: str) -> ShopOrder: ...


class ComposedShop:
    """The base of an adapter to a self-hosted shop, of four parts that a subclass makes.

    One an account and process; safe to use from many threads.
    """

    name = ""
    path = ""
    """The path of the shop's API, which an address may end with."""
    _reader: ProductReads
    _products: ProductWrites
    _variants: VariantWrites
    _orders: OrderReads

    def __init__(self, access: AccountAccess) -> None:
        self.scheme, self.host, self.port = place_of(access, self.name)
        self.third_party = self.host not in LOOPBACK
        self._address = access.address.rstrip("/").removesuffix(self.path)

    def shop(self) -> ShopInfo:
        """Return the shop."""
        return self._reader.shop()

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products."""
        return self._reader.products(cursor=cursor, limit=limit)

    def product(self, product_id: str) -> ShopProduct:
        """Return a product. Raises Vanished."""
        return self._reader.product(product_id)

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return products that changed at or after a time."""
        return self._reader.changed_products(since=since, cursor=cursor, limit=limit)

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return a page of the stock of all variants."""
        return self._reader.stock(cursor=cursor, limit=limit)

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return the stock of variants at each location."""
        return self._reader.stock_of(variant_ids)

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return a page of orders from a time on."""
        return self._orders.orders(since=since, cursor=cursor, limit=limit)

    def order(self, order_id: str) -> ShopOrder:
        """Return an order. Raises Vanished."""
        return self._orders.order(order_id)

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make one write. Raises an AdapterError."""
        deadline = CallDeadline(timeout_s)
        match action.payload:
            case CreateProductPayload() as creation:
                return self._products.create(action, creation, deadline)
            case UpdateProductPayload() as change:
                return self._products.update(change, deadline)
            case AddVariantsPayload() as addition:
                return self._products.add_variants(addition, deadline)
            case RemoveProductPayload(product_id):
                return self._products.remove(product_id, deadline)
            case UpdateVariantsPayload() as update:
                return self._variants.update(update, deadline)
            case SetStockPayload() as stock:
                return self._variants.set_stock(stock, deadline)
        raise base.Refused(f"the API of {self.name} has no {action.type.noun}")

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write; None if it is surely not there."""
        match action.payload:
            case CreateProductPayload() as creation:
                return self._products.probe_creation(action, creation, since, known)
            case UpdateProductPayload() as change:
                return self._products.probe_update(change)
            case AddVariantsPayload() as addition:
                return self._products.probe_variants(addition)
            case UpdateVariantsPayload() as update:
                return self._variants.probe_update(update)
            case SetStockPayload() as stock:
                return self._variants.probe_stock(stock)
        return None


def since_of(action: AnyAction, since: datetime) -> datetime:
    """Return from when on the effect of an action can be there, by a clock that may differ."""
    return min(since, action.created_at or since) - CLOCK_SKEW


def words(response: Response, *found: object) -> str:
    """Return what an error says, for people: its status, codes and message."""
    texts = " ".join(str(one) for one in found if one not in (None, ""))
    return f"{response.status_code} {texts or response.reason_phrase}"[:300]
