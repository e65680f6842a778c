"""Scans of feeds: have a supervised agent scan its feed now."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from fleet.access import Permission, Principal
from fleet.features.drafts import commands as drafting
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import AgentName, taken

router = APIRouter(prefix="/agents", tags=["agents"])


class ScanTick(BaseModel):
    """The tick that decides on the scan; its outcome is in the agent's decisions."""

    agent_id: uuid.UUID
    tick_no: int


@router.post("/{name}/scan", status_code=202)
def scan(deps: TheDeps, *, name: AgentName, who: Annotated[Principal, needs(Permission.AGENTS_CONTROL)]) -> ScanTick:
    """Have a supervised agent scan its feed now. Caps, pauses and the kill switch apply as in every tick."""
    return taken(ScanTick, drafting.scan(deps, name, by=who.by))
