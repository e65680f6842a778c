"""The page of users: roles, invitations, and buttons to change them."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal, Role
from fleet.access.roles import may_appoint
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.users import invite as inviting
from fleet.features.users import service as accounts
from fleet.web.auth import TheDeps, address_of_ours, needs
from fleet.web.problems import status_of
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()
_HERE = "/users"
Editor = Annotated[Principal, needs(Permission.USERS_EDIT)]
Name = Annotated[str, Path(max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$")]


@router.get(_HERE)
def users(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.USERS_VIEW)]) -> Response:
    """Show users and invitations."""
    return _shown(request, deps, who)


@router.post("/users/invite")
def invite(request: Request, deps: TheDeps, who: Editor, *, role: Annotated[Role, Form()],
           hours: Annotated[int, Form(ge=1, le=168)] = 24,
           organisation: Annotated[str, Form(max_length=60)] = "") -> Response:  # fmt: skip
    """Create an invitation and show its link: in the response itself, since it is shown once."""
    try:
        key, invitation = verbs.perform(
            deps, who, "user", "invite", role=role, hours=hours, organisation=organisation or None, inviter=who.name
        )
    except FleetError as error:
        return _shown(request, deps, who, code=status_of(error), problem=str(error), wanted=(role, hours))
    return _shown(request, deps, who, link=inviting.link(address_of_ours(request), key), invited=invitation.role)


@router.post("/users/invitations/{invitation_id}/withdraw")
def withdraw(request: Request, deps: TheDeps, who: Editor, invitation_id: uuid.UUID) -> Response:
    """Let an invitation open nothing any more."""
    try:
        inviting.withdraw_invitation(deps, invitation_id, by=who)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The invitation is withdrawn.")


@router.post("/users/{name}/role")
def change_role(request: Request, deps: TheDeps, who: Editor, name: Name, role: Annotated[Role, Form()]) -> Response:
    """Change a user's role; they have to log in again."""
    try:
        changed = verbs.perform(deps, who, "user", "role", user=name, role=role)
    except FleetError as error:
        return go(request, _HERE, str(error), kept=KeptForm(f"role {name}", "role", {"role": role}))
    return go(request, _HERE, f"{name} is {role} now." if changed else f"{name} was {role} already.")


@router.post("/users/{name}/logout")
def log_out(request: Request, deps: TheDeps, who: Editor, name: Name, *,
            revoke_tokens: Annotated[bool, Form()] = False) -> Response:  # fmt: skip
    """End every session of a user, and revoke their tokens if requested."""
    try:
        ended, revoked = accounts.log_out_user(deps, name, by=who, revoke_tokens=revoke_tokens)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    tokens = f", tokens revoked: {revoked}" if revoke_tokens else ""
    return go(request, _HERE, f"{name} is logged out everywhere; sessions that have ended: {ended}{tokens}.")


@router.post("/users/{name}/remove")
def remove(request: Request, deps: TheDeps, who: Editor, name: Name) -> Response:
    """Let a user in no more."""
    try:
        verbs.perform(deps, who, "user", "delete", user=name)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, f"{name} may not come in any more; their sessions and tokens have ended.")


def _shown(request: Request, deps: Deps, who: Principal, *, code: int = 200, link: str | None = None,
           invited: Role | None = None, problem: str | None = None,
           wanted: tuple[Role, int] = (Role.VIEWER, 24)) -> Response:  # fmt: skip
    return render(
        request, "users/users.html", code=code, link=link, invited=invited, problem=problem, wanted=wanted,
        organisations=inviting.possible_organisations(deps), approved=verbs.approved(deps, who, "user", "invite"),
        users=accounts.list_users(deps), invitations=inviting.list_invitations(deps),
        roles=[role for role in Role if may_appoint(who.role, role)],
    )  # fmt: skip
