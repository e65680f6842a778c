"""Check headers of a request before an app sees them: Host, and cookies.

A page of another site can point its own name at this machine (DNS rebinding) and would then share our origin. So a
request with any other Host is answered with 421, before any other code runs. Called by the dashboard and by the
sandbox's gallery.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PROBES = frozenset({"/health", "/ready"})
"""Orchestrators request these under any host name; the responses hold no data."""


class Hosts:
    """Serves requests that name one of our hosts, and refuses the rest with `refusal`."""

    def __init__(self, app: ASGIApp, *, names: Iterable[str], refusal: str) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request if it calls us by a name of ours."""
        if scope["type"] != "http" or scope["path"] in _PROBES or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        await PlainTextResponse(self._refusal, 421)(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        name = host_of(given[0])
        return name is not None and (name in self._names or is_local(name, (scope.get("server") or ("",))[0]))


def hosts_of(*urls: str) -> list[str]:
    """Return the hosts of those URLs that are not empty."""
    return [host for url in urls if (host := urlsplit(url).hostname)]


def host_of(written: str) -> str | None:
    """Return the name in a Host header, in lower case and without the port; None for one that is malformed."""
    try:
        parts = urlsplit(f"//{written}")
        _ = parts.port  # raises for an invalid port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == written and "@" not in written else None


def without_escapes(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a cookie header without the cookies that contain a backslash: none of ours does.

    Python takes quadratic time to undo such escapes (CVE-2024-7592): a header of 60 kB, from any client, blocked every
    page for eight seconds.
    """
    name, value = header
    if name != b"cookie" or b"\\" not in value:
        return header
    return name, b";".join(one for one in value.split(b";") if b"\\" not in one)


def is_local(name: str, listening_on: str) -> bool:
    """Say whether a name is this machine's loopback, or the very address on which the request came in."""
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or name == listening_on
