"""The audit log for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from fleet.access import Permission
from fleet.access.audit import Filter, Line
from fleet.runtime import accounts
from fleet.web.gate import TheDeps, needs

router = APIRouter(prefix="/audit", tags=["access"])
_NO_NUL = r"^[^\x00]*$"


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


class Lines(BaseModel):
    """A page of the log, newest first."""

    items: list[OneLine]
    next: str | None = Field(description="hand it back as `cursor` for the page below; null at the end")


def _view(line: Line) -> OneLine:
    return OneLine.model_validate({name: getattr(line, name) for name in OneLine.model_fields})


@router.get("", dependencies=[needs(Permission.AUDIT_VIEW)])
def audit(deps: TheDeps, *, actor: Annotated[str | None, Query(max_length=200, pattern=_NO_NUL)] = None,
          action: Annotated[str | None, Query(max_length=60, pattern=_NO_NUL, description="may end in *")] = None,
          target: Annotated[str | None, Query(max_length=300, pattern=_NO_NUL)] = None,
          since: AwareDatetime | None = None, until: AwareDatetime | None = None,
          limit: Annotated[int, Query(ge=1, le=200)] = 50,
          cursor: Annotated[str | None, Query(pattern=r"^[1-9][0-9]{0,17}$")] = None) -> Lines:  # fmt: skip
    """Return a page of the log."""
    which = Filter(actor, action, target, since, until)
    found = accounts.audit_page(deps, which, limit=limit + 1, before=int(cursor) if cursor else None)
    more = str(found[limit - 1].id) if len(found) > limit else None
    return Lines(items=[_view(one) for one in found[:limit]], next=more)
