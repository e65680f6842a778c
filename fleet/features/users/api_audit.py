"""The audit log for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.access.audit import AuditFilter
from fleet.features.users import service as accounts
from fleet.web.auth import TheDeps, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Moment, prose, taken

router = APIRouter(prefix="/audit", tags=["access"])


class OneLine(BaseModel):
    """One act of a person."""

    id: int
    at: datetime
    actor: str
    role: str
    via: str = Field(description="web, api or cli")
    address: str | None
    request_id: str | None
    action: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Lines(Page[OneLine]):
    """A page of the log, newest first."""


class AuditQuery(Paging):
    """Which lines."""

    actor: Annotated[str, prose(200)] | None = None
    action: Annotated[str, prose(60), Field(description="may end in *")] | None = None
    target: Annotated[str, prose(300)] | None = None
    since: Moment | None = None
    until: Moment | None = None


@router.get("", dependencies=[needs(Permission.AUDIT_VIEW)])
def audit(deps: TheDeps, *, which: Annotated[AuditQuery, Query()]) -> Lines:
    """Return a page of the audit log."""
    wanted = AuditFilter(which.actor, which.action, which.target, which.since, which.until)
    found = accounts.audit_page(deps, wanted, limit=which.one_more, before=which.place(cursors.number))
    lines, following = which.page(found, lambda one: one.id)
    return Lines(items=[taken(OneLine, one) for one in lines], next=following)
