"""The frame of the sandbox's servers, the gallery and the shop: middleware, error responses, headers.

Called by the `app` of each. Errors are JSON for programs and pages for people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.core import logs
from fleet.core.net.hosts import Hosts, hosts_of
from fleet.sandbox.gallery import errors
from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.faults import FaultLayer, Faults
from fleet.sandbox.gallery.intake import RequestGuard

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_POLICY = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
)

log = logs.get(__name__)


class Frame:
    """The frame of one server. `error_page` returns the page of an error."""

    def __init__(self, server: str, error_page: Callable[[Request, ApiError], Response]) -> None:
        self._server = server
        self._error_page = error_page

    def install(self, app: FastAPI, *, faults: Faults, base_url: str, names: Sequence[str]) -> None:
        """Add the middleware and the error responses to an app; it answers to the hosts of `base_url` and `names`."""
        app.add_exception_handler(ApiError, self._refused)
        app.add_exception_handler(RequestValidationError, self._malformed)
        app.add_exception_handler(HTTPException, self._http_error)
        app.add_exception_handler(sa.exc.DataError, self._cannot_be_kept)
        app.add_exception_handler(UnicodeEncodeError, self._cannot_be_kept)
        app.add_exception_handler(sa.exc.OperationalError, self._database_away)
        app.add_exception_handler(sa.exc.TimeoutError, self._database_away)
        app.add_exception_handler(Exception, self._broken)
        setting = f"FLEET_{self._server.upper()}"
        refusal = (
            f"This {self._server} does not answer to that name.\n"
            f"Its operator sets {setting}_PUBLIC_URL, or {setting}_NAMES for further names.\n"
        )
        # The last one added is the outermost: no other middleware may change a dropped response.
        app.add_middleware(RequestGuard, refuse=self._answer)
        app.add_middleware(Hosts, names=(*hosts_of(base_url), *names), refusal=refusal)
        app.add_middleware(_Headers)
        app.add_middleware(FaultLayer, faults=faults)

    def _answer(self, request: Request, error: ApiError) -> Response:
        """Return the error as JSON for programs and as a page with a fix for people."""
        is_api = request.url.path.startswith("/api/")
        answer = JSONResponse(error.body(), error.status) if is_api else self._error_page(request, error)
        if error.retry_after_s is not None:
            answer.headers["retry-after"] = str(error.retry_after_s)
        return answer

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)  # registered for this class
        return self._answer(request, error)

    async def _malformed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # registered for this class
        found = [{"path": _path(item["loc"]), "message": str(item["msg"])} for item in error.errors()]
        if any(item["type"] == "json_invalid" for item in error.errors()):
            return self._answer(request, ApiError(400, "NOT_JSON", "The body is not JSON."))
        return self._answer(request, errors.problems(found))

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # registered for this class
        codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
        code = codes.get(error.status_code, "HTTP_ERROR")
        answer = self._answer(request, ApiError(error.status_code, code, error.detail))
        answer.headers.update(error.headers or {})
        return answer

    async def _cannot_be_kept(self, request: Request, error: Exception) -> Response:
        """Return the response for a value that the database refuses: NUL, a lone surrogate, a huge number."""
        log.info("sandbox_value_refused", server=self._server, path=request.url.path, error=type(error).__name__)
        return self._answer(request, ApiError(422, "VALIDATION_ERROR", "A value holds what cannot be kept."))

    async def _database_away(self, request: Request, error: Exception) -> Response:
        words = logs.mask(str(error).split("\n", maxsplit=1)[0])
        log.warning("sandbox_database_away", server=self._server, error=words)
        message = f"The {self._server}'s database cannot be reached now."
        return self._answer(request, ApiError(503, "DATABASE_UNAVAILABLE", message))

    async def _broken(self, request: Request, error: Exception) -> Response:
        log.error("sandbox_request_failed", server=self._server, path=request.url.path, exc_info=error)
        return self._answer(request, ApiError(500, "INTERNAL_ERROR", f"Something broke in the {self._server}."))


class _Headers:
    """Sets the headers of every response, and the content policy where the route set none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                names = {name.lower() for name, _ in given}
                message["headers"] = [*given, *(h for h in (*_HEADERS, _POLICY) if h[0] not in names)]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def _path(location: tuple[Any, ...]) -> str:
    """Return the path of an invalid value, without the prefix for the body."""
    return ".".join(str(part) for part in location if part not in ("body", "query", "header", "path"))
