"""The person who decides: a name from an entry point, and the roles that it vouches for. Called by entry points.

A user of the command line is trusted to be the person they name: their login owns the fleet unless FLEET_ROLES_OF says
otherwise. A user of the web has the role of their account, which covers the lower ones.
"""

from __future__ import annotations

from fleet.access import Principal, Via, at_least
from fleet.access.errors import NotPermitted
from fleet.core.settings import Settings
from fleet.features.approvals.rules import Person
from fleet.features.approvals.settings import ApprovalsSettings

OWNER = "owner"


def person(settings: Settings, name: str, *, is_local: bool) -> Person:
    """Return a person with their roles; `is_local` for the user who is logged in at this machine."""
    roles = dict(entry.split("=", 1) for entry in settings.of(ApprovalsSettings).roles_of)
    if name in roles:
        return Person(name, frozenset(roles[name].split("+")))
    return Person(name, frozenset({OWNER}) if is_local else frozenset())


def decider(settings: Settings, principal: Principal, named: str | None) -> Person:
    """Return who decides: the principal, or the person whom the local administrator names.

    Raises NotPermitted when anybody else names a person.
    """
    if principal.via is Via.TERMINAL:
        name = named or principal.name
        return person(settings, name, is_local=name == principal.name)
    if named is not None:
        raise NotPermitted(
            f"You cannot decide as {named}.",
            fix="Only the command line on the fleet's own machine decides in another person's name.",
        )
    return person_of(principal)


def person_of(principal: Principal) -> Person:
    """Return the person behind a session or a token: the same person in both cases."""
    return Person(f"{Via.SESSION}:{principal.name}", frozenset(map(str, at_least(principal.role))))
