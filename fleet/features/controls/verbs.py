"""The verbs of controls that people may have to approve: turn the kill switch off, end a pause."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine import controls
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.engine.scopes import ALL
from fleet.features.controls import commands


class LiftArguments(VerbArguments):
    """Nothing: there is one kill switch."""


class PauseArguments(VerbArguments):
    """Which pause."""

    scope: str = Field(max_length=20)
    key: str = Field(ALL, max_length=100)


def resume(deps: Deps, who: Principal, scope: str, key: str) -> bool:
    """End a pause; False if there was none. An account has its own verb. Raises NeedsApproval."""
    if scope == "account":
        return bool(verbs.perform(deps, who, "account", "resume", account=key))
    return bool(verbs.perform(deps, who, "pause", "lift", scope=scope, key=key))


def _of_lift(deps: Deps, tx: Tx, given: LiftArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    held = next((one for one in controls.in_force(tx) if one.hold == "kill"), None)
    if held is None:
        raise NotFound("The kill switch is off.", fix="Nothing is left to do.")
    return _preview(held, "kill_switch", "Turn off the kill switch", {"state": "off"})


def _of_pause(deps: Deps, tx: Tx, given: PauseArguments) -> VerbPreview:
    with deps.db.joined(tx):
        key = commands.key_of(deps, given.scope, given.key)
    held = next((one for one in controls.in_force(tx) if (one.scope, one.key, one.hold) == (given.scope, key, "pause")),
                None)  # fmt: skip
    # The accounts of a surface go on with it, also where the surface itself is not paused.
    accounts = controls.stopped_accounts(tx, key) if given.scope == "surface" else ()
    if held is None and not accounts:
        raise NotFound("That is not paused.", fix="Nothing is left to do.")
    which = "the fleet" if given.scope == "fleet" else f"{given.scope} {given.key}"
    summary = f"End the pause of {which}"
    if accounts:
        summary += f" and of its accounts {', '.join(one.name for one in accounts)}"
    held = held or Hold("surface", key, "active", "", None, "", tx.now())
    found = _preview(held, f"{given.scope}:{key}", summary, {"state": "active"})
    names = [one.name for one in accounts]
    return replace(found, before={**found.before, "accounts": names}) if names else found


def _preview(held: Hold, resource_id: str, summary: str, after: dict[str, str]) -> VerbPreview:
    before = {"state": held.hold, "by": held.set_by, "reason": held.reason}
    facts = {"scope": held.scope, "key": held.key, **before}
    return VerbPreview(resource_id=resource_id, summary=summary, before=before, after=after, facts=facts)


def _lift(deps: Deps, given: LiftArguments, who: Principal) -> bool:  # noqa: ARG001 - the shape of all verbs
    return commands.lift_kill_switch(deps, by=who.by)


def _resume(deps: Deps, given: PauseArguments, who: Principal) -> bool:
    return commands.resume(deps, given.scope, given.key, by=who.by)


LIFT = Verb(
    resource="kill_switch", action="lift", help="Turn off the kill switch, so that agents write again.",
    permission=Permission.CONTROLS_LIFT, arguments=LiftArguments, example={}, preview=_of_lift, run=_lift,
)  # fmt: skip
RESUME = Verb(
    resource="pause", action="lift",
    help="End the pause of the fleet, a surface, organisation, persona, agent or kind of job.",
    permission=Permission.CONTROLS_PAUSE, arguments=PauseArguments, example={"scope": "surface", "key": "floimg"},
    preview=_of_pause, run=_resume,
)  # fmt: skip
