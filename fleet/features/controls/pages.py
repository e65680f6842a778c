"""The page of controls: the kill switch, pauses, caps and budgets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response
from pydantic import StringConstraints

from fleet.access import Permission, Principal, organisations
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger as jobs
from fleet.engine.points import verbs
from fleet.engine.scopes import SCOPES
from fleet.features.controls import commands as control_commands
from fleet.features.controls import verbs as control_verbs
from fleet.features.controls.api import TheScope
from fleet.features.personas.service import personas_of
from fleet.features.settings import queries as settings
from fleet.spending import ledger
from fleet.spending.budgets import Period, Scope
from fleet.web.auth import TheDeps, needs
from fleet.web.filters import span
from fleet.web.problems import status_of
from fleet.web.rendering import go, render
from fleet.web.requests import scopes
from fleet.web.requests.form_types import Name, Words

router = APIRouter()
_HERE = "/controls"
_PAUSE = "/controls/pause"
_LONGEST = timedelta(days=3660)


class Unit(StrEnum):
    """What a length of time is counted in."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


@router.get(_HERE, dependencies=[needs(Permission.CONTROLS_VIEW)])
def controls(request: Request, deps: TheDeps) -> Response:
    """Show the controls in force, and buttons to change them."""
    holds = control_commands.holds(deps)
    with deps.db.transaction() as tx:
        budgets, under_way = ledger.list_budgets(tx), jobs.in_flight(tx)
    names = control_commands.names(deps, holds)
    names |= lookup.scope_names(deps.db, [(one.scope, one.key) for one in budgets])
    return render(
        request, "controls/controls.html", kill=next((hold for hold in holds if hold.hold == "kill"), None),
        holds=[hold for hold in holds if hold.hold != "kill"], under_way=under_way,
        caps=settings.caps(deps), tempo=deps.settings.tempo, budgets=budgets,
        names=names, scopes=Scope, periods=Period, wanted=Wanted(), **_choices(deps),
    )  # fmt: skip


@router.post("/controls/kill")
def kill(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.CONTROLS_KILL)],
         reason: Annotated[Words, Form()] = "") -> Response:  # fmt: skip
    """Forbid every outside write, at once."""
    if not reason:
        return go(request, _HERE, "Give a reason: everybody sees it until the kill switch is turned off.", wrong=True)
    thrown, left = control_commands.throw_kill_switch(deps, by=who.by, reason=reason)
    begun = f" {left} {'write' if left == 1 else 'writes'} had begun before and may still land." if left else ""
    return go(request, _HERE, f"The kill switch {'is on' if thrown else 'was on already'}: no write begins.{begun}")


@router.post("/controls/lift")
def lift(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.CONTROLS_LIFT)]) -> Response:
    """Allow outside writes again."""
    lifted = verbs.perform(deps, who, "kill_switch", "lift")
    said = "The kill switch is off; waiting jobs are resumed." if lifted else "The kill switch was not on."
    return go(request, _HERE, said)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A pause as it was typed."""

    scope: str = ""
    key: str = ""
    reason: str = ""
    number: str = ""
    unit: str = Unit.HOURS.value

    def read(self) -> tuple[str, str, timedelta | None]:
        """Return the scope, its key and the length. Raises InvalidInput: nothing is paused that was not chosen."""
        if self.scope not in SCOPES:
            raise InvalidInput("Choose what to pause.", fix="Nothing is chosen at first, not even the fleet.")
        if self.unit not in set(Unit):
            raise InvalidInput(f"{self.unit!r} is no unit of time.", fix=f"Choose one of {', '.join(Unit)}.")
        return self.scope, scopes.key_of(self.scope, self.key), _length(self.number, Unit(self.unit))


Short = Annotated[str, StringConstraints(max_length=20)]


def _asked(scope: Short = "", key: Name = "", reason: Words = "", number: Short = "",
           unit: Short = Unit.HOURS.value) -> Wanted:  # fmt: skip
    return Wanted(scope, key, reason, number, unit)


def _typed(scope: Annotated[Short, Form()] = "", key: Annotated[Name, Form()] = "",
           reason: Annotated[Words, Form()] = "", number: Annotated[Short, Form()] = "",
           unit: Annotated[Short, Form()] = Unit.HOURS.value) -> Wanted:  # fmt: skip
    return Wanted(scope, key, reason, number, unit)


@router.get(_PAUSE, dependencies=[needs(Permission.CONTROLS_PAUSE)])
def ask_pause(request: Request, deps: TheDeps, wanted: Annotated[Wanted, Depends(_asked)]) -> Response:
    """Count what a pause would affect, and ask; changes nothing. Show the form where nothing was sent."""
    if not request.query_params:
        return _shown(request, deps, wanted, None)
    try:
        scope, key, for_ = wanted.read()
        found = control_commands.affected(deps, scope, key)
        what = scopes.in_words(deps, scope, key)
    except FleetError as error:
        return _shown(request, deps, wanted, error)
    return render(
        request, "controls/pause_confirm.html", wanted=wanted, found=found, what=what,
        length=span(for_.total_seconds()) if for_ else "",
    )  # fmt: skip


@router.post(_PAUSE)
def pause(request: Request, deps: TheDeps, *, who: Annotated[Principal, needs(Permission.CONTROLS_PAUSE)],
          wanted: Annotated[Wanted, Depends(_typed)]) -> Response:  # fmt: skip
    """Pause the fleet, or one surface, account, persona, agent or kind of action."""
    try:
        scope, key, for_ = wanted.read()
        held = control_commands.pause(deps, scope, key, by=who.by, reason=wanted.reason, for_=for_)
    except FleetError as error:
        return _shown(request, deps, wanted, error)
    what = scopes.in_words(deps, scope, key)
    if not held:
        return go(request, _HERE, f"{what} is already paused, for as long or longer.")
    return go(request, _HERE, f"{what} is paused {f'for {span(for_.total_seconds())}' if for_ else 'until resumed'}.")


def _shown(request: Request, deps: Deps, wanted: Wanted, problem: FleetError | None) -> Response:
    """Show the form again as it was filled in, with what is wrong."""
    code = status_of(problem) if problem else 200
    return render(request, "controls/pause.html", code=code, problem=problem, wanted=wanted, **_choices(deps))


def _choices(deps: Deps) -> dict[str, Any]:
    with deps.db.transaction() as tx:
        named = organisations.possible(tx)
    kinds, personas = control_commands.pausable_kinds(), personas_of(deps).ids
    return {"units": Unit, "kinds": kinds, "personas": personas, "organisations": named}


@router.post("/controls/resume")
def resume(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.CONTROLS_PAUSE)],
           scope: Annotated[TheScope, Form()],
           key: Annotated[Name, Form()] = "") -> Response:  # fmt: skip
    """Let a scope go on, and the jobs that waited for it."""
    try:
        resumed = control_verbs.resume(deps, who, scope, scopes.key_of(scope, key))
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(
        request, _HERE, f"{'It is resumed' if resumed else 'It was not paused'}: {scopes.in_words(deps, scope, key)}."
    )


def _length(number: str, unit: Unit) -> timedelta | None:
    """Return how long a pause lasts; None until somebody resumes it. Raises InvalidInput."""
    if not number.strip():
        return None
    fix = "Enter a number such as 2 as the duration, or leave it empty to pause until somebody resumes it."
    written = number.strip()
    if not written.isascii() or not written.isdecimal() or len(written) > 9:
        raise InvalidInput(f"{written!r} is no length of time.", fix=fix)
    length = timedelta(**{unit.value: min(int(written), 10_000_000)})
    if not timedelta(0) < length <= _LONGEST:
        raise InvalidInput(f"{written} {unit} is not between a minute and ten years.", fix=fix)
    return length
