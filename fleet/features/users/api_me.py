"""Who a program is to the fleet, and what it may do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from fleet.access import Permission, Principal, Role, Via
from fleet.web.auth import needs

router = APIRouter(prefix="/me", tags=["access"])


class Me(BaseModel):
    """Whose session or token it is. `permissions` is what the role allows and the token's scopes leave of it."""

    name: str
    role: Role
    via: Via
    permissions: list[Permission]


@router.get("")
def me(who: Annotated[Principal, needs(Permission.OWN_ACCOUNT)]) -> Me:
    """Return the caller."""
    allowed = [one for one in Permission if who.may(one)]
    return Me(name=who.name, role=who.role, via=who.via, permissions=allowed)
