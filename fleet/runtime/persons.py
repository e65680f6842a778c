"""Who decides: a name from a door, and the roles that the settings give it. Called by doors.

Until people have accounts, whoever can run the command line is trusted to be whom they say; the one whose login it is
owns the fleet unless FLEET_ROLES_OF says otherwise.
"""

from __future__ import annotations

from fleet.approvals import Person
from fleet.core.settings import Settings

OWNER = "owner"


def person(settings: Settings, name: str, *, is_local: bool) -> Person:
    """Return a person with their roles; `is_local` for the one who is logged in at this machine."""
    roles = dict(entry.split("=", 1) for entry in settings.roles_of)
    if name in roles:
        return Person(name, frozenset(roles[name].split("+")))
    return Person(name, frozenset({OWNER}) if is_local else frozenset())
