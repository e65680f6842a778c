"""Create and change products and variants, given a transaction. Stock has a file of its own (`stock`).

A transaction that changes several products calls `lock` with all of them first, then `stock.lock`: every transaction
takes products, then variants, in the order of their ids.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.access import audit
from fleet.adapters.shops import Money, ProductImage, ProductStatus, ShopProduct, ShopVariant
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.features.products import rules
from fleet.features.products.models import ProductRow, VariantRow, among

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVariant:
    """A variant to create. Amounts are in its currency."""

    sku: str
    title: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    barcode: str = ""
    price: Money | None = None
    cost: Money | None = None
    floor: Money | None = None
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProduct:
    """A product to create, with one or more variants."""

    title: str
    description: str = ""
    status: ProductStatus = ProductStatus.ACTIVE
    brand: str = ""
    categories: tuple[str, ...] = ()
    images: tuple[ProductImage, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    variants: tuple[NewVariant, ...]


def create(tx: Tx, organisation_id: uuid.UUID, new: NewProduct, *, origin: str) -> ProductRow:
    """Create a product. `origin`: "store:NAME", "user:NAME", "agent:NAME" or "file".

    Raises InvalidInput, Conflict for a SKU that another variant of the organisation has.
    """
    return get(tx, create_many(tx, organisation_id, [new], origin=origin)[0])


def create_many(
    tx: Tx, organisation_id: uuid.UUID, new: Sequence[NewProduct], *, origin: str, is_audited: bool = True
) -> list[uuid.UUID]:
    """Create products with few statements for all; return their ids. Raises as `create`, and creates none then."""
    now = tx.now()
    products: list[dict[str, Any]] = []
    variants: list[dict[str, Any]] = []
    for one in new:
        if not 1 <= len(one.variants) <= rules.MOST_VARIANTS:
            raise InvalidInput(f"A product has 1 to {rules.MOST_VARIANTS:,} variants.")
        columns = rules.product_columns({name: getattr(one, name) for name in rules.PRODUCT_NAMES})
        product_id = ids.new()
        products.append({"id": product_id, "organisation_id": organisation_id, **columns,
                         "origins": _origins(columns, origin, now)})  # fmt: skip
        variants += [
            _variant(product_id, organisation_id, variant, position=position, origin=origin, now=now)
            for position, variant in enumerate(one.variants)
        ]
    with _unique_skus():
        _refuse_taken(tx, organisation_id, [one["sku"] for one in variants])
        with tx.session.begin_nested():
            tx.execute(sa.insert(ProductRow), products)
            tx.execute(sa.insert(VariantRow), variants)
    events.emit_many(tx, [
        _event(one["id"], organisation_id, "product.created", one["title"], origin=origin) for one in products
    ])  # fmt: skip
    if is_audited:
        for made in products:
            audit.note(tx, "product.created", f"product:{made['id']}", after={"title": made["title"]})
    return [one["id"] for one in products]


def change(
    tx: Tx, product_id: uuid.UUID, changes: Mapping[str, Any], *, origin: str, version: int | None = None
) -> bool:
    """Change fields of a product: title, description, status, brand, categories, images, attributes.

    Values are those of the shop contract; fields that are not named stay. False if nothing differs. Raises NotFound,
    InvalidInput, Conflict if `version` is not the product's any more.
    """
    before = get(tx, product_id, is_locked=True)
    _check_version(before, version)
    return bool(_change_locked(tx, {product_id: (before, changes)}, origin=origin, is_audited=True))


def change_many(
    tx: Tx, changes: Mapping[uuid.UUID, Mapping[str, Any]], *, origin: str, is_audited: bool = True
) -> set[uuid.UUID]:
    """Change several products with few statements for all; return those that differed. Raises as `change`."""
    row = ProductRow
    query = sa.select(row).where(among(row.id, changes)).order_by(row.id).with_for_update(key_share=True)
    found = {one.id: one for one in tx.session.scalars(query, execution_options={"populate_existing": True})}
    if len(found) < len(changes):
        raise _no_product()
    wanted = {product_id: (found[product_id], values) for product_id, values in changes.items()}
    return _change_locked(tx, wanted, origin=origin, is_audited=is_audited)


def change_variant(tx: Tx, variant_id: uuid.UUID, changes: Mapping[str, Any], *, origin: str) -> bool:
    """Change fields of a variant: sku, title, options, barcode, price, cost, floor (Money or None).

    False if nothing differs. Raises NotFound, InvalidInput, Conflict for a SKU that another variant has.
    """
    return bool(change_variants(tx, {variant_id: changes}, origin=origin))


def change_variants(
    tx: Tx, changes: Mapping[uuid.UUID, Mapping[str, Any]], *, origin: str, is_audited: bool = True
) -> set[uuid.UUID]:
    """Change several variants with few statements for all; return those that differed. Raises as `change_variant`."""
    product_ids = _products_of(tx, changes)
    products = _lock_products(tx, set(product_ids.values()))
    row = VariantRow
    query = sa.select(row).where(among(row.id, changes), row.removed_at.is_(None)).order_by(row.id)
    query = query.with_for_update(key_share=True)
    found = {one.id: one for one in tx.session.scalars(query, execution_options={"populate_existing": True})}
    if len(found) < len(changes):
        raise _no_variant()
    now = tx.now()
    updates: list[dict[str, Any]] = []
    fields: dict[uuid.UUID, list[str]] = {}
    for variant_id, values in changes.items():
        before = found[variant_id]
        columns = _differing(before, rules.variant_columns(values, before.currency))
        if columns:
            fields[variant_id] = sorted(rules.field_of(name) for name in columns)
            updates.append({"id": variant_id, **columns, "updated_at": now,
                            "origins": {**before.origins, **_origins(columns, origin, now)}})  # fmt: skip
            if is_audited:
                old = {name: getattr(before, name) for name in columns}
                audit.note_change(tx, "variant.changed", f"product:{before.product_id}", old, columns)
    with _unique_skus():
        for organisation_id in {one.organisation_id for one in found.values()}:
            own = {one["id"]: one["sku"] for one in updates
                   if "sku" in one and found[one["id"]].organisation_id == organisation_id}  # fmt: skip
            _refuse_taken(tx, organisation_id, list(own.values()), exclude=own)
        with tx.session.begin_nested():
            _update(tx, VariantRow, updates)
    touched: dict[uuid.UUID, set[str]] = defaultdict(set)
    for variant_id, names in fields.items():
        touched[product_ids[variant_id]] |= {f"variant.{name}" for name in names}
    _touch(tx, products, touched, origin=origin, now=now)
    return set(fields)


def add_variant(tx: Tx, product_id: uuid.UUID, new: NewVariant, *, origin: str) -> VariantRow:
    """Add a variant to a product, after the others. Raises NotFound, InvalidInput, Conflict for a taken SKU."""
    product = get(tx, product_id, is_locked=True)
    return tx.session.get_one(VariantRow, add_variants(tx, [(product, new)], origin=origin)[0])


def remove_variant(tx: Tx, variant_id: uuid.UUID, *, origin: str) -> None:
    """Remove a variant; its stock and its orders stay in the history. Raises NotFound, Conflict for the last one."""
    product_id = _products_of(tx, [variant_id])[variant_id]
    product = get(tx, product_id, is_locked=True)
    present = {one.id: one for one in variants_of(tx, [product_id])[product_id]}
    if variant_id not in present:
        raise _no_variant()
    if len(present) == 1:
        raise Conflict("A product has at least one variant.", fix="Archive the product instead.")
    now = tx.now()
    _update(tx, VariantRow, [{"id": variant_id, "removed_at": now, "updated_at": now}])
    _touch(tx, {product_id: product}, {product_id: {"variants"}}, origin=origin, now=now)
    audit.note(tx, "variant.removed", f"product:{product_id}", before={"sku": present[variant_id].sku})


def lock(tx: Tx, product_ids: Collection[uuid.UUID]) -> None:
    """Lock products and their variants until the transaction ends, in the order of their ids. Raises NotFound."""
    _lock_products(tx, product_ids)
    row = VariantRow
    of_them = sa.select(row.id).where(among(row.product_id, product_ids)).order_by(row.id)
    tx.execute(of_them.with_for_update(key_share=True))


def get(tx: Tx, product_id: uuid.UUID, *, is_locked: bool = False) -> ProductRow:
    """Return a product as it is now. Raises NotFound."""
    return _lock_products(tx, [product_id], is_locked=is_locked)[product_id]


def products(tx: Tx, product_ids: Collection[uuid.UUID]) -> list[ProductRow]:
    """Return products as they are now, in the order of their ids. Raises NotFound."""
    return list(_lock_products(tx, product_ids, is_locked=False).values())


def add_variants(
    tx: Tx, new: Sequence[tuple[ProductRow, NewVariant]], *, origin: str, is_audited: bool = True
) -> list[uuid.UUID]:
    """Add variants to products whose rows are locked, with few statements for all; return their ids.

    Raises InvalidInput, Conflict for a taken SKU.
    """
    if not new:
        return []
    row, now = VariantRow, tx.now()
    products = {product.id: product for product, _ in new}
    known = sa.select(row.product_id, sa.func.count().label("number"), sa.func.max(row.position).label("last"))
    known = known.where(among(row.product_id, products)).group_by(row.product_id)
    places = {one.product_id: (one.number, one.last) for one in tx.execute(known)}
    values = []
    for product, variant in new:
        number, last = places.get(product.id, (0, -1))
        if number >= rules.MOST_VARIANTS:
            raise InvalidInput(f"A product has at most {rules.MOST_VARIANTS:,} variants.")
        places[product.id] = number + 1, last + 1
        values.append(_variant(product.id, product.organisation_id, variant, position=last + 1, origin=origin, now=now))
    with _unique_skus():
        for organisation_id in {one.organisation_id for one in products.values()}:
            own = [one["sku"] for one in values if one["organisation_id"] == organisation_id]
            _refuse_taken(tx, organisation_id, own)
        with tx.session.begin_nested():
            tx.execute(sa.insert(row), values)
    _touch(tx, products, {product_id: {"variants"} for product_id in products}, origin=origin, now=now)
    for one in values if is_audited else ():
        audit.note(tx, "variant.created", f"product:{one['product_id']}", after={"sku": one["sku"]})
    return [one["id"] for one in values]


def variants_of(tx: Tx, product_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Sequence[VariantRow]]:
    """Return the variants of products that are not removed, in their order, by the id of the product."""
    row = VariantRow
    query = sa.select(row).where(among(row.product_id, product_ids), row.removed_at.is_(None))
    query = query.order_by(row.product_id, row.position, row.id)
    found: dict[uuid.UUID, list[VariantRow]] = {one: [] for one in product_ids}
    for one in tx.session.scalars(query, execution_options={"populate_existing": True}):
        found[one.product_id].append(one)
    return found


def product_values(product: ProductRow, variants: Sequence[VariantRow]) -> ShopProduct:
    """Return the catalogue's side of a product as the contract's value. Its ids are empty; variants are in the order
    in which they are given, and without stock.
    """
    return ShopProduct(
        key=rules.slug(product.title), title=product.title, description=product.description,
        status=ProductStatus(product.status), categories=tuple(product.categories),
        images=images_of(product), variants=tuple(variant_values(one) for one in variants),
        updated_at=product.updated_at,
    )  # fmt: skip


def variant_values(variant: VariantRow) -> ShopVariant:
    """Return a variant as the contract's value, without id and stock."""
    return ShopVariant(
        sku=variant.sku, title=variant.title, options=dict(variant.options), price=amount(variant, "price"),
        barcode=variant.barcode, updated_at=variant.updated_at,
    )  # fmt: skip


def amount(variant: VariantRow, name: str) -> Money | None:
    """Return an amount of a variant by its name: price, cost or floor."""
    minor = getattr(variant, f"{name}_minor")
    return None if minor is None else Money(minor, variant.currency)


def images_of(product: ProductRow) -> tuple[ProductImage, ...]:
    """Return the images of a product, in order."""
    return tuple(ProductImage(one["url"], one["alt_text"], one["digest"]) for one in product.images)


def _check_version(product: ProductRow, version: int | None) -> None:
    if version is not None and version != product.version:
        raise Conflict("The product was changed meanwhile.", fix="Look at it again, then repeat your change.")


def _change_locked(
    tx: Tx, wanted: Mapping[uuid.UUID, tuple[ProductRow, Mapping[str, Any]]], *, origin: str, is_audited: bool
) -> set[uuid.UUID]:
    now = tx.now()
    updates: list[dict[str, Any]] = []
    touched: dict[uuid.UUID, set[str]] = {}
    for product_id, (before, values) in wanted.items():
        columns = _differing(before, rules.product_columns(values))
        if columns:
            touched[product_id] = set(columns)
            updates.append({"id": product_id, **columns,
                            "origins": {**before.origins, **_origins(columns, origin, now)}})  # fmt: skip
            if is_audited:
                old = {name: getattr(before, name) for name in columns}
                audit.note_change(tx, "product.changed", f"product:{product_id}", old, columns)
    _update(tx, ProductRow, updates)
    new_titles = {one["id"]: one["title"] for one in updates if "title" in one}
    products = {product_id: before for product_id, (before, _) in wanted.items()}
    _touch(tx, products, touched, origin=origin, now=now, titles=new_titles)
    return set(touched)


def _touch(
    tx: Tx, products: Mapping[uuid.UUID, ProductRow], touched: Mapping[uuid.UUID, set[str]], *, origin: str,
    now: datetime, titles: Mapping[uuid.UUID, str] | None = None,
) -> None:  # fmt: skip
    """Count a change of products, whose rows are locked, and emit one event for each."""
    if not touched:
        return
    row = ProductRow
    counted = sa.update(row).where(among(row.id, touched)).values(version=row.version + 1, updated_at=now)
    tx.execute(counted.execution_options(synchronize_session=False))
    events.emit_many(tx, [
        _event(one, products[one].organisation_id, "product.changed", (titles or {}).get(one, products[one].title),
               fields=sorted(fields), origin=origin)
        for one, fields in touched.items()
    ])  # fmt: skip


def _lock_products(
    tx: Tx, product_ids: Collection[uuid.UUID], *, is_locked: bool = True
) -> dict[uuid.UUID, ProductRow]:
    query = sa.select(ProductRow).where(among(ProductRow.id, product_ids)).order_by(ProductRow.id)
    if is_locked:
        # Not FOR UPDATE: that would wait for every insert that refers to the product.
        query = query.with_for_update(key_share=True)
    found = {one.id: one for one in tx.session.scalars(query, execution_options={"populate_existing": True})}
    if len(found) < len(set(product_ids)):
        raise _no_product()
    return found


def _products_of(tx: Tx, variant_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    row = VariantRow
    query = sa.select(row.id, row.product_id).where(among(row.id, variant_ids), row.removed_at.is_(None))
    found = {one.id: one.product_id for one in tx.execute(query)}
    if len(found) < len(variant_ids):
        raise _no_variant()
    return found


def _update(tx: Tx, table: type[ProductRow | VariantRow], updates: Sequence[dict[str, Any]]) -> None:
    """Update rows by their ids; those that set the same columns go in one batch."""
    batches: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in updates:
        batches[tuple(sorted(one))].append(one)
    for columns, batch in batches.items():
        values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in columns if name != "id"}
        whole: Any = table.__table__  # the ORM's update by key would expect its own names of parameters
        statement = sa.update(whole).where(whole.c.id == sa.bindparam("new_id")).values(values)
        tx.execute(statement, [{f"new_{name}": value for name, value in one.items()} for one in batch])


def _differing(before: ProductRow | VariantRow, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if getattr(before, name) != value}


def _variant(
    product_id: uuid.UUID, organisation_id: uuid.UUID, new: NewVariant, *, position: int, origin: str,
    now: datetime,
) -> dict[str, Any]:  # fmt: skip
    currency = rules.checked_currency(new.currency)
    columns = rules.variant_columns({name: getattr(new, name) for name in rules.VARIANT_NAMES}, currency)
    return {"id": ids.new(), "product_id": product_id, "organisation_id": organisation_id, "currency": currency,
            "position": position, **columns, "origins": _origins(columns, origin, now)}  # fmt: skip


def _origins(columns: Mapping[str, Any], origin: str, now: datetime) -> dict[str, Any]:
    stamp = {"from": origin[:120], "at": now.isoformat()}
    return {rules.field_of(name): stamp for name in columns}


def _refuse_taken(tx: Tx, organisation_id: uuid.UUID, skus: Sequence[str], exclude: Collection[uuid.UUID] = ()) -> None:
    """Refuse SKUs that variants have, or that are given twice, with their names: the index names none."""
    named = [one for one in skus if one]
    row = VariantRow
    taken = {one for one, number in Counter(named).items() if number > 1}
    query = sa.select(row.sku).where(
        row.organisation_id == organisation_id, row.sku == sa.any_(sa.literal(named, ARRAY(sa.String)))
    )
    query = query.where(row.removed_at.is_(None), ~among(row.id, exclude))
    taken |= set(tx.session.scalars(query)) if named else set()
    if taken:
        raise _taken(sorted(taken))


@contextmanager
def _unique_skus() -> Iterator[None]:
    try:
        yield
    except sa.exc.IntegrityError as error:
        if "uq_product_variants_sku" not in str(error.orig):
            raise
        raise _taken([]) from None


def _taken(skus: Sequence[str]) -> Conflict:
    named = ", ".join(skus[:_MOST_NAMED]) + (" ..." if len(skus) > _MOST_NAMED else "")
    return Conflict(f"Another variant has the SKU {named}".rstrip() + ".", fix="A SKU is unique: choose another.")


def _no_product() -> NotFound:
    return NotFound("There is no such product.", fix="`fleet products list` shows them.")


def _no_variant() -> NotFound:
    return NotFound("There is no such variant.", fix="`fleet products list` shows products.")


def _event(product_id: uuid.UUID, organisation_id: uuid.UUID, subject: str, title: str, **more: Any) -> dict[str, Any]:
    payload = {"organisation": str(organisation_id), "product": str(product_id), "title": title, **more,
               "page": f"/products/{product_id}"}  # fmt: skip
    return {"subject": subject, "agent_id": None, "job_id": None, "payload": payload}
