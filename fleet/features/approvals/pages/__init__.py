"""Pages of approvals, for drafts and all other resources. Decisions are in `decisions`."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.features.approvals import service as approving
from fleet.features.approvals.api import questions
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.pages import decisions as pages_decisions
from fleet.features.approvals.pages.decisions import Above, Back, Decider, Name, Reason, Revision
from fleet.features.approvals.queries import RequestFilter
from fleet.features.approvals.request import Changed
from fleet.features.approvals.service import rules_of
from fleet.features.approvals.states import RequestState
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_PAGE = 30


@router.get("/approvals")
def approvals(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.DRAFTS_VIEW)], *,
              state: Maybe[RequestState] = None,
              resource: Annotated[str, Query(max_length=30)] = "", agent: Annotated[str, Query(max_length=60)] = "",
              before: Above = None) -> Response:  # fmt: skip
    """Show a page of requests; without a filter those that wait for a decision."""
    chosen = state or RequestState.PENDING
    asked = {"state": chosen, "resource": resource, "agent": agent}
    waiting = approving.pending(deps)
    facts = {"asked": asked, "waiting": waiting, "resources": _resources(deps, waiting, resource), **_looks(deps, who)}
    try:
        which = RequestFilter((chosen,), resource or None, lookup.agent_id(deps.db, agent))
        found = approving.page(deps, which, limit=_PAGE + 1, before=before)
    except FleetError as error:
        return render(
            request, "approvals/approvals.html", code=404, problem=error, found=[], names={}, more=None, **facts
        )
    shown = found[:_PAGE]
    return render(
        request,
        "approvals/approvals.html",
        problem=None,
        found=shown,
        more=str(shown[-1].id) if len(found) > _PAGE else None,
        names=lookup.names(deps.db, [one.agent_id for one in shown]),
        **facts,
    )


def _resources(deps: Deps, waiting: Any, chosen: str) -> list[str]:
    """Return the choices of the filter by resource: those of rules, of open requests, and the chosen one."""
    named = {rule.resource for rule in rules_of(deps) if rule.resource != "*"}
    return sorted(named | {resource for resource, _ in waiting} | ({chosen} if chosen else set()))


def _looks(deps: Deps, who: Principal) -> dict[str, Any]:
    """Return the functions that the templates call for single requests."""
    return {
        "person": person_of(who),
        "standing": partial(approving.permissions, deps),
        "nearness": pages_decisions.nearness,
        "approvers": pages_decisions.approvers,
        "changes_of": pages_decisions.changes,
        "as_data": pages_decisions.as_data,
        "states": RequestState,
        "may_be_edited": approving.may_be_edited,
        "may_be_revised": approving.may_be_revised,
    }


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
        found=found, rules=rules_of(deps), verbs=questions.list_of_verbs(), as_data=pages_decisions.as_data,
        asked={"resource": resource, "action": action, "asker": asker, "facts": facts},
    )  # fmt: skip


@router.get("/approvals/{name}")
def approval(request: Request, deps: TheDeps, name: Name,
             who: Annotated[Principal, needs(Permission.DRAFTS_VIEW)]) -> Response:  # fmt: skip
    """Show one request: its changes, who may decide, and the decisions so far."""
    return _page(request, deps, name, who)


@router.post("/approvals/{name}/edit")
def edit(request: Request, deps: TheDeps, name: Name, who: Decider, *, revision: Revision = None,
         payload: Annotated[str, Form(max_length=100_000)] = "", reason: Reason = "",
         back: Back = "") -> Response:  # fmt: skip
    """Replace the payload; approvals of the earlier one become void."""
    try:
        (request_id,) = approving.find(deps, [name])
        made = approving.edit(deps, request_id, _read(payload), person_of(who), reason or None, revision=revision)
    except FleetError as error:
        kept = {"payload": payload, "reason": reason}
        return _page(request, deps, name, who, code=status_of(error), problem=error, kept=kept)
    return go(
        request, pages_decisions.back_to("/approvals", name, back), f"Revision {made.revision} waits for a decision."
    )


@router.post("/approvals/{name}/revise")
def revise(request: Request, deps: TheDeps, name: Name, who: Decider, *,
           instructions: Annotated[str, Form(max_length=1000)] = "", back: Back = "") -> Response:  # fmt: skip
    """Send a request back to its author."""
    try:
        (request_id,) = approving.find(deps, [name])
        if not instructions.strip():
            raise InvalidInput("Sent back for what?", fix="Say in your own words what should be different.")
        approving.revise(deps, request_id, pages_decisions.lines(instructions.strip()), person_of(who))
    except FleetError as error:
        kept = {"instructions": instructions}
        return _page(request, deps, name, who, code=status_of(error), problem=error, kept=kept)
    return go(request, pages_decisions.back_to("/approvals", name, back), "Sent back.")


def _read(payload: str) -> dict[str, Any]:
    """Parse a typed payload. Raises InvalidInput that names the place of the error."""
    try:
        found = json.loads(payload)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f", line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInput(f"The payload is no JSON{where}.", fix="Mend it below.") from None
    if not isinstance(found, dict):
        raise InvalidInput("A payload is one object: names and values in braces.", fix="Mend it below.")
    return found


def _page(request: Request, deps: Deps, name: str, who: Principal, *, code: int = 200,
          problem: FleetError | None = None, kept: dict[str, str] | None = None) -> Response:  # fmt: skip
    """Show the request in its current state; `kept` is a form that was refused."""
    one, record = approving.show(deps, name)
    return render(
        request, "approvals/approval.html", code=code, one=one, record=record, problem=problem, kept=kept or {},
        is_changed=isinstance(problem, Changed), names=lookup.names(deps.db, [one.agent_id]), **_looks(deps, who),
    )  # fmt: skip
