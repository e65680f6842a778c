"""Forms of the page of controls that set, raise and remove budgets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.points import verbs
from fleet.features.costs import verbs as cost_verbs
from fleet.spending.budgets import ALL, Budget, Period, Scope, dollars, microusd
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import KeptForm, go
from fleet.web.requests import scopes
from fleet.web.requests.form_types import Name, Words

router = APIRouter()
_CONTROLS = "/controls"


class _Refused(Exception):
    """A field of a form is wrong: which one, and why."""

    def __init__(self, at: str, error: FleetError) -> None:
        self.at, self.error = at, error
        super().__init__(str(error))


@contextmanager
def _at(field: str) -> Iterator[None]:
    """Raise _Refused for an error that is about this field."""
    try:
        yield
    except FleetError as error:
        raise _Refused(field, error) from error


class TypedBudget(BaseModel):
    """A budget as it was typed; `of` names the budget whose form it is, empty for a new one."""

    scope: Annotated[str, Field(max_length=20)] = ""
    key: Name = ""
    period: Annotated[str, Field(max_length=20)] = ""
    amount: Annotated[str, Field(max_length=100)] = ""
    reason: Words = ""
    had: Annotated[int | None, Field(ge=0, lt=2**63)] = None
    of: Annotated[str, Field(max_length=150)] = ""

    def read(self) -> tuple[Scope, str | None, Period]:
        """Return whose budget it is and of which period. Raises _Refused: nothing is limited that was not chosen."""
        if self.scope not in set(Scope):
            raise _Refused("scope", InvalidInput("Choose whose budget it is."))
        if self.period not in set(Period):
            raise _Refused("period", InvalidInput("Choose the period."))
        with _at("key"):
            return Scope(self.scope), _name(Scope(self.scope), self.key), Period(self.period)

    def microusd(self) -> int:
        """Return the amount. Raises _Refused."""
        with _at("amount"):
            return microusd(self.amount)

    def kept(self, form: str, at: str) -> KeptForm:
        """Return what was typed, for the form that it was typed in. A budget's own form has no scope to choose."""
        at = at if at in ("amount", "reason") or not self.of else "amount"
        values = {"scope": self.scope, "key": self.key, "period": self.period, "amount": self.amount,
                  "reason": self.reason}  # fmt: skip
        return KeptForm(f"{form} {self.of}".strip(), at, values)


@router.post("/controls/budgets")
def set_budget(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.BUDGETS_EDIT)],
               typed: Annotated[TypedBudget, Form()]) -> Response:  # fmt: skip
    """Limit what the fleet, or one agent, organisation, persona or provider, may spend in a period."""
    try:
        (scope, name, period), limit = typed.read(), typed.microusd()
        with _at("key"):
            changed = cost_verbs.set_limit(deps, who, scope, name, period=period, microusd=limit)
    except _Refused as refused:
        return go(request, _CONTROLS, str(refused), kept=typed.kept("set", refused.at))
    also = "" if changed else " That is what it was."
    said = f"{scopes.in_words(deps, scope, typed.key)} may spend {dollars(limit)} a {period}.{also}"
    return go(request, _CONTROLS, said)


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
                 typed: Annotated[TypedBudget, Form()]) -> Response:  # fmt: skip
    """Add to a scope's limit for its current period; `had` is the amount added before, as the page showed it."""
    try:
        (scope, name, period), more = typed.read(), typed.microusd()
        if not typed.reason:
            raise _Refused("reason", InvalidInput("A reason is missing.", fix="Say why more is spent."))
        with _at("amount"):
            left: Budget = verbs.perform(
                deps, who, "budget", "override", scope=scope, name=name, period=period, microusd=more,
                reason=typed.reason, had_microusd=typed.had,
            )  # fmt: skip
    except _Refused as refused:
        return go(request, _CONTROLS, str(refused), kept=typed.kept("raise", refused.at))
    said = f"{scopes.in_words(deps, scope, typed.key)} has {dollars(left.left_microusd)} left {period.now}."
    return go(request, _CONTROLS, f"{said} Words that waited for it are written now.")


def _name(scope: Scope, key: str) -> str | None:
    """Return the scope of a budget. Raises InvalidInput."""
    return None if scopes.key_of(scope, key) == ALL else key
