"""The addresses that shops call: open to everybody, since shops prove themselves by a signature alone.

Reads no more of a body than the limit, and gives no reason for a refusal.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from fleet.features.stores.hooks import service
from fleet.features.stores.hooks.service import NotOfTheShop
from fleet.features.stores.writes.subscription import PATH
from fleet.web.auth import Open, TheDeps
from fleet.web.problems import problem
from fleet.web.requests.bodies import MOST_HOOK_BYTES, bounded_body

router = APIRouter(prefix=PATH, tags=["hooks"], dependencies=[Open])
AccountName = Annotated[str, Path(max_length=60, description="the account of a store", examples=["shop"])]


class StoreEventsNoted(BaseModel):
    """What became of a delivery: for new events the store is read, known ones came before."""

    status: str
    events: int


@router.post(
    "/{account}", status_code=202, response_model=StoreEventsNoted,
    responses={200: {"model": StoreEventsNoted}, 401: {}, 413: {}},
)  # fmt: skip
def receive_shop_delivery(
    request: Request, deps: TheDeps, account: AccountName, body: Annotated[bytes | None, Depends(bounded_body)]
) -> Response:
    """Have a store read: 202 for new events, 200 for known ones, 401 for an unknown store or signature."""
    if body is None:
        return problem(413, f"At most {MOST_HOOK_BYTES} bytes are taken.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        added = service.receive(deps, account, headers, body)
    except NotOfTheShop as error:
        return problem(401, error.message)
    status, code = ("noted", 202) if added else ("known", 200)
    return JSONResponse({"status": status, "events": added}, code)
