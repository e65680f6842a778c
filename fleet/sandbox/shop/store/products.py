"""Products with their variants and images: read, created, changed, deleted.

Rows are given as the API returns them. A change that names `expected` values raises ApiError 409 when the shop has
others; nothing is written then.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.core import clock
from fleet.sandbox.gallery.errors import ApiError, not_found
from fleet.sandbox.shop.store.stock import set_first_stock
from fleet.sandbox.shop.store.tables import products, stock, variants

FIELDS = ("title", "description", "status", "categories", "images")


def page(tx: sa.Connection, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Return products by id, those after an id."""
    query = sa.select(products).where(products.c.id > after).order_by(products.c.id).limit(limit)
    return _with_variants(tx, tx.execute(query).mappings().all())


def changed(tx: sa.Connection, *, since: datetime, after: tuple[datetime, int] | None,
            limit: int) -> list[dict[str, Any]]:  # fmt: skip
    """Return products that changed at or after a time, those that changed first."""
    query = sa.select(products).where(products.c.updated_at >= since)
    if after is not None:
        query = query.where(sa.tuple_(products.c.updated_at, products.c.id) > sa.tuple_(*map(sa.literal, after)))
    query = query.order_by(products.c.updated_at, products.c.id).limit(limit)
    return _with_variants(tx, tx.execute(query).mappings().all())


def owners(tx: sa.Connection, variant_ids: Sequence[int]) -> dict[int, int]:
    """Return the products of variants, those of variants that are gone left out."""
    query = sa.select(variants.c.id, variants.c.product_id).where(variants.c.id.in_(variant_ids))
    return {int(row.id): int(row.product_id) for row in tx.execute(query.order_by(variants.c.id))}


def find(tx: sa.Connection, *, sku: str = "", key: str = "") -> list[dict[str, Any]]:
    """Return the products that have a SKU or a key."""
    named: list[sa.ColumnElement[bool]] = []
    if sku:
        named.append(products.c.id.in_(sa.select(variants.c.product_id).where(variants.c.sku == sku)))
    if key:
        named.append(products.c.key == key)
    query = sa.select(products).where(sa.or_(*named)).order_by(products.c.id).limit(100)
    return _with_variants(tx, tx.execute(query).mappings().all())


def total(tx: sa.Connection) -> int:
    """Return how many products there are."""
    return int(tx.scalar(sa.select(sa.func.count()).select_from(products)) or 0)


def get(tx: sa.Connection, product_id: int) -> dict[str, Any]:
    """Return a product. Raises ApiError 404."""
    row = tx.execute(sa.select(products).where(products.c.id == product_id)).mappings().one_or_none()
    if row is None:
        raise not_found("Product")
    return _with_variants(tx, [row])[0]


def create(tx: sa.Connection, new: Mapping[str, Any]) -> dict[str, Any]:
    """Create a product with its variants and their first stock.

    Raises ApiError 409 for a SKU or a key that is taken.
    """
    skus = [one["sku"] for one in new["variants"]]
    if len(set(skus)) < len(skus):
        raise ApiError(422, "VALIDATION_ERROR", "Two variants have the same SKU.")
    if taken := tx.scalar(sa.select(variants.c.sku).where(variants.c.sku.in_(skus)).limit(1)):
        raise ApiError(409, "SKU_TAKEN", f"Another product has the SKU {taken}.")
    if tx.scalar(sa.select(products.c.id).where(products.c.key == new["key"])):
        raise ApiError(409, "KEY_TAKEN", f"Another product has the key {new['key']}.")
    now = clock.now()
    values = {**{name: new[name] for name in ("key", *FIELDS)}, "created_at": now, "updated_at": now}
    values["images"] = _named(new["images"])
    product_id = tx.scalar(sa.insert(products).values(values).returning(products.c.id))
    _insert_variants(tx, int(product_id or 0), new["variants"])
    return get(tx, int(product_id or 0))


def add_variants(tx: sa.Connection, product_id: int, new: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add variants to a product, those left out whose SKU it has. Raises ApiError 404, 409 for a SKU that is taken."""
    query = sa.select(products.c.id).where(products.c.id == product_id).with_for_update()
    if tx.scalar(query) is None:
        raise not_found("Product")
    own = tx.execute(sa.select(variants.c.sku, variants.c.position).where(variants.c.product_id == product_id)).all()
    missing = [one for one in new if one["sku"] not in {row.sku for row in own}]
    skus = [one["sku"] for one in missing]
    if taken := tx.scalar(sa.select(variants.c.sku).where(variants.c.sku.in_(skus)).limit(1)):
        raise ApiError(409, "SKU_TAKEN", f"Another product has the SKU {taken}.")
    first = 1 + max((row.position for row in own), default=-1)
    _insert_variants(tx, product_id, missing, first=first)
    if missing:
        tx.execute(sa.update(products).where(products.c.id == product_id).values(updated_at=clock.now()))
    return get(tx, product_id)


def _insert_variants(tx: sa.Connection, product_id: int, new: Sequence[Mapping[str, Any]], *, first: int = 0) -> None:
    for position, one in enumerate(new, first):
        named = {name: one[name] for name in ("sku", "title", "options", "price_minor", "barcode")}
        values = {**named, "product_id": product_id, "position": position, "updated_at": clock.now()}
        variant_id = tx.scalar(sa.insert(variants).values(values).returning(variants.c.id))
        set_first_stock(tx, int(variant_id or 0), one["on_hand"])


def update(tx: sa.Connection, product_id: int, changes: Mapping[str, Any],
           expected: Mapping[str, Any]) -> dict[str, Any]:  # fmt: skip
    """Change some of `FIELDS`. Raises ApiError 404, 409."""
    found = tx.execute(
        sa.select(products).where(products.c.id == product_id).with_for_update()
    ).mappings().one_or_none()  # fmt: skip
    if found is None:
        raise not_found("Product")
    stale = {name: found[name] for name, value in expected.items() if _plain(found[name]) != _plain(value)}
    if stale:
        raise ApiError(409, "STALE", "The product has changed.", {"found": stale})
    values = dict(changes)
    if "images" in values:
        values["images"] = _named(values["images"])
    tx.execute(sa.update(products).where(products.c.id == product_id).values(**values, updated_at=clock.now()))
    return get(tx, product_id)


def update_variants(tx: sa.Connection, changes: Sequence[Mapping[str, Any]]) -> list[int]:
    """Change several variants, or none of them; return their products. Raises ApiError 404, 409."""
    touched = []
    for change in sorted(changes, key=lambda one: int(one["id"])):  # in one order: parallel writes do not deadlock
        variant_id = int(change["id"])
        query = sa.select(variants).where(variants.c.id == variant_id).with_for_update()
        found = tx.execute(query).mappings().one_or_none()
        if found is None:
            raise not_found(f"Variant {variant_id}")
        if change.get("expected_price_minor") not in (None, found["price_minor"]):
            raise ApiError(
                409, "STALE", "The price has changed.",
                {"found": {"variantId": str(variant_id), "priceMinor": found["price_minor"]}},
            )  # fmt: skip
        sku = change.get("sku")
        if sku and sku != found["sku"] and tx.scalar(sa.select(variants.c.id).where(variants.c.sku == sku)):
            raise ApiError(409, "SKU_TAKEN", f"Another product has the SKU {sku}.")
        values = {
            name: change[name] for name in ("sku", "title", "options", "price_minor", "barcode") if name in change
        }
        now = clock.now()
        tx.execute(sa.update(variants).where(variants.c.id == variant_id).values(**values, updated_at=now))
        tx.execute(sa.update(products).where(products.c.id == found["product_id"]).values(updated_at=now))
        touched.append(int(found["product_id"]))
    return touched


def delete(tx: sa.Connection, product_id: int) -> None:
    """Delete a product with its variants and their stock; orders keep their lines. Raises ApiError 404."""
    if not tx.execute(sa.delete(products).where(products.c.id == product_id)).rowcount:
        raise not_found("Product")


def _with_variants(tx: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[dict[str, Any]]:
    ids = [row["id"] for row in rows]
    sums = (
        sa.select(stock.c.variant_id, sa.func.sum(stock.c.on_hand).label("on_hand"),
                  sa.func.sum(stock.c.on_hand - stock.c.allocated).label("available"))
        .group_by(stock.c.variant_id).subquery()
    )  # fmt: skip
    query = (
        sa.select(variants, sa.func.coalesce(sums.c.on_hand, 0).label("on_hand"),
                  sa.func.coalesce(sums.c.available, 0).label("available"))
        .outerjoin(sums, sums.c.variant_id == variants.c.id).where(variants.c.product_id.in_(ids))
        .order_by(variants.c.product_id, variants.c.position, variants.c.id)
    )  # fmt: skip
    by_product: dict[int, list[dict[str, Any]]] = {product_id: [] for product_id in ids}
    for one in tx.execute(query).mappings() if ids else ():
        by_product[one["product_id"]].append(
            {
                "id": str(one["id"]),
                "sku": one["sku"],
                "title": one["title"],
                "options": one["options"],
                "priceMinor": one["price_minor"],
                "barcode": one["barcode"],
                "onHand": int(one["on_hand"]),
                "available": int(one["available"]),
                "updatedAt": one["updated_at"].isoformat(),
            }
        )
    return [
        {
            "id": str(row["id"]),
            "key": row["key"],
            "title": row["title"],
            "description": row["description"],
            "status": row["status"],
            "categories": row["categories"],
            "images": row["images"],
            "variants": by_product[row["id"]],
            "createdAt": row["created_at"].isoformat(),
            "updatedAt": row["updated_at"].isoformat(),
        }
        for row in rows
    ]


def _named(images: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give an id to each image that has none."""
    return [{"id": one.get("id") or secrets.token_hex(6), "url": one["url"], "altText": one.get("altText", "")}
            for one in images]  # fmt: skip


def _plain(value: Any) -> Any:
    """Return a value as it is compared: of images the addresses and alt texts, of categories the set."""
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], Mapping):
            return [(one["url"], one.get("altText", "")) for one in value]
        return sorted(value)
    return value
