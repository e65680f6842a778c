"""What the API and pages take and show of products: one schema for both. Amounts are decimal texts: "27.99"."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from fleet.adapters.shops import Money, ProductStatus
from fleet.core.db import Tx
from fleet.features.products import rules, service
from fleet.features.products.models import LocationRow, VariantRow
from fleet.features.products.queries import ListedProduct, ProductFilter, StockFilter
from fleet.features.products.stock import Stock, locations
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, line, prose, whole

Amount = Annotated[str, line(30), Field(description="in units of the variant's currency, 27.99; empty for none")]
Name = Annotated[str, line(rules.LONGEST_NAME, least=1)]
Fact = Annotated[str, prose(rules.LONGEST_FACT)]
Sku = Annotated[str, line(rules.LONGEST_SKU)]


class ProductQuery(Paging):
    """Which products."""

    q: Annotated[str, line(200), Field(description="words in title, brand, description or SKU")] = ""
    sku: Annotated[str, line(rules.LONGEST_SKU), Field(description="exact SKU of a variant")] = ""
    status: ProductStatus | None = None
    category: Annotated[str, line(rules.LONGEST_NAME)] = ""
    store: Annotated[str, line(100), Field(description="name of the account of a store")] = ""
    stock: StockFilter | None = None

    @property
    def filter(self) -> ProductFilter:
        """The filter of the query."""
        return ProductFilter(
            words=self.q, sku=self.sku, status=self.status, category=self.category, store=self.store, stock=self.stock
        )

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves any product out."""
        return self.filter != ProductFilter()


class StockOut(BaseModel):
    """The stock of a variant, or of a product, at a location."""

    location_id: uuid.UUID
    location: str
    on_hand: int
    reserved: int
    available: int = Field(description="on hand less what is reserved; negative if a shop sold more than there was")


class StoreStateOut(BaseModel):
    """The state of a product at a store."""

    store: str
    state: str
    page: str


class PriceRangeOut(BaseModel):
    """The lowest and highest price of the variants in a currency."""

    currency: str
    low: str
    high: str


class ProductOut(BaseModel):
    """A product as lists show it."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    title: str
    status: ProductStatus
    brand: str
    categories: list[str]
    images: int = Field(description="how many images it has")
    alt_text: str = Field(description="the alternative text of the first image")
    skus: list[str] = Field(description="those of its variants, in order")
    prices: list[PriceRangeOut]
    stock: list[StockOut] = Field(description="of all variants together, by location")
    available: int
    stores: list[StoreStateOut]
    version: int
    created_at: datetime
    updated_at: datetime


class ProductListPage(Page[ProductOut]):
    """A page of products, those changed last first."""


class OriginOut(BaseModel):
    """From where a value came: store:NAME, user:NAME, agent:NAME or file."""

    source: str
    at: datetime


class ImageOut(BaseModel):
    """An image of a product."""

    url: str
    alt_text: str


class VariantOut(BaseModel):
    """A variant with its stock by location."""

    id: uuid.UUID
    sku: str
    title: str
    options: dict[str, str]
    barcode: str
    currency: str
    price: str | None
    cost: str | None
    floor: str | None = Field(description="no agent sets a price below it")
    stock: list[StockOut]
    available: int
    origins: dict[str, OriginOut]


class ProductDetail(ProductOut):
    """A product with everything about it."""

    description: str
    attributes: dict[str, str]
    pictures: list[ImageOut]
    variants: list[VariantOut]
    origins: dict[str, OriginOut]


class MovementOut(BaseModel):
    """A change of stock."""

    id: uuid.UUID
    at: datetime
    sku: str
    location: str
    delta: int
    on_hand: int = Field(description="the units after it")
    reason: str
    by: str


class MovementPage(Page[MovementOut]):
    """A page of changes of stock, newest first."""


class LocationOut(BaseModel):
    """A place with stock of its own."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    name: str
    is_default: bool


class LocationList(BaseModel):
    """All locations."""

    items: list[LocationOut]


class LocationIn(Body):
    """A new location."""

    name: Annotated[str, line(100, least=1)]
    organisation: Annotated[str, line(60), Field(description="name or id; by default the caller's own")] = ""


class ImageIn(Body):
    """An image of a product."""

    url: Annotated[str, line(rules.LONGEST_ADDRESS, least=1)]
    alt_text: Annotated[str, line(rules.LONGEST_ALT)] = ""


class VariantChanges(Body):
    """New values of a variant; what is left out stays."""

    sku: Sku | None = None
    title: Annotated[str, line(rules.LONGEST_TITLE)] | None = None
    options: dict[Name, Fact] | None = None
    barcode: Annotated[str, line(rules.LONGEST_BARCODE)] | None = None
    price: Amount | None = None
    cost: Amount | None = None
    floor: Amount | None = None


class VariantIn(VariantChanges):
    """A new variant."""

    sku: Sku
    currency: Annotated[str, line(3, least=3), Field(examples=["EUR"])]
    on_hand: Annotated[int, whole(0, rules.MOST_UNITS)] | None = None


class ProductChanges(Body):
    """New values of a product; what is left out stays."""

    title: Annotated[str, line(rules.LONGEST_TITLE, least=1)] | None = None
    description: Annotated[str, prose(rules.LONGEST_DESCRIPTION)] | None = None
    status: ProductStatus | None = None
    brand: Annotated[str, line(rules.LONGEST_NAME)] | None = None
    categories: Annotated[list[Name], Field(max_length=rules.MOST_CATEGORIES)] | None = None
    images: Annotated[list[ImageIn], Field(max_length=rules.MOST_IMAGES)] | None = None
    attributes: dict[Name, Fact] | None = None
    version: Annotated[int, whole(1, 2**31 - 1)] | None = Field(
        None, description="refuse the change if the product has another version"
    )


class ProductIn(ProductChanges):
    """A new product."""

    title: Annotated[str, line(rules.LONGEST_TITLE, least=1)]
    variants: Annotated[list[VariantIn], Field(min_length=1, max_length=100)]
    organisation: Annotated[str, line(60), Field(description="name or id; by default the caller's own")] = ""


class StockIn(Body):
    """A change of stock: a number that was counted, or a difference."""

    location: Annotated[str, line(100), Field(description="name or id; by default the default location")] = ""
    on_hand: Annotated[int, whole(0, rules.MOST_UNITS)] | None = None
    delta: Annotated[int, whole(-rules.MOST_UNITS, rules.MOST_UNITS)] | None = None
    reason: Annotated[str, line(40), Field(examples=["delivery", "damaged"])] = ""


class ImportIn(Body):
    """A CSV file to look at; nothing is changed yet."""

    name: Annotated[str, line(200), Field(description="file name")] = "products.csv"
    content: Annotated[str, Field(max_length=11_000_000, description="the file in Base64, 8 MB at most")]
    organisation: Annotated[str, line(60), Field(description="name or id; by default the caller's own")] = ""


class LineErrorOut(BaseModel):
    """What is wrong with a line of a file."""

    line: int
    column: str
    message: str


class LineChangeOut(BaseModel):
    """What a line of a file would change. `fields` has the old and new values by name."""

    line: int
    action: str = Field(description="create, change or stock")
    about: str = Field(description="the title or SKU")
    fields: dict[str, list[str]]


class ImportOut(BaseModel):
    """What a file would change, or has changed."""

    id: uuid.UUID
    name: str
    state: str = Field(description="ready, refused (it has errors), empty (nothing would change) or applied")
    counts: dict[str, int] = Field(
        description="lines, products_created, products_changed, variants_created, variants_changed, stock_changed, "
        "unchanged, errors"
    )
    notes: list[str] = Field(description="how it was read: encoding, separator, columns that are ignored")
    errors: list[LineErrorOut] = Field(description="the first 200")
    changes: list[LineChangeOut] = Field(description="the first 200")


class ProductExportOut(BaseModel):
    """Products as a CSV file."""

    filename: str
    content: str
    products: int


class BulkChangeIn(Body):
    """A change of many products: of those named, or of all that match the filter."""

    ids: Annotated[list[uuid.UUID], Field(max_length=10_000)] | None = None
    q: Annotated[str, line(200)] = ""
    filter_status: ProductStatus | None = None
    category: Annotated[str, line(rules.LONGEST_NAME)] = ""
    store: Annotated[str, line(100)] = ""
    stock: StockFilter | None = None
    status: ProductStatus | None = Field(None, description="the new status")
    brand: Annotated[str, line(rules.LONGEST_NAME)] | None = None
    add_category: Annotated[str, line(rules.LONGEST_NAME)] = ""
    remove_category: Annotated[str, line(rules.LONGEST_NAME)] = ""
    price_percent: Annotated[float, Field(ge=-90, le=900, description="raise prices by it, or lower them")] = 0
    expected: Annotated[int, whole(0, 1_000_000)] | None = Field(
        None, description="refuse the change if another number of products matches"
    )
    dry_run: bool = Field(False, description="count what would change, and change nothing")


class BulkChangeOut(BaseModel):
    """How many products a change concerns."""

    matched: int
    changed: int
    unchanged: int
    variants: int = Field(description="how many prices change")
    is_done: bool


def product_out(one: ListedProduct, names: Mapping[uuid.UUID, str]) -> ProductOut:
    """Return a product as lists show it. `names` are those of locations."""
    return ProductOut(**_listed(one, names))


def detail_out(tx: Tx, one: ListedProduct) -> ProductDetail:
    """Return a product with everything about it."""
    names = location_names(tx)
    row = one.row
    return ProductDetail(
        **_listed(one, names), description=row.description, attributes=row.attributes,
        pictures=[ImageOut(url=image.url, alt_text=image.alt_text) for image in service.images_of(row)],
        variants=[variant_out(variant, one.stock[variant.id], names) for variant in one.variants],
        origins=_origins(row.origins),
    )  # fmt: skip


def variant_out(variant: VariantRow, levels: Mapping[uuid.UUID, Stock], names: Mapping[uuid.UUID, str]) -> VariantOut:
    """Return a variant with its stock."""
    amounts = {name: decimal(service.amount(variant, name)) for name in rules.AMOUNTS}
    stock = _stock([levels], names)
    return VariantOut(
        id=variant.id, sku=variant.sku, title=variant.title, options=variant.options, barcode=variant.barcode,
        currency=variant.currency, **amounts, stock=stock, available=sum(one.available for one in stock),
        origins=_origins(variant.origins),
    )  # fmt: skip


def location_out(row: LocationRow) -> LocationOut:
    """Return a location."""
    return LocationOut(id=row.id, organisation_id=row.organisation_id, name=row.name, is_default=row.is_default)


def location_names(tx: Tx) -> dict[uuid.UUID, str]:
    """Return the names of locations by id, in their order."""
    return {one.id: one.name for one in locations(tx)}


def decimal(amount: Money | None) -> str | None:
    """Return an amount in units of its currency."""
    return None if amount is None else str(amount.decimal)


def _listed(one: ListedProduct, names: Mapping[uuid.UUID, str]) -> dict[str, Any]:
    row = one.row
    stock = _stock(list(one.stock.values()), names)
    return {
        "id": row.id, "organisation_id": row.organisation_id, "title": row.title, "status": row.status,
        "brand": row.brand, "categories": row.categories, "images": len(row.images),
        "alt_text": row.images[0]["alt_text"] if row.images else "", "skus": [variant.sku for variant in one.variants],
        "prices": _prices(one.variants), "stock": stock, "available": sum(level.available for level in stock),
        "stores": [StoreStateOut(store=state.store, state=state.state, page=state.page) for state in one.stores],
        "version": row.version, "created_at": row.created_at, "updated_at": row.updated_at,
    }  # fmt: skip


def _stock(levels: Sequence[Mapping[uuid.UUID, Stock]], names: Mapping[uuid.UUID, str]) -> list[StockOut]:
    found = []
    for location_id, name in names.items():
        here = [one[location_id] for one in levels if location_id in one]
        if here:
            on_hand, available = sum(one.on_hand for one in here), sum(one.available for one in here)
            found.append(StockOut(location_id=location_id, location=name, on_hand=on_hand,
                                  reserved=on_hand - available, available=available))  # fmt: skip
    return found


def _prices(variants: Sequence[VariantRow]) -> list[PriceRangeOut]:
    by_currency: dict[str, list[int]] = {}
    for one in variants:
        if one.price_minor is not None:
            by_currency.setdefault(one.currency, []).append(one.price_minor)
    return [
        PriceRangeOut(currency=currency, low=str(Money(min(found), currency).decimal),
                      high=str(Money(max(found), currency).decimal))
        for currency, found in sorted(by_currency.items())
    ]  # fmt: skip


def _origins(stored: Mapping[str, Any]) -> dict[str, OriginOut]:
    return {name: OriginOut(source=one["from"], at=one["at"]) for name, one in stored.items()}
