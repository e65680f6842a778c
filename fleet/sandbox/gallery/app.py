"""The gallery as an ASGI app: routes, middleware, error responses, headers.

Called by `server` and by tests. `create_app` opens the database and the folder, so that their errors are reported
before the server listens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.core import logs
from fleet.core.net.hosts import Hosts, hosts_of
from fleet.sandbox.gallery import errors
from fleet.sandbox.gallery.api import controls as controls_api
from fleet.sandbox.gallery.api import fsc as api
from fleet.sandbox.gallery.api import social as social_api
from fleet.sandbox.gallery.auth import ServiceTokens
from fleet.sandbox.gallery.config import GalleryConfig
from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.faults import FaultLayer, Faults
from fleet.sandbox.gallery.intake import RequestGuard
from fleet.sandbox.gallery.limits import VisitorLimits
from fleet.sandbox.gallery.live import ChangeHub
from fleet.sandbox.gallery.pages import routes as pages
from fleet.sandbox.gallery.pictures import MAX_UPLOAD_BYTES, Pictures
from fleet.sandbox.gallery.state import Gallery
from fleet.sandbox.gallery.store import controls
from fleet.sandbox.gallery.store.database import open_storage

_MAX_BODY_BYTES = MAX_UPLOAD_BYTES * 4 // 3 + 64 * 1024  # a data URL and its JSON

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_NOT_OURS = (
    "This gallery does not answer to that name.\n"
    "Its operator sets FLEET_GALLERY_PUBLIC_URL, or FLEET_GALLERY_NAMES for further names.\n"
)
_POLICY = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
)

log = logs.get(__name__)


def create_app(config: GalleryConfig) -> FastAPI:
    """Build the gallery. Raises InvalidInput or Unavailable when database or folder cannot be used."""
    gallery = _open(config)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        gallery.hub.start()
        try:
            yield
        finally:
            gallery.hub.close()
            gallery.storage.close()

    app = FastAPI(
        title="FloImg sandbox gallery", lifespan=lifespan, max_body_size=_MAX_BODY_BYTES,
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.state.gallery = gallery
    app.include_router(api.router)
    app.include_router(social_api.router)
    app.include_router(controls_api.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "pages" / "static"), name="static")
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(sa.exc.DataError, _cannot_be_kept)
    app.add_exception_handler(UnicodeEncodeError, _cannot_be_kept)
    app.add_exception_handler(sa.exc.OperationalError, _database_away)
    app.add_exception_handler(sa.exc.TimeoutError, _database_away)
    app.add_exception_handler(Exception, _broken)
    # The last one added is the outermost: no other middleware may change a dropped response.
    app.add_middleware(RequestGuard, refuse=_answer)
    app.add_middleware(Hosts, names=(*hosts_of(config.base_url), *config.names), refusal=_NOT_OURS)
    app.add_middleware(_Headers)
    app.add_middleware(FaultLayer, faults=gallery.faults)
    return app


def _open(config: GalleryConfig) -> Gallery:
    pictures = Pictures(config.images_dir.absolute(), config.base_url)
    storage = open_storage(config.database_url, pool_size=config.pool_size)
    if config.budgets is not None:
        with storage.transaction() as tx:
            controls.set_budgets(tx, config.budgets)
    return Gallery(config, storage, pictures, ServiceTokens(config.service_tokens), Faults(config.faults),
                   ChangeHub(storage, config.most_streams, config.streams_per_address),
                   VisitorLimits(config))  # fmt: skip


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


def _answer(request: Request, error: ApiError) -> Response:
    """Return the error as JSON for programs and as a page with a fix for people."""
    is_api = request.url.path.startswith("/api/")
    answer = JSONResponse(error.body(), error.status) if is_api else pages.error_page(request, error)
    if error.retry_after_s is not None:
        answer.headers["retry-after"] = str(error.retry_after_s)
    return answer


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # registered for this class
    return _answer(request, error)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # registered for this class
    found = [{"path": _path(item["loc"]), "message": str(item["msg"])} for item in error.errors()]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return _answer(request, ApiError(400, "NOT_JSON", "The body is not JSON."))
    return _answer(request, errors.problems(found))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # registered for this class
    codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
    answer = _answer(request, ApiError(error.status_code, codes.get(error.status_code, "HTTP_ERROR"), error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _cannot_be_kept(request: Request, error: Exception) -> Response:
    """Return the response for a value that the database refuses: NUL, a lone surrogate, a huge number."""
    log.info("gallery_value_refused", path=request.url.path, error=type(error).__name__)
    return _answer(request, ApiError(422, "VALIDATION_ERROR", "A value holds what cannot be kept."))


async def _database_away(request: Request, error: Exception) -> Response:
    log.warning("gallery_database_away", error=logs.mask(str(error).split("\n", maxsplit=1)[0]))
    return _answer(request, ApiError(503, "DATABASE_UNAVAILABLE", "The gallery's database cannot be reached now."))


async def _broken(request: Request, error: Exception) -> Response:
    log.error("gallery_request_failed", path=request.url.path, exc_info=error)
    return _answer(request, ApiError(500, "INTERNAL_ERROR", "Something broke in the gallery."))


def _path(location: tuple[Any, ...]) -> str:
    """Return the path of an invalid value, without the prefix for the body."""
    return ".".join(str(part) for part in location if part not in ("body", "query", "header", "path"))
