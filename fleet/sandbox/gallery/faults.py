"""Injected faults: latency, 429, 500, connections cut before or after a write, requests delivered twice.

An ASGI middleware around the whole gallery. Each rule has a seeded random generator, so a run of faults can be
repeated. Never active on the controls under /api/sandbox, which switch it off.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
from dataclasses import asdict, dataclass, field
from random import Random

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.core import clock, logs

log = logs.get(__name__)

TRANSPORT = "fleet.transport"
"""Key of the connection in `scope["state"]`; the server sets it, so that a response can really be dropped."""

ARRIVED = "fleet.arrived"
"""Key of the request's arrival time in `scope["state"]`, before any latency."""

_UNTOUCHED = ("/api/sandbox", "/health")


@dataclass(frozen=True, slots=True)
class FaultRule:
    """A rule: which faults, how often (rates from 0 to 1), on which requests.

    `match` is a pattern of paths such as `/api/showcase/*/like`; empty `methods` means all. `limit` is the maximum
    number of faults of the rule, latency not counted. One random number selects the kind, so the rates of 429, 500,
    drop, duplicate and cut add up to 1 at most. `drop` cuts the connection after the write, `cut` before it.
    """

    match: str = "/api/*"
    methods: tuple[str, ...] = ()
    seed: int = 0
    limit: int | None = None
    latency_rate: float = 0.0
    latency_ms: int = 0
    too_many_rate: float = 0.0
    retry_after_s: int = 1
    error_rate: float = 0.0
    drop_rate: float = 0.0
    duplicate_rate: float = 0.0
    cut_rate: float = 0.0


@dataclass(slots=True)
class _Active:
    rule: FaultRule
    dice: Random = field(init=False)
    made: int = 0

    def __post_init__(self) -> None:
        self.dice = Random(self.rule.seed)

    def matches(self, method: str, path: str) -> bool:
        return (not self.rule.methods or method in self.rule.methods) and fnmatch.fnmatchcase(path, self.rule.match)

    def throw(self) -> str | None:
        """Return the kind of fault for this request, if any. Always draws one number, so that runs can be repeated."""
        point = self.dice.random()
        if self.rule.limit is not None and self.made >= self.rule.limit:
            return None
        for kind, rate in (("too_many", self.rule.too_many_rate), ("error", self.rule.error_rate),
                           ("drop", self.rule.drop_rate), ("duplicate", self.rule.duplicate_rate),
                           ("cut", self.rule.cut_rate)):  # fmt: skip
            if point < rate:
                self.made += 1
                return kind
            point -= rate
        return None


class Faults:
    """The rules in force. Changed by the control endpoint while requests run; only used on the event loop."""

    def __init__(self, rules: tuple[FaultRule, ...] = ()) -> None:
        self._active: list[_Active] = []
        self.set(rules)

    def set(self, rules: tuple[FaultRule, ...]) -> None:
        """Replace all rules; random generators and counts start again."""
        self._active = [_Active(rule) for rule in rules]

    def status(self) -> list[dict[str, object]]:
        """Return the rules, each with its number of faults."""
        return [{**asdict(active.rule), "made": active.made} for active in self._active]

    def latency_s(self, method: str, path: str) -> float:
        """Return the latency that the rules add to this request."""
        slow = [active for active in self._active if active.rule.latency_ms and active.matches(method, path)]
        return sum(one.rule.latency_ms / 1000 for one in slow if one.dice.random() < one.rule.latency_rate)

    def throw(self, method: str, path: str) -> tuple[str, FaultRule] | None:
        """Return the fault for this request, from the first matching rule that has one."""
        for active in self._active:
            if active.matches(method, path) and (kind := active.throw()):
                return kind, active.rule
        return None


class FaultLayer:
    """The ASGI middleware that injects the faults."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_UNTOUCHED):
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        scope.setdefault("state", {})[ARRIVED] = clock.now()
        delay_s = self._faults.latency_s(method, path)
        if delay_s:
            # Finish a received request even if the client has disconnected.
            receive = _replay(await _whole_body(receive), receive)
            await asyncio.sleep(delay_s)
        thrown = self._faults.throw(method, path)
        if thrown is None:
            await self._app(scope, receive, send)
            return
        kind, rule = thrown
        log.info("gallery_fault", kind=kind, method=method, path=path)
        if kind == "too_many":
            await _answer(send, 429, {"error": "Too many requests.", "code": "RATE_LIMITED"}, rule.retry_after_s)
        elif kind == "error":
            await _answer(send, 500, {"error": "Something broke in the gallery.", "code": "INTERNAL_ERROR"})
        elif kind == "drop":
            await self._drop(scope, receive)
        elif kind == "cut":
            await _cut(scope, receive)
        else:
            await self._twice(scope, receive, send)

    async def _drop(self, scope: Scope, receive: Receive) -> None:
        """Process the request, then cut the connection without a response."""
        await self._app(scope, receive, _swallow)
        await _cut(scope, receive)

    async def _twice(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process the request twice in sequence, as with a proxy that retries; return the second response."""
        body = await _whole_body(receive)
        state = dict(scope.get("state", {}))
        await self._app({**scope, "state": dict(state)}, _replay(body, receive), _swallow)
        await self._app({**scope, "state": dict(state)}, _replay(body, receive), send)


async def _cut(scope: Scope, receive: Receive) -> None:
    """Cut the connection without a response."""
    transport: asyncio.Transport | None = scope.get("state", {}).get(TRANSPORT)
    if transport is None:
        raise ConnectionResetError("the connection was cut on purpose")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":  # the server must see it before we return
        pass


async def _swallow(message: Message) -> None:
    del message


async def _whole_body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the body again, then the messages of the connection."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, body: dict[str, str], retry_after_s: int | None = None) -> None:
    raw = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
