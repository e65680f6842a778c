"""The door for what others tell us: open to anybody, since a signature is all that a source has to show.

Reads no more of a body than may be kept, and says nothing about why something was refused.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.inbound.service import MOST_BYTES, NotGenuine
from fleet.web.auth import Open, TheDeps
from fleet.web.problems import problem

router = APIRouter(tags=["hooks"])


class Heard(BaseModel):
    """What became of it: new ones are stored, known ones were stored before."""

    status: str


async def bounded_body(request: Request) -> bytes | None:
    """Return the body as it came, or None as soon as it is longer than what is kept."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


@router.post("/hooks/in/{source}", dependencies=[Open], status_code=202, response_model=Heard,
             responses={200: {"model": Heard}, 401: {}, 413: {}, 503: {}})  # fmt: skip
def receive(request: Request, deps: TheDeps, source: Annotated[str, Path(max_length=60)],
            body: Annotated[bytes | None, Depends(bounded_body)]) -> Response:  # fmt: skip
    """Store what a source says: 202 for what is new, 200 for what is known, 401 for whoever is not a source of ours."""
    if body is None:
        return problem(413, f"At most {MOST_BYTES} bytes are taken.")
    # Of a header that stands twice the last one counts, for the signature and for the id alike.
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        given = receiving.receive(deps, source, headers, body)
    except NotGenuine as error:
        return problem(401, error.message)
    if given.id is None:
        return JSONResponse({"status": "known"}, 200)
    return JSONResponse({"status": "stored"}, 202)
