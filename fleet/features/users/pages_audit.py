"""The page of the audit log: actions with old and new values side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator

from fleet.access import Permission
from fleet.access.audit import AuditFilter
from fleet.features.users import service as accounts
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_PAGE = 50
Words = Annotated[str, Query(max_length=300, pattern=r"^[^\x00]*$")]


def _aware(value: datetime) -> datetime:
    """Read a time in a form as UTC, which is what the page shows."""
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


Moment = Maybe[Annotated[datetime, AfterValidator(_aware)]]


@router.get("/audit", dependencies=[needs(Permission.AUDIT_VIEW)])
def audit(request: Request, deps: TheDeps, *, actor: Words = "", action: Words = "", target: Words = "",
          since: Moment = None, until: Moment = None,
          before: Annotated[int | None, Query(ge=1, lt=2**63)] = None) -> Response:  # fmt: skip
    """Show a page of the log, newest first."""
    which = AuditFilter(actor.strip() or None, action.strip() or None, target.strip() or None, since, until)
    found = accounts.audit_page(deps, which, limit=_PAGE + 1, before=before)
    older = found[_PAGE - 1].id if len(found) > _PAGE else None
    return render(request, "users/audit.html", lines=found[:_PAGE], which=which, older=older)
