"""The page of the audit log: actions with old and new values side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.access.audit import AuditFilter
from fleet.features.users import service as accounts
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet.web.requests.form_types import MaybeMoment

router = APIRouter()
_PAGE = 50
Words = Annotated[str, Query(max_length=300, pattern=r"^[^\x00]*$")]


@router.get("/audit", dependencies=[needs(Permission.AUDIT_VIEW)])
def audit(request: Request, deps: TheDeps, *, actor: Words = "", action: Words = "", target: Words = "",
          since: MaybeMoment = None, until: MaybeMoment = None,
          before: Annotated[int | None, Query(ge=1, lt=2**63)] = None) -> Response:  # fmt: skip
    """Show a page of the log, newest first."""
    which = AuditFilter(actor.strip() or None, action.strip() or None, target.strip() or None, since, until)
    found = accounts.audit_page(deps, which, limit=_PAGE + 1, before=before)
    older = found[_PAGE - 1].id if len(found) > _PAGE else None
    return render(request, "users/audit.html", lines=found[:_PAGE], which=which, older=older)
