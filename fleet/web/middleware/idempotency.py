"""Idempotency-Key: a write that is sent again with the same key gets the first response, and nothing is done twice.

The rules are those of `fleet.access.idempotency_keys`. Only successful responses are kept: a refused request did
nothing, and the same key may try again.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.access.idempotency_keys import KeptResponse, Use
from fleet.core.errors import Conflict, FleetError, InvalidInput
from fleet.web.auth import SAFE, deps_of, principal_of
from fleet.web.middleware import idempotency_keys
from fleet.web.middleware.response_capture import CapturedResponse, answered
from fleet.web.problems import as_problem, problem

HEADER = "idempotency-key"
PATTERN = "^[!-~]{1,255}$"
_API = "/api/v1/"
_SHOWN_ONCE = frozenset({"token", "secret", "password", "link"})
"""Fields of responses that are never stored."""


class Once:
    """Does a write with a key once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or repeat its first response."""
        if scope["type"] != "http" or not scope["path"].startswith(_API) or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            use, body = await _use_of(request)
            answer = None if use is None else await self._once(request, use, body)
        except FleetError as error:
            await as_problem(error)(scope, receive, send)
        except HTTPException as error:
            await problem(error.status_code, str(error.detail))(scope, receive, send)
        else:
            await (self._app(scope, receive, send) if answer is None else answer.send(send))

    async def _once(self, request: Request, use: Use, body: bytes) -> CapturedResponse:
        deps = deps_of(request)
        claimed = await run_in_threadpool(idempotency_keys.claim, deps, use)
        if isinstance(claimed, KeptResponse):
            return _repeated(claimed)
        try:
            answer = await answered(self._app, request.scope, _again(body, request.receive))
        except Exception:
            await run_in_threadpool(idempotency_keys.release, deps, use, claimed)
            raise
        await run_in_threadpool(_remember, request, use, claimed, answer)
        return answer


async def _use_of(request: Request) -> tuple[Use | None, bytes]:
    """Return the use of a key, and the request's body. None without a key or without a user."""
    key = request.headers.get(HEADER)
    who = None if key is None else await principal_of(request)
    if key is None or who is None:
        return None, b""
    if not re.fullmatch(PATTERN, key):
        raise InvalidInput("An Idempotency-Key has 1 to 255 visible characters of ASCII.")
    body = await request.body()
    whole = [request.method, request.scope["path"], request.url.query, request.headers.get("if-match", ""),
             hashlib.sha256(body).hexdigest()]  # fmt: skip
    return Use(who.key_id, key, hashlib.sha256(json.dumps(whole).encode()).digest(), request.state.id), body


def _remember(request: Request, use: Use, claimed: uuid.UUID, answer: CapturedResponse) -> None:
    deps = deps_of(request)
    if not 200 <= answer.status < 300:
        idempotency_keys.release(deps, use, claimed)
        return
    media_type = answer.header(b"content-type").decode("latin-1")[:100] or None
    body = None if _holds_secret(answer.body) else answer.body
    idempotency_keys.keep(deps, use, claimed, KeptResponse(answer.status, media_type, body))


def _holds_secret(body: bytes) -> bool:
    try:
        said = json.loads(body or b"null")
    except ValueError:
        return False
    return isinstance(said, dict) and not _SHOWN_ONCE.isdisjoint(said)


def _repeated(kept: KeptResponse) -> CapturedResponse:
    if kept.body is None:
        raise Conflict("This was done already; its answer held a secret, which is shown once.", fix="Make a new one.")
    media_type = [(b"content-type", kept.media_type.encode("latin-1"))] if kept.media_type else []
    length = [] if kept.status == 204 else [(b"content-length", str(len(kept.body)).encode())]
    return CapturedResponse(kept.status, (*media_type, *length, (b"idempotent-replayed", b"true")), kept.body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the app a body that was read already, and then whatever comes."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
