"""Liveness and readiness of this process. Open to everybody: the responses contain nothing else."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from fleet.core.errors import FleetError
from fleet.web.auth import Open, TheDeps

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """That the process answers."""

    status: str


@router.get("/health", dependencies=[Open])
def health() -> Health:
    """Confirm that the process is alive."""
    return Health(status="ok")


@router.get("/ready", dependencies=[Open], response_model=Health, responses={503: {"model": Health}})
def ready(deps: TheDeps) -> JSONResponse:
    """Say whether database and broker answer."""
    try:
        with deps.db.transaction() as tx:
            tx.now()
        deps.publisher.depths()
    except FleetError:
        return JSONResponse({"status": "unavailable"}, 503)
    return JSONResponse({"status": "ok"})
