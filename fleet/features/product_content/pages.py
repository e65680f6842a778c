"""The page of product texts: products at a store whose texts lack something, to be written and approved."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.core.errors import FleetError
from fleet.features.product_content import service
from fleet.features.product_content.api import ContentEditor, ContentGapPage, ContentQuery, gap_page
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go, render
from fleet.web.requests.cursors import Paging

router = APIRouter()
_PAGE = "/product-content"


class ContentPageQuery(Paging):
    """Of which store; the first one without a name."""

    store: str = Field("", max_length=100)


class FilledWrite(BaseModel):
    """The form that has a product written."""

    store: str = Field("", max_length=100)
    product: uuid.UUID


@router.get(_PAGE, dependencies=[needs(Permission.FLEET_VIEW)])
def product_content(request: Request, deps: TheDeps, which: Annotated[ContentPageQuery, Query()]) -> Response:
    """Show products whose texts lack something."""
    with deps.db.transaction() as tx:
        stores = list(service.names(tx).values())
    store = which.store or (stores[0] if stores else "")
    found = ContentGapPage(items=[], next=None)
    if store:
        found = gap_page(deps, ContentQuery(store=store, cursor=which.cursor, limit=which.limit))
    return render(request, "product_content/list.html", items=found.items, next=found.next, stores=stores, store=store)


@router.post(_PAGE)
def write(request: Request, deps: TheDeps, who: ContentEditor, filled: Annotated[FilledWrite, Form()]) -> Response:
    """Have texts of a product written."""
    at = f"{_PAGE}?store={filled.store}"
    try:
        service.request(deps, filled.store, [filled.product], by=who.by)
    except FleetError as error:
        return go(request, at, error.plain)
    return go(request, at, "The texts are written now. They wait in Review then.")
