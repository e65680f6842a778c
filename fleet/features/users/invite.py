"""Invitations, as doors call them: links that make one user, once. Each is one transaction.

Whom somebody may invite is decided in `accounts`, as with users. Called by `fleet users invite`, by
`fleet up` for the first owner, and by the pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from fleet.access import audit, invitations, users
from fleet.access.invitations import Invitation
from fleet.access.principal import Principal, Via
from fleet.access.roles import Role
from fleet.access.users import User
from fleet.core.errors import InvalidInput
from fleet.engine.deps import Deps
from fleet.features.approvals.rules import are_about
from fleet.features.approvals.service import rules_of
from fleet.features.users.service import refuse_beyond, refuse_giving


def invite(deps: Deps, role: Role, *, by: Principal | None = None, terminal: str = "",
           for_: timedelta = invitations.USUAL) -> tuple[str, Invitation]:  # fmt: skip
    """Return a new invitation's key, to be shown once, and what it opens. Raises NotAllowed, InvalidInput.

    `terminal` is who asks at the command line.
    """
    with deps.db.transaction() as tx:
        if by is not None:
            # As they are now, and until this is done: who loses their role loses the invitations that stand by then.
            by = replace(by, role=users.locked(tx, by.name).role)
        refuse_beyond(by, role)
        refuse_giving(by, role)
        named = terminal if by is None else invitations.inviter(by.name)
        made_by = by.key_id if by is not None and by.via is Via.TOKEN else None
        return invitations.make(tx, role, by=named, made_by=made_by, for_=for_)


def first_owner_key(deps: Deps) -> str | None:
    """Return the key of an invitation for the first owner, in place of former ones; None if anybody can log in."""
    with deps.db.transaction() as tx:
        return invitations.first_owner(tx)


def list_invitations(deps: Deps) -> Sequence[Invitation]:
    """Return the open invitations, newest first."""
    with deps.db.transaction() as tx:
        return invitations.listed(tx)


def withdraw_invitation(deps: Deps, invitation_id: uuid.UUID, *, by: Principal | None = None) -> None:
    """Let an invitation open nothing any more. Raises NotFound, NotAllowed."""
    with deps.db.transaction() as tx:
        invitation = invitations.get(tx, invitation_id)
        refuse_beyond(by, invitation.role)
        invitations.withdraw(tx, invitation)


def look_at_invitation(deps: Deps, key: str) -> Invitation:
    """Return what a key opens. Raises NoInvitation."""
    with deps.db.transaction() as tx:
        return invitations.look(tx, key)


def join(deps: Deps, key: str, name: str, password: str) -> User:
    """Make the user whom an invitation stands for, once. Raises NoInvitation, InvalidInput, Conflict.

    Who is invited chooses a name, and by a name that the approval rules give a say they would give it to themselves.
    """
    with deps.db.transaction() as tx:
        role = invitations.look(tx, key).role
        if are_about(rules_of(deps), name.strip()):
            raise InvalidInput(
                f"The approval rules are about somebody called {name.strip()[:60]}.",
                fix="Choose another name, or have an admin make that user.",
            )
        with audit.acting(replace(audit.actor(), name=name[:60], role=role)):
            return invitations.use(tx, key, name, password)


def link(address: str, key: str) -> str:
    """Return what is passed on to somebody who is invited."""
    return f"{address.rstrip('/')}/join/{key}"
