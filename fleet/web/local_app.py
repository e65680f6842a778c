"""The API in this process, for a fleet whose dashboard does not run: no socket, no token, the local administrator.

Whoever can reach the database with the fleet's own password may do everything already; the audit log has the name of
the system's user.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fleet.access.principal import local_administrator
from fleet.core.workarounds.httpx import without_commands
from fleet.web.app import create_app

with without_commands():
    import httpx

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from fleet.engine.deps import Deps


_ADDRESS = "http://127.0.0.1:8630"
"""Where `fleet web` listens by default: links in answers begin with it unless FLEET_WEB_URL is set."""


def client(deps: Deps, user: str) -> httpx.Client:
    """Return a client of the app over the connections of this command, for the system's user."""
    app = _Known(create_app(deps), user)
    plain = {"accept-encoding": "identity"}  # nothing travels
    return httpx.Client(base_url=f"{_ADDRESS}/api/v1", headers=plain, transport=_InProcess(app))


class _Known:
    """Hands every request to the app with its principal settled."""

    def __init__(self, app: ASGIApp, user: str) -> None:
        self._app = app
        self._principal = local_administrator(user)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of the local administrator."""
        await self._app({**scope, "state": {"principal": self._principal}}, receive, send)


class _InProcess(httpx.BaseTransport):
    """Answers requests by calling the app, each in an event loop of its own."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the app's answer. An error that the app does not catch is raised here, with its traceback."""
        body = request.read()

        async def ask() -> httpx.Response:
            sent = httpx.Request(request.method, request.url, headers=request.headers, content=body)
            answer = await self._transport.handle_async_request(sent)
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            content = b"".join([chunk async for chunk in answer.stream])
            return httpx.Response(answer.status_code, headers=answer.headers, content=content)

        return asyncio.run(ask())
