"""Listings and budgets of stores for programs: /api/v1/listings, /api/v1/store-budgets."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.adapters.shops import Money
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.listings import budgets, queries, service
from fleet.features.listings.budgets import StoreBudget
from fleet.features.listings.preview import ListingPreview
from fleet.features.listings.queries import ListingFilter, ListingView
from fleet.features.listings.rules import BudgetKind, BudgetPeriod
from fleet.features.listings.service import MOST, ListingCounts, ListingOverrides
from fleet.features.listings.states import ListingState
from fleet.features.products import service as catalogue
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, Moment, line, prose, taken, whole

router = APIRouter(tags=["listings"])
VIEW = needs(Permission.FLEET_VIEW)
Editor = Annotated[Principal, needs(Permission.PRODUCTS_EDIT)]
BudgetEditor = Annotated[Principal, needs(Permission.BUDGETS_EDIT)]
StoreNames = Annotated[list[Annotated[str, line(60, least=1)]], Field(max_length=100)]
StoreName = Annotated[str, Path(max_length=60, description="name or id of the account", examples=["shop"])]
Ids = Annotated[list[uuid.UUID], Field(max_length=MOST)]


class ListingDifferenceOut(BaseModel):
    """A field in which the store has something else than was sent."""

    label: str
    sent: Any
    found: Any
    cause: str = Field(description="after (somebody changed it at the store later) or form (the store's own form)")
    words: str


class ListingOut(BaseModel):
    """A product at a store."""

    id: uuid.UUID
    product_id: uuid.UUID
    title: str
    store: str
    state: ListingState
    action: str = Field(description="what its newest jobs do: publish, delist or rollback; empty for none")
    problem: str
    publish_at: datetime | None
    published_at: datetime | None
    verified_at: datetime | None
    updated_at: datetime
    overrides: dict[str, Any] = Field(description="values of this store alone; prices in minor units by variant")
    differences: list[ListingDifferenceOut]
    can_rollback: bool


class ListingPage(Page[ListingOut]):
    """A page of listings, those changed last first."""


class PreviewFieldOut(BaseModel):
    """A value that is sent."""

    label: str
    value: Any
    now: Any = Field(description="what the store had when it was last read; null: unknown")
    is_override: bool
    is_change: bool


class ListingPreviewOut(BaseModel):
    """What publishing sends now."""

    mode: str = Field(description="create or update")
    fields: list[PreviewFieldOut]
    left_out: list[str] = Field(description="what the store cannot express")
    problems: list[str] = Field(description="what keeps it from being published")


class ListingEventOut(BaseModel):
    """Something that happened to a listing."""

    at: datetime
    event: str
    state: str
    by: str
    words: str
    details: dict[str, Any]


class ListingDetail(ListingOut):
    """A listing with its preview and its history."""

    preview: ListingPreviewOut | None
    history: list[ListingEventOut] = Field(description="the last 100, newest first")


class ListingQuery(Paging):
    """Which listings."""

    state: ListingState | None = None
    store: Annotated[str, line(60)] = ""
    product: uuid.UUID | None = None


class ListingPriceIn(Body):
    """The price of a variant at one store."""

    variant_id: uuid.UUID
    price: Annotated[str, line(30), Field(description="27.99, in the variant's currency; empty: the catalogue's")]


class OverridesIn(Body):
    """Values of one store alone. Null: as it is; empty: the catalogue's again."""

    title: Annotated[str, line(300)] | None = None
    description: Annotated[str, prose(100_000)] | None = None
    prices: Annotated[list[ListingPriceIn], Field(max_length=100)] = []


class StageIn(Body):
    """Products and stores: each product is staged for each store."""

    products: Annotated[list[uuid.UUID], Field(min_length=1, max_length=MOST)]
    stores: Annotated[list[Annotated[str, line(60, least=1)]], Field(min_length=1, max_length=100)]
    overrides: OverridesIn | None = Field(None, description="for one product at one store")
    dry_run: bool = Field(False, description="only count")
    expected: Annotated[int, whole(0, MOST)] | None = Field(None, description="refuse another number of listings")


class ListingSelectionIn(Body):
    """Listings by their ids, or those of products at stores."""

    listings: Ids = []
    products: Ids = []
    stores: StoreNames = []
    dry_run: bool = Field(False, description="only count")
    expected: Annotated[int, whole(0, MOST)] | None = Field(None, description="refuse another number of listings")


class PublishIn(ListingSelectionIn):
    """Listings to publish, now or at a time."""

    at: Moment | None = None


class ListingCountsOut(BaseModel):
    """What was done with several listings, or would be."""

    matched: int
    done: int
    blocked: int = Field(description="those with problems: they became drafts")
    skipped: int = Field(description="those whose state does not allow it")
    create: int = Field(description="of the staged ones, those that the store does not have yet")
    update: int
    problems: list[str] = Field(description="the first 20")
    listing_ids: list[uuid.UUID]


class StoreBudgetOut(BaseModel):
    """A budget of a store. Amounts of spend are millionths of a dollar."""

    store: str
    kind: BudgetKind
    period: BudgetPeriod
    most: int
    extension: int = Field(description="what an approval added in the current period")
    used: int
    is_frozen: bool
    ends_at: datetime = Field(description="when the period ends")
    request_id: uuid.UUID | None = Field(description="the request that asks to extend it")


class StoreBudgetList(BaseModel):
    """Budgets of stores."""

    items: list[StoreBudgetOut]


class StoreBudgetIn(Body):
    """A limit."""

    most: Annotated[int, whole(0, budgets.MOST)]


class StoreBudgetQuery(Body):
    """Whose budgets."""

    store: Annotated[str, line(60)] = ""


def listing_out(one: ListingView) -> ListingOut:
    """Return a listing as the API shows it."""
    return taken(ListingOut, one, **_told(one))


def _told(one: ListingView) -> dict[str, Any]:
    found = [ListingDifferenceOut(**{name: each[name] for name in ListingDifferenceOut.model_fields})
             for each in one.differences]  # fmt: skip
    return {"differences": found, "overrides": dict(one.overrides)}


def preview_out(one: ListingPreview) -> ListingPreviewOut:
    """Return a preview as the API shows it."""
    return ListingPreviewOut(
        mode=one.mode, fields=[taken(PreviewFieldOut, each) for each in one.fields], left_out=list(one.left_out),
        problems=list(one.problems),
    )  # fmt: skip


def detail_out(deps: Deps, listing_id: uuid.UUID) -> ListingDetail:
    """Return a listing with everything about it. Raises NotFound."""
    found = queries.detail(deps, listing_id)
    return ListingDetail(
        **listing_out(found.view).model_dump(), preview=None if found.preview is None else preview_out(found.preview),
        history=[taken(ListingEventOut, one) for one in found.history],
    )  # fmt: skip


def counts_out(one: ListingCounts) -> ListingCountsOut:
    """Return counts as the API shows them."""
    return taken(ListingCountsOut, one, done=one.staged)


def listing_page(deps: Deps, which: ListingQuery) -> tuple[Sequence[ListingView], str | None]:
    """Return the listings of a page, and the cursor of the next one."""
    filtered = ListingFilter(state=which.state, store=which.store, product_id=which.product)
    with which.continued():
        found = queries.listed(deps, filtered, limit=which.one_more, below=which.place(uuid.UUID))
    return which.page(found, lambda one: one.id)


def overrides_of(deps: Deps, body: StageIn) -> ListingOverrides | None:
    """Return the values of one store in a request. Raises InvalidInput."""
    own = body.overrides
    if own is None:
        return None
    if len(body.products) != 1:
        raise InvalidInput("overrides: for one product at one store.")
    prices: dict[uuid.UUID, int | None] = {}
    with deps.db.transaction() as tx:
        currencies = {one.id: one.currency for one in catalogue.variants_of(tx, body.products)[body.products[0]]}
    for one in own.prices:
        if one.variant_id not in currencies:
            raise InvalidInput("prices: there is no such variant of the product.")
        written = one.price.strip()
        prices[one.variant_id] = Money.parse(written, currencies[one.variant_id]).minor if written else None
    return ListingOverrides(own.title, own.description, prices)


STARTS = {"publish": (ListingState.STAGED,), "delist": (ListingState.PUBLISHED, ListingState.FAILED),
          "rollback": (ListingState.PUBLISHED, ListingState.FAILED)}  # fmt: skip
"""The states from which a verb begins."""


def perform(deps: Deps, who: Principal, action: str, body: ListingSelectionIn) -> ListingCountsOut:
    """Count, or run a verb on, the listings of a selection. Raises NeedsApproval where a rule wants it."""
    ids = queries.chosen(deps, body.listings, body.products, body.stores)
    if body.expected is not None and body.expected != len(ids):
        raise Conflict(f"{len(ids):,} listings are meant by now, not {body.expected:,}.", fix="Look at it again.")
    if not 0 < len(ids) <= MOST:
        raise InvalidInput(f"Name 1 to {MOST:,} listings, or products and stores that have some.")
    if body.dry_run:
        states = queries.states_of(deps, ids)
        ready = [one for one, (state, _) in states.items() if state in STARTS[action]]
        number = Counter(store for state, store in states.values() if state in STARTS[action])
        words = [f"{store}: {count:,}" for store, count in sorted(number.items())]
        return counts_out(ListingCounts(staged=len(ready), skipped=len(ids) - len(ready), problems=words,
                                        listing_ids=ready))  # fmt: skip
    more = {"at": body.at.isoformat()} if isinstance(body, PublishIn) and body.at is not None else {}
    return counts_out(verbs.perform(deps, who, "listing", action, listings=[str(one) for one in ids], **more))


@router.get("/listings", dependencies=[VIEW])
def list_listings(deps: TheDeps, *, which: Annotated[ListingQuery, Query()]) -> ListingPage:
    """Return a page of listings, those changed last first."""
    found, following = listing_page(deps, which)
    return ListingPage(items=[listing_out(one) for one in found], next=following)


@router.post("/listings/stage")
def stage_listings(deps: TheDeps, *, body: StageIn, who: Editor) -> ListingCountsOut:
    """Stage products for stores, so that they can be published; those with problems become drafts."""
    return counts_out(service.stage(
        deps, body.products, body.stores, by=who.by, overrides=overrides_of(deps, body), dry_run=body.dry_run,
        expected=body.expected,
    ))  # fmt: skip


@router.post("/listings/publish", responses=ASKED)
def publish_listings(deps: TheDeps, *, body: PublishIn, who: Editor) -> ListingCountsOut:
    """Publish staged listings, now or at a time; may need an approval."""
    return perform(deps, who, "publish", body)


@router.post("/listings/delist", responses=ASKED)
def delist_listings(deps: TheDeps, *, body: ListingSelectionIn, who: Editor) -> ListingCountsOut:
    """Take products from their stores; may need an approval."""
    return perform(deps, who, "delist", body)


@router.post("/listings/rollback", responses=ASKED)
def rollback_listings(deps: TheDeps, *, body: ListingSelectionIn, who: Editor) -> ListingCountsOut:
    """Give stores the values back that the newest publication replaced; may need an approval."""
    return perform(deps, who, "rollback", body)


@router.get("/listings/{listing_id}", dependencies=[VIEW])
def show_listing(deps: TheDeps, listing_id: uuid.UUID) -> ListingDetail:
    """Return a listing with its preview and its history."""
    return detail_out(deps, listing_id)


@router.post("/listings/{listing_id}/unstage")
def unstage_listing(deps: TheDeps, listing_id: uuid.UUID, *, who: Editor) -> ListingOut:
    """Withdraw a staged listing, and its time if it has one."""
    service.unstage(deps, listing_id, by=who.by)
    return listing_out(queries.one(deps, listing_id))


@router.post("/listings/{listing_id}/accept")
def accept_listing(deps: TheDeps, listing_id: uuid.UUID, *, who: Editor) -> ListingOut:
    """Take a failed listing as published: what the store has is wanted."""
    service.accept(deps, listing_id, by=who.by)
    return listing_out(queries.one(deps, listing_id))


def budget_out(one: StoreBudget) -> StoreBudgetOut:
    """Return a budget as the API shows it."""
    return taken(StoreBudgetOut, one)


@router.get("/store-budgets", dependencies=[VIEW])
def list_store_budgets(deps: TheDeps, *, which: Annotated[StoreBudgetQuery, Query()]) -> StoreBudgetList:
    """Return the budgets of stores with what is used of them."""
    return StoreBudgetList(items=[budget_out(one) for one in budgets.listed(deps, which.store)])


@router.put("/store-budgets/{store}/{kind}/{period}")
def set_store_budget(
    deps: TheDeps, store: StoreName, kind: BudgetKind, period: BudgetPeriod, *, body: StoreBudgetIn, who: BudgetEditor
) -> StoreBudgetOut:
    """Set a budget of a store."""
    return budget_out(budgets.put(deps, store, kind, period, body.most, by=who.by))


@router.delete("/store-budgets/{store}/{kind}/{period}", status_code=204)
def delete_store_budget(
    deps: TheDeps, store: StoreName, kind: BudgetKind, period: BudgetPeriod, *, who: BudgetEditor
) -> None:
    """Remove a budget of a store."""
    del who
    budgets.remove(deps, store, kind, period)
