"""Products, stock and locations for programs: /api/v1/products, /api/v1/stock-locations, /api/v1/product-imports."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.products import commands, queries, schema, service
from fleet.features.products.csvfile import exporting, importing
from fleet.features.products.schema import (
    BulkChangeIn,
    BulkChangeOut,
    ImportIn,
    ImportOut,
    LocationIn,
    LocationList,
    LocationOut,
    MovementOut,
    MovementPage,
    ProductChanges,
    ProductDetail,
    ProductExportOut,
    ProductIn,
    ProductListPage,
    ProductQuery,
    StockIn,
    VariantChanges,
    VariantIn,
)
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Paging
from fleet.web.requests.fields import taken

router = APIRouter(tags=["products"])
VIEW = needs(Permission.FLEET_VIEW)
Editor = Annotated[Principal, needs(Permission.PRODUCTS_EDIT)]


def product_page(deps: Deps, which: ProductQuery) -> ProductListPage:
    """Return a page of products, those changed last first."""
    with deps.db.transaction() as tx:
        below = which.place(queries.place)
        found = queries.listed(tx, which.filter, limit=which.one_more, below=below)
        rows, following = which.page(found, queries.place_of)
        names = schema.location_names(tx)
        return ProductListPage(items=[schema.product_out(one, names) for one in rows], next=following)


def detail(deps: Deps, product_id: uuid.UUID) -> ProductDetail:
    """Return a product with everything about it. Raises NotFound."""
    with deps.db.transaction() as tx:
        return schema.detail_out(tx, queries.one(tx, product_id))


def movement_page(deps: Deps, product_id: uuid.UUID, which: Paging) -> MovementPage:
    """Return a page of changes of a product's stock, newest first. Raises NotFound."""
    below = which.place(queries.place, of=str(product_id))
    with deps.db.transaction() as tx:
        service.get(tx, product_id)
        found = queries.movements(tx, product_id, limit=which.one_more, below=below)
    rows, following = which.page(found, lambda one: f"{one.at.isoformat()} {one.id}", of=str(product_id))
    return MovementPage(items=[taken(MovementOut, one) for one in rows], next=following)


@router.get("/products", dependencies=[VIEW])
def list_products(deps: TheDeps, *, which: Annotated[ProductQuery, Query()]) -> ProductListPage:
    """Return a page of products, those changed last first."""
    return product_page(deps, which)


@router.post("/products", status_code=201)
def create_product(deps: TheDeps, *, body: ProductIn, who: Editor) -> ProductDetail:
    """Create a product with its variants."""
    return detail(deps, commands.create(deps, body, who))


@router.post("/products/bulk")
def change_products(deps: TheDeps, *, body: BulkChangeIn, who: Editor) -> BulkChangeOut:
    """Change many products at once, or count what would change."""
    return commands.change_many(deps, body, who)


@router.get("/products/export", dependencies=[VIEW])
def export_products(deps: TheDeps, *, which: Annotated[ProductQuery, Query()]) -> ProductExportOut:
    """Return the products that match as a CSV file with a line for each variant."""
    content, number = exporting.export(deps, which.filter)
    return ProductExportOut(filename=exporting.FILENAME, content=content, products=number)


@router.get("/products/{product_id}", dependencies=[VIEW])
def show_product(deps: TheDeps, product_id: uuid.UUID) -> ProductDetail:
    """Return one product with its variants and their stock."""
    return detail(deps, product_id)


@router.patch("/products/{product_id}")
def change_product(deps: TheDeps, product_id: uuid.UUID, *, body: ProductChanges, who: Editor) -> ProductDetail:
    """Change a product."""
    commands.change(deps, product_id, body, who)
    return detail(deps, product_id)


@router.get("/products/{product_id}/movements", dependencies=[VIEW])
def list_movements(deps: TheDeps, product_id: uuid.UUID, *, which: Annotated[Paging, Query()]) -> MovementPage:
    """Return a page of changes of a product's stock, newest first."""
    return movement_page(deps, product_id, which)


@router.post("/products/{product_id}/variants", status_code=201)
def create_variant(deps: TheDeps, product_id: uuid.UUID, *, body: VariantIn, who: Editor) -> ProductDetail:
    """Add a variant to a product."""
    commands.add_variant(deps, product_id, body, who)
    return detail(deps, product_id)


@router.patch("/products/{product_id}/variants/{variant_id}")
def change_variant(
    deps: TheDeps, product_id: uuid.UUID, variant_id: uuid.UUID, *, body: VariantChanges, who: Editor
) -> ProductDetail:
    """Change a variant of a product."""
    commands.change_variant(deps, product_id, variant_id, body, who)
    return detail(deps, product_id)


@router.delete("/products/{product_id}/variants/{variant_id}", status_code=204)
def remove_variant(deps: TheDeps, product_id: uuid.UUID, variant_id: uuid.UUID, *, who: Editor) -> None:
    """Remove a variant of a product. Its orders and movements of stock stay."""
    commands.remove_variant(deps, product_id, variant_id, who)


@router.post("/products/{product_id}/variants/{variant_id}/stock")
def set_stock(
    deps: TheDeps, product_id: uuid.UUID, variant_id: uuid.UUID, *, body: StockIn, who: Editor
) -> ProductDetail:
    """Count the stock of a variant, or add or take units."""
    commands.set_stock(deps, product_id, variant_id, body, who)
    return detail(deps, product_id)


@router.get("/stock-locations", dependencies=[VIEW])
def list_locations(deps: TheDeps) -> LocationList:
    """Return all locations with stock of their own."""
    return LocationList(items=[schema.location_out(one) for one in queries.locations(deps)])


@router.post("/stock-locations", status_code=201)
def create_location(deps: TheDeps, *, body: LocationIn, who: Editor) -> LocationOut:  # noqa: ARG001
    """Create a location."""
    return schema.location_out(commands.add_location(deps, body.name, body.organisation))


@router.post("/product-imports", status_code=201)
def import_products(deps: TheDeps, *, body: ImportIn, who: Editor) -> ImportOut:
    """Read a CSV file and return what it would change, with errors by line. Nothing is changed yet."""
    content = importing.from_base64(body.content)
    return importing.look(deps, body.name, content, organisation=body.organisation, who=who)


@router.get("/product-imports/{import_id}")
def show_import(deps: TheDeps, import_id: uuid.UUID, *, who: Editor) -> ImportOut:  # noqa: ARG001
    """Return what a file would change by now, or has changed."""
    return importing.show(deps, import_id)


@router.post("/product-imports/{import_id}/apply")
def apply_import(deps: TheDeps, import_id: uuid.UUID, *, who: Editor) -> ImportOut:
    """Make the changes of a file, all of them or none. Refused if they are others by now than those shown."""
    return importing.apply(deps, import_id, who)
