"""What every request passes before a route sees it: its size, characters that nothing can keep, how many.

The limits of the API are token buckets in this process: a user's programs share one for reads and one for writes, and
so do their browsers; a fleet with several web processes allows as much in each.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import HTTPException, Request
from python_multipart.multipart import parse_options_header
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.access import Principal, Via
from fleet.core.errors import FleetError
from fleet.core.net.hosts import without_escapes
from fleet.core.net.rate_limit import RateLimit
from fleet.core.settings import Settings
from fleet.engine import registry
from fleet.web.auth import SAFE, NotLoggedIn, address_of, principal_of
from fleet.web.points.large_body import POINT, LargeBody
from fleet.web.problems import as_problem, problem

MOST_BYTES = 1_000_000
_API = "/api/v1/"
_CHARSETS = frozenset({b"", b"utf-8", b"utf8", b"us-ascii"})


class Intake:
    """Refuses requests that are too large, too frequent, or not text, before any other work."""

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        self._app, self._settings = app, settings
        self._limits: dict[str, tuple[int, RateLimit]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = [without_escapes(header) for header in scope["headers"]]
        request = Request(scope, receive)
        refusal = _misshapen(request)
        headers: list[tuple[bytes, bytes]] = []
        if refusal is None and scope["path"].startswith(_API):
            refusal, headers = await self._count(request)
        if refusal is not None:
            refusal.headers.update({name.decode(): value.decode() for name, value in headers})
            await refusal(scope, receive, send)
            return
        await self._app(scope, _bounded(receive, _most_bytes(scope["path"])), _with(headers, send) if headers else send)

    def _limit(self, kind: str, most: int) -> RateLimit:
        """Return the buckets of a kind of request; new ones after the limit was set to another value."""
        known = self._limits.get(kind)
        if known is None or known[0] != most:
            known = self._limits[kind] = most, RateLimit(most, 60.0)
        return known[1]

    async def _count(self, request: Request) -> tuple[Response | None, list[tuple[bytes, bytes]]]:
        """Take a token from the caller's rate limit; return the refusal if there is none, and the headers about the
        limit.

        Unknown callers may not write: their bodies are not even read.
        """
        kind = "reads" if request.method in SAFE else "writes"
        most = getattr(self._settings(), f"web_{kind}_per_minute")
        if most == 0 and kind == "reads":
            return None, []
        try:
            who = await principal_of(request)
        except FleetError as error:
            return as_problem(error), []
        if most == 0 or (who is not None and who.via is Via.TERMINAL):
            return self._unknown(who, kind), []
        caller = f"address {address_of(request)}" if who is None else f"{who.via} {who.user_id}"
        allowed, bucket = self._limit(kind, most).use(caller)
        headers = [
            (b"ratelimit-policy", f'"{kind}";q={most};w=60'.encode()),
            (b"ratelimit", f'"{kind}";r={int(bucket.tokens)};t={bucket.full_s}'.encode()),
        ]
        if allowed:
            return self._unknown(who, kind), headers
        refusal = problem(429, f"More than {most} {kind} a minute.", fix=f"Ask again in {bucket.next_s} s.")
        refusal.headers["retry-after"] = str(bucket.next_s)
        return refusal, headers

    def _unknown(self, who: Principal | None, kind: str) -> Response | None:
        return as_problem(NotLoggedIn()) if who is None and kind == "writes" else None


def _misshapen(request: Request) -> Response | None:
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdecimal():
        return problem(400, "Content-Length is no number.")
    if int(length) > (most := _most_bytes(request.url.path)):
        return problem(413, _too_large(most))
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data" and options.get(b"charset", b"").lower() not in _CHARSETS:
        # Python knows encodings that take the square of a text's length to read (punycode: a minute for a megabyte).
        return problem(415, "A form is written in UTF-8.")
    is_api = request.url.path.startswith(_API)  # pages show these errors to the person who typed the value
    if is_api and ("\0" in request.url.path or b"%00" in request.scope["query_string"]):
        return problem(422, "The address holds a NUL character.")
    return None


def _bounded(receive: Receive, most: int) -> Receive:
    """Limit a body that does not give its length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413, _too_large(most))
        return message

    return counted


def _most_bytes(path: str) -> int:
    known: tuple[LargeBody, ...] = registry.current().extensions(POINT)
    return next((one.most_bytes for one in known if one.path == path), MOST_BYTES)


def _too_large(most: int) -> str:
    return f"A request has at most {most:,} bytes."


def _with(headers: list[tuple[bytes, bytes]], send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *headers]
        await send(message)

    return sent
