"""How many requests wait for people, by what they are about: the numbers of the review queue."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.features.approvals.review import queue
from fleet.web.auth import TheDeps, needs

router = APIRouter(prefix="/approvals", tags=["approvals"])


class WaitingKind(BaseModel):
    """How many requests of one kind wait."""

    resource: str
    action: str
    kind: str = Field(description="the fact `kind` of the requests; empty where they have none")
    waiting: int


class WaitingOut(BaseModel):
    """How many requests wait for a decision."""

    total: int
    items: list[WaitingKind]


@router.get("/waiting", dependencies=[needs(Permission.DRAFTS_VIEW)])
def count_waiting(deps: TheDeps) -> WaitingOut:
    """Return how many requests wait for a decision, by resource, action and kind."""
    with deps.db.transaction() as tx:
        found = queue.waiting(tx)
    items = [WaitingKind(resource=one.resource, action=one.action, kind=one.kind, waiting=one.number) for one in found]
    return WaitingOut(total=sum(one.number for one in found), items=items)
