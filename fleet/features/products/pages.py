"""The pages of products: the list with its filters, a product, its forms, and a change of many with a confirmation."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.adapters.shops import ProductStatus
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.media import service as media
from fleet.features.products import commands, points, queries, schema, service, typed
from fleet.features.products.api import VIEW, Editor, movement_page, product_page
from fleet.features.products.queries import StockFilter
from fleet.features.products.schema import ProductDetail, ProductQuery
from fleet.features.products.typed import FilledBulk, FilledProduct, FilledStock, FilledVariant
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import KeptForm, go, render
from fleet.web.requests.cursors import Paging
from fleet.web.requests.form_types import Maybe

router = APIRouter()
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
LIST = "/products"
_PICTURE_S = 5.0
_NO_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="0 0 24 24" fill="none" stroke="#8a91a0" '
    'stroke-width="1.2"><path d="M12 3 4 7v10l8 4 8-4V7ZM4 7l8 4 8-4M12 11v10"/></svg>'
)


class ProductListQuery(ProductQuery):
    """Which products; the empty choices of the form are none."""

    status: Maybe[ProductStatus] = None
    stock: Maybe[StockFilter] = None


@router.get(LIST, dependencies=[VIEW])
def products(request: Request, deps: TheDeps, which: Annotated[ProductListQuery, Query()]) -> Response:
    """Show products, those changed last first."""
    found = product_page(deps, which)
    with deps.db.transaction() as tx:
        matching = queries.count(tx, which.filter)
        categories = queries.categories(tx)
        known = points.stores()
        stores = list(known.names(tx)) if known is not None else []
    return render(
        request, "products/list.html", items=found.items, next=found.next, which=which, matching=matching,
        categories=categories, stores=stores, statuses=list(ProductStatus), stocks=list(StockFilter),
    )  # fmt: skip


@router.get("/products/new")
def new(request: Request, who: Editor) -> Response:  # noqa: ARG001
    """Show the form of a new product."""
    return _new_form(request, FilledProduct(currency="EUR"))


@router.post("/products/new")
def create(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledProduct, Form()]) -> Response:
    """Create a product."""
    try:
        made = commands.create(deps, typed.product(filled), who)
    except FleetError as error:
        return _new_form(request, filled, error)
    return go(request, f"{LIST}/{made}", "The product is created.")


@router.post("/products/bulk/check")
def check_many(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledBulk, Form()]) -> Response:
    """Show how many products a change concerns, and ask."""
    if not filled.all and not filled.one:
        return go(request, LIST, "Select products first, or all that match.", wrong=True)
    try:
        counted = commands.change_many(deps, typed.bulk(filled, dry_run=True), who)
    except FleetError as error:
        return go(request, LIST, str(error), wrong=True)
    return render(request, "products/bulk.html", filled=filled, counted=counted)


@router.post("/products/bulk")
def change_many(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledBulk, Form()]) -> Response:
    """Change many products."""
    try:
        done = commands.change_many(deps, typed.bulk(filled, dry_run=False), who)
    except FleetError as error:
        return go(request, LIST, str(error), wrong=True)
    return go(request, LIST, f"{done.changed:,} of {done.matched:,} products are changed.")


@router.get("/products/locations", dependencies=[VIEW])
def locations(request: Request, deps: TheDeps) -> Response:
    """Show the locations with stock of their own."""
    return render(request, "products/locations.html", locations=queries.locations(deps))


@router.post("/products/locations")
def add_location(request: Request, deps: TheDeps, who: Editor, name: Annotated[str, Form()] = "") -> Response:  # noqa: ARG001
    """Create a location."""
    try:
        made = commands.add_location(deps, name, "")
    except FleetError as error:
        return go(request, "/products/locations", str(error), kept=KeptForm("location", "name", {"name": name}))
    return go(request, "/products/locations", f"The location {made.name} is created.")


@router.get("/products/{product_id}")
def product(
    request: Request, deps: TheDeps, who: Viewer, product_id: uuid.UUID, which: Annotated[Paging, Query()]
) -> Response:
    """Show a product: its variants, stock, origins, and changes of its stock."""
    moved = movement_page(deps, product_id, which)
    with deps.db.transaction() as tx:
        found = queries.one(tx, product_id)
        shown = schema.detail_out(tx, found)
        sections = points.sections(deps, tx, who, found.row, found.variants)
    return render(
        request, "products/product.html", product=shown, movements=moved.items, next=moved.next, sections=sections
    )


@router.get("/products/{product_id}/edit")
def edit(request: Request, deps: TheDeps, who: Editor, product_id: uuid.UUID) -> Response:  # noqa: ARG001
    """Show the form of a product."""
    found = _detail(deps, product_id)
    return _edit_form(request, found, typed.of_product(found))


@router.post("/products/{product_id}/edit")
def change(
    request: Request, deps: TheDeps, who: Editor, product_id: uuid.UUID, filled: Annotated[FilledProduct, Form()]
) -> Response:
    """Change a product."""
    try:
        done = commands.change(deps, product_id, typed.changes(filled), who)
    except FleetError as error:
        return _edit_form(request, _detail(deps, product_id), filled, error)
    return go(request, f"{LIST}/{product_id}", "The changes are saved." if done else "Nothing was changed.")


@router.get("/products/{product_id}/variants/new")
def new_variant(request: Request, deps: TheDeps, who: Editor, product_id: uuid.UUID) -> Response:  # noqa: ARG001
    """Show the form of a new variant."""
    found = _detail(deps, product_id)
    currency = found.variants[-1].currency if found.variants else "EUR"
    return _variant_form(request, deps, found, FilledVariant(currency=currency))


@router.post("/products/{product_id}/variants/new")
def create_variant(
    request: Request, deps: TheDeps, who: Editor, product_id: uuid.UUID, filled: Annotated[FilledVariant, Form()]
) -> Response:
    """Add a variant."""
    try:
        commands.add_variant(deps, product_id, typed.variant(filled), who)
    except FleetError as error:
        return _variant_form(request, deps, _detail(deps, product_id), filled, error=error)
    return go(request, f"{LIST}/{product_id}", "The variant is created.")


@router.get("/products/{product_id}/variants/{variant_id}")
def variant(
    request: Request, deps: TheDeps, who: Editor, product_id: uuid.UUID, variant_id: uuid.UUID  # noqa: ARG001
) -> Response:  # fmt: skip
    """Show the form of a variant, and that of its stock."""
    found = _detail(deps, product_id)
    shown = next((one for one in found.variants if one.id == variant_id), None)
    filled = FilledVariant() if shown is None else typed.of_variant(shown)
    return _variant_form(request, deps, found, filled, variant_id=variant_id)


@router.post("/products/{product_id}/variants/{variant_id}")
def change_variant(
    request: Request, deps: TheDeps, who: Editor, product_id: uuid.UUID, variant_id: uuid.UUID, *,
    filled: Annotated[FilledVariant, Form()],
) -> Response:  # fmt: skip
    """Change a variant."""
    try:
        done = commands.change_variant(deps, product_id, variant_id, typed.variant_changes(filled), who)
    except FleetError as error:
        return _variant_form(request, deps, _detail(deps, product_id), filled, variant_id=variant_id, error=error)
    return go(request, f"{LIST}/{product_id}", "The changes are saved." if done else "Nothing was changed.")


@router.post("/products/{product_id}/variants/{variant_id}/stock")
def set_stock(
    request: Request, deps: TheDeps, who: Editor, product_id: uuid.UUID, variant_id: uuid.UUID, *,
    filled: Annotated[FilledStock, Form()],
) -> Response:  # fmt: skip
    """Count the stock of a variant, or add or take units."""
    at = f"{LIST}/{product_id}/variants/{variant_id}"
    try:
        delta = commands.set_stock(deps, product_id, variant_id, typed.stock(filled), who)
    except FleetError as error:
        return go(request, at, str(error), kept=KeptForm("stock", "units", filled.model_dump()))
    return go(request, at, f"The stock changed by {delta:+,}." if delta else "The stock is as it was.")


@router.post("/products/{product_id}/variants/{variant_id}/remove")
def remove_variant(
    request: Request, deps: TheDeps, who: Editor, product_id: uuid.UUID, variant_id: uuid.UUID
) -> Response:
    """Remove a variant."""
    try:
        commands.remove_variant(deps, product_id, variant_id, who)
    except FleetError as error:
        return go(request, f"{LIST}/{product_id}/variants/{variant_id}", str(error), wrong=True)
    return go(request, f"{LIST}/{product_id}", "The variant is removed. Its orders and movements of stock stay.")


@router.get("/product-pictures/{product_id}", dependencies=[VIEW])
def picture(deps: TheDeps, product_id: uuid.UUID) -> Response:
    """Return our copy of the first picture of a product, which is fetched when it is first asked for.

    Without one, or while it cannot be fetched, a sign is returned in its place.
    """
    with deps.db.transaction() as tx:
        images = service.images_of(service.get(tx, product_id))
    data, content_type = b"", ""
    if images and media.keeps_pictures(deps):
        try:
            kept = media.keep_picture(deps, images[0].url, within_s=_PICTURE_S)
            data, content_type = media.picture_bytes(deps, kept.key), kept.content_type
        except FleetError:
            data = b""
    if not data:
        return Response(_NO_PICTURE, media_type="image/svg+xml", headers={"cache-control": "private, max-age=300"})
    return Response(data, media_type=content_type, headers={"cache-control": "private, max-age=3600"})


def _detail(deps: Deps, product_id: uuid.UUID) -> ProductDetail:
    with deps.db.transaction() as tx:
        return schema.detail_out(tx, queries.one(tx, product_id))


def _new_form(request: Request, filled: FilledProduct, error: FleetError | None = None) -> Response:
    return _form(request, "products/new.html", filled, error)


def _edit_form(
    request: Request, found: ProductDetail, filled: FilledProduct, error: FleetError | None = None
) -> Response:
    return _form(request, "products/edit.html", filled, error, product=found)


def _variant_form(
    request: Request, deps: Deps, found: ProductDetail, filled: FilledVariant, *, variant_id: uuid.UUID | None = None,
    error: FleetError | None = None,
) -> Response:  # fmt: skip
    shown = None
    if variant_id is not None:
        with deps.db.transaction() as tx:
            queries.variant(tx, found.id, variant_id)
        shown = next(one for one in found.variants if one.id == variant_id)
    places = [one for one in queries.locations(deps) if one.organisation_id == found.organisation_id]
    return _form(request, "products/variant.html", filled, error, product=found, variant=shown, places=places)


def _form(request: Request, template: str, filled: FilledVariant, error: FleetError | None, **more: Any) -> Response:
    """Show a form with what was typed; of one that was refused, with what is wrong beside its field."""
    at = typed.field_of(error) if isinstance(error, InvalidInput) else ""
    return render(
        request, template, code=200 if error is None else status_of(error), filled=filled, problem=error, at=at,
        statuses=list(ProductStatus), **more,
    )  # fmt: skip
