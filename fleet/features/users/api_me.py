"""The user and the permissions of the calling program."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from fleet.access import Permission, Principal, Role, Via
from fleet.web.auth import needs

router = APIRouter(prefix="/me", tags=["access"])


class Me(BaseModel):
    """The user of this session or token. `permissions` are those of the role, narrowed by the token's scopes."""

    name: str
    role: Role
    via: Via
    permissions: list[Permission]


@router.get("")
def me(who: Annotated[Principal, needs(Permission.OWN_ACCOUNT)]) -> Me:
    """Return the caller."""
    allowed = [one for one in Permission if who.may(one)]
    return Me(name=who.name, role=who.role, via=who.via, permissions=allowed)
