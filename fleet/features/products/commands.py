"""What people do with products by pages and the API: each a transaction of its own, audited in their name."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fleet.access import Principal, audit, organisations
from fleet.adapters.shops import Money, ProductImage
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.products import queries, rules, service, stock
from fleet.features.products.models import LocationRow, ProductRow, VariantRow
from fleet.features.products.queries import ProductFilter
from fleet.features.products.schema import (
    BulkChangeIn,
    BulkChangeOut,
    ImageIn,
    ProductChanges,
    ProductIn,
    StockIn,
    VariantChanges,
    VariantIn,
)
from fleet.features.products.service import NewProduct, NewVariant

MOST_AT_ONCE = 10_000


def create(deps: Deps, new: ProductIn, who: Principal) -> uuid.UUID:
    """Create a product; return its id. Raises InvalidInput, NotFound, Conflict for a taken SKU."""
    with deps.db.transaction() as tx:
        organisation_id = organisation(tx, new.organisation)
        values = _product_values(new)
        variants = tuple(_new_variant(one) for one in new.variants)
        made = service.create(tx, organisation_id, NewProduct(**values, variants=variants), origin=origin(who))
        rows = service.variants_of(tx, [made.id])[made.id]
        place = stock.default_location(tx, organisation_id)
        stock.post(tx, [
            stock.StockEntry(variant_id=row.id, location_id=place, on_hand=one.on_hand, reason="count", by=who.by)
            for row, one in zip(rows, new.variants, strict=True) if one.on_hand is not None
        ])  # fmt: skip
        return made.id


def change(deps: Deps, product_id: uuid.UUID, new: ProductChanges, who: Principal) -> bool:
    """Change a product; False if nothing differs. Raises NotFound, InvalidInput, Conflict for another version."""
    with deps.db.transaction() as tx:
        values = _product_values(new)
        if "images" in values:
            values["images"] = _with_digests(service.get(tx, product_id), values["images"])
        return service.change(tx, product_id, values, origin=origin(who), version=new.version)


def add_variant(deps: Deps, product_id: uuid.UUID, new: VariantIn, who: Principal) -> uuid.UUID:
    """Add a variant to a product; return its id. Raises NotFound, InvalidInput, Conflict for a taken SKU."""
    with deps.db.transaction() as tx:
        made = service.add_variant(tx, product_id, _new_variant(new), origin=origin(who))
        if new.on_hand is not None:
            place = stock.default_location(tx, made.organisation_id)
            stock.set_level(tx, made.id, place, new.on_hand, reason="count", by=who.by)
        return made.id


def change_variant(
    deps: Deps, product_id: uuid.UUID, variant_id: uuid.UUID, new: VariantChanges, who: Principal
) -> bool:
    """Change a variant; False if nothing differs. Raises NotFound, InvalidInput, Conflict for a taken SKU."""
    with deps.db.transaction() as tx:
        row = queries.variant(tx, product_id, variant_id)
        return service.change_variant(tx, variant_id, _variant_values(new, row.currency), origin=origin(who))


def remove_variant(deps: Deps, product_id: uuid.UUID, variant_id: uuid.UUID, who: Principal) -> None:
    """Remove a variant. Raises NotFound, Conflict for the last one."""
    with deps.db.transaction() as tx:
        queries.variant(tx, product_id, variant_id)
        service.remove_variant(tx, variant_id, origin=origin(who))


def set_stock(deps: Deps, product_id: uuid.UUID, variant_id: uuid.UUID, new: StockIn, who: Principal) -> int:
    """Count or move the stock of a variant; return the difference. Raises NotFound, InvalidInput, Conflict for units
    that are not available.
    """
    if (new.on_hand is None) == (new.delta is None):
        raise InvalidInput("on_hand: give the units that were counted, or a difference.", fix="Give one of them.")
    with deps.db.transaction() as tx:
        row = queries.variant(tx, product_id, variant_id)
        place = queries.location(tx, row.organisation_id, new.location)
        entry = stock.StockEntry(
            variant_id=variant_id, location_id=place.id, on_hand=new.on_hand, delta=new.delta,
            reason=new.reason.strip() or ("count" if new.delta is None else "correction"), by=who.by,
            must_fit=new.delta is not None,
        )  # fmt: skip
        delta = stock.post(tx, [entry])[0] or 0
        audit.noted(tx, bool(delta), "stock.changed", f"product:{product_id}", sku=row.sku, location=place.name,
                    delta=delta, reason=entry.reason)  # fmt: skip
        return delta


def add_location(deps: Deps, name: str, of: str) -> LocationRow:
    """Create a location. Raises InvalidInput, NotFound, Conflict for a name that is taken."""
    with deps.db.transaction() as tx:
        return stock.add_location(tx, organisation(tx, of), name)


def change_many(deps: Deps, new: BulkChangeIn, who: Principal) -> BulkChangeOut:
    """Change many products at once, or count what would change. Raises InvalidInput for no change, Conflict if another
    number of products matches than was expected.
    """
    percent = Decimal(str(new.price_percent))
    if new.status is None and new.brand is None and not (new.add_category or new.remove_category or percent):
        raise InvalidInput("Nothing to change was chosen.", fix="Choose a status, brand, category or price.")
    which = ProductFilter(
        words=new.q, status=new.filter_status, category=new.category, store=new.store, stock=new.stock, ids=new.ids
    )
    with deps.db.transaction() as tx:
        found = queries.ids(tx, which, limit=MOST_AT_ONCE + 1)
        if len(found) > MOST_AT_ONCE:
            raise InvalidInput(f"More than {MOST_AT_ONCE:,} products match.", fix="Narrow the filter.")
        if new.expected is not None and new.expected != len(found):
            raise Conflict(f"{len(found):,} products match by now, not {new.expected:,}.", fix="Look at it again.")
        if not found:
            return BulkChangeOut(matched=0, changed=0, unchanged=0, variants=0, is_done=not new.dry_run)
        service.lock(tx, found)
        products = service.products(tx, found)
        changes = {row.id: values for row in products if (values := _bulk_values(row, new))}
        prices = _dearer(tx, found, percent) if percent else {}
        touched = set(changes) | {row.product_id for row, _ in prices.values()}
        result = BulkChangeOut(
            matched=len(found), changed=len(touched), unchanged=len(found) - len(touched), variants=len(prices),
            is_done=not new.dry_run,
        )  # fmt: skip
        if not new.dry_run and touched:
            service.change_many(tx, changes, origin=origin(who), is_audited=False)
            amounts = {variant_id: {"price": price} for variant_id, (_, price) in prices.items()}
            service.change_variants(tx, amounts, origin=origin(who), is_audited=False)
            said = new.model_dump(mode="json", exclude_defaults=True, exclude={"ids", "dry_run", "expected"})
            audit.noted(tx, len(touched), "products.changed", "products", **said)
            events.emit(tx, "products.changed", organisation=str(products[0].organisation_id), number=len(touched),
                        by=who.by, page="/products")  # fmt: skip
        return result


def organisation(tx: Tx, name: str) -> uuid.UUID:
    """Return the organisation of something new: that of a name or id, else the caller's own. Raises NotFound."""
    return organisations.of_new(tx, organisations.named(tx, name).id if name.strip() else None)


def origin(who: Principal) -> str:
    """Return the origin of values that a person sets."""
    return f"user:{who.name}"


def amount(written: str, currency: str, name: str) -> Money | None:
    """Return an amount as people write it; None for an empty text. Raises InvalidInput."""
    if not written.strip():
        return None
    try:
        return Money.parse(written, currency)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.message}", fix=error.fix) from error


def _bulk_values(row: ProductRow, new: BulkChangeIn) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if new.status is not None and new.status != row.status:
        values["status"] = new.status
    if new.brand is not None and new.brand != row.brand:
        values["brand"] = new.brand
    categories = [one for one in row.categories if one != new.remove_category]
    if new.add_category and new.add_category not in categories:
        categories.append(new.add_category)
    if categories != row.categories:
        values["categories"] = categories
    return values


def _dearer(tx: Tx, product_ids: list[uuid.UUID], percent: Decimal) -> Mapping[uuid.UUID, tuple[VariantRow, Money]]:
    """Return the variants whose price changes by a percentage, with the new price, rounded to the minor unit."""
    found: dict[uuid.UUID, tuple[VariantRow, Money]] = {}
    for variants in service.variants_of(tx, product_ids).values():
        for one in variants:
            if one.price_minor is not None:
                new = int((one.price_minor * (1 + percent / 100)).quantize(Decimal(1), ROUND_HALF_UP))
                if new != one.price_minor:
                    found[one.id] = one, Money(new, one.currency)
    return found


def _product_values(new: ProductChanges) -> dict[str, Any]:
    values = {name: value for name in rules.PRODUCT_NAMES if (value := getattr(new, name)) is not None}
    if "images" in values:
        values["images"] = tuple(_image(one) for one in values["images"])
    if "categories" in values:
        values["categories"] = tuple(values["categories"])
    return values


def _image(new: ImageIn) -> ProductImage:
    return ProductImage(new.url.strip(), new.alt_text)


def _with_digests(row: ProductRow, images: tuple[ProductImage, ...]) -> tuple[ProductImage, ...]:
    """Keep the digests of images whose address stays."""
    known = {one["url"]: one["digest"] for one in row.images}
    return tuple(replace(one, digest=known.get(one.url, "")) for one in images)


def _variant_values(new: VariantChanges, currency: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in rules.VARIANT_NAMES:
        given = getattr(new, name)
        if given is not None:
            values[name] = amount(given, currency, name) if name in rules.AMOUNTS else given
    return values


def _new_variant(new: VariantIn) -> NewVariant:
    currency = rules.checked_currency(new.currency.strip().upper())
    return NewVariant(**_variant_values(new, currency), currency=currency)
