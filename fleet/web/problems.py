"""Error responses: problem+json (RFC 9457) for programs, a page with the next step for people."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError, DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.access.errors import LoginRefused, NotPermitted, TooManyTries
from fleet.access.idempotency_keys import RequestUnderWay
from fleet.access.invitations import NoInvitation
from fleet.core import logs
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound, Unavailable
from fleet.core.text import field_words
from fleet.engine import registry
from fleet.engine.agents.commands import Outdated
from fleet.engine.points.verbs import NeedsApproval
from fleet.web.auth import Forbidden, NotLoggedIn, deps_of, is_feed, last_seen, principal_of
from fleet.web.rendering import back, go, render

log = logs.get(__name__)

_STATUS: tuple[tuple[type[FleetError], int], ...] = (
    (NotLoggedIn, 401), (LoginRefused, 401), (Forbidden, 403), (NotPermitted, 403), (NoInvitation, 404),
    (TooManyTries, 429), (NotFound, 404), (Outdated, 412), (Conflict, 409),
    (InvalidInput, 422), (Unavailable, 503),
)  # fmt: skip

_TITLES = {
    400: "Unreadable request", 401: "Log in first", 403: "Not allowed", 404: "Not found", 405: "Not possible here",
    409: "Not possible now", 412: "Changed meanwhile", 413: "Too large", 421: "Another address", 422: "Invalid value",
    429: "Too many requests", 500: "Something broke", 503: "Not available now",
}  # fmt: skip
_MOST_WRONG, _LONGEST_PATH = 100, 200
_ON_PAGES = {
    400: "The request could not be read.",
    404: "There is no page at this address.",
    405: "There is a page at this address, but nothing to send it.",
    413: "What was sent is too large.",
}
"""Messages of pages, in place of the protocol's and the libraries' own, which are for programs."""
_WORTH_A_RETRY = (429, 500, 503)


class _Problem(JSONResponse):
    """JSON that may quote any input, even invalid text: a lone surrogate becomes a question mark."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def status_of(error: FleetError) -> int:
    """Return the HTTP status for an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 400)


def problem(status: int, detail: str, *, fix: str | None = None, **more: Any) -> JSONResponse:
    """Return a refusal as a program reads it."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return _Problem(body | ({"fix": fix} if fix else {}) | more, status, headers)


def as_problem(error: FleetError) -> JSONResponse:
    """Return an error of ours as a program reads it."""
    answer = problem(status_of(error), error.message, fix=error.fix)
    answer.headers.update(_when_again(error))
    return answer


def _when_again(error: FleetError) -> dict[str, str]:
    if isinstance(error, RequestUnderWay):
        return {"retry-after": "1"}
    return {"retry-after": "5"} if isinstance(error, (TooManyTries, Unavailable)) else {}


def install(app: FastAPI) -> None:
    """Have every error of this app answered here."""
    app.add_exception_handler(FleetError, _refused)
    app.add_exception_handler(NeedsApproval, _asked)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DataError, _cannot_be_stored)
    app.add_exception_handler(UnicodeEncodeError, _cannot_be_stored)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(_Breakage)


class _Breakage:
    """Answers unexpected errors from within the other middleware; outside of it the response would lack their
    headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def told(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception as error:
            if scope["type"] == "http" and not has_begun:
                await (await _broken(Request(scope), error))(scope, receive, send)
            raise


def _for_program(request: Request) -> bool:
    for_programs: tuple[str, ...] = request.app.state.for_programs
    return request.url.path.startswith(for_programs)


async def _answer(request: Request, status: int, detail: str, fix: str | None = None, **more: Any) -> Response:
    if _for_program(request):
        return problem(status, detail, fix=fix, **more)
    await _find_visitor(request, status)
    title = _TITLES.get(status, "That did not work")
    retry = status in _WORTH_A_RETRY
    return render(request, "error.html", code=status, title=title, detail=detail, fix=fix, retry=retry)


async def _find_visitor(request: Request, status: int) -> None:
    """Let an error page keep the navigation of its visitor, also where no route asked who that is."""
    try:
        who = await principal_of(request)
    except (FleetError, DBAPIError):  # the page is about another error, and must come
        who = None
    request.state.principal = who or (last_seen(request) if status == 503 else None)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, FleetError)  # the type that it is registered for
    if isinstance(error, NotLoggedIn) and not _for_program(request):
        where = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        return RedirectResponse(f"/login?next={quote(where if request.method == 'GET' else back(request, '/'))}", 303)
    words = error.message if _for_program(request) else error.plain
    answer = await _answer(request, status_of(error), words, error.fix)
    answer.headers.update(_when_again(error))
    if isinstance(error, NotLoggedIn) and is_feed(request):
        answer.headers["www-authenticate"] = 'Basic realm="Fleet: a token as the password", charset="UTF-8"'
    return answer


async def _asked(request: Request, error: Exception) -> Response:
    """Answer for a verb that waits for people: with the request, or with its page."""
    assert isinstance(error, NeedsApproval)  # the type that it is registered for
    if not _for_program(request):
        return go(request, f"/review/{error.request_id}", error.words)
    (view,) = registry.current().extensions("verbs.request")
    body = await run_in_threadpool(view, deps_of(request), error.request_id)
    return JSONResponse(body.model_dump(mode="json"), 202, {"location": f"/api/v1/approvals/{error.request_id}"})


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # the type that it is registered for
    wrong = error.errors()[:_MOST_WRONG]  # a request of a megabyte can be wrong in a hundred thousand places
    found = [{"path": ".".join(str(part) for part in item["loc"])[:_LONGEST_PATH], "message": field_words.words(item)}
             for item in wrong]  # fmt: skip
    if _for_program(request):
        words = "; ".join(f"{item['path']}: {item['message']}" for item in found)
    else:  # on a page, the person filled in a field or changed the URL
        words = "; ".join(f"“{item['path'].rpartition('.')[2]}”: {item['message']}" for item in found)
    return await _answer(request, 422, words[:1000], None, errors=found)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # the type that it is registered for
    detail = str(error.detail)
    if not _for_program(request):
        detail = _ON_PAGES.get(error.status_code, "The request cannot be answered.")
    answer = await _answer(request, error.status_code, detail)
    answer.headers.update(error.headers or {})
    return answer


async def _cannot_be_stored(request: Request, error: Exception) -> Response:
    """Answer for a value that a route accepts and the database refuses: NUL, a lone surrogate, a number too large."""
    log.info("web_value_refused", path=request.url.path, error=type(error).__name__)
    return await _answer(request, 422, "A value holds a character or a number that cannot be stored.")


async def _broken(request: Request, error: Exception) -> Response:
    log.error("web_request_failed", path=request.url.path, exc_info=error)
    said = f"Something broke in Fleet. Its log has more under the id {request.state.id}."
    return await _answer(request, 500, said)
