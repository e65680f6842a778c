"""Endpoints of stock levels."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from fleet.sandbox.shop.api import bodies
from fleet.sandbox.shop.api.bodies import LevelsBody
from fleet.sandbox.shop.state import ShopDep, authorised
from fleet.sandbox.shop.store import stock

Named = Annotated[str, Query(max_length=2000, pattern=r"^[0-9,]*$")]

router = APIRouter(prefix="/api/stock", dependencies=[Depends(authorised)])


@router.get("")
def list_stock(shop: ShopDep, cursor: bodies.CursorText = "", limit: bodies.Limit = 100,
               variants: Named = "") -> dict[str, Any]:  # fmt: skip
    """Return a page of the stock of all variants, or the stock of those that are named, separated by commas."""
    with shop.storage.transaction() as tx:
        if variants:
            named = [bodies.row_id(one, "Variant") for one in variants.split(",") if one]
            return {"items": stock.of_variants(tx, named), "cursor": None}
        variant_id, location_id = bodies.numbers(cursor, 2)
        found = stock.page(tx, after=(variant_id, location_id), limit=limit)
    position = bodies.written(found[-1]["variantId"], found[-1]["locationId"]) if len(found) == limit else None
    return {"items": found, "cursor": position}


@router.put("")
def set_stock(body: LevelsBody, shop: ShopDep) -> dict[str, Any]:
    """Set the units on hand of several variants: of all, or of none where one is not as expected."""
    with shop.change() as tx:
        for variant_id, product_id in stock.set_levels(tx, [one.model_dump() for one in body.changes]):
            shop.events.add(tx, "stock", product_id=product_id, variant_id=variant_id)
    return {"changed": [one.variant_id for one in body.changes]}
