"""What holds the fleet back, for programs: pauses by scope, and the kill switch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.scopes import ALL
from fleet.features.controls import commands as control_commands
from fleet.features.controls import verbs as control_verbs
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests import scopes
from fleet.web.requests.fields import Body, MovedOut, line, prose, taken, whole

router = APIRouter(prefix="/controls", tags=["controls"])

Pauser = Annotated[Principal, needs(Permission.CONTROLS_PAUSE)]
_TEN_YEARS_S = 3660 * 86_400


class HoldOut(BaseModel):
    """One control in force."""

    scope: str = Field(examples=["persona"])
    key: str = Field(
        description="what it covers: the id of an agent, account or organisation, * for the fleet",
        examples=["ai_artist"],
    )
    name: str = Field(
        description="the key; of an agent its username, of an account or an organisation its name",
        examples=["ada_lovelace"],
    )
    hold: Literal["kill", "pause"]
    words: str = Field(
        description="what is paused and why, or by whom", examples=["agent ada_lovelace is paused: for tea"]
    )
    reason: str
    until: datetime | None = Field(description="null: until a person lifts it")
    set_by: str
    set_at: datetime


class Holds(BaseModel):
    """Every control in force, the kill switch first."""

    kill_switch: bool = Field(description="whether it is on")
    items: list[HoldOut]


TheScope = Literal["fleet", "surface", "account", "organisation", "persona", "agent", "kind"]


class ScopeAndKey(Body):
    """Whom it covers. There is no default: a pause names its scope."""

    scope: TheScope
    key: Annotated[
        str,
        line(100, least=1),
        Field(description="a surface, account, organisation, persona, agent or kind; * for the fleet"),
    ] = ALL


class PauseIn(ScopeAndKey):
    """The scope to pause, why, and for how long; without an end until somebody resumes it."""

    reason: Annotated[str, prose(300)] = ""
    for_s: Annotated[int, whole(1, _TEN_YEARS_S)] | None = None


class AffectedOut(BaseModel):
    """Whom a pause would concern, counted now."""

    agents: int = Field(description="0 for a kind of action: agents go on with the others")
    running: int = Field(description="those of the agents that run")
    waiting: int = Field(description="jobs that wait, and would wait on")
    at_work: int = Field(description="jobs at work, which end first")


class Throw(Body):
    """Why everything has to stop."""

    reason: Annotated[str, prose(300, least=1)]


class Thrown(BaseModel):
    """Whether it was off before, and how many outside writes had begun already."""

    changed: bool
    in_flight: int


def views(deps: Deps, holds: Sequence[Hold]) -> list[HoldOut]:
    """Return holds as programs see them."""
    names = control_commands.names(deps, holds)
    named = ((one, names.get(one.key, one.key)) for one in holds)
    return [taken(HoldOut, one, name=name, words=replace(one, key=name).words()) for one, name in named]


@router.get("", dependencies=[needs(Permission.CONTROLS_VIEW)])
def list_holds(deps: TheDeps) -> Holds:
    """Return all pauses in force."""
    holds = views(deps, control_commands.holds(deps))
    return Holds(kill_switch=any(one.hold == "kill" for one in holds), items=holds)


@router.get("/affected", dependencies=[needs(Permission.CONTROLS_VIEW)])
def affected(deps: TheDeps, *, scope: TheScope, key: Annotated[str, line(100)] = "") -> AffectedOut:
    """Count the agents and jobs that a pause of a scope would concern; changes nothing."""
    return taken(AffectedOut, control_commands.affected(deps, scope, scopes.key_of(scope, key)))


@router.post("/pause")
def pause(deps: TheDeps, *, body: PauseIn, who: Pauser) -> MovedOut:
    """Pause a scope; false if it is paused as long already. `GET /controls/affected` counts whom it concerns."""
    span = None if body.for_s is None else timedelta(seconds=body.for_s)
    done = control_commands.pause(deps, body.scope, body.key, by=who.by, reason=body.reason, for_=span)
    return MovedOut(changed=done)


@router.post("/resume", responses=ASKED)
def resume(deps: TheDeps, *, body: ScopeAndKey, who: Pauser) -> MovedOut:
    """Resume a scope and its waiting jobs."""
    return MovedOut(changed=control_verbs.resume(deps, who, body.scope, body.key))


@router.post("/kill")
def kill(deps: TheDeps, *, body: Throw, who: Annotated[Principal, needs(Permission.CONTROLS_KILL)]) -> Thrown:
    """Turn on the kill switch: no agent starts another outside write."""
    changed, in_flight = control_commands.throw_kill_switch(deps, by=who.by, reason=body.reason)
    return Thrown(changed=changed, in_flight=in_flight)


@router.post("/lift", responses=ASKED)
def lift(deps: TheDeps, *, who: Annotated[Principal, needs(Permission.CONTROLS_LIFT)]) -> MovedOut:
    """Turn off the kill switch and resume waiting jobs."""
    return MovedOut(changed=verbs.perform(deps, who, "kill_switch", "lift"))
