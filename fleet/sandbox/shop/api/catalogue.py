"""Endpoints of products and their variants."""

from __future__ import annotations

import re
import secrets
import unicodedata
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header

from fleet.core import clock
from fleet.sandbox.shop.api import bodies
from fleet.sandbox.shop.api.bodies import NewVariantsBody, ProductBody, ProductChangeBody, VariantsBody
from fleet.sandbox.shop.state import Shop, ShopDep, authorised
from fleet.sandbox.shop.store import answers, products, stock

router = APIRouter(prefix="/api", dependencies=[Depends(authorised)])

KeyHeader = Annotated[str, Header(alias="Idempotency-Key", max_length=200)]


@router.get("/shop")
def show_shop(shop: ShopDep) -> dict[str, Any]:
    """Return the shop: its name, currency, locations and time."""
    with shop.storage.transaction() as tx:
        places = stock.all_locations(tx)
    return {
        "name": shop.config.title, "currency": shop.config.currency, "locations": places, "url": shop.config.base_url,
        "clock": clock.now().isoformat(),
    }  # fmt: skip


@router.get("/products")
def list_products(shop: ShopDep, cursor: bodies.CursorText = "", limit: bodies.Limit = 50, *,
                  sku: str = "", key: str = "", since: datetime | None = None) -> dict[str, Any]:  # fmt: skip
    """Return a page of products: by id, those that changed at or after `since`, or those with a SKU or a key."""
    with shop.storage.transaction() as tx:
        if sku or key:
            return {"items": [_shown(shop, one) for one in products.find(tx, sku=sku, key=key)], "cursor": None}
        if since is not None:
            after = bodies.change_position(cursor)
            found = products.changed(tx, since=bodies.aware(since), after=after, limit=limit)
            position = bodies.written(found[-1]["updatedAt"], found[-1]["id"]) if len(found) == limit else None
        else:
            found = products.page(tx, after=bodies.numbers(cursor, 1)[0], limit=limit)
            position = bodies.written(found[-1]["id"]) if len(found) == limit else None
        total = products.total(tx)
    return {"items": [_shown(shop, one) for one in found], "cursor": position, "total": total}


@router.get("/products/{product_id}")
def show_product(product_id: str, shop: ShopDep) -> dict[str, Any]:
    """Return one product."""
    with shop.storage.transaction() as tx:
        return {"product": _shown(shop, products.get(tx, bodies.row_id(product_id, "Product")))}


@router.post("/products", status_code=201)
def create_product(body: ProductBody, shop: ShopDep, key: KeyHeader = "") -> dict[str, Any]:
    """Create a product. A repeat under a known Idempotency-Key returns the first response."""
    request = body.model_dump(by_alias=True)
    with shop.change() as tx:
        is_honoured = bool(key) and answers.honours_keys(tx, configured=shop.config.honour_keys)
        if is_honoured and (known := answers.known(tx, key, request)) is not None:
            return known
        made = create(tx, shop, body)
        answer = {"product": _shown(shop, made)}
        if is_honoured:
            answers.store(tx, key, request, answer)
    return answer


def create(tx: sa.Connection, shop: Shop, body: ProductBody) -> dict[str, Any]:
    """Insert a product, with the event for webhooks."""
    values = body.model_dump()
    values["images"] = _own(shop, [one.model_dump(by_alias=True) for one in body.images])
    values["key"] = body.key or key_of(body.title)
    made = products.create(tx, values)
    shop.events.add(tx, "product", product_id=made["id"])
    return made


@router.patch("/products/{product_id}")
def change_product(product_id: str, body: ProductChangeBody, shop: ShopDep) -> dict[str, Any]:
    """Change some fields of a product, if it still has the expected values."""
    changes, expected = body.values(), body.expected.values()
    for values in (changes, expected):
        if "images" in values:
            values["images"] = _own(shop, values["images"])
    with shop.change() as tx:
        found = products.update(tx, bodies.row_id(product_id, "Product"), changes, expected)
        shop.events.add(tx, "product", product_id=product_id)
    return {"product": _shown(shop, found)}


@router.post("/products/{product_id}/variants", status_code=201)
def add_variants(product_id: str, body: NewVariantsBody, shop: ShopDep) -> dict[str, Any]:
    """Add variants to a product: all of them, or none."""
    with shop.change() as tx:
        new = [one.model_dump() for one in body.variants]
        found = products.add_variants(tx, bodies.row_id(product_id, "Product"), new)
        shop.events.add(tx, "product", product_id=product_id)
    return {"product": _shown(shop, found)}


@router.delete("/products/{product_id}")
def delete_product(product_id: str, shop: ShopDep) -> dict[str, Any]:
    """Delete a product."""
    with shop.change() as tx:
        products.delete(tx, bodies.row_id(product_id, "Product"))
        shop.events.add(tx, "product_deleted", product_id=product_id)
    return {"deleted": product_id}


@router.patch("/variants")
def change_variants(body: VariantsBody, shop: ShopDep) -> dict[str, Any]:
    """Change several variants: all of them, or none."""
    with shop.change() as tx:
        owners = products.update_variants(tx, [one.model_dump(exclude_none=True) for one in body.changes])
        for product_id in dict.fromkeys(owners):
            shop.events.add(tx, "product", product_id=product_id)
    return {"changed": [one.id for one in body.changes]}


def _shown(shop: Shop, product: dict[str, Any]) -> dict[str, Any]:
    base, currency = shop.config.base_url, shop.config.currency
    images = [{**one, "url": base + one["url"] if one["url"].startswith("/") else one["url"]}
              for one in product["images"]]  # fmt: skip
    variants = [{**one, "currency": currency} for one in product["variants"]]
    return {**product, "images": images, "variants": variants, "url": f"{base}/p/{product['key']}"}


def _own(shop: Shop, images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Store pictures of the shop itself without its address, which may be another one after the next start."""
    return [{**one, "url": one["url"].removeprefix(shop.config.base_url)} for one in images]


def key_of(title: str) -> str:
    """Return a new key made of a title."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80] or "product"
    return f"{stem}-{secrets.token_hex(2)}"
