"""Planted discrepancies of every type and size: all found, the sure ones fixed, and all fixes undone on request.

`PLANTED=390` in the environment plants 300, beside 90 forms of the same content; it takes a minute or two.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.features.products.models import VariantRow
from fleet.features.reconciliation import service
from fleet.features.reconciliation.models import DiscrepancyRow
from tests.features.reconciliation.planting import Planted, plant
from tests.features.reconciliation.shown import compare, rows
from tests.features.stores.world import StoreWorld, world
from tests.shops import ShopWorld

SURE = 0.95


@pytest.fixture
def planted_world(database_url: str, sandbox_shop: ShopWorld) -> Iterator[StoreWorld]:
    """A store both of whose sides are written."""
    with world(database_url, sandbox_shop) as made:
        made.setting("store_direction", "both")
        yield made


def sides(stores: StoreWorld) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the catalogue and the shop have, without ids and times."""
    with stores.fleet.deps.db.transaction() as tx:
        variants = {one.product_id: one for one in tx.session.scalars(sa.select(VariantRow))}
    here = {
        one.title: (one.description, one.status, variants[one.id].price_minor, stores.on_hand(variants[one.id].sku))
        for one in stores.products().values()
    }
    there = {
        key: (one["title"], one["description"], one["status"], one["variants"][0]["priceMinor"],
              stores.shop.on_hand(one["variants"][0]["id"]))
        for key, one in stores.shop.products().items()
    }  # fmt: skip
    return here, there


def key_of(row: DiscrepancyRow) -> str:
    return row.about.split()[0].lower()


def found(stores: StoreWorld) -> list[Planted]:
    return sorted((Planted(key_of(one), one.type, one.severity, one.moved) for one in rows(stores)), key=str)


def check_planted(stores: StoreWorld, number: int, seed: int) -> None:
    planted = plant(stores, number, seed)
    expected = sorted((one for one in planted if one.type), key=str)
    before = sides(stores)
    stores.setting("reconcile_ask_from", "never")
    run = compare(stores)
    assert (run.state, run.problem) == ("done", "")
    assert found(stores) == expected
    stores.work()
    assert {one.state for one in rows(stores) if one.confidence >= SURE} == {"fixed"}
    assert {one.state for one in rows(stores) if one.confidence < SURE} == {"open"}
    sure = [one for one in rows(stores) if one.state == "fixed"]
    assert len(sure) == run.counts["fixed"] > 0
    after = sides(stores)
    assert after != before
    again = compare(stores)  # what is fixed agrees, what is not is found again and is no second row
    assert again.counts["new"] == again.counts["fixed"] == 0
    assert len(rows(stores)) == len(expected)
    done = service.undo(stores.fleet.deps, [one.id for one in sure], by="web:ana")
    assert (done.changed, done.problems) == (len(sure), [])
    stores.work()
    assert {one.state for one in rows(stores) if one.confidence >= SURE} == {"undone"}
    assert sides(stores) == before
    last = compare(stores)  # what a person undid is not fixed again
    assert (last.counts["fixed"], last.counts["new"]) == (0, 0)


def test_planted_discrepancies_are_found_fixed_and_undone(planted_world: StoreWorld) -> None:
    check_planted(planted_world, int(os.environ.get("PLANTED", "42")), seed=1)
