"""Invitations: links that create one user, once. Each command is one transaction.

`service` decides whom a user may invite, as with users. Called by `fleet users invite`, by `fleet up` for the first
owner, and by the pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from fleet.access import audit, invitations, organisations, users
from fleet.access.invitations import Invitation
from fleet.access.principal import Principal, Via
from fleet.access.roles import Role
from fleet.access.users import User
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.users.service import refuse_beyond, refuse_giving


def invite(deps: Deps, role: Role, *, by: Principal | None = None,
           for_: timedelta = invitations.USUAL, organisation: str | None = None
           ) -> tuple[str, Invitation]:  # fmt: skip
    """Return a new invitation's key, to be shown once, and the invitation. Raises NotAllowed, InvalidInput, NotFound.

    With an organisation the role will hold there alone.
    """
    with deps.db.transaction() as tx:
        if by is not None and not by.is_local:
            # The current permissions, locked until COMMIT: losing a role withdraws the invitations that exist by then.
            by = replace(by, role=users.locked(tx, by.name).role)
        refuse_beyond(by, role)
        refuse_giving(by, role)
        named = "" if by is None else by.by if by.is_local else invitations.inviter(by.name)
        made_by = by.key_id if by is not None and by.via is Via.TOKEN else None
        return invitations.make(tx, role, by=named, made_by=made_by, for_=for_, organisation=organisation)


def possible_organisations(deps: Deps) -> list[str]:
    """Return the names of the organisations to which users can be invited; empty while there is one alone."""
    with deps.db.transaction() as tx:
        return organisations.choices(tx)


def first_owner_key(deps: Deps) -> str | None:
    """Return the key of an invitation for the first owner, replacing earlier ones; None if a user can log in
    already.
    """
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
    """Return the invitation of a key. Raises NoInvitation."""
    with deps.db.transaction() as tx:
        return invitations.look(tx, key)


def join(deps: Deps, key: str, name: str, password: str) -> User:
    """Create the invited user, once. Raises NoInvitation, InvalidInput, Conflict.

    A feature may refuse a name, such as one to which rules give permissions.
    """
    with deps.db.transaction() as tx:
        role = invitations.look(tx, key).role
    for refuse_name in registry.load_all(one.refuse_name for one in registry.current()):
        refuse_name(deps, name.strip())
    chosen = users.choose_password(name, password)
    with deps.db.transaction() as tx, audit.acting(replace(audit.actor(), name=name[:60], role=role)):
        return invitations.use(tx, key, chosen)


def link(address: str, key: str) -> str:
    """Return the link to pass on to an invited person."""
    return f"{address.rstrip('/')}/join/{key}"
