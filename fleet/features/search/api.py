"""The search for programs, the palette of the dashboard, and `fleet search`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.features.search import service
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import taken

router = APIRouter(prefix="/search", tags=["search"])


class Hit(BaseModel):
    """One thing that was found."""

    label: str
    href: str = Field(description="its page in the dashboard", examples=["/agents/ada_lovelace"])
    note: str


class HitGroup(BaseModel):
    """The hits of one kind, the best first."""

    name: str = Field(examples=["Agents"])
    hits: list[Hit]


class FoundOut(BaseModel):
    """All that matches, without empty groups."""

    groups: list[HitGroup]


@router.get("")
def search(deps: TheDeps, who: Annotated[Principal, needs(Permission.FLEET_VIEW)], *,
           q: Annotated[str, Query(max_length=100, description="a name, a text or the beginning of an id")] = "",
           ) -> FoundOut:  # fmt: skip
    """Return the pages, agents, jobs and accounts that match and that the token may see."""
    return FoundOut(groups=[_group(one) for one in service.find(deps, who, q)])


def _group(one: service.SearchGroup) -> HitGroup:
    return HitGroup(name=one.name, hits=[taken(Hit, hit) for hit in one.hits])
