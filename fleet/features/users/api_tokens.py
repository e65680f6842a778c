"""Tokens for programs: one's own, and those of everybody for the local administrator."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal, Via
from fleet.access.roles import PRESETS, preset
from fleet.access.tokens import LONGEST, Token
from fleet.core.errors import InvalidInput
from fleet.engine.points import verbs
from fleet.features.users import service as accounts
from fleet.web.auth import Forbidden, TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.fields import Body, line, taken

router = APIRouter(prefix="/tokens", tags=["access"])
TokenId = Annotated[str, Path(max_length=60, description="id, or its first four or more characters")]
_LONGEST_S = int(LONGEST.total_seconds())
Own = Annotated[Principal, needs(Permission.OWN_ACCOUNT)]


class OneToken(BaseModel):
    """A token without its text, which was shown once. `hint` is its beginning."""

    id: uuid.UUID
    user: str
    name: str
    hint: str
    scopes: list[str]
    has_all_scopes: bool = Field(description="whether its scopes are all permissions there are")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class Tokens(BaseModel):
    """Tokens, newest first."""

    items: list[OneToken]


class TokensQuery(Body):
    """Whose tokens."""

    user: Annotated[str, line(60)] | None = Field(
        None, description="another user's, for those who see users; left out: the caller's own"
    )


class NewToken(Body):
    """What a token is for. Scopes and time fit the caller and the token that asks, if they are left out."""

    name: str = Field(min_length=1, max_length=60, description="what uses it")
    scopes: list[Annotated[str, line(60)]] | None = Field(
        None, min_length=1, max_length=len(Permission), description="permissions; left out: all that the caller has"
    )
    preset: Annotated[str, line(20)] | None = Field(
        None, description=f"instead of `scopes`, as far as the caller's go: {', '.join(one.name for one in PRESETS)}"
    )
    expires_in_s: int | None = Field(None, ge=1, le=_LONGEST_S, strict=True, description="instead of `expires_in_days`")
    expires_in_days: int | None = Field(
        90, ge=1, le=3650, strict=True,
        description="null: it does not expire; left out: 90, or sooner with the token that asks",
    )  # fmt: skip
    user: Annotated[str, line(60)] | None = Field(
        None, description="whose token it is; the local administrator names a user, all others have their own"
    )

    def lasts(self) -> timedelta | None:
        """Return how long it is valid; None for ever."""
        if self.expires_in_s is not None:
            return timedelta(seconds=self.expires_in_s)
        return None if self.expires_in_days is None else timedelta(days=self.expires_in_days)

    @property
    def is_usual(self) -> bool:
        """Say whether the caller leaves its time to Fleet."""
        return not {"expires_in_s", "expires_in_days"} & self.model_fields_set


class MadeToken(BaseModel):
    """A new token with its text, which is shown only here."""

    token: str
    user: str
    name: str
    scopes: list[str]


@router.get("")
def tokens(deps: TheDeps, who: Own, *, which: Annotated[TokensQuery, Query()]) -> Tokens:
    """Return the caller's tokens, or those of a user; everybody's for the local administrator."""
    user = which.user.lower() if which.user is not None else None if who.is_local else who.name
    if user not in (None, who.name) and not who.may(Permission.USERS_VIEW):
        raise Forbidden("You may see your own tokens only.", fix="Leave `user` out.")
    return Tokens(items=[_token(one) for one in accounts.list_tokens(deps, user)])


@router.post("", status_code=201, responses=ASKED)
def issue(deps: TheDeps, who: Own, body: NewToken) -> MadeToken:
    """Create a token whose permissions do not exceed the caller's. If it was approved, the same request creates it."""
    user = _owner(who, body.user)
    if body.scopes and body.preset:
        raise InvalidInput("A token has scopes or a preset, not both.", fix="Leave one of them out.")
    offered = preset(body.preset).scopes if body.preset else tuple(Permission)
    scopes = body.scopes or [one for one in offered if who.may(one)]
    lasts = body.lasts()
    token = verbs.perform(
        deps, who, "token", "create", user=user, name=body.name, scopes=scopes,
        expires_in_s=None if lasts is None else int(lasts.total_seconds()),
        shorten=body.is_usual and who.via is Via.TOKEN,
    )  # fmt: skip
    return MadeToken(token=token, user=user, name=body.name, scopes=sorted(scopes))


@router.delete("/{token_id}", status_code=204)
def revoke(deps: TheDeps, who: Own, token_id: TokenId) -> None:
    """Revoke a token, and those created with it: one of the caller's, any for the local administrator."""
    accounts.revoke_token(deps, token_id, by=who)


def _token(found: Token) -> OneToken:
    return taken(OneToken, found, has_all_scopes=set(found.scopes) == set(Permission))


def _owner(who: Principal, user: str | None) -> str:
    """Return whose token is made. Raises Forbidden, InvalidInput."""
    if not who.is_local:
        if user not in (None, who.name):
            raise Forbidden("A token is made for yourself only.", fix="Leave `user` out.")
        return who.name
    if user is None:
        raise InvalidInput("Whose token is it?", fix="Name the user (`--user NAME`).")
    return user.lower()
