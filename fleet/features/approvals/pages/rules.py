"""The page of the rules: what would happen to a question, and the verbs that can be asked about."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError, InvalidInput
from fleet.features.approvals.api import questions
from fleet.features.approvals.pages import desk
from fleet.features.approvals.service import rules_of
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import render

router = APIRouter()


@router.get("/approvals/rules")
def rules(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.DRAFTS_VIEW)], *,
          resource: Annotated[str, Query(max_length=30)] = "", action: Annotated[str, Query(max_length=30)] = "",
          asker: Annotated[str, Query(max_length=100)] = "",
          facts: Annotated[str, Query(max_length=4000)] = "") -> Response:  # fmt: skip
    """Show the rules, what would happen to a question, and the verbs that can be asked about."""
    found: questions.RulingOut | None = None
    problem: FleetError | None = None
    if resource or action:
        try:
            asked = questions.TryQuery(resource=resource, action=action, asker=asker.strip(), facts=facts)
            found = questions.ruling(deps, who, asked)
        except ValidationError:
            problem = InvalidInput("Name a resource and an action.", fix="The table of verbs below has them.")
        except FleetError as error:
            problem = error
    return render(
        request, "approvals/rules.html", code=200 if problem is None else status_of(problem), problem=problem,
        found=found, rules=rules_of(deps), verbs=questions.list_of_verbs(), as_data=desk.as_data,
        asked={"resource": resource, "action": action, "asker": asker, "facts": facts},
    )  # fmt: skip
