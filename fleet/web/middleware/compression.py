"""gzip of pages, responses of the API and static files; not of the live stream, nor of pictures.

The length of a compressed response can reveal a secret in it to somebody who chooses other parts of it (BREACH). So
only answers to GET are compressed: secrets that are shown once answer a POST. And an https request with a cookie is
answered uncompressed unless the browser says that our own page or the person sent it: no other site can measure.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEAST_BYTES = 1_000
_LEVEL = 5  # of a page of 100 kB 2 ms, and within a few per cent of level 9
_OWN = frozenset({"same-origin", "none"})


class Compression:
    """Compresses what the client accepts compressed."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app, self._is_secure = app, is_secure
        self._packed = GZipMiddleware(app, minimum_size=_LEAST_BYTES, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] == "http" and scope["method"] == "GET" and self._may_pack(scope):
            await self._packed(scope, receive, _with_weak_tags(send))
        else:
            await self._app(scope, receive, send)

    def _may_pack(self, scope: Scope) -> bool:
        headers: Mapping[str, str] = Headers(scope=scope)
        site = headers.get("sec-fetch-site")
        if "cookie" not in headers or scope["path"].startswith("/static/"):
            return True
        # Over http browsers do not say where a request comes from, and there is no secret to guess: all can be read.
        return site in _OWN or (site is None and not (self._is_secure or scope["scheme"] == "https"))


def _with_weak_tags(send: Send) -> Send:
    """Say of a compressed response that its tag is that of the content, not of these bytes."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            tag = headers.get("etag", "")
            if "content-encoding" in headers and tag.startswith('"'):
                headers["etag"] = f"W/{tag}"
        await send(message)

    return sent
