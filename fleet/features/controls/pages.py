"""The controls: the kill switch, what is held back, the caps, and what may be spent."""

from __future__ import annotations

import uuid
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.controls import ALL, Hold
from fleet.engine.deps import Deps
from fleet.features.agents import commands as people
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.jobs import queries as overseeing
from fleet.features.personas.service import personas_of
from fleet.spending.budgets import Budget, Period, Scope, dollars, microusd
from fleet.web.auth import TheDeps, needs
from fleet.web.filters import span
from fleet.web.form_types import Maybe, Name, Words
from fleet.web.rendering import go, render

router = APIRouter()
_HERE = "/controls"
_LONGEST = timedelta(days=3660)


class Unit(StrEnum):
    """What a length of time is counted in."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


@router.get(_HERE, dependencies=[needs(Permission.CONTROLS_VIEW)])
def controls(request: Request, deps: TheDeps) -> Response:
    """Show what holds the fleet back, and what may be done about it."""
    holds = fleetwide.holds(deps)
    budgets = money.budgets(deps)
    return render(
        request, "controls.html", kill=next((hold for hold in holds if hold.hold == "kill"), None),
        holds=[hold for hold in holds if hold.hold != "kill"], under_way=overseeing.under_way(deps),
        caps=overseeing.caps(deps), tempo=deps.settings.tempo, budgets=budgets, names=names_of(deps, holds, budgets),
        scopes=Scope, periods=Period, units=Unit, kinds=fleetwide.pausable_kinds(), personas=personas_of(deps).ids,
    )  # fmt: skip


def names_of(deps: Deps, holds: list[Hold], budgets: list[Budget]) -> dict[str, str]:
    """Return what people call the agents that these are about, by id."""
    keys = [one.key for one in holds if one.scope == "agent"]
    keys += [one.key for one in budgets if one.scope is Scope.AGENT]
    found = people.names(deps, [uuid.UUID(key) for key in keys])
    return {str(agent_id): named.username for agent_id, named in found.items()}


@router.post("/controls/kill")
def kill(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.CONTROLS_KILL)],
         reason: Annotated[Words, Form()] = "") -> Response:  # fmt: skip
    """Forbid every outside write, at once."""
    if not reason:
        return go(request, _HERE, "Say why: everybody sees it until the switch is lifted.", wrong=True)
    thrown, left = fleetwide.throw_kill_switch(deps, by=who.by, reason=reason)
    begun = f" {left} {'write' if left == 1 else 'writes'} had begun before and may still land." if left else ""
    return go(request, _HERE, f"The kill switch {'is on' if thrown else 'was on already'}: no write begins.{begun}")


@router.post("/controls/lift")
def lift(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.CONTROLS_LIFT)]) -> Response:
    """Allow outside writes again."""
    lifted = fleetwide.lift_kill_switch(deps, by=who.by)
    said = "The kill switch is off; what waited for it goes on." if lifted else "The kill switch was not on."
    return go(request, _HERE, said)


@router.post("/controls/hold")
def hold(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.CONTROLS_PAUSE)],
         scope: Annotated[Literal["fleet", "surface", "persona", "agent", "kind"], Form()],
         key: Annotated[Name, Form()] = "", reason: Annotated[Words, Form()] = "",
         number: Annotated[Maybe[str], Form(max_length=20)] = None,
         unit: Annotated[Unit, Form()] = Unit.HOURS) -> Response:  # fmt: skip
    """Hold back the fleet, or one surface, persona, agent or kind of action."""
    try:
        for_ = _length(number, unit)
        held = fleetwide.pause(deps, scope, _key(scope, key), by=who.by, reason=reason, for_=for_)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    what = _what(deps, scope, key)
    if not held:
        return go(request, _HERE, f"{what} is held back already, for as long or longer.")
    return go(
        request, _HERE, f"{what} is held back {f'for {span(for_.total_seconds())}' if for_ else 'until resumed'}."
    )


@router.post("/controls/resume")
def resume(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.CONTROLS_PAUSE)],
           scope: Annotated[Literal["fleet", "surface", "persona", "agent", "kind"], Form()],
           key: Annotated[Name, Form()] = "") -> Response:  # fmt: skip
    """Let a scope go on, and the jobs that waited for it."""
    try:
        resumed = fleetwide.resume(deps, scope, _key(scope, key), by=who.by)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, f"{'It goes on' if resumed else 'It was not held back'}: {_what(deps, scope, key)}.")


def _length(number: str | None, unit: Unit) -> timedelta | None:
    """Return how long a hold lasts; None until somebody lifts it. Raises InvalidInput."""
    if number is None or not number.strip():
        return None
    fix = "Write a number such as 2, or nothing: then it lasts until somebody resumes it."
    written = number.strip()
    if not written.isascii() or not written.isdecimal() or len(written) > 9:
        raise InvalidInput(f"{written!r} is no length of time.", fix=fix)
    length = timedelta(**{unit.value: min(int(written), 10_000_000)})
    if not timedelta(0) < length <= _LONGEST:
        raise InvalidInput(f"{written} {unit} is not between a minute and ten years.", fix=fix)
    return length


def _key(scope: str, key: str) -> str:
    """Return what a scope names. Raises InvalidInput."""
    if scope == "fleet":
        if key not in ("", ALL):
            raise InvalidInput(
                "A hold on the whole fleet names nobody.", fix=f"Leave {key!r} out, or choose its scope."
            )
        return ALL
    if not key:
        raise InvalidInput(f"Which {scope}?", fix="Name it.")
    return key


def _what(deps: Deps, scope: str, key: str) -> str:
    """Return what a scope names, in words; an agent's id comes from a list, and people know its username."""
    if scope == "fleet":
        return "The fleet"
    try:
        named = people.names(deps, [uuid.UUID(key)]) if scope == "agent" else {}
    except ValueError:
        named = {}
    return f"{scope.capitalize()} {next((one.username for one in named.values()), key)}"


@router.post("/controls/budgets")
def set_budget(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.BUDGETS_EDIT)],
               scope: Annotated[Scope, Form()], amount: Annotated[str, Form(max_length=40)],
               period: Annotated[Period, Form()], key: Annotated[Name, Form()] = "") -> Response:  # fmt: skip
    """Limit what the fleet, or one agent, persona or provider, may spend in a period."""
    try:
        limit, name = microusd(amount), _name(scope, key)
        changed = money.set_budget(deps, scope, name, period, limit, by=who.by)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    also = "" if changed else " That is what it was."
    return go(request, _HERE, f"{_what(deps, scope, key)} may spend {dollars(limit)} a {period}.{also}")


@router.post("/controls/budgets/remove")
def remove_budget(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.BUDGETS_EDIT)],
                  scope: Annotated[Scope, Form()], period: Annotated[Period, Form()],
                  key: Annotated[Name, Form()] = "") -> Response:  # fmt: skip
    """Lift a limit."""
    try:
        money.remove_budget(deps, scope, _name(scope, key), period, by=who.by)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, f"{_what(deps, scope, key)} has no {period.each} limit any more.")


@router.post("/controls/budgets/raise")
def raise_budget(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.BUDGETS_EDIT)],
                 scope: Annotated[Scope, Form()], period: Annotated[Period, Form()],
                 amount: Annotated[str, Form(max_length=40)], had: Annotated[int, Form(ge=0, lt=2**63)],
                 reason: Annotated[Words, Form()], key: Annotated[Name, Form()] = "") -> Response:  # fmt: skip
    """Let a scope spend more in its current period only; `had` is what it had been allowed when somebody looked."""
    try:
        more = microusd(amount)
        if not more:
            raise InvalidInput("Nothing is no raise.", fix="Write dollars, such as 2.50.")
        left = money.allow(deps, scope, _name(scope, key), period, more, by=who.by, reason=reason, had_microusd=had)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    said = f"{_what(deps, scope, key)} has {dollars(left.left_microusd)} left {period.now}."
    return go(request, _HERE, f"{said} Words that waited for it are written now.")


def _name(scope: Scope, key: str) -> str | None:
    """Return whom a budget covers. Raises InvalidInput."""
    return None if _key(scope, key) == ALL else key
