"""The promises of an adapter, each checked against a real server, or against a broken one in its place.

`run` writes on the server: give it a test account. It removes its posts where the adapter can delete.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from fleet.adapters import base, manifest, social
from fleet.adapters.base import Account, Action, AdapterError, CheckingAdapter, Resolution, SurfaceObject
from fleet.adapters.manifest import AccountAccess, AdapterType
from fleet.adapters.social import FeedItem, PostPayload
from fleet.core import clock
from fleet.core.errors import FleetError, InvalidInput
from fleet.core.masking import mask
from fleet.features.adapters.conformance import stand_in
from fleet.images.placeholder import data_url, render_jpeg

NOBODY: frozenset[str] = frozenset()
SLOWEST_S = 2.0
"""The deadline that is given to calls of a silent server."""
TIMEOUT_S = 20.0


class PromiseVerdict(StrEnum):
    """How a promise was kept."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class PromiseResult:
    """One promise and what came of it."""

    promise: str
    verdict: PromiseVerdict
    why: str = ""


class Broken(Exception):
    """A promise is broken."""


class NotApplicable(Exception):
    """The adapter does not promise this."""


def _somebody() -> Account:
    name = f"conformance_{uuid.uuid4().hex[:8]}"
    return Account(str(uuid.uuid4()), name, "Conformance 画室 🎨", None, bio="Automated account: a test of an adapter.")


@dataclass
class Bench:
    """An adapter on its server, and what the promises share."""

    kind: AdapterType
    address: str
    credentials: str = field(repr=False)
    adapter: Any = None
    account: Account = field(default_factory=_somebody)
    posted: list[tuple[Action[PostPayload], str]] = field(default_factory=list)

    def connect(self, address: str | None = None, credentials: str | None = None, timeout_s: float = TIMEOUT_S) -> Any:
        """Return an adapter of the same kind, perhaps elsewhere."""
        secret = SecretStr(self.credentials if credentials is None else credentials)
        return self.kind.connect(AccountAccess(self.address if address is None else address, secret, timeout_s))

    def needs(self, *operations: str) -> None:
        """Leave a promise out for an adapter that lacks one of these operations."""
        lacks = [name for name in operations
                 if self.kind.operation(name).capability is manifest.Capability.UNSUPPORTED]  # fmt: skip
        if lacks:
            raise NotApplicable(f"it has no {' and no '.join(lacks)}")

    def action(self, one: base.ActionType[Any], **payload: Any) -> Action[Any]:
        """Return an action of the account with a key of its own."""
        return Action(one, self.account, str(uuid.uuid4()), one.payload(**payload), created_at=clock.now())

    def post(self, text: str = "A harbour at dawn.") -> tuple[Action[PostPayload], str]:
        """Publish a post; return its action and the system's id."""
        needs_picture = self.kind.pictures is not None and self.kind.pictures.is_required
        image = data_url(render_jpeg(text, "ai_artist")) if needs_picture else ""
        action = self.uploaded(
            self.action(social.POST, text=text, image_url=image, alt_text="A harbour." if image else "")
        )
        receipt = self.adapter.write(action, timeout_s=TIMEOUT_S)
        if not receipt.remote_id or len(receipt.remote_id) > base.LONGEST_ID:
            raise Broken(f"a post has the id {receipt.remote_id!r}: it needs one of 1 to {base.LONGEST_ID} characters")
        self.posted.append((action, receipt.remote_id))
        return action, receipt.remote_id

    def uploaded(self, action: Action[Any]) -> Action[Any]:
        """Return an action with its uploads, if the adapter needs any."""
        if not isinstance(self.adapter, base.UploadingAdapter):
            return action
        return replace(action, uploads=self.adapter.upload(action, timeout_s=TIMEOUT_S) or {})

    def seen(self, item_id: str) -> FeedItem | None:
        """Return a post as the system shows it; None if there is no way to read it."""
        if self.kind.operation("item").capability is not manifest.Capability.UNSUPPORTED:
            found: FeedItem = self.adapter.item(self.account, item_id)
            return found
        return next((one for one in self.adapter.feed(self.account, limit=20) if one.id == item_id), None)

    def reads(self) -> Callable[[Any], Any]:
        """Return a call that reads, for any adapter of the kind."""
        if isinstance(self.adapter, CheckingAdapter):
            return lambda adapter: adapter.check(timeout_s=SLOWEST_S)
        self.needs("feed")
        return lambda adapter: adapter.feed(self.account, limit=1)


def run(kind: AdapterType, address: str, credentials: str) -> Iterator[PromiseResult]:
    """Check the promises of an adapter in turn; yield what came of each."""
    bench = Bench(kind, address, credentials)
    for promise in PROMISES:
        name = " ".join((promise.__doc__ or "").split()).rstrip(".")
        try:
            promise(bench)
            yield PromiseResult(name, PromiseVerdict.PASSED)
        except NotApplicable as error:
            yield PromiseResult(name, PromiseVerdict.NOT_APPLICABLE, str(error))
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises where it promised something else
            why = str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}"
            yield PromiseResult(name, PromiseVerdict.FAILED, mask(why)[:500])
            if bench.adapter is None:
                return


def _manifest(bench: Bench) -> None:
    """Its manifest makes sense, and names the writes of the adapter."""
    manifest.check(bench.kind)
    adapter = bench.connect()
    if dict(bench.kind.writes) != dict(adapter.actions):
        raise Broken(f"the manifest has {dict(bench.kind.writes)}, the adapter {dict(adapter.actions)}")
    bench.adapter = adapter


def _address(bench: Bench) -> None:
    """It is at the address of its account, and connecting makes no call."""
    parts = urlsplit(bench.address)
    found = (bench.adapter.scheme, bench.adapter.host)
    if found != (parts.scheme, parts.hostname):
        raise Broken(f"it is at {found}, its account at {bench.address}")
    bench.connect(address=f"http://127.0.0.1:{_free_port()}")
    for wrong in ("nonsense", "", "http://user:word@host"):
        try:
            bench.connect(address=wrong)
        except InvalidInput:
            continue
        raise Broken(f"it connects to the address {wrong!r}; it should raise InvalidInput")


def _provision(bench: Bench) -> None:
    """An account is there after it was provisioned, as often as that is done."""
    bench.needs("provision")
    ids = {bench.adapter.write(bench.action(social.PROVISION), timeout_s=TIMEOUT_S).remote_id for _ in range(2)}
    if len(ids) != 1 or not (found := ids.pop()):
        raise Broken(f"provisioning twice gives the ids {ids}")
    bench.account = replace(bench.account, remote_id=found)


def _check(bench: Bench) -> None:
    """Its check describes the account."""
    if not isinstance(bench.adapter, CheckingAdapter):
        raise NotApplicable("it has no check")
    found = bench.adapter.check(timeout_s=TIMEOUT_S)
    if not found.id or not found.username:
        raise Broken("the account has no id or no username")


def _post(bench: Bench) -> None:
    """A post is shown as it was written."""
    bench.needs("post")
    text = "Dawn 🌅 over the bay: “quiet”, 静か."
    _, post = bench.post(text)
    found = bench.seen(post)
    if found is None:
        raise NotApplicable("its posts cannot be read")
    if found.caption != text:
        raise Broken(f"the post says {found.caption!r}")
    if found.created_at is not None and found.created_at.tzinfo is None:
        raise Broken("the time of a post has no zone")


def _pages(bench: Bench) -> None:
    """The page of a post is a web address."""
    bench.needs("post")
    _, post = bench.posted[-1] if bench.posted else bench.post()
    url = bench.adapter.url_of(SurfaceObject(action="post", id=post, username=bench.account.username))
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        raise Broken(f"the page is {url!r}")
    hostile = bench.adapter.url_of(SurfaceObject(action="post", id='/../"><', username="../x"))
    if hostile is not None and ('"' in hostile or "/../" in hostile):
        raise Broken(f"an id is not escaped: {hostile!r}")


def _unknown(bench: Bench) -> None:
    """A post whose outcome is unknown is resolved as declared, without a second one."""
    bench.needs("post")
    how = bench.kind.writes.get("post")
    if how is Resolution.ASK:
        raise NotApplicable("a person decides")
    since = clock.now()
    action, post = bench.post(f"Lost and found {uuid.uuid4()}")
    if how in (Resolution.RESEND, Resolution.NATURAL):
        again = bench.adapter.write(action, timeout_s=TIMEOUT_S).remote_id
        if again != post:
            raise Broken(f"sent again with the same key, the post {post} is {again}")
        return
    found = bench.adapter.probe(action, since=since, known=NOBODY)
    if found is None or found.remote_id != post:
        raise Broken("the probe does not find a post that is there")
    if bench.adapter.probe(action, since=since, known=frozenset({post})) is not None:
        raise Broken("the probe finds a post of another job")
    other = replace(action, payload=replace(action.payload, text=f"Never sent {uuid.uuid4()}"))
    if bench.adapter.probe(other, since=since, known=NOBODY) is not None:
        raise Broken("the probe finds a post that was never sent")


def _like(bench: Bench) -> None:
    """A like that is sent twice is one like."""
    bench.needs("post", "like")
    _, post = bench.post()
    for _ in range(2):
        bench.adapter.write(bench.action(social.LIKE, target=post), timeout_s=TIMEOUT_S)
    found = bench.seen(post)
    if found is not None and found.likes > 1:
        raise Broken(f"the post has {found.likes} likes")


def _comment(bench: Bench) -> None:
    """A comment is read with its text."""
    bench.needs("post", "comment", "comments")
    _, post = bench.post()
    bench.adapter.write(bench.action(social.COMMENT, target=post, text="Well seen."), timeout_s=TIMEOUT_S)
    said = [one.text for one in bench.adapter.comments(bench.account, post, limit=10)]
    if said != ["Well seen."]:
        raise Broken(f"the comments are {said}")


def _gone(bench: Bench) -> None:
    """What is not there is Vanished or Refused."""
    bench.needs("like")
    _raises(lambda: bench.adapter.write(bench.action(social.LIKE, target=str(uuid.uuid4())), timeout_s=TIMEOUT_S),
            base.Vanished, base.Refused)  # fmt: skip


def _delete(bench: Bench) -> None:
    """A post that was deleted is gone, as often as it is deleted."""
    bench.needs("post", "delete")
    _, post = bench.post()
    for _ in range(2):
        try:
            bench.adapter.write(bench.action(social.DELETE, target=post), timeout_s=TIMEOUT_S)
        except base.Vanished:
            continue
    try:
        found = bench.seen(post)
    except (base.Vanished, base.Refused):
        return
    if found is not None:
        raise Broken("the post is still there")


def _token(bench: Bench) -> None:
    """Wrong credentials are TokenRefused."""
    call = bench.reads()
    try:
        stranger = bench.connect(credentials=_wrong(bench.credentials))
    except InvalidInput:
        return
    _raises(lambda: call(stranger), base.TokenRefused)


def _wrong(credentials: str) -> str:
    """Return credentials of the same form that open nothing."""
    turned = "".join(chr(ord(one) + 1) if one in "abcdefghijklmnopqrstuvwxy" else one for one in credentials)
    return turned if turned != credentials else f"{credentials}x"


def _unreachable(bench: Bench) -> None:
    """A server that is not there is Unreachable."""
    call, gone = bench.reads(), bench.connect(address=f"http://127.0.0.1:{_free_port()}", timeout_s=SLOWEST_S)
    _raises(lambda: call(gone), base.Unreachable)


def _silent(bench: Bench) -> None:
    """A write to a silent server is Uncertain, within its deadline."""
    since_s = clock.monotonic_s()
    _at_fault(bench, "silent", base.Uncertain)
    if clock.monotonic_s() - since_s > 4 * SLOWEST_S:
        raise Broken(f"a call with a deadline of {SLOWEST_S:g} s took {clock.monotonic_s() - since_s:.0f} s")


def _nonsense(bench: Bench) -> None:
    """A response that makes no sense is an error of adapters, and of a write Uncertain."""
    _at_fault(bench, "nonsense", base.Uncertain)


def _fails(bench: Bench) -> None:
    """A server that fails (500) makes a write Uncertain."""
    _at_fault(bench, "fails", base.Uncertain)


def _throttles(bench: Bench) -> None:
    """A 429 is Throttled, with the time of Retry-After."""
    with stand_in.serving("throttles") as address:
        call = bench.reads()
        error = _raises(lambda: call(bench.connect(address=address, timeout_s=SLOWEST_S)), base.Throttled)
    if getattr(error, "retry_after_s", None) != stand_in.RETRY_AFTER_S:
        raise Broken(f"it says {getattr(error, 'retry_after_s', None)} s in place of {stand_in.RETRY_AFTER_S}")


def _at_fault(bench: Bench, fault: str, *wanted: type[AdapterError]) -> None:
    bench.needs("post")
    needs_picture = bench.kind.pictures is not None and bench.kind.pictures.is_required
    image = data_url(render_jpeg("x", "ai_artist")) if needs_picture else ""
    with stand_in.serving(fault) as address:
        broken = bench.connect(address=address, timeout_s=SLOWEST_S)
        action = bench.action(social.POST, text="Lost.", image_url=image, alt_text="x" if image else "")
        _raises(lambda: broken.write(action, timeout_s=SLOWEST_S), *wanted)


def _raises(call: Callable[[], Any], *wanted: type[AdapterError]) -> FleetError:
    names = " or ".join(one.__name__ for one in wanted)
    try:
        call()
    except wanted as error:
        return error
    except Exception as error:
        raise Broken(f"it raises {type(error).__name__} ({error}) in place of {names}") from error
    raise Broken(f"it raises nothing in place of {names}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _clean(bench: Bench) -> None:
    """Its posts of this run can be removed."""
    bench.needs("post", "delete")
    for _, post in bench.posted:
        try:
            bench.adapter.write(bench.action(social.DELETE, target=post), timeout_s=TIMEOUT_S)
        except base.Vanished:
            continue


PROMISES: tuple[Callable[[Bench], None], ...] = (
    _manifest, _address, _provision, _check, _post, _pages, _unknown, _like, _comment, _gone, _delete, _token,
    _unreachable, _silent, _nonsense, _fails, _throttles, _clean,
)  # fmt: skip
"""In the order in which they are checked."""
