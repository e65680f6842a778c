"""The route for incoming webhooks: open to everybody, since sources prove themselves by a signature alone.

Reads no more of a body than the limit, and gives no reason for a refusal.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from fleet.core.errors import InvalidInput
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.inbound.service import NotGenuine
from fleet.web.auth import Open, TheDeps
from fleet.web.problems import problem
from fleet.web.requests.bodies import MOST_HOOK_BYTES, bounded_body

router = APIRouter(tags=["hooks"])


class Heard(BaseModel):
    """What became of it: new ones are stored, known ones were stored before."""

    status: str


@router.post("/hooks/in/{source}", dependencies=[Open], status_code=202, response_model=Heard,
             responses={200: {"model": Heard}, 401: {}, 413: {}, 422: {}, 503: {}})  # fmt: skip
def receive(request: Request, deps: TheDeps, source: Annotated[str, Path(max_length=60)],
            body: Annotated[bytes | None, Depends(bounded_body)]) -> Response:  # fmt: skip
    """Store a received event: 202 for a new one, 200 for a duplicate, 401 for an unknown source or signature."""
    if body is None:
        return problem(413, f"At most {MOST_HOOK_BYTES} bytes are taken.")
    # Of a repeated header the last value counts, for the signature and for the id alike.
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        given = receiving.receive(deps, source, headers, body)
    except NotGenuine as error:
        return problem(401, error.message)
    except InvalidInput as error:  # of a feature that takes what this source sends
        return problem(422, error.message)
    if given.id is None:
        return JSONResponse({"status": "known"}, 200)
    return JSONResponse({"status": "stored"}, 202)
