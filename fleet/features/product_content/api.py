"""Texts of products for programs: /api/v1/product-content."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.product_content import facts, service
from fleet.features.product_content.handlers import claims_of
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, line

router = APIRouter(prefix="/product-content", tags=["product-content"])
ContentEditor = Annotated[Principal, needs(Permission.PRODUCTS_EDIT)]


class ContentQuery(Paging):
    """Of which store."""

    store: Annotated[str, line(100)] = Field(description="name of the account of the store")


class ContentGapOut(BaseModel):
    """A product whose texts lack something."""

    product_id: uuid.UUID
    title: str
    gaps: list[str]
    request_id: uuid.UUID | None = Field(description="the proposal that waits for a decision")


class ContentGapPage(Page[ContentGapOut]):
    """A page of products whose texts lack something."""


class WriteContentIn(Body):
    """Which texts to write."""

    store: Annotated[str, line(100)]
    products: list[uuid.UUID] = Field(min_length=1, max_length=service.MOST_AT_ONCE)


class WriteContentOut(BaseModel):
    """The jobs that write."""

    jobs: list[uuid.UUID]


class CheckContentIn(Body):
    """A text about a product."""

    product: uuid.UUID
    text: str = Field(min_length=1, max_length=20_000)


class ClaimOut(BaseModel):
    """A claim that no fact supports."""

    kind: str
    words: str
    refused: bool = Field(description="whether no proposal may have it")


class CheckContentOut(BaseModel):
    """The claims of a text that no fact supports."""

    claims: list[ClaimOut]


def gap_page(deps: Deps, which: ContentQuery) -> ContentGapPage:
    """Return a page of products whose texts lack something. Raises NotFound."""
    with deps.db.transaction() as tx:
        found = service.listed(deps, tx, which.store, limit=which.one_more, below=which.place(_place) or "")
    rows, following = which.page(found, lambda one: str(one.product_id))
    items = [
        ContentGapOut(product_id=one.product_id, title=one.title, gaps=list(one.gaps), request_id=one.request_id)
        for one in rows
    ]
    return ContentGapPage(items=items, next=following)


def _place(written: str) -> str:
    return str(uuid.UUID(written))


@router.get("", dependencies=[needs(Permission.FLEET_VIEW)])
def list_content_gaps(deps: TheDeps, *, which: Annotated[ContentQuery, Query()]) -> ContentGapPage:
    """Return a page of products at a store whose texts lack something."""
    return gap_page(deps, which)


@router.post("")
def write_content(deps: TheDeps, *, body: WriteContentIn, who: ContentEditor) -> WriteContentOut:
    """Have texts of products written from their facts; they wait for approval."""
    return WriteContentOut(jobs=service.request(deps, body.store, body.products, by=who.by))


@router.post("/check", dependencies=[needs(Permission.FLEET_VIEW)])
def check_content(deps: TheDeps, *, body: CheckContentIn) -> CheckContentOut:
    """Return the claims of a text about a product that no fact supports."""
    with deps.db.transaction() as tx:
        known = facts.of(tx, body.product).facts
    found = claims_of("", body.text, [], known)
    return CheckContentOut(
        claims=[ClaimOut(kind=str(one.kind), words=one.words, refused=one.is_refused) for one in found]
    )
