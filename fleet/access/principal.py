"""The authenticated user of a request. Made by `sessions` and `tokens`, kept in the request's state. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum

from fleet.access.roles import WITHIN_ORGANISATIONS, Permission, Role, allows


class Via(StrEnum):
    """Which door, and how it was opened."""

    SESSION = "web"
    TOKEN = "api"  # noqa: S105  the name of a door
    TERMINAL = "cli"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Principal:
    """A user with a role. `scopes` narrow a token's permissions; None for a person with a session."""

    user_id: uuid.UUID
    name: str
    role: Role
    via: Via
    key_id: uuid.UUID
    """The session's or the token's id."""
    scopes: frozenset[Permission] | None = None
    organisations: frozenset[uuid.UUID] | None = None
    """The organisations in which the role holds; None: everywhere."""

    @property
    def by(self) -> str:
        """The name that records of their actions show."""
        return f"{self.via}:{self.name}"

    @property
    def is_local(self) -> bool:
        """Whether this is the local administrator, who has no row in the table of users."""
        return self.via is Via.TERMINAL

    def may(self, permission: Permission) -> bool:
        """Say whether the role allows it where it holds, and the token, if it is one."""
        is_within = self.organisations is None or permission in WITHIN_ORGANISATIONS
        return is_within and allows(self.role, permission) and (self.scopes is None or permission in self.scopes)

    def narrowed(self, organisation_id: str) -> Principal:
        """Return this user as they look at one organisation; unchanged if that is not one of theirs."""
        try:
            wanted = uuid.UUID(organisation_id)
        except ValueError:
            return self
        is_own = self.organisations is None or wanted in self.organisations
        return replace(self, organisations=frozenset({wanted})) if is_own else self


def local_administrator(name: str) -> Principal:
    """Return the principal of a person at the fleet's own machine, by the name of the system's user.

    Nobody checks it here: it is made for the token of the run file, which only that user reads, and for a process that
    has the database's password.
    """
    nobody = uuid.UUID(int=0)
    return Principal(user_id=nobody, name=name, role=Role.OWNER, via=Via.TERMINAL, key_id=nobody)
