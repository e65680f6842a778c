"""What every request of the gallery passes before a route sees it: its cookies and the characters of its address.

No name, id or word that the database keeps holds NUL, so an address with one leads nowhere. One place answers for all
routes; what stands in bodies is refused by `app` when the database does.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fleet.core.net.hosts import without_escapes
from fleet.sandbox.gallery.errors import ApiError, not_found


class RequestGuard:
    """Refuses addresses that hold NUL, with the answer that `refuse` makes."""

    def __init__(self, app: ASGIApp, *, refuse: Callable[[Request, ApiError], Response]) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or say why not."""
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
