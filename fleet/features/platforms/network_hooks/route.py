"""The addresses that networks call: open to everybody, since networks prove themselves by a signature alone.

Reads no more of a body than the limit, and gives no reason for a refusal.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel

from fleet.core.errors import NotFound
from fleet.features.platforms.network_hooks import service
from fleet.features.platforms.network_hooks.service import PATH, NotOfTheNetwork
from fleet.web.auth import Open, TheDeps
from fleet.web.problems import problem
from fleet.web.requests.bodies import MOST_HOOK_BYTES, bounded_body

router = APIRouter(prefix=PATH, tags=["hooks"], dependencies=[Open])
AccountName = Annotated[str, Path(max_length=60, description="the name of an account", examples=["brand-x"])]


class Noted(BaseModel):
    """What became of it: for a new one the inbox is read, a known one came before."""

    status: str


@router.get("/{account}", response_class=PlainTextResponse, responses={404: {}})
def answer_challenge(request: Request, deps: TheDeps, account: AccountName) -> Response:
    """Answer the challenge by which a network checks that the address is ours."""
    try:
        answer = service.shake(deps, account, dict(request.query_params))
    except NotFound as error:
        return problem(404, error.message)
    if answer.json is not None:
        return JSONResponse(dict(answer.json))
    return PlainTextResponse(answer.text)


@router.post("/{account}", status_code=202, response_model=Noted, responses={200: {"model": Noted}, 401: {}, 413: {}})
def receive_delivery(
    request: Request, deps: TheDeps, account: AccountName, body: Annotated[bytes | None, Depends(bounded_body)]
) -> Response:
    """Have an inbox read: 202 for a new delivery, 200 for a repeated one, 401 for an unknown account or signature."""
    if body is None:
        return problem(413, f"At most {MOST_HOOK_BYTES} bytes are taken.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        is_new = service.receive(deps, account, headers, body)
    except NotOfTheNetwork as error:
        return problem(401, error.message)
    return JSONResponse({"status": "noted"}, 202) if is_new else JSONResponse({"status": "known"}, 200)
