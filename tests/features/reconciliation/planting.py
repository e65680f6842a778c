"""Plant discrepancies of every type and size in a shop and in the catalogue, by a seed; tell what should be found."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from fleet.adapters.shops import Money
from fleet.features.products.models import VariantRow
from fleet.features.reconciliation import service
from fleet.features.reconciliation.models import DiscrepancyRow
from fleet.sandbox.shop.store import tables
from tests.features.reconciliation.shown import compare, rows
from tests.features.stores.world import StoreWorld

NOISE = ("spaces", "html", "case", "cent")
KINDS = ("price", "stock", "title", "description", "status", "both", "deleted", "replaced", "new", *NOISE)
SURE = 0.95
Shown = tuple[str, str, str, int, int]
"""Title, description, status, price in minor units of EUR, and units on hand."""


class PlantingGround(Protocol):
    """A shop in which discrepancies are planted by hand. A product of a key has one variant, with the SKU KEY-1."""

    def add(self, key: str, *, price: int, on_hand: int) -> None:
        """Add a product with the title Key and the description "About key."."""

    def change(self, key: str, **fields: str) -> None:
        """Change the title, the description or the status of a product."""

    def set_price(self, key: str, minor: int) -> None: ...

    def set_stock(self, key: str, on_hand: int) -> None: ...

    def delete(self, key: str) -> None: ...

    def shown(self) -> Mapping[str, Shown]:
        """Return all products by key, as the shop itself reads them."""

    def age(self) -> None:
        """Let all changes of the shop have happened a day ago."""


@dataclass(frozen=True, slots=True)
class SandboxGround:
    """The sandbox shop."""

    world: StoreWorld

    def add(self, key: str, *, price: int, on_hand: int) -> None:
        """Add a product."""
        self.world.shop.add(key, price=price, on_hand=on_hand)

    def change(self, key: str, **fields: str) -> None:
        """Change fields of a product."""
        self.world.shop.change(self._product(key)["id"], **fields)

    def set_price(self, key: str, minor: int) -> None:
        """Change a price."""
        self.world.shop.set_price(self._product(key)["variants"][0]["id"], minor)

    def set_stock(self, key: str, on_hand: int) -> None:
        """Count stock."""
        self.world.shop.set_stock(self._product(key)["variants"][0]["id"], on_hand)

    def delete(self, key: str) -> None:
        """Delete a product."""
        self.world.shop.delete(self._product(key)["id"])

    def shown(self) -> Mapping[str, Shown]:
        """Return all products."""
        return {
            key: (one["title"], one["description"], one["status"], one["variants"][0]["priceMinor"],
                  self.world.shop.on_hand(one["variants"][0]["id"]))
            for key, one in self.world.shop.products().items()
        }  # fmt: skip

    def age(self) -> None:
        """Move the times of products and variants."""
        old = sa.func.clock_timestamp() - sa.text("interval '1 day'")
        with self.world.shop.shop.storage.transaction() as tx:
            for table in (tables.products, tables.variants):
                tx.execute(sa.update(table).values(updated_at=old))

    def _product(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.world.shop.products()[key]
        return found


@dataclass(frozen=True, slots=True)
class Planted:
    """A discrepancy that was planted on the product of a key; `type` empty: noise, which is no discrepancy."""

    key: str
    type: str
    severity: str = ""
    moved: str = ""


def check_planted(world: StoreWorld, ground: PlantingGround, number: int, seed: int) -> None:
    """Plant, and fail unless all is found, the sure ones alone are fixed, and all fixes can be undone."""
    planted = plant(world, ground, number, seed)
    expected = sorted((one for one in planted if one.type), key=str)
    before = _sides(world, ground)
    world.setting("reconcile_ask_from", "never")
    run = compare(world)
    assert (run.state, run.problem) == ("done", "")
    found = _found(world)
    assert found == expected, (set(found) - set(expected), set(expected) - set(found))
    ended = world.work()
    assert {one.state for one in rows(world) if one.confidence >= SURE} == {"fixed"}, _unfinished(ended)
    assert {one.state for one in rows(world) if one.confidence < SURE} == {"open"}
    sure = [one for one in rows(world) if one.state == "fixed"]
    assert len(sure) == run.counts["fixed"] > 0
    assert _sides(world, ground) != before
    again = compare(world)  # what is fixed agrees, what is not is found again and is no second row
    assert again.counts["new"] == again.counts["fixed"] == 0
    assert len(rows(world)) == len(expected)
    done = service.undo(world.fleet.deps, [one.id for one in sure], by="web:ana")
    assert (done.changed, done.problems) == (len(sure), [])
    ended = world.work()
    assert {one.state for one in rows(world) if one.confidence >= SURE} == {"undone"}, _unfinished(ended)
    assert _differing(before, _sides(world, ground)) == {}
    last = compare(world)  # what a person undid is not fixed again
    assert (last.counts["fixed"], last.counts["new"]) == (0, 0)


def _unfinished(jobs: list[Any]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.state, str(one.error)) for one in jobs if one.state != "done"]


def _differing(before: Any, after: Any) -> dict[str, Any]:
    return {
        f"{side} {key}": (old.get(key), new.get(key))
        for side, old, new in zip(("here", "there"), before, after, strict=True)
        for key in {*old, *new} if old.get(key) != new.get(key)
    }  # fmt: skip


def _sides(world: StoreWorld, ground: PlantingGround) -> tuple[Mapping[str, Any], Mapping[str, Shown]]:
    """Return what the catalogue and the shop have, without ids and times."""
    with world.fleet.deps.db.transaction() as tx:
        variants = {one.product_id: one for one in tx.session.scalars(sa.select(VariantRow))}
    here = {
        one.title: (one.description, one.status, variants[one.id].price_minor, world.on_hand(variants[one.id].sku))
        for one in world.products().values()
    }
    return here, ground.shown()


def _found(world: StoreWorld) -> list[Planted]:
    return sorted((Planted(_key_of(one), one.type, one.severity, one.moved) for one in rows(world)), key=str)


def _key_of(row: DiscrepancyRow) -> str:
    return row.about.split()[0].lower()


def plant(world: StoreWorld, ground: PlantingGround, number: int, seed: int) -> list[Planted]:
    """Fill the shop, sync it, then change one product for each of so many discrepancies, and four for noise.

    The shop needs other products besides: missing ones are not believed if they are a fifth of what is known.
    """
    rng = random.Random(seed)
    kinds = [KINDS[place % len(KINDS)] for place in range(number)]
    rng.shuffle(kinds)
    keys = [f"lamp{place:03}" for place in range(number)]
    amounts = {key: (rng.randint(500, 9000), rng.randint(100, 200)) for key in keys}
    for key, kind in zip(keys, kinds, strict=True):
        if kind != "new":
            ground.add(key, price=amounts[key][0], on_hand=amounts[key][1])
    assert (run := world.sync()).state == "done", run.problem
    planted = [_plant(world, ground, rng, kind, key, *amounts[key]) for key, kind in zip(keys, kinds, strict=True)]
    age(world, ground)
    return planted


def age(world: StoreWorld, ground: PlantingGround | None = None) -> None:
    """Let all changes have happened a day ago: none is so new that the next sync would see it."""
    (ground or SandboxGround(world)).age()
    for table in ("products", "product_variants"):
        world.fleet.sql(f"""UPDATE {table} SET origins = (SELECT coalesce(jsonb_object_agg(key, value
            || jsonb_build_object('at', clock_timestamp() - interval '1 day')), '{{}}') FROM jsonb_each(origins))""")
    world.fleet.sql("UPDATE stock_movements SET at = at - interval '1 day'")


def _plant(
    world: StoreWorld, ground: PlantingGround, rng: random.Random, kind: str, key: str, price: int, on_hand: int
) -> Planted:  # fmt: skip
    if kind == "new":
        ground.add(key, price=price, on_hand=on_hand)
        return Planted(key, "missing_local", "medium", "remote")
    sku, title = f"{key}-1", key.title()
    is_local = rng.random() < 0.5
    side = "local" if is_local else "remote"
    if kind == "price":
        new = price + rng.choice((2, 50, 400))
        world.change(sku, price=Money(new, "EUR")) if is_local else ground.set_price(key, new)
        return Planted(key, "price_drift", "low", side)
    if kind == "stock":
        units, severity = rng.choice(((3, "low"), (5, "low"), (6, "medium"), (50, "medium"), (51, "critical")))
        world.count(sku, on_hand - units) if is_local else ground.set_stock(key, on_hand - units)
        return Planted(key, "inventory_drift", severity, side)
    if kind in ("title", "description", "status"):
        value = {"title": f"{title} new", "description": f"<p>Another lamp {key}.</p>", "status": "draft"}[kind]
        world.change_product(title, **{kind: value}) if is_local else ground.change(key, **{kind: value})
        return Planted(key, "data_mismatch", "high", side)
    if kind == "both":
        world.change(sku, price=Money(price + 100, "EUR"))
        ground.set_price(key, price + 300)
        return Planted(key, "price_drift", "low", "both")
    if kind in ("deleted", "replaced"):
        ground.delete(key)
        if kind == "replaced":
            ground.add(key, price=price, on_hand=on_hand)
        return Planted(key, "missing_remote", "high", "remote")
    noise: dict[str, Callable[[], None]] = {
        "spaces": lambda: ground.change(key, description=f"  About\u00a0{key}.\n"),
        "html": lambda: ground.change(key, description=f"<p>About <b>{key}</b>.</p>"),
        "case": lambda: ground.change(key, title=title.upper()),
        "cent": lambda: ground.set_price(key, price + 1),
    }
    noise[kind]()
    return Planted(key, "")
