"""Plant discrepancies of every type and size in a shop and in the catalogue, by a seed; tell what should be found."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.adapters.shops import Money
from fleet.sandbox.shop.store import tables
from tests.features.stores.world import StoreWorld

NOISE = ("spaces", "html", "case", "cent")
KINDS = ("price", "stock", "title", "description", "status", "both", "deleted", "replaced", "new", *NOISE)


@dataclass(frozen=True, slots=True)
class Planted:
    """A discrepancy that was planted on the product of a key; `type` empty: noise, which is no discrepancy."""

    key: str
    type: str
    severity: str = ""
    moved: str = ""


def plant(world: StoreWorld, number: int, seed: int) -> list[Planted]:
    """Fill the shop, sync it, then change one product for each of so many discrepancies, and four for noise."""
    rng = random.Random(seed)
    kinds = [KINDS[place % len(KINDS)] for place in range(number)]
    rng.shuffle(kinds)
    keys = [f"lamp{place:03}" for place in range(number)]
    made = {
        key: world.shop.add(key, price=rng.randint(500, 9000), on_hand=rng.randint(100, 200))
        for key, kind in zip(keys, kinds, strict=True) if kind != "new"
    }  # fmt: skip
    for place in range(number):  # what is not touched, so that missing products are believed
        world.shop.add(f"calm{place:03}")
    world.sync()
    planted = [_plant(world, rng, kind, key, made.get(key)) for key, kind in zip(keys, kinds, strict=True)]
    age(world)
    return planted


def age(world: StoreWorld) -> None:
    """Let all changes have happened a day ago: none is so new that the next sync would see it."""
    old = sa.func.clock_timestamp() - sa.text("interval '1 day'")
    with world.shop.shop.storage.transaction() as tx:
        for table in (tables.products, tables.variants):
            tx.execute(sa.update(table).values(updated_at=old))
    for table in ("products", "product_variants"):
        world.fleet.sql(f"""UPDATE {table} SET origins = (SELECT coalesce(jsonb_object_agg(key, value
            || jsonb_build_object('at', clock_timestamp() - interval '1 day')), '{{}}') FROM jsonb_each(origins))""")
    world.fleet.sql("UPDATE stock_movements SET at = at - interval '1 day'")


def _plant(world: StoreWorld, rng: random.Random, kind: str, key: str, product: dict[str, Any] | None) -> Planted:
    shop = world.shop
    if kind == "new" or product is None:
        shop.add(key)
        return Planted(key, "missing_local", "medium", "remote")
    there, variant, sku, title = product["id"], product["variants"][0]["id"], f"{key}-1", key.title()
    is_local = rng.random() < 0.5
    side = "local" if is_local else "remote"
    apart = rng.choice((2, 50, 400))
    price = product["variants"][0]["priceMinor"]
    if kind == "price":
        world.change(sku, price=Money(price + apart, "EUR")) if is_local else shop.set_price(variant, price + apart)
        return Planted(key, "price_drift", "low", side)
    if kind == "stock":
        units, severity = rng.choice(((3, "low"), (5, "low"), (6, "medium"), (50, "medium"), (51, "critical")))
        now = shop.on_hand(variant) - units
        world.count(sku, now) if is_local else shop.set_stock(variant, now)
        return Planted(key, "inventory_drift", severity, side)
    if kind in ("title", "description", "status"):
        value = {"title": f"{title} new", "description": f"<p>Another lamp {key}.</p>", "status": "draft"}[kind]
        world.change_product(title, **{kind: value}) if is_local else shop.change(there, **{kind: value})
        return Planted(key, "data_mismatch", "high", side)
    if kind == "both":
        world.change(sku, price=Money(price + 100, "EUR"))
        shop.set_price(variant, price + 300)
        return Planted(key, "price_drift", "low", "both")
    if kind in ("deleted", "replaced"):
        shop.delete(there)
        if kind == "replaced":
            shop.add(key)
        return Planted(key, "missing_remote", "high", "remote")
    noise: dict[str, Callable[[], None]] = {
        "spaces": lambda: shop.change(there, description=f"  About\u00a0{key}.\n"),
        "html": lambda: shop.change(there, description=f"<p>About <b>{key}</b>.</p>"),
        "case": lambda: shop.change(there, title=title.upper()),
        "cent": lambda: shop.set_price(variant, price + 1),
    }
    noise[kind]()
    return Planted(key, "")
