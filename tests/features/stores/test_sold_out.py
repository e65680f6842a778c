"""A store that has no products without units, at the contract server of Etsy: they are hidden, and shown again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.features.stores import rules
from fleet.features.stores.rules import SoldOut, Strategy
from tests.adapters.shops import connect
from tests.adapters.test_etsy import KEYS
from tests.contracts.etsy import EtsyContract
from tests.features.reconciliation.shown import compare, rows
from tests.features.stores.world import StoreWorld, world_at


@pytest.fixture
def etsy() -> Iterator[EtsyContract]:
    with EtsyContract().serve() as contract:
        yield contract


@pytest.fixture
def store(database_url: str, etsy: EtsyContract) -> Iterator[StoreWorld]:
    """A store with a listing of two variants, and another one."""
    adapter = connect("etsy", etsy.url, KEYS).adapter
    etsy.add_listing("Lamp", sku="LAMP", options=("S", "M"), quantity=5)
    etsy.add_listing("Vase", sku="VASE", quantity=5)
    for one in etsy.listings.values():
        one["images"].append({"listing_image_id": etsy.next(), "rank": 1, "alt_text": "", "url_fullxfull": "https://x"})
    with world_at(database_url, adapter, "etsy", json.dumps(KEYS)) as made:
        made.setting("store_direction", "both")
        in_step(made)
        yield made
    adapter.close()


def shown(etsy: EtsyContract, title: str = "Lamp") -> tuple[str, list[int]]:
    """Return the state of a listing, and its units."""
    (found,) = (one for one in etsy.listings.values() if one["title"] == title)
    return found["state"], [one["offerings"][0]["quantity"] for one in found["inventory"]["products"]]


def skus(etsy: EtsyContract) -> list[str]:
    (found,) = (one for one in etsy.listings.values() if one["title"] == "Lamp")
    return [one["sku"] for one in found["inventory"]["products"]]


def in_step(store: StoreWorld) -> None:
    for strategy in (Strategy.SELECTIVE, Strategy.STOCK, Strategy.FULL):
        store.request(strategy)
        while store.ready():
            store.fleet.sql("DELETE FROM adapter_limits")  # ten calls a second would be a wait for each run
            store.fleet.time_passes()
            store.work()
        assert (run := store.runs()[-1]).state == "done", run.problem


def test_a_product_is_hidden_while_it_has_no_units(store: StoreWorld, etsy: EtsyContract) -> None:
    one, other = skus(etsy)
    store.count(one, 0)
    in_step(store)
    assert shown(etsy) == ("active", [0, 5]), "a single variant may be sold out"
    store.count(other, 0)
    in_step(store)
    in_step(store)
    assert shown(etsy) == ("inactive", [0, 5]) and shown(etsy, "Vase") == ("active", [5])
    assert (store.on_hand(one), store.on_hand(other), store.products()["Lamp"].status) == (0, 0, "active")
    assert store.fleet.jobs(state="dead") == store.conflicts() == []
    written = len(store.fleet.jobs())
    store.wake()  # nothing is left to do
    assert len(store.fleet.jobs()) == written
    store.fleet.sql("DELETE FROM adapter_limits")
    assert (compare(store).counts["read"], rows(store)) == (2, [])

    store.count(one, 3)
    in_step(store)
    in_step(store)
    assert shown(etsy) == ("active", [3, 0]), "the units that Etsy still had are not for sale"
    assert (store.on_hand(one), store.on_hand(other), store.products()["Lamp"].status) == (3, 0, "active")
    assert store.fleet.jobs(state="dead") == store.conflicts() == []


def test_a_product_that_somebody_shows_again_has_the_units_that_the_store_shows(
    store: StoreWorld, etsy: EtsyContract
) -> None:  # fmt: skip
    store.count("VASE", 0)
    in_step(store)
    assert shown(etsy, "Vase") == ("inactive", [5])
    for one in etsy.listings.values():
        one.update(state="active", updated_timestamp=etsy.now())
    in_step(store)
    assert (shown(etsy, "Vase"), store.on_hand("VASE")) == (("active", [5]), 5)


def test_a_product_that_a_person_hides_meanwhile_stays_hidden(store: StoreWorld, etsy: EtsyContract) -> None:
    store.count("VASE", 0)
    in_step(store)
    store.change_product("Vase", status="archived")
    store.count("VASE", 4)
    in_step(store)
    assert shown(etsy, "Vase") == ("inactive", [4])


@pytest.mark.parametrize(
    ("units", "is_hidden", "found"),
    [
        ((0, 0), False, SoldOut.HIDE), ((0,), True, SoldOut.HIDE), ((0, 2), False, SoldOut.WRITE),
        ((0, 2), True, SoldOut.SHOW), ((-1, 0), False, SoldOut.HIDE),
    ],
)  # fmt: skip
def test_units_decide_whether_a_product_is_hidden(units: Any, is_hidden: bool, found: SoldOut) -> None:
    assert rules.sold_out(units, is_hidden=is_hidden) is found
