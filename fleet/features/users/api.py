"""Users and invitations for programs."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal, Role
from fleet.engine.points import verbs
from fleet.features.users import invite as inviting
from fleet.features.users import service as accounts
from fleet.web.auth import TheDeps, address_of_ours, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.fields import Body, Count, MovedOut, line, taken

router = APIRouter(tags=["access"])
Name = Annotated[str, Path(max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$", description="the user's name")]
Editor = Annotated[Principal, needs(Permission.USERS_EDIT)]
_MAY_LOOK = needs(Permission.USERS_VIEW)


class OneUser(BaseModel):
    """A user."""

    name: str
    role: Role
    created_at: datetime
    last_login_at: datetime | None


class Users(BaseModel):
    """All users, by name."""

    items: list[OneUser]


class NewRole(Body):
    """What a user is to be."""

    role: Role


class LogOut(Body):
    """What else to revoke with the sessions."""

    revoke_tokens: bool = Field(
        default=False, strict=True, description="revoke the user's tokens and open invitations too"
    )


_SESSIONS_ONLY = LogOut()
"""The default for a request without a body."""


class LoggedOut(Count):
    """How many sessions and tokens ended."""

    tokens_revoked: int


class OneInvitation(BaseModel):
    """An invitation that is still open."""

    id: uuid.UUID
    role: Role
    invited_by: str
    created_at: datetime
    expires_at: datetime


class Invitations(BaseModel):
    """The open invitations, newest first."""

    items: list[OneInvitation]


class NewInvitation(Body):
    """Whom to invite."""

    role: Role
    hours: float = Field(
        24, gt=0, le=10_000, strict=True, allow_inf_nan=False, description="how long its link is valid: 1 to 168 hours"
    )
    organisation: Annotated[str, line(60)] | None = Field(
        None, description="where the role will hold; null: everywhere"
    )


class MadeInvitation(OneInvitation):
    """An invitation with its link, which is shown only here."""

    link: str


@router.get("/users", dependencies=[_MAY_LOOK])
def users(deps: TheDeps) -> Users:
    """Return all users."""
    return Users(items=[taken(OneUser, one) for one in accounts.list_users(deps)])


@router.get("/users/{name}", dependencies=[_MAY_LOOK])
def user(deps: TheDeps, name: Name) -> OneUser:
    """Return one user."""
    return taken(OneUser, accounts.get_user(deps, name))


@router.patch("/users/{name}", responses=ASKED)
def change_role(deps: TheDeps, who: Editor, name: Name, body: NewRole) -> MovedOut:
    """Change a user's role; the user must log in again."""
    return MovedOut(changed=verbs.perform(deps, who, "user", "role", user=name, role=body.role))


@router.post("/users/{name}/logout")
def log_out(deps: TheDeps, who: Editor, name: Name, body: LogOut = _SESSIONS_ONLY) -> LoggedOut:
    """End every session of a user. Tokens stay unless `revoke_tokens` is true."""
    ended, revoked = accounts.log_out_user(deps, name, by=who, revoke_tokens=body.revoke_tokens)
    return LoggedOut(count=ended, tokens_revoked=revoked)


@router.delete("/users/{name}", status_code=204, responses=ASKED)
def remove(deps: TheDeps, who: Editor, name: Name) -> None:
    """Delete a user. The name cannot be used again."""
    verbs.perform(deps, who, "user", "delete", user=name)


@router.get("/invitations", dependencies=[_MAY_LOOK])
def invitations(deps: TheDeps) -> Invitations:
    """Return the open invitations, without their links."""
    return Invitations(items=[taken(OneInvitation, one) for one in inviting.list_invitations(deps)])


@router.post("/invitations", status_code=201, responses=ASKED)
def invite(request: Request, deps: TheDeps, who: Editor, body: NewInvitation) -> MadeInvitation:
    """Create an invitation link for one user. If it was approved, the same request creates it."""
    key, made = verbs.perform(
        deps, who, "user", "invite", role=body.role, hours=body.hours, organisation=body.organisation, inviter=who.name
    )
    return taken(MadeInvitation, made, link=inviting.link(address_of_ours(request), key))


@router.delete("/invitations/{invitation_id}", status_code=204)
def withdraw(deps: TheDeps, who: Editor, invitation_id: uuid.UUID) -> None:
    """Revoke an invitation."""
    inviting.withdraw_invitation(deps, invitation_id, by=who)
