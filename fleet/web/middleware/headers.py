"""What every answer carries: a policy that lets a page run our own scripts and nothing else, and an id for the logs."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
_SECURE = (b"strict-transport-security", b"max-age=31536000")
_UNKEPT = (b"cache-control", b"no-store")


def _cookie(state: Mapping[str, Any], given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the session's new key if the gate has changed it, unless the answer itself sets or takes the cookie."""
    changed = str(state.get("session_cookie", "")).encode("latin-1")
    name = changed.partition(b"=")[0] + b"="
    is_set = any(header == b"set-cookie" and value.startswith(name) for header, value in given)
    return [] if not changed or is_set else [(b"set-cookie", changed)]


class Headers:
    """Sets the headers of every answer, where the answer has not set them itself."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        self._always = (*_ALWAYS, _SECURE) if is_secure else _ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request with an id in its state."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["id"] = request_id
        state = scope["state"]
        # The URL of an invitation contains its key, which must not reach even our own pages as a referrer.
        referrer = b"strict-origin" if scope["path"].startswith("/join/") else b"same-origin"
        unkept = () if scope["path"].startswith("/static/") else (_UNKEPT,)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                names = {name.lower() for name, _ in given}
                more = (*self._always, *unkept, (b"referrer-policy", referrer), (b"x-request-id", request_id.encode()))
                message["headers"] = [*given, *(one for one in more if one[0] not in names), *_cookie(state, given)]
            await send(message)

        await self._app(scope, receive, with_headers)
