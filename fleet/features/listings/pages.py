"""The pages of listings: products by stores, one listing, and the budgets of stores."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError

from fleet.access import Permission, Principal
from fleet.adapters.shops import Money
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.listings import api, budgets, queries, service
from fleet.features.listings.api import (
    VIEW,
    BudgetEditor,
    Editor,
    ListingCountsOut,
    ListingPriceIn,
    ListingSelectionIn,
    OverridesIn,
    PublishIn,
    StageIn,
    perform,
)
from fleet.features.listings.rules import BudgetKind, BudgetPeriod
from fleet.features.listings.states import ListingState
from fleet.features.products import queries as products
from fleet.features.products.queries import ProductFilter
from fleet.features.products.service import amount
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import KeptForm, go, render
from fleet.web.requests.cursors import Paging
from fleet.web.requests.fields import line

router = APIRouter()
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
LIST = "/listings"
_VERBS = {"stage": "staged", "publish": "being published", "delist": "being delisted", "rollback": "being taken back"}


class MatrixQuery(Paging):
    """Which products the matrix shows."""

    q: Annotated[str, line(200)] = ""
    state: ListingState | None = None
    store: Annotated[str, line(60)] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 30


class FilledListings(BaseModel):
    """The bulk bar: selected products, chosen stores, and what to do."""

    one: list[uuid.UUID] = Field(default=[], max_length=1000)
    store: list[str] = Field(default=[], max_length=100)
    verb: str = Field("", max_length=20)
    at: str = Field("", max_length=40)
    expected: str = Field("", max_length=10)


class FilledOverrides(BaseModel):
    """The form of the values of one store. Prices are in the order of the variants."""

    title: str = Field("", max_length=300)
    description: str = Field("", max_length=100_000)
    variant: list[uuid.UUID] = Field(default=[], max_length=100)
    price: list[str] = Field(default=[], max_length=100)


class FilledStoreBudget(BaseModel):
    """The form of a budget of a store."""

    store: str = Field("", max_length=60)
    kind: str = Field("", max_length=20)
    period: str = Field("", max_length=10)
    most: str = Field("", max_length=20)


@router.get(LIST, dependencies=[VIEW])
def matrix(request: Request, deps: TheDeps, which: Annotated[MatrixQuery, Query()]) -> Response:
    """Show products by stores with the states of their listings."""
    names = queries.store_names(deps)
    with deps.db.transaction() as tx:
        ids = None if which.state is None else queries.products_in(tx, which.state)
        filtered = ProductFilter(words=which.q, store=which.store if which.store in names else "", ids=ids)
        found = products.listed(tx, filtered, limit=which.one_more, below=which.place(products.place))
        items, following = which.page(found, products.place_of)
        cells = queries.cells(tx, [one.row.id for one in items])
    shown = [which.store] if which.store in names else names
    return render(request, "listings/matrix.html", items=items, cells=cells, stores=shown, names=names, which=which,
                  next=following, states=ListingState)  # fmt: skip


@router.post("/listings/bulk/check")
def check_many(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledListings, Form()]) -> Response:
    """Show how many listings a request concerns, and ask."""
    try:
        counted = _bulk(deps, who, filled, dry_run=True)
    except FleetError as error:
        return go(request, LIST, str(error), wrong=True)
    return render(request, "listings/bulk.html", filled=filled, counted=counted, words=_VERBS[filled.verb])


@router.post("/listings/bulk")
def change_many(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledListings, Form()]) -> Response:
    """Stage, publish, delist or roll back the listings of products at stores."""
    try:
        done = _bulk(deps, who, filled, dry_run=False)
    except FleetError as error:
        return go(request, LIST, str(error), wrong=True)
    more = f" {done.problems[0]}" if done.problems else ""
    words = f"{done.done:,} of {done.matched:,} listings are {_VERBS[filled.verb]}.{more}"
    return go(request, LIST, words, wrong=not done.done)


def _bulk(deps: Deps, who: Principal, filled: FilledListings, *, dry_run: bool) -> ListingCountsOut:
    if filled.verb not in _VERBS:
        raise InvalidInput("Choose what to do: stage, publish, delist or roll back.")
    if not filled.one or not filled.store:
        raise InvalidInput("Select products, and choose stores.")
    expected = int(filled.expected) if filled.expected.isdecimal() else None
    if filled.verb == "stage":
        return api.counts_out(service.stage(deps, filled.one, filled.store, by=who.by, dry_run=dry_run,
                                            expected=None if dry_run else expected))  # fmt: skip
    given = {"products": filled.one, "stores": filled.store, "dry_run": dry_run}
    if not dry_run:
        ready = perform(deps, who, filled.verb, ListingSelectionIn(**{**given, "dry_run": True})).listing_ids
        if expected is not None and expected != len(ready):
            raise InvalidInput(f"{len(ready):,} listings are meant by now, not {expected:,}.", fix="Look at it again.")
        given = {"listings": ready}
    if filled.verb == "publish":
        return perform(deps, who, "publish", PublishIn(**given, at=_moment(filled.at)))
    return perform(deps, who, filled.verb, ListingSelectionIn(**given))


def _moment(written: str) -> datetime | None:
    """Return a moment of UTC from a form; None for an empty one. Raises InvalidInput."""
    if not written.strip():
        return None
    try:
        found = datetime.fromisoformat(written.strip())
    except ValueError:
        raise InvalidInput(f"at: {written[:40]!r} is no time.", fix="Write it as 2026-11-24T18:00.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


@router.get("/listings/budgets", dependencies=[VIEW])
def show_budgets(request: Request, deps: TheDeps) -> Response:
    """Show the budgets of stores with what is used of them."""
    return render(request, "listings/budgets.html", budgets=budgets.listed(deps), names=queries.store_names(deps),
                  kinds=BudgetKind, periods=BudgetPeriod)  # fmt: skip


@router.post("/listings/budgets")
def set_budget(
    request: Request, deps: TheDeps, who: BudgetEditor, filled: Annotated[FilledStoreBudget, Form()]
) -> Response:
    """Set a budget of a store."""
    page = "/listings/budgets"
    try:
        kind, period = _budget(filled)
        if not filled.most.strip().isdecimal() or not filled.most.isascii():
            raise InvalidInput(f"most: {filled.most[:20]!r} is no whole number.")
        budgets.put(deps, filled.store, kind, period, int(filled.most), by=who.by)
    except FleetError as error:
        return go(request, page, error.plain, kept=KeptForm("budget", "most", filled.model_dump()))
    return go(request, page, "The budget is set.")


@router.post("/listings/budgets/remove")
def remove_budget(
    request: Request, deps: TheDeps, who: BudgetEditor, filled: Annotated[FilledStoreBudget, Form()]
) -> Response:
    """Remove a budget of a store."""
    del who
    try:
        budgets.remove(deps, filled.store, *_budget(filled))
    except FleetError as error:
        return go(request, "/listings/budgets", error.plain, wrong=True)
    return go(request, "/listings/budgets", "The budget is removed.")


def _budget(filled: FilledStoreBudget) -> tuple[BudgetKind, BudgetPeriod]:
    if filled.kind not in {*BudgetKind} or filled.period not in {*BudgetPeriod}:
        raise InvalidInput("Choose what the budget counts, and its period.")
    return BudgetKind(filled.kind), BudgetPeriod(filled.period)


@router.get("/listings/{listing_id}", dependencies=[VIEW])
def listing(request: Request, deps: TheDeps, listing_id: uuid.UUID) -> Response:
    """Show a listing: its preview, verification and history."""
    found = queries.detail(deps, listing_id)
    prices = {}
    if found.preview is not None:
        own = found.view.overrides.get("prices", {})
        for one in found.preview.variants:
            minor = own.get(str(one.id))
            price = amount(one, "price")
            prices[one.id] = (one.sku, one.currency, "" if price is None else str(price.decimal),
                              "" if minor is None else _decimal(int(minor), one.currency))  # fmt: skip
    return render(request, "listings/listing.html", found=found, listing=found.view, prices=prices)


def _decimal(minor: int, currency: str) -> str:
    return str(Money(minor, currency).decimal)


@router.post("/listings/{listing_id}/stage")
def stage(
    request: Request, deps: TheDeps, listing_id: uuid.UUID, who: Editor, filled: Annotated[FilledOverrides, Form()]
) -> Response:
    """Stage a listing with the values of its store."""
    page = f"{LIST}/{listing_id}"
    typed = {"title": filled.title, "description": filled.description,
             **{f"price {one}": price for one, price in zip(filled.variant, filled.price, strict=False)}}  # fmt: skip
    try:
        view = queries.one(deps, listing_id)
        pairs = zip(filled.variant, filled.price, strict=False)
        own = OverridesIn(
            title=filled.title.strip(), description=filled.description.replace("\r\n", "\n"),
            prices=[ListingPriceIn(variant_id=one, price=price.strip()) for one, price in pairs],
        )  # fmt: skip
        body = StageIn(products=[view.product_id], stores=[view.store], overrides=own)
        done = service.stage(deps, body.products, body.stores, by=who.by, overrides=api.overrides_of(deps, body))
    except ValidationError:
        return go(request, page, "A title is one line of at most 300 characters.",
                  kept=KeptForm("own", "title", typed))  # fmt: skip
    except FleetError as error:
        return go(request, page, error.plain, kept=KeptForm("own", "title", typed))
    if done.problems:
        problem = f"It cannot be published: {done.problems[0]}"
        return go(request, page, problem, kept=KeptForm("own", "title", typed))
    return go(request, page, "It is staged. Its preview shows what will be sent.")


@router.post("/listings/{listing_id}/publish")
def publish(
    request: Request, deps: TheDeps, listing_id: uuid.UUID, who: Editor, at: Annotated[str, Form(max_length=40)] = ""
) -> Response:
    """Publish a staged listing, now or at a time."""
    try:
        moment = _moment(at)
        perform(deps, who, "publish", PublishIn(listings=[listing_id], at=moment))
    except FleetError as error:
        return go(request, f"{LIST}/{listing_id}", error.plain, wrong=True)
    return go(request, f"{LIST}/{listing_id}",
              "It is being published." if moment is None else "It will be published at its time.")  # fmt: skip


@router.post("/listings/{listing_id}/delist")
def delist(request: Request, deps: TheDeps, listing_id: uuid.UUID, who: Editor) -> Response:
    """Take a product from its store."""
    body = ListingSelectionIn(listings=[listing_id])
    return _change(request, listing_id, lambda: perform(deps, who, "delist", body), "It is being delisted.")


@router.post("/listings/{listing_id}/rollback")
def rollback(request: Request, deps: TheDeps, listing_id: uuid.UUID, who: Editor) -> Response:
    """Give the store the values back that the newest publication replaced."""
    body = ListingSelectionIn(listings=[listing_id])
    return _change(
        request, listing_id, lambda: perform(deps, who, "rollback", body), "The earlier values are being written back."
    )


@router.post("/listings/{listing_id}/unstage")
def unstage(request: Request, deps: TheDeps, listing_id: uuid.UUID, who: Editor) -> Response:
    """Withdraw a staged listing."""
    return _change(request, listing_id, lambda: service.unstage(deps, listing_id, by=who.by), "It is withdrawn.")


@router.post("/listings/{listing_id}/accept")
def accept(request: Request, deps: TheDeps, listing_id: uuid.UUID, who: Editor) -> Response:
    """Take a failed listing as published."""
    return _change(request, listing_id, lambda: service.accept(deps, listing_id, by=who.by), "It counts as published.")


def _change(request: Request, listing_id: uuid.UUID, change: Callable[[], object], words: str) -> Response:
    try:
        change()
    except FleetError as error:
        return go(request, f"{LIST}/{listing_id}", error.plain, wrong=True)
    return go(request, f"{LIST}/{listing_id}", words)
