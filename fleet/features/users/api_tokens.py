"""One's own tokens for programs."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.features.users import service as accounts
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import Body, taken

router = APIRouter(prefix="/tokens", tags=["access"])
Own = Annotated[Principal, needs(Permission.OWN_ACCOUNT)]


class OneToken(BaseModel):
    """A token without its text, which was shown once. `hint` is its beginning."""

    id: uuid.UUID
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class Tokens(BaseModel):
    """One's own tokens, newest first."""

    items: list[OneToken]


class NewToken(Body):
    """What a token is for."""

    name: str = Field(min_length=1, max_length=60, description="what uses it")
    scopes: list[Permission] = Field(min_length=1, max_length=len(Permission), description="what it may do")
    expires_in_days: int | None = Field(90, ge=1, le=3650, strict=True, description="null: it does not expire")


class MadeToken(BaseModel):
    """A new token with its text, which is shown only here."""

    token: str


@router.get("")
def tokens(deps: TheDeps, who: Own) -> Tokens:
    """Return the caller's tokens."""
    return Tokens(items=[taken(OneToken, one) for one in accounts.list_tokens(deps, who.name)])


@router.post("", status_code=201)
def issue(deps: TheDeps, who: Own, body: NewToken) -> MadeToken:
    """Create a token whose permissions do not exceed the caller's."""
    for_ = None if body.expires_in_days is None else timedelta(days=body.expires_in_days)
    return MadeToken(token=accounts.issue_token(deps, who.name, body.name, body.scopes, for_, by=who))


@router.delete("/{token_id}", status_code=204)
def revoke(deps: TheDeps, who: Own, token_id: uuid.UUID) -> None:
    """Revoke one of the caller's tokens, and those created with it."""
    accounts.revoke_token(deps, token_id, by=who)
