"""Who decides: a name from a door, and the roles that the door vouches for. Called by doors.

Whoever can run the command line is trusted to be whom they say: the one whose login it is owns the fleet unless
FLEET_ROLES_OF says otherwise. Who comes by the web has the role of their account, which stands for those below it.
"""

from __future__ import annotations

from fleet.access import Principal, Via, at_least
from fleet.core.settings import Settings
from fleet.features.approvals.rules import Person
from fleet.features.approvals.settings import ApprovalsSettings

OWNER = "owner"


def person(settings: Settings, name: str, *, is_local: bool) -> Person:
    """Return a person with their roles; `is_local` for the one who is logged in at this machine."""
    roles = dict(entry.split("=", 1) for entry in settings.of(ApprovalsSettings).roles_of)
    if name in roles:
        return Person(name, frozenset(roles[name].split("+")))
    return Person(name, frozenset({OWNER}) if is_local else frozenset())


def person_of(principal: Principal) -> Person:
    """Return who decides behind a session or a token: the same person, whichever of both they use."""
    return Person(f"{Via.SESSION}:{principal.name}", frozenset(map(str, at_least(principal.role))))
