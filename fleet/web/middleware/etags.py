"""Entity tags: 304 for a response that has not changed, and writes only on the version that the client has read.

A tag is `"version.hash"`: the hash of the response's bytes, and before it the version that the route gives, if any.
If-None-Match compares both; If-Match only the version, since an agent's times change with every tick, which does not
concern an edit of its settings.
"""

from __future__ import annotations

import hashlib
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from fleet.web.middleware.response_capture import CapturedResponse, answered

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_PATH = "/api/v1/"
_FRESH = (b"cache-control", b"private, no-cache")
_KEPT_IN_304 = frozenset({b"etag", b"cache-control", b"vary"})


class Etags:
    """Adds a tag to every response to a GET of the API, and answers 304 to a client that has the same response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http" or not scope["path"].startswith(_PATH):
            await self._app(scope, receive, send)
            return
        answer = await answered(self._app, scope, receive)
        if answer.status < 300 and (scope["method"] == "GET" or answer.header(b"etag")):
            answer = _tagged(answer)
            if scope["method"] == "GET" and _is_known(answer, _asked(scope)):
                kept = tuple(one for one in answer.headers if one[0].lower() in _KEPT_IN_304)
                answer = CapturedResponse(304, kept, b"")
        await answer.send(send)


def versions(if_match: str | None) -> frozenset[str] | None:
    """Return the versions in an If-Match header; None where any will do."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(tag.partition(".")[0] for tag in _TAG.findall(if_match))


def _tagged(answer: CapturedResponse) -> CapturedResponse:
    version = answer.header(b"etag").decode("latin-1").strip('"')
    digest = hashlib.sha256(answer.body).hexdigest()[:32]
    tag = f'"{version}.{digest}"' if version else f'"{digest}"'
    return answer.with_headers((b"etag", tag.encode()), _FRESH)


def _asked(scope: Scope) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match")


def _is_known(answer: CapturedResponse, asked: str) -> bool:
    return asked.strip() == "*" or answer.header(b"etag").decode().strip('"') in _TAG.findall(asked)
