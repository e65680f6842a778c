"""The changes of lamps, for programs: /api/v1/lamp/changes."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import taken
from fleet_lamp import queries

router = APIRouter(prefix="/lamp", tags=["lamp"])


class LampChangeOut(BaseModel):
    """One colour that a lamp was set to."""

    job_id: uuid.UUID
    lamp: str = Field(description="the agent's username")
    colour: str
    why: str
    changed_at: datetime


class LampChangePage(Page[LampChangeOut]):
    """A page of changes, newest first."""


@router.get("/changes", dependencies=[needs(Permission.FLEET_VIEW)])
def list_changes(deps: TheDeps, *, which: Annotated[Paging, Query()]) -> LampChangePage:
    """Return a page of changes, newest first."""
    with deps.db.transaction() as tx:
        found = queries.changes(tx, limit=which.one_more, below=which.place(uuid.UUID))
    rows, following = which.page(found, lambda row: row.job_id)
    return LampChangePage(items=[view(row) for row in rows], next=following)


def view(row: Any) -> LampChangeOut:
    """Return a change as the API and `fleet lamp --json` show it."""
    return taken(LampChangeOut, row)
