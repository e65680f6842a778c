"""Checks of every request before its route: cookies, and characters of the URL.

No stored name, id or text contains NUL, so a URL with one is not found. This check covers all routes. `app` refuses
NUL in bodies, when the database does.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fleet.core.net.hosts import without_escapes
from fleet.sandbox.gallery.errors import ApiError, not_found


class RequestGuard:
    """Refuses URLs that contain NUL, with the response of `refuse`."""

    def __init__(self, app: ASGIApp, *, refuse: Callable[[Request, ApiError], Response]) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = [without_escapes(header) for header in scope["headers"]]
        error = _error(scope)
        answer = self._app if error is None else self._refuse(Request(scope), error)
        await answer(scope, receive, send)


def _error(scope: Scope) -> ApiError | None:
    if "\0" in scope["path"]:
        return not_found("This address")
    if b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
        return ApiError(422, "VALIDATION_ERROR", "The address holds a character that cannot be kept.")
    return None
