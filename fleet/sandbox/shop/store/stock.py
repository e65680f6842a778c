"""Locations and stock. Orders allocate units and take them when they are shipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.sandbox.gallery.errors import ApiError, not_found
from fleet.sandbox.shop.store.tables import locations, stock, variants

LOCATIONS = ("Warehouse", "Shop floor")
"""A new shop has these. The first stock of a variant lies in the first one."""


def make_locations(tx: sa.Connection) -> None:
    """Create the locations of a shop that has none."""
    if tx.scalar(sa.select(sa.func.count()).select_from(locations)) == 0:
        tx.execute(insert(locations).on_conflict_do_nothing(), [{"name": name} for name in LOCATIONS])


def all_locations(tx: sa.Connection) -> list[dict[str, str]]:
    """Return the locations, the main one first."""
    query = sa.select(locations.c.id, locations.c.name).order_by(locations.c.id)
    return [{"id": str(row.id), "name": row.name} for row in tx.execute(query)]


def main_location(tx: sa.Connection) -> int:
    """Return the id of the location for whoever names none."""
    return int(tx.scalar(sa.select(sa.func.min(locations.c.id))) or 0)


def set_first_stock(tx: sa.Connection, variant_id: int, on_hand: int) -> None:
    """Insert the stock of a new variant: all of it in the main location."""
    main = main_location(tx)
    tx.execute(
        sa.insert(stock).from_select(
            ["variant_id", "location_id", "on_hand"],
            sa.select(sa.literal(variant_id), locations.c.id, sa.case((locations.c.id == main, on_hand), else_=0)),
        )
    )


def page(tx: sa.Connection, *, after: tuple[int, int], limit: int) -> list[dict[str, Any]]:
    """Return levels by variant and location, those after one of them."""
    key = sa.tuple_(stock.c.variant_id, stock.c.location_id)
    query = sa.select(stock).where(key > sa.tuple_(*map(sa.literal, after)))
    query = query.order_by(stock.c.variant_id, stock.c.location_id).limit(limit)
    return [_level(row) for row in tx.execute(query)]


def of_variants(tx: sa.Connection, variant_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the levels of some variants; unknown ones have none."""
    query = (
        sa.select(stock).where(stock.c.variant_id.in_(variant_ids)).order_by(stock.c.variant_id, stock.c.location_id)
    )
    return [_level(row) for row in tx.execute(query)]


def set_levels(tx: sa.Connection, changes: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Set the units on hand of several variants, or of none; return variant and product of those that changed.

    Raises ApiError 404, and 409 where a level is not the expected one.
    """
    main = main_location(tx)
    places = {(int(one["variant_id"]), int(one.get("location_id") or main)): one for one in changes}
    if len(places) < len(changes):
        raise ApiError(422, "VALIDATION_ERROR", "The stock of one variant at one location is set twice.")
    moved = []
    for (variant_id, location_id), change in sorted(places.items()):  # in one order: parallel writes do not deadlock
        row = tx.execute(
            sa.select(stock, variants.c.product_id).join(variants, variants.c.id == stock.c.variant_id)
            .where(stock.c.variant_id == variant_id, stock.c.location_id == location_id)
            .with_for_update(of=stock)
        ).one_or_none()  # fmt: skip
        if row is None:
            raise not_found(f"Stock of variant {variant_id} at location {location_id}")
        if change.get("expected") not in (None, row.on_hand):
            found = {"variantId": str(variant_id), "locationId": str(location_id), "onHand": row.on_hand}
            raise ApiError(409, "STALE", "The stock has changed.", {"found": found})
        if row.on_hand != change["on_hand"]:
            tx.execute(
                sa.update(stock).where(stock.c.variant_id == variant_id, stock.c.location_id == location_id)
                .values(on_hand=change["on_hand"])
            )  # fmt: skip
            moved.append((variant_id, int(row.product_id)))
    return moved


def allocate(tx: sa.Connection, variant_id: int, quantity: int) -> int | None:
    """Allocate units in one location that has them; return its id, None where no location has enough."""
    query = (
        sa.select(stock).where(stock.c.variant_id == variant_id).order_by(stock.c.location_id).with_for_update()
    )  # fmt: skip
    for row in tx.execute(query).all():
        if row.on_hand - row.allocated >= quantity:
            _move(tx, variant_id, row.location_id, allocated=quantity)
            return int(row.location_id)
    return None


def release(tx: sa.Connection, variant_id: int, location_id: int, quantity: int) -> None:
    """Give allocated units back."""
    _move(tx, variant_id, location_id, allocated=-quantity)


def ship(tx: sa.Connection, variant_id: int, location_id: int, quantity: int) -> None:
    """Take allocated units out of the location. Units that somebody has counted away meanwhile are not taken again."""
    _move(tx, variant_id, location_id, allocated=-quantity, on_hand=-quantity)


def _move(tx: sa.Connection, variant_id: int, location_id: int, *, allocated: int, on_hand: int = 0) -> None:
    tx.execute(
        sa.update(stock).where(stock.c.variant_id == variant_id, stock.c.location_id == location_id).values(
            allocated=sa.func.greatest(stock.c.allocated + allocated, 0),
            on_hand=sa.func.greatest(stock.c.on_hand + on_hand, 0),
        )
    )  # fmt: skip


def _level(row: Any) -> dict[str, Any]:
    return {"variantId": str(row.variant_id), "locationId": str(row.location_id), "onHand": row.on_hand,
            "allocated": row.allocated}  # fmt: skip
