"""Forms of the page of controls that set, raise and remove budgets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.engine.points import verbs
from fleet.features.costs import verbs as cost_verbs
from fleet.spending.budgets import ALL, Budget, Period, Scope, dollars, microusd
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go
from fleet.web.requests import scopes
from fleet.web.requests.form_types import Name, Words

router = APIRouter()
_CONTROLS = "/controls"


@router.post("/controls/budgets")
def set_budget(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.BUDGETS_EDIT)],
               scope: Annotated[Scope, Form()], amount: Annotated[str, Form(max_length=40)],
               period: Annotated[Period, Form()], key: Annotated[Name, Form()] = "") -> Response:  # fmt: skip
    """Limit what the fleet, or one agent, persona or provider, may spend in a period."""
    try:
        limit, name = microusd(amount), _name(scope, key)
        changed = cost_verbs.set_limit(deps, who, scope, name, period=period, microusd=limit)
    except FleetError as error:
        return go(request, _CONTROLS, str(error), wrong=True)
    also = "" if changed else " That is what it was."
    return go(request, _CONTROLS, f"{scopes.in_words(deps, scope, key)} may spend {dollars(limit)} a {period}.{also}")


@router.post("/controls/budgets/remove")
def remove_budget(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.BUDGETS_EDIT)],
                  scope: Annotated[Scope, Form()], period: Annotated[Period, Form()],
                  key: Annotated[Name, Form()] = "") -> Response:  # fmt: skip
    """Lift a limit."""
    try:
        verbs.perform(deps, who, "budget", "delete", scope=scope, name=_name(scope, key), period=period)
    except FleetError as error:
        return go(request, _CONTROLS, str(error), wrong=True)
    return go(request, _CONTROLS, f"{scopes.in_words(deps, scope, key)} has no {period.each} limit any more.")


@router.post("/controls/budgets/raise")
def raise_budget(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.BUDGETS_EDIT)],
                 scope: Annotated[Scope, Form()], period: Annotated[Period, Form()],
                 amount: Annotated[str, Form(max_length=40)], had: Annotated[int, Form(ge=0, lt=2**63)],
                 reason: Annotated[Words, Form()], key: Annotated[Name, Form()] = "") -> Response:  # fmt: skip
    """Add to a scope's limit for its current period; `had` is the amount added before, as the page showed it."""
    try:
        more = microusd(amount)
        left: Budget = verbs.perform(
            deps, who, "budget", "override", scope=scope, name=_name(scope, key), period=period, microusd=more,
            reason=reason, had_microusd=had,
        )  # fmt: skip
    except FleetError as error:
        return go(request, _CONTROLS, str(error), wrong=True)
    said = f"{scopes.in_words(deps, scope, key)} has {dollars(left.left_microusd)} left {period.now}."
    return go(request, _CONTROLS, f"{said} Words that waited for it are written now.")


def _name(scope: Scope, key: str) -> str | None:
    """Return the scope of a budget. Raises InvalidInput."""
    return None if scopes.key_of(scope, key) == ALL else key
