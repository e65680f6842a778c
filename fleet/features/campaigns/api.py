"""Campaigns, content items and brands, for programs: /api/v1/campaigns, /api/v1/content-items, /api/v1/brands."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from fleet.access import Permission, Principal
from fleet.adapters.manifest import TextRule
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.points import verbs
from fleet.features.campaigns import items, queries, service, stopping
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.campaigns.brand_rules.rules import BrandRules
from fleet.features.campaigns.forms import preview
from fleet.features.campaigns.forms.preview import PostPreview
from fleet.features.campaigns.models import CampaignRow
from fleet.features.campaigns.queries import ItemFilter, ItemView
from fleet.features.campaigns.states import ItemState
from fleet.features.campaigns.values import ItemEdit, ItemLink, ItemTarget, NewCampaign, NewItem, Picture
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, Moment, line, prose, taken

router = APIRouter(tags=["campaigns"])
Planner = Annotated[Principal, needs(Permission.AGENTS_CONTROL)]
Pauser = Annotated[Principal, needs(Permission.CONTROLS_PAUSE)]
BrandEditor = Annotated[Principal, needs(Permission.FLEET_EDIT)]
_VIEW = [needs(Permission.DRAFTS_VIEW)]


class LinkModel(Body):
    """A link of a post: its address, and the title and description of its card."""

    url: Annotated[str, line(2000)] = ""
    title: Annotated[str, line(200)] = ""
    description: Annotated[str, line(300)] = ""

    def value(self) -> ItemLink:
        """Return it as a value."""
        return ItemLink(self.url, self.title, self.description)


class TargetModel(Body):
    """An agent, and the account through which it publishes; without one its main account."""

    agent: Annotated[str, line(60, least=1), Field(examples=["ana"])]
    account: Annotated[str | None, line(60)] = None


class PictureIn(Body):
    """A picture: a prompt from which one is made, or the key of a stored one."""

    prompt: Annotated[str, prose(2000)] = ""
    key: Annotated[str, line(200)] = ""
    alt_text: Annotated[str, prose(1000)] = ""


class CampaignIn(Body):
    """A new campaign: a message for all targets, or topics about which they write."""

    name: Annotated[str, line(100, least=1)]
    targets: Annotated[list[TargetModel], Field(min_length=1, max_length=50)]
    message: Annotated[str, prose(20_000)] = ""
    variants: Annotated[
        list[Annotated[str, prose(20_000)]], Field(max_length=8, description="texts of an A/B test, 2 to 8")
    ] = []
    variants_are_topics: Annotated[bool, Field(description="agents write about the variants")] = False
    rounds: Annotated[int, Field(ge=1, le=14, description="posts of each account: variants, or briefs of a goal")] = 1
    goal: Annotated[
        str, prose(2000), Field(description="what it is for: a model writes the briefs, people approve each item")
    ] = ""
    audience: Annotated[str, line(500)] = ""
    topics: Annotated[list[Annotated[str, line(500)]], Field(max_length=30)] = []
    feeds: Annotated[list[Annotated[str, line(2000)]], Field(max_length=30, description="addresses of RSS feeds")] = []
    hashtags: Annotated[list[Annotated[str, line(100)]], Field(max_length=30)] = []
    link: LinkModel = LinkModel()
    picture_prompt: Annotated[str, prose(2000)] = ""
    brand: Annotated[str, line(60, least=1)] = "fleet"
    starts_at: Moment | None = None
    ends_at: Annotated[Moment | None, Field(description="no item is scheduled after it")] = None


class CampaignOut(BaseModel):
    """A campaign, and how many of its items are in each state."""

    id: uuid.UUID
    name: str
    message: str
    variants: list[dict[str, str]] = Field(description="name, and message or topic, of each variant of an A/B test")
    rounds: int
    goal: str
    audience: str
    briefs: list[dict[str, Any]] = Field(description="what its plan made of it; briefs of a model say by which")
    topics: list[str]
    feeds: list[str]
    hashtags: list[str]
    link: dict[str, str]
    picture_prompt: str
    targets: list[dict[str, Any]]
    brand: str
    starts_at: datetime
    ends_at: datetime | None
    created_by: str
    created_at: datetime
    cancelled_at: datetime | None
    stopped_at: datetime | None = Field(description="no write of its items begins until it is resumed")
    stopped_by: str
    stop_reason: str
    states: dict[str, int] = Field(description="number of items by state")


class CampaignStopIn(Body):
    """Why a campaign is stopped."""

    reason: Annotated[str, line(300)] = ""


class CampaignPage(Page[CampaignOut]):
    """A page of campaigns, newest first."""


class ContentItemIn(Body):
    """A content item composed by hand. Without `at` it gets the next good hour that is free."""

    target: TargetModel
    message: Annotated[str, prose(20_000, least=1)]
    at: Moment | None = None
    link: LinkModel = LinkModel()
    pictures: Annotated[list[PictureIn], Field(max_length=10)] = []
    hashtags: Annotated[list[Annotated[str, line(100)]], Field(max_length=30)] = []
    brand: Annotated[str, line(60, least=1)] = "fleet"
    campaign_id: uuid.UUID | None = None

    def value(self) -> NewItem:
        """Return it as a value."""
        return NewItem(
            target=ItemTarget(self.target.agent, self.target.account), message=self.message, at=self.at,
            link=self.link.value(), pictures=[Picture(one.key, one.prompt, one.alt_text) for one in self.pictures],
            hashtags=self.hashtags, brand=self.brand, campaign_id=self.campaign_id,
        )  # fmt: skip


class ContentItemOut(BaseModel):
    """One content item. Its texts are data of people, models and feeds."""

    id: uuid.UUID
    campaign_id: uuid.UUID | None
    campaign: str | None
    agent: str
    account: str
    account_id: uuid.UUID | None
    network: str
    brief: str
    is_drafted: bool = Field(description="whether a model planned it: people approve it, whatever its score")
    message: str
    arm: str = Field(description="the variant of the campaign's A/B test that it shows; empty for none")
    parts: list[str] = Field(description="the posts of a thread in order; one for most items")
    media: list[dict[str, Any]]
    link: dict[str, str]
    hashtags: list[str]
    brand: str
    state: ItemState
    failed_in: ItemState | None
    scheduled_at: datetime | None = Field(description="before it is scheduled: proposed")
    is_fixed: bool = Field(description="whether a person chose the time")
    score: int | None
    reasons: list[dict[str, Any]]
    notes: list[str]
    request_id: uuid.UUID | None
    approved_by: str | None
    job_id: uuid.UUID | None
    remote_ids: list[str]
    error: str
    revision: int
    created_by: str
    created_at: datetime
    published_at: datetime | None


class ContentItemPage(Page[ContentItemOut]):
    """A page of content items, newest first."""


class ItemChange(BaseModel):
    """One thing that happened to an item."""

    at: datetime
    event: str
    state: str
    revision: int
    by: str
    note: str


class ContentItemFull(ContentItemOut):
    """One content item with its history, newest first."""

    history: list[ItemChange]


class ItemQuery(Paging):
    """Which items."""

    campaign: uuid.UUID | None = None
    agent: Annotated[str, line(60)] | None = None
    network: Annotated[str, line(40)] | None = None
    state: ItemState | None = None
    begins: Moment | None = None
    ends: Moment | None = None

    def filter(self) -> ItemFilter:
        """Return it as a filter."""
        return ItemFilter(
            campaign_id=self.campaign, agent=self.agent, network=self.network, state=self.state, begins=self.begins,
            ends=self.ends,
        )  # fmt: skip


class MoveIn(Body):
    """Another time."""

    at: Moment


class DuplicateIn(Body):
    """When the copy is published; without it at the next good hour that is free."""

    at: Moment | None = None


class ItemEditIn(Body):
    """Changes of an item; what is missing stays as it is."""

    parts: Annotated[list[Annotated[str, prose(20_000)]], Field(max_length=25)] | None = None
    link: LinkModel | None = None
    alt_texts: Annotated[list[Annotated[str, prose(1000)]], Field(max_length=10)] | None = None


class PreviewIn(Body):
    """A message, and the networks and accounts through which it is shown, at least one of them."""

    networks: Annotated[list[Annotated[str, line(40, least=1)]], Field(max_length=20)] = []
    accounts: Annotated[list[Annotated[str, line(60, least=1)]], Field(
        max_length=20, description="names or ids: by the lengths that the account's own server sets"
    )] = []  # fmt: skip
    message: Annotated[str, prose(20_000)]
    link: LinkModel = LinkModel()
    hashtags: Annotated[list[Annotated[str, line(100)]], Field(max_length=30)] = []
    pictures: Annotated[int, Field(ge=0, le=10)] = 0

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if not self.networks and not self.accounts:
            raise ValueError("networks: name a network or an account")
        return self


class ItemPartOut(BaseModel):
    """One part, with its length as the network counts it."""

    text: str
    length: int
    most: int
    unit: str


class ItemPreviewOut(BaseModel):
    """A post as a network will show it."""

    network: str
    account: str = Field(description="the account whose server's lengths count; empty: those of the network")
    parts: list[ItemPartOut]
    card: dict[str, str]
    ratio: float | None
    label: str
    problems: list[str]
    notes: list[str]


class PreviewsOut(BaseModel):
    """A post as each of the networks will show it, then as those of the accounts."""

    previews: list[ItemPreviewOut]


class BrandIn(Body):
    """Rules of a brand, and why they change."""

    rules: BrandRules
    reason: Annotated[str, prose(300, least=1)]


class BrandOut(BaseModel):
    """The rules of a brand in one version."""

    name: str
    version: int
    rules: BrandRules
    set_by: str
    set_at: datetime | None
    reason: str


class BrandsOut(BaseModel):
    """Rules of brands."""

    items: list[BrandOut]


@router.get("/campaigns", dependencies=_VIEW)
def list_campaigns(deps: TheDeps, *, which: Annotated[Paging, Query()]) -> CampaignPage:
    """Return a page of campaigns, newest first."""
    with deps.db.transaction() as tx:
        found = queries.campaigns(tx, limit=which.one_more, below=which.place(uuid.UUID))
        rows, following = which.page(found, lambda row: row.id)
        counts = queries.counts(tx, [row.id for row in rows])
        return CampaignPage(items=[campaign_out(row, counts[row.id]) for row in rows], next=following)


@router.post("/campaigns", status_code=201)
def create_campaign(deps: TheDeps, *, body: CampaignIn, who: Planner) -> CampaignOut:
    """Create a campaign; its items are planned by a job."""
    row = service.create(deps, new_campaign(body), by=who.by)
    return campaign_out(row, {})


def new_campaign(body: CampaignIn) -> NewCampaign:
    """Return a new campaign as a value."""
    return NewCampaign(
        name=body.name, targets=[ItemTarget(one.agent, one.account) for one in body.targets], message=body.message,
        variants=body.variants, are_topics=body.variants_are_topics, rounds=body.rounds,
        goal=body.goal, audience=body.audience, topics=body.topics, feeds=body.feeds,
        hashtags=body.hashtags, link=body.link.value(),
        picture_prompt=body.picture_prompt, brand=body.brand, starts_at=body.starts_at, ends_at=body.ends_at,
    )  # fmt: skip


def campaign_out(row: CampaignRow, states: Mapping[str, int]) -> CampaignOut:
    """Return a campaign for programs and pages."""
    return taken(CampaignOut, row, states=dict(states))


@router.get("/campaigns/{campaign_id}", dependencies=_VIEW)
def show_campaign(deps: TheDeps, campaign_id: uuid.UUID) -> CampaignOut:
    """Return one campaign."""
    with deps.db.transaction() as tx:
        row = queries.campaign(tx, campaign_id)
        return campaign_out(row, queries.counts(tx, [row.id])[row.id])


@router.post("/campaigns/{campaign_id}/cancel")
def cancel_campaign(deps: TheDeps, campaign_id: uuid.UUID, *, who: Planner) -> CampaignOut:
    """Cancel a campaign and its items that are not being published."""
    service.cancel_campaign(deps, campaign_id, by=who.by)
    return show_campaign(deps, campaign_id)


@router.post("/campaigns/{campaign_id}/stop")
def stop_campaign(deps: TheDeps, campaign_id: uuid.UUID, *, body: CampaignStopIn, who: Pauser) -> CampaignOut:
    """Have no write of its items begin; its agents go on with everything else."""
    stopping.stop(deps, campaign_id, by=who.by, reason=body.reason)
    return show_campaign(deps, campaign_id)


@router.post("/campaigns/{campaign_id}/resume", responses=ASKED)
def resume_campaign(deps: TheDeps, campaign_id: uuid.UUID, *, who: Pauser) -> CampaignOut:
    """Let a stopped campaign go on; may need an approval."""
    verbs.perform(deps, who, "campaign", "resume", campaign=str(campaign_id))
    return show_campaign(deps, campaign_id)


@router.get("/content-items", dependencies=_VIEW)
def list_content_items(deps: TheDeps, *, which: Annotated[ItemQuery, Query()]) -> ContentItemPage:
    """Return a page of content items, newest first."""
    with deps.db.transaction() as tx:
        found = queries.page(tx, which.filter(), limit=which.one_more, below=which.place(uuid.UUID))
        views, following = which.page(found, lambda view: view.row.id)
        return ContentItemPage(items=[item_out(one) for one in views], next=following)


@router.post("/content-items", status_code=201)
def compose_content_item(deps: TheDeps, *, body: ContentItemIn, who: Planner) -> ContentItemFull:
    """Compose an item by hand; it is adapted to its network, reviewed and scheduled."""
    return show_content_item(deps, service.compose(deps, body.value(), by=who.by).id)


@router.post("/content-items/preview", dependencies=_VIEW)
def preview_content_item(deps: TheDeps, *, body: PreviewIn) -> PreviewsOut:
    """Return how each network, and that of each account, will show a message; nothing is stored."""
    media = [{"alt_text": "picture"}] * body.pictures
    link = body.link.value().data()
    systems: list[tuple[str, str, Mapping[str, TextRule]]] = [(network, "", {}) for network in body.networks]
    with deps.db.transaction() as tx:
        systems += [service.publishing_account(tx, name) for name in body.accounts]
    return PreviewsOut(previews=[
        preview_out(
            preview.of(network, message=body.message, link=link, media=media, hashtags=body.hashtags, own=own), account
        )
        for network, account, own in systems
    ])  # fmt: skip


@router.get("/content-items/{item_id}", dependencies=_VIEW)
def show_content_item(deps: TheDeps, item_id: uuid.UUID) -> ContentItemFull:
    """Return one content item with its history."""
    with deps.db.transaction() as tx:
        view = require(tx, item_id)
        changes = [taken(ItemChange, one) for one in items.history(tx, item_id)]
        return ContentItemFull(**item_out(view).model_dump(), history=changes)


@router.get("/content-items/{item_id}/preview", dependencies=_VIEW)
def show_preview(deps: TheDeps, item_id: uuid.UUID) -> ItemPreviewOut:
    """Return how its network will show an item."""
    with deps.db.transaction() as tx:
        view = require(tx, item_id)
        return preview_out(preview_of(view), view.account)


@router.patch("/content-items/{item_id}")
def edit_content_item(deps: TheDeps, item_id: uuid.UUID, *, body: ItemEditIn, who: Planner) -> ContentItemFull:
    """Change an item of which nothing is published; it is reviewed again."""
    link = None if body.link is None else body.link.value()
    service.edit(deps, item_id, ItemEdit(body.parts, link, body.alt_texts), by=who.by)
    return show_content_item(deps, item_id)


@router.post("/content-items/{item_id}/move")
def move_content_item(deps: TheDeps, item_id: uuid.UUID, *, body: MoveIn, who: Planner) -> ContentItemFull:
    """Publish an item at another time."""
    service.reschedule(deps, item_id, body.at, by=who.by)
    return show_content_item(deps, item_id)


@router.post("/content-items/{item_id}/duplicate", status_code=201)
def duplicate_content_item(deps: TheDeps, item_id: uuid.UUID, *, body: DuplicateIn, who: Planner) -> ContentItemFull:
    """Create an item with the content of another one."""
    return show_content_item(deps, service.duplicate(deps, item_id, by=who.by, at=body.at).id)


@router.post("/content-items/{item_id}/cancel")
def cancel_content_item(deps: TheDeps, item_id: uuid.UUID, *, who: Planner) -> ContentItemFull:
    """Cancel an item that is not being published."""
    service.cancel(deps, item_id, by=who.by)
    return show_content_item(deps, item_id)


@router.post("/content-items/{item_id}/retry")
def retry_content_item(deps: TheDeps, item_id: uuid.UUID, *, who: Planner) -> ContentItemFull:
    """Go on with a failed item where it stopped."""
    service.retry(deps, item_id, by=who.by)
    return show_content_item(deps, item_id)


def require(tx: Tx, item_id: uuid.UUID) -> ItemView:
    """Return one item with its names. Raises NotFound."""
    found = queries.one(tx, item_id)
    if found is None:
        raise NotFound(f"There is no content item {item_id}.", fix="`fleet campaigns items` lists them.")
    return found


def item_out(view: ItemView) -> ContentItemOut:
    """Return an item for programs and pages."""
    names = {"agent": view.agent, "account": view.account, "campaign": view.campaign, "network": view.row.surface}
    return taken(ContentItemOut, view.row, **names)


def preview_of(view: ItemView) -> PostPreview:
    """Return how its network will show an item."""
    row = view.row
    return preview.of(
        row.surface, message=row.message or row.brief, parts=row.parts, link=row.link, media=row.media,
        hashtags=row.hashtags, own=view.own_texts,
    )  # fmt: skip


def preview_out(one: PostPreview, account: str) -> ItemPreviewOut:
    """Return a preview for programs."""
    parts = [ItemPartOut(text=part.text, length=part.length, most=part.most, unit=part.unit) for part in one.parts]
    return ItemPreviewOut(
        network=one.network, account=account, parts=parts, card=dict(one.card), ratio=one.ratio, label=one.label,
        problems=list(one.problems), notes=list(one.notes),
    )  # fmt: skip


@router.get("/brands", dependencies=[needs(Permission.FLEET_VIEW)])
def list_brands(deps: TheDeps) -> BrandsOut:
    """Return the rules of all brands."""
    found = brands.known(deps)
    known = [brand_out(one) for one in found.values()]
    if brands.DEFAULT not in found:
        known = [
            BrandOut(name=brands.DEFAULT, version=0, rules=BrandRules(), set_by="", set_at=None, reason=""),
            *known,
        ]
    return BrandsOut(items=known)


@router.get("/brands/{name}", dependencies=[needs(Permission.FLEET_VIEW)])
def show_brand(deps: TheDeps, name: Annotated[str, line(60, least=1)]) -> BrandsOut:
    """Return the versions of the rules of a brand, newest first."""
    return BrandsOut(items=[brand_out(one) for one in brands.history(deps, name)])


@router.put("/brands/{name}")
def set_brand(deps: TheDeps, name: Annotated[str, line(60, least=1)], *, body: BrandIn, who: BrandEditor) -> BrandOut:
    """Set the rules of a brand; items are reviewed by them from now on."""
    rules = body.rules.model_dump(mode="json")
    return brand_out(brands.put(deps, name, rules, by=who.by, reason=body.reason))


def brand_out(one: Any) -> BrandOut:
    """Return a version of a brand's rules."""
    return BrandOut(
        name=one.name, version=one.version, rules=BrandRules.model_validate(one.document or {}), set_by=one.set_by,
        set_at=one.set_at, reason=one.reason,
    )  # fmt: skip
