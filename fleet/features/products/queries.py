"""Products and movements of stock as pages, the API and commands show them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from fleet.adapters.shops import ProductStatus
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.features.products import points, service, stock
from fleet.features.products.models import (
    LocationRow,
    MovementRow,
    ProductRow,
    StockReservationRow,
    StockRow,
    VariantRow,
    among,
)
from fleet.features.products.points import StoreState
from fleet.features.products.stock import Stock

_WORD = re.compile(r"\w+")
_MOST_WORDS = 10
_PART = 500


class StockFilter(StrEnum):
    """Products by their stock, all variants and locations together."""

    AVAILABLE = "available"
    NONE = "none"
    OVERSOLD = "oversold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFilter:
    """Which products; empty fields match all. `words` are searched in title, brand, description and SKUs."""

    words: str = ""
    sku: str = ""
    status: ProductStatus | None = None
    category: str = ""
    store: str = ""
    stock: StockFilter | None = None
    ids: Collection[uuid.UUID] | None = None


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product with its variants, their stock by location, and its state by store."""

    row: ProductRow
    variants: Sequence[VariantRow]
    stock: Mapping[uuid.UUID, Mapping[uuid.UUID, Stock]]
    """By variant, then by location."""
    stores: Sequence[StoreState]


@dataclass(frozen=True, slots=True)
class ListedMovement:
    """A change of stock with the words that name its variant, location and account."""

    id: uuid.UUID
    at: datetime
    sku: str
    location: str
    delta: int
    on_hand: int
    reason: str
    by: str


Place = tuple[datetime, uuid.UUID]
"""Where a page of a list ends: a time and an id."""


def place(said: str) -> Place:
    """Read the end of a page. Raises ValueError."""
    at, _, row_id = said.partition(" ")
    found = datetime.fromisoformat(at)
    if found.tzinfo is None:
        raise ValueError("no moment")
    return found, uuid.UUID(row_id)


def listed(tx: Tx, which: ProductFilter, *, limit: int, below: Place | None = None) -> list[ListedProduct]:
    """Return products, those changed last first."""
    row = ProductRow
    query = sa.select(row).where(*conditions(which)).order_by(row.updated_at.desc(), row.id.desc()).limit(limit)
    if below is not None:
        query = query.where(sa.tuple_(row.updated_at, row.id) < sa.tuple_(*below))
    return with_stock(tx, tx.session.scalars(query, execution_options={"populate_existing": True}).all())


def place_of(one: ListedProduct) -> str:
    """Return where a page ends that ends with a product."""
    return f"{one.row.updated_at.isoformat()} {one.row.id}"


def count(tx: Tx, which: ProductFilter) -> int:
    """Return how many products match."""
    return tx.scalar(sa.select(sa.func.count()).select_from(ProductRow).where(*conditions(which))) or 0


def ids(tx: Tx, which: ProductFilter, *, limit: int) -> list[uuid.UUID]:
    """Return the ids of products that match, in their order."""
    found = sa.select(ProductRow.id).where(*conditions(which)).order_by(ProductRow.id).limit(limit)
    return list(tx.session.scalars(found))


def one(tx: Tx, product_id: uuid.UUID) -> ListedProduct:
    """Return one product. Raises NotFound."""
    return with_stock(tx, [service.get(tx, product_id)])[0]


def with_stock(tx: Tx, rows: Sequence[ProductRow]) -> list[ListedProduct]:
    """Return products with their variants, stock and states at stores."""
    product_ids = [row.id for row in rows]
    variants = service.variants_of(tx, product_ids)
    levels = stock.levels(tx, [one.id for found in variants.values() for one in found])
    by_variant: dict[uuid.UUID, dict[uuid.UUID, Stock]] = {}
    for (variant_id, location_id), found in levels.items():
        by_variant.setdefault(variant_id, {})[location_id] = found
    known = points.stores()
    states = {} if known is None or not product_ids else known.states(tx, product_ids)
    return [
        ListedProduct(
            row, variants[row.id], {one.id: by_variant.get(one.id, {}) for one in variants[row.id]},
            states.get(row.id, ()),
        )
        for row in rows
    ]  # fmt: skip


def all_products(tx: Tx, which: ProductFilter) -> Iterator[ListedProduct]:
    """Yield all products that match, in the order of their ids, with few of them in memory."""
    row, last = ProductRow, None
    while True:
        query = sa.select(row).where(*conditions(which)).order_by(row.id).limit(_PART)
        query = query if last is None else query.where(row.id > last)
        part = tx.session.scalars(query).all()
        yield from with_stock(tx, part)
        tx.session.expunge_all()
        if len(part) < _PART:
            return
        last = part[-1].id


def movements(tx: Tx, product_id: uuid.UUID, *, limit: int, below: Place | None = None) -> list[ListedMovement]:
    """Return the movements of stock of a product, newest first."""
    row, variant = MovementRow, VariantRow
    query = (
        sa.select(row.id, row.at, variant.sku, LocationRow.name, row.delta, row.on_hand, row.reason, row.by)
        .join(variant, variant.id == row.variant_id)
        .join(LocationRow, LocationRow.id == row.location_id)
        .where(variant.product_id == product_id)
        .order_by(row.at.desc(), row.id.desc())
        .limit(limit)
    )
    if below is not None:
        query = query.where(sa.tuple_(row.at, row.id) < sa.tuple_(*below))
    return [ListedMovement(*found) for found in tx.execute(query)]


def categories(tx: Tx, *, limit: int = 200) -> list[str]:
    """Return the categories that products have, the most used ones."""
    name = sa.func.unnest(ProductRow.categories).label("name")
    every = sa.select(name).subquery()
    query = sa.select(every.c.name).group_by(every.c.name).order_by(sa.func.count().desc(), every.c.name).limit(limit)
    return sorted(tx.session.scalars(query), key=str.casefold)


def variant(tx: Tx, product_id: uuid.UUID, variant_id: uuid.UUID) -> VariantRow:
    """Return a variant of a product. Raises NotFound."""
    found = next((one for one in service.variants_of(tx, [product_id])[product_id] if one.id == variant_id), None)
    if found is None:
        raise NotFound("There is no such variant.", fix="`fleet products show` lists those of a product.")
    return found


def location(tx: Tx, organisation_id: uuid.UUID, name: str) -> LocationRow:
    """Return a location of an organisation by its name or id; the default one for an empty name. Raises NotFound."""
    if not name.strip():
        return tx.session.get_one(LocationRow, stock.default_location(tx, organisation_id))
    wanted = name.strip().casefold()
    for one in stock.locations(tx, [organisation_id]):
        if wanted in (one.name.casefold(), str(one.id)):
            return one
    raise NotFound(f"There is no location {name[:60]!r}.", fix="`fleet products locations` lists them.")


def locations(deps: Deps) -> list[LocationRow]:
    """Return the locations that the caller sees."""
    with deps.db.transaction() as tx:
        return list(stock.locations(tx))


def conditions(which: ProductFilter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a filter on `ProductRow`."""
    row = ProductRow
    found: list[sa.ColumnElement[bool]] = []
    if which.ids is not None:
        found.append(among(row.id, which.ids))
    if which.status is not None:
        found.append(row.status == which.status)
    if which.category:
        found.append(row.categories.contains([which.category]))
    if which.sku:
        found.append(_has_variant(VariantRow.sku == which.sku))
    if words := which.words.strip():
        found.append(_has_variant(VariantRow.sku.icontains(words, autoescape=True)) | _has_words(words))
    if which.store:
        known = points.stores()
        found.append(sa.false() if known is None else known.is_at(which.store))
    match which.stock:
        case StockFilter.AVAILABLE:
            found.append(_available() > 0)
        case StockFilter.NONE:
            found.append(_available() <= 0)
        case StockFilter.OVERSOLD:
            found.append(_available() < 0)
        case None:
            pass
    return found


def _has_words(words: str) -> sa.ColumnElement[bool]:
    parts = _WORD.findall(words)[:_MOST_WORDS]
    if not parts:
        return ProductRow.title.icontains(words, autoescape=True)
    # Each word may be the beginning of one. Only letters and digits are left of it, so it holds no operator.
    return ProductRow.words.bool_op("@@")(sa.func.to_tsquery("simple", " & ".join(f"{one}:*" for one in parts)))


def _has_variant(which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    own = (VariantRow.product_id == ProductRow.id, VariantRow.removed_at.is_(None))
    return sa.exists(sa.select(VariantRow.id).where(*own, which).correlate(ProductRow))


def _available() -> sa.ColumnElement[int]:
    own = (VariantRow.product_id == ProductRow.id, VariantRow.removed_at.is_(None))
    on_hand = sa.select(sa.func.sum(StockRow.on_hand)).join(VariantRow, VariantRow.id == StockRow.variant_id)
    held = StockReservationRow
    is_held = (held.released_at.is_(None), held.expires_at.is_(None) | (held.expires_at > sa.func.clock_timestamp()))
    promised = sa.select(sa.func.sum(held.quantity)).join(VariantRow, VariantRow.id == held.variant_id).where(*is_held)
    sums = (one.where(*own).correlate(ProductRow).scalar_subquery() for one in (on_hand, promised))
    units, taken = (sa.func.coalesce(one, 0) for one in sums)
    return units - taken
