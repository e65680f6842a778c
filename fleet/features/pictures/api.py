"""Pictures and their providers, for programs: /api/v1/pictures."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.engine.deps import Deps
from fleet.features.pictures import queries
from fleet.features.pictures.queries import ListedOrder
from fleet.features.pictures.states import PictureOrderState
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import line, taken

router = APIRouter(tags=["pictures"])


class PictureOrderOut(BaseModel):
    """One order of a picture at one provider."""

    id: uuid.UUID
    job_id: uuid.UUID
    agent: str | None = Field(description="username; null for a deleted agent")
    provider: str
    model: str
    state: PictureOrderState
    is_ai: bool = Field(description="whether a machine made it: then its file is marked")
    microusd: int = Field(description="cost; of a lost order the most that it can have cost")
    object_key: str | None = Field(description="key of the stored file, for /media")
    credit: str | None = Field(description="credit of a stock photo, as it is published")
    credit_url: str | None = Field(description="page of a stock photo")
    why: str = Field(description="why no picture came of it")
    asked_at: datetime


class PictureOrderPage(Page[PictureOrderOut]):
    """A page of orders, newest first."""


class PictureOrderQuery(Paging):
    """Which orders."""

    agent: Annotated[str, line(60)] | None = None
    provider: Annotated[str, line(20)] | None = None
    job: uuid.UUID | None = None


class PictureProviderOut(BaseModel):
    """A provider of pictures in this fleet."""

    name: str
    place: int | None = Field(description="place in the order, from 1; null: it is not asked")
    is_ready: bool = Field(description="whether it has a key or an address")
    why: str = Field(description="what it lacks")
    model: str
    rests: bool = Field(description="whether this process leaves it alone after failures")
    made: int = Field(description="pictures that it made")
    microusd: int


class PictureProviderList(BaseModel):
    """All providers, those of the order first."""

    items: list[PictureProviderOut]


@router.get("/pictures", dependencies=[needs(Permission.COSTS_VIEW)])
def list_pictures(deps: TheDeps, *, which: Annotated[PictureOrderQuery, Query()]) -> PictureOrderPage:
    """Return a page of orders of pictures, newest first: provider, cost, credit."""
    items, following = order_page(deps, which)
    return PictureOrderPage(items=[_out(one) for one in items], next=following)


@router.get("/pictures/providers", dependencies=[needs(Permission.COSTS_VIEW)])
def list_picture_providers(
    deps: TheDeps, *, persona: Annotated[str | None, Query(max_length=60)] = None
) -> PictureProviderList:
    """Return the providers of pictures in the order of the fleet, or of a persona."""
    found = queries.listed_providers(deps, persona)
    return PictureProviderList(items=[taken(PictureProviderOut, one) for one in found])


def order_page(deps: Deps, which: PictureOrderQuery) -> tuple[list[ListedOrder], str | None]:
    """Return the orders of a page, and the cursor of the next one."""
    with deps.db.transaction() as tx:
        found = queries.listed(
            tx, limit=which.one_more, below=which.place(uuid.UUID), agent=which.agent, provider=which.provider,
            job_id=which.job,
        )  # fmt: skip
    items, following = which.page(found, lambda one: one.id)
    return list(items), following


def _out(one: ListedOrder) -> PictureOrderOut:
    credit = one.credit or {}
    return taken(PictureOrderOut, one, credit=credit.get("line"), credit_url=credit.get("page_url"))
