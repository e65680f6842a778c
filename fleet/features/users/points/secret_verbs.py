"""The verbs of users whose result is a secret: create a token, invite a user.

Where a rule asks for approval, the person who asked creates it afterwards: the secret is in the answer to them alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from fleet.access import Permission, Principal, Role, invitations, organisations, users
from fleet.access.errors import NotPermitted
from fleet.access.invitations import Invitation
from fleet.access.roles import reach_of
from fleet.access.tokens import LONGEST
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.users import invite, service

_LONGEST_S = int(LONGEST.total_seconds())
_Scope = Annotated[str, Field(max_length=60)]


class TokenArguments(VerbArguments):
    """A token, without its text."""

    user: str = Field(min_length=1, max_length=60, description="whose token it is")
    name: str = Field(max_length=200, description="what uses it")
    scopes: tuple[_Scope, ...] = Field(max_length=100)
    expires_in_s: int | None = Field(None, ge=1, le=_LONGEST_S, description="null: it does not expire")
    shorten: bool = Field(default=False, description="have it expire with the token that asks, if that is sooner")

    @property
    def lasts(self) -> timedelta | None:
        """How long it is valid; None for ever."""
        return None if self.expires_in_s is None else timedelta(seconds=self.expires_in_s)


class InvitationArguments(VerbArguments):
    """An invitation, without its link."""

    role: Role
    hours: float = Field(24, gt=0, le=10_000, allow_inf_nan=False)
    organisation: str | None = Field(None, max_length=60)
    inviter: str = Field(min_length=1, max_length=100, description="the name of the person who asks")


def _of_token(deps: Deps, tx: Tx, given: TokenArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    user = users.get(tx, given.user)
    scopes = sorted(set(given.scopes))
    reach = str(reach_of(one for one in Permission if one in scopes))
    lasts = "never" if given.lasts is None else f"{given.lasts.total_seconds() / 86_400:g} days"
    return VerbPreview(
        resource_id=f"{user.id}:{given.name.strip()}"[:200],
        summary=f"Create a token {given.name.strip()[:60]} of {user.name}, which may do what a {reach} may",
        before={"user": user.name, "role": str(user.role)},
        after={"user": user.name, "role": str(user.role), "token": given.name.strip(), "scopes": scopes,
               "expires after": lasts},
        facts={"user": user.name, "name": given.name.strip(), "scopes": scopes, "reach": reach},
        arguments={**given.model_dump(mode="json"), "name": given.name.strip(), "scopes": scopes},
    )  # fmt: skip


def _check_token(deps: Deps, tx: Tx, given: TokenArguments, who: Principal) -> None:  # noqa: ARG001 - the shape of all
    if not who.is_local and given.user != who.name:
        raise NotPermitted("A token is made for yourself only.")
    service.refuse_token(tx, given.name, given.scopes, given.lasts, by=who, shorten=given.shorten)


def _create_token(deps: Deps, given: TokenArguments, who: Principal) -> str:
    with deps.db.transaction() as tx:
        _check_token(deps, tx, given, who)
    return service.issue_token(
        deps, given.user, given.name, given.scopes, given.lasts, by=who, shorten=given.shorten
    )  # fmt: skip


def _of_invitation(deps: Deps, tx: Tx, given: InvitationArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all
    where = None if given.organisation is None else organisations.named(tx, given.organisation).name
    what = {"role": str(given.role), "organisation": where, "hours": given.hours}
    return VerbPreview(
        resource_id=f"{given.inviter}:{given.role}:{where or ''}"[:200],
        summary=f"Invite one {given.role}{f' to {where}' if where else ''}", before={}, after=what,
        facts={"new_role": str(given.role), "organisation": where or "", "hours": given.hours},
    )  # fmt: skip


def _check_invitation(deps: Deps, tx: Tx, given: InvitationArguments, who: Principal) -> None:  # noqa: ARG001 - as above
    if given.inviter != who.name:
        raise NotPermitted("An invitation is asked for in your own name only.", fix=f"Give {who.name} as inviter.")
    service.refuse_beyond(who, given.role)
    service.refuse_giving(who, given.role)
    invitations.check(timedelta(hours=given.hours))


def _invite(deps: Deps, given: InvitationArguments, who: Principal) -> tuple[str, Invitation]:
    return invite.invite(
        deps, given.role, by=who, for_=timedelta(hours=given.hours), organisation=given.organisation
    )  # fmt: skip


TOKEN = Verb(
    resource="token", action="create", help="Create a token; the person who asked creates and sees it after approval.",
    permission=Permission.OWN_ACCOUNT, arguments=TokenArguments,
    example={"user": "ben", "name": "deploy", "scopes": ["agents.view", "agents.control"], "expires_in_s": 7_776_000},
    preview=_of_token, check=_check_token, run=_create_token, collect_at="/account",
)  # fmt: skip
INVITATION = Verb(
    resource="user", action="invite", help="Invite a user; the person who asked creates and sees the link after it.",
    permission=Permission.USERS_EDIT, arguments=InvitationArguments,
    example={"role": "operator", "hours": 24, "inviter": "ben"}, preview=_of_invitation, check=_check_invitation,
    run=_invite, collect_at="/users",
)  # fmt: skip
