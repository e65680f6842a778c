"""The promises of an adapter, each checked against a real server, or against a broken one in its place.

`run` writes on the server: give it a test account. It removes its posts where the adapter can delete.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from fleet.adapters import base, manifest, social
from fleet.adapters.base import AdapterError, CheckingAdapter, Resolution, SurfaceObject
from fleet.adapters.manifest import AdapterType
from fleet.core import clock
from fleet.core.errors import InvalidInput
from fleet.core.masking import mask
from fleet.features.adapters.conformance import shop_promises, stand_in
from fleet.features.adapters.conformance.bench import (
    NOBODY,
    SLOWEST_S,
    TIMEOUT_S,
    Bench,
    Broken,
    NotApplicable,
    free_port,
    raises,
)
from fleet.images.placeholder import data_url, render_jpeg


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


def run(kind: AdapterType, address: str, credentials: str) -> Iterator[PromiseResult]:
    """Check the promises of an adapter in turn; yield what came of each."""
    bench = Bench(kind, address, credentials)
    for promise in PROMISES if kind.shop is None else SHOP_PROMISES:
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
    bench.connect(address=f"http://127.0.0.1:{free_port()}")
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
    raises(lambda: bench.adapter.write(bench.action(social.LIKE, target=str(uuid.uuid4())), timeout_s=TIMEOUT_S),
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
    raises(lambda: call(stranger), base.TokenRefused)


def _wrong(credentials: str) -> str:
    """Return credentials of the same form that open nothing."""
    turned = "".join(chr(ord(one) + 1) if one in "abcdefghijklmnopqrstuvwxy" else one for one in credentials)
    return turned if turned != credentials else f"{credentials}x"


def _unreachable(bench: Bench) -> None:
    """A server that is not there is Unreachable."""
    call, gone = bench.reads(), bench.connect(address=f"http://127.0.0.1:{free_port()}", timeout_s=SLOWEST_S)
    raises(lambda: call(gone), base.Unreachable)


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
        error = raises(lambda: call(bench.connect(address=address, timeout_s=SLOWEST_S)), base.Throttled)
    if getattr(error, "retry_after_s", None) != stand_in.RETRY_AFTER_S:
        raise Broken(f"it says {getattr(error, 'retry_after_s', None)} s in place of {stand_in.RETRY_AFTER_S}")


def _at_fault(bench: Bench, fault: str, *wanted: type[AdapterError]) -> None:
    bench.needs("post")
    needs_picture = bench.kind.pictures is not None and bench.kind.pictures.is_required
    image = data_url(render_jpeg("x", "ai_artist")) if needs_picture else ""
    with stand_in.serving(fault) as address:
        broken = bench.connect(address=address, timeout_s=SLOWEST_S)
        action = bench.action(social.POST, text="Lost.", image_url=image, alt_text="x" if image else "")
        raises(lambda: broken.write(action, timeout_s=SLOWEST_S), *wanted)


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
SHOP_PROMISES = (
    _manifest, _address, _check, *shop_promises.PROMISES, _token, _unreachable, _throttles, shop_promises.clean,
)  # fmt: skip
