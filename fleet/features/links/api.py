"""Short links and conversions for programs: /api/v1/links, /api/v1/conversions."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.links import service
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, line, taken

router = APIRouter(tags=["links"])
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
Code = Annotated[str, Path(max_length=20)]


class LinkOut(BaseModel):
    """A short link with its counts."""

    id: uuid.UUID
    code: str
    address: str = Field(description="what to publish; a path where neither FLEET_LINKS_URL nor FLEET_WEB_URL is set")
    target: str
    campaign: str
    agent: str | None
    created_by: str
    created_at: datetime
    removed_at: datetime | None
    clicks: int
    clicks_day: int = Field(description="clicks of the last 24 hours")
    conversions: int
    value: Decimal = Field(description="sum of the values of conversions")


class LinkPage(Page[LinkOut]):
    """A page of links, newest first."""


class LinkDay(BaseModel):
    """The counts of a day (UTC)."""

    day: datetime
    clicks: int
    conversions: int


class LinkDetail(LinkOut):
    """A link with its counts by day."""

    days: list[LinkDay] = Field(description="the last 30 days that have any, oldest first")


class LinkQuery(Paging):
    """Which links."""

    campaign: Annotated[str, line(100)] = ""


class LinkIn(Body):
    """A new link."""

    target: Annotated[str, line(2000, least=1), Field(description="address to which it leads")]
    campaign: Annotated[str, line(100), Field(description="what it is for, such as the name of a campaign")] = ""
    agent: Annotated[str, line(60), Field(description="username of the agent that publishes it")] = ""
    organisation: Annotated[str, line(60), Field(description="name or id; by default that of the agent, or own")] = ""
    tagged: Annotated[bool, Field(description="add utm_source, utm_medium and utm_campaign to the target")] = False


class ConversionIn(Body):
    """A conversion: a visitor of a link did what it is for, such as an order."""

    code: Annotated[str, line(20, least=1), Field(description="code of the link")]
    event: Annotated[str, line(200, least=1), Field(description="the sender's id of it: each counts once")]
    value: Decimal = Field(Decimal(0), ge=0, le=service.MOST_VALUE, decimal_places=6, description="its worth")


class ConversionOut(BaseModel):
    """What became of a conversion."""

    is_new: bool = Field(description="false: it was counted before")


def link_page(deps: Deps, which: LinkQuery) -> LinkPage:
    """Return a page of links, newest first."""
    with deps.db.transaction() as tx:
        found = service.listed(deps, tx, campaign=which.campaign, limit=which.one_more, below=which.place(uuid.UUID))
    links, following = which.page(list(found), lambda one: one.id)
    return LinkPage(items=[taken(LinkOut, one) for one in links], next=following)


def detail(deps: Deps, code: str) -> LinkDetail:
    """Return a link with its counts by day. Raises NotFound."""
    link = service.get(deps, code)
    days = [LinkDay(day=day, clicks=clicks, conversions=more) for day, clicks, more in service.hours(deps, link)]
    return taken(LinkDetail, link, days=days)


@router.get("/links", dependencies=[needs(Permission.FLEET_VIEW)])
def list_links(deps: TheDeps, *, which: Annotated[LinkQuery, Query()]) -> LinkPage:
    """Return a page of short links, newest first."""
    return link_page(deps, which)


@router.post("/links", status_code=201)
def create_link(deps: TheDeps, *, body: LinkIn, who: Editor) -> LinkOut:
    """Create a short link."""
    made = service.create(
        deps, body.target, campaign=body.campaign, agent=body.agent, is_tagged=body.tagged,
        organisation=body.organisation, by=who.by,
    )  # fmt: skip
    return taken(LinkOut, made)


@router.get("/links/{code}", dependencies=[needs(Permission.FLEET_VIEW)])
def show_link(deps: TheDeps, code: Code) -> LinkDetail:
    """Return one short link with its counts by day."""
    return detail(deps, code)


@router.delete("/links/{code}", status_code=204)
def remove_link(deps: TheDeps, code: Code, *, who: Editor) -> None:
    """Remove a short link: it leads nowhere from now on; its counts stay."""
    service.remove(deps, code, by=who.by)


@router.post("/conversions")
def count_conversion(deps: TheDeps, *, body: ConversionIn, who: Editor) -> ConversionOut:
    """Count a conversion of a short link, once for its event."""
    event = service.checked_event(body.event)
    with deps.db.transaction() as tx:
        return ConversionOut(is_new=service.convert(tx, body.code, f"api:{event}", body.value, by=who.by))
