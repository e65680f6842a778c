"""Which names the app answers to: the one place where the Host header is judged.

A page of another site can have its own name lead to this machine (DNS rebinding) and would then share our origin. So a
request that calls us by any other name than ours is answered with 421 and words, before anything else looks at it.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fleet.core.settings import Settings

_WORDS = (
    "This dashboard does not answer to that name.\n"
    "Its operator sets FLEET_WEB_URL to the address under which people reach it.\n"
)
_PROBES = frozenset({"/health", "/ready"})
"""Asked by orchestrators under whatever name; they tell nothing."""


class Hosts:
    """Answers requests that are meant for us, and refuses the rest."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._ours = urlsplit(settings.web_url).hostname

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request if it calls us by a name of ours."""
        if scope["type"] != "http" or scope["path"] in _PROBES or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        await PlainTextResponse(_WORDS, 421)(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        name = host_of(given[0])
        return name is not None and (name == self._ours or is_local(name, (scope.get("server") or ("",))[0]))


def host_of(written: str) -> str | None:
    """Return the name in a Host header, in lower case and without the port; None for one that is malformed."""
    try:
        parts = urlsplit(f"//{written}")
        _ = parts.port  # raises for what is no port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == written and "@" not in written else None


def is_local(name: str, listening_on: str) -> bool:
    """Say whether a name is this machine's loopback, or the very address on which the request came in."""
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or name == listening_on
