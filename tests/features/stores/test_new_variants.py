"""A variant that the catalogue gained is created at the stores that have its product, once."""

from __future__ import annotations

import uuid

import pytest

from fleet.adapters.shops import Money
from fleet.engine.attempts import perform
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.service import NewProduct, NewVariant
from fleet.features.stores.rules import Strategy
from fleet.sandbox.gallery import FaultRule
from tests.features.stores.world import StoreWorld


def new(size: str) -> NewVariant:
    return NewVariant(sku=f"shirt-{size}", options={"Size": size}, price=Money(1500, "EUR"), currency="EUR")


def add(stores: StoreWorld, product_id: uuid.UUID, size: str, on_hand: int = 0) -> None:
    """Add a variant in the catalogue as a person does."""
    with stores.fleet.deps.db.transaction() as tx:
        made = catalogue.add_variant(tx, product_id, new(size), origin="user:tests")
        place = stock.default_location(tx, made.organisation_id)
        stock.set_level(tx, made.id, place, on_hand, reason="count", by="user:tests")


@pytest.fixture
def shirt(stores: StoreWorld) -> uuid.UUID:
    """A product with one variant that the shop has."""
    stores.setting("store_direction", "both")
    stores.setting("store_creates", True)
    with stores.fleet.deps.db.transaction() as tx:
        one = NewProduct(title="Shirt", variants=(new("S"),))
        product_id = catalogue.create(tx, stores.store().organisation_id, one, origin="user:tests").id
    stores.sync()
    stores.sync()
    assert skus(stores) == ["shirt-S"]
    return product_id


def skus(stores: StoreWorld) -> list[str]:
    (found,) = stores.shop.products().values()
    return sorted(one["sku"] for one in found["variants"])


@pytest.mark.parametrize("strategy", [Strategy.FULL, Strategy.SELECTIVE])
def test_a_new_variant_is_created_with_its_stock(stores: StoreWorld, shirt: uuid.UUID, strategy: Strategy) -> None:
    add(stores, shirt, "M", 4)
    stores.sync(strategy)
    (found,) = stores.shop.products().values()
    made = {one["sku"]: (one["options"], one["priceMinor"], one["onHand"]) for one in found["variants"]}
    assert made["shirt-M"] == ({"Size": "M"}, 1500, 4) and set(made) == {"shirt-S", "shirt-M"}
    for _ in range(2):
        run = stores.sync()
    assert (run.counts["sent"], run.counts["updated"], stores.conflicts()) == (0, 0, [])
    stores.count("shirt-M", 9)  # it is a variant like others from now on
    stores.sync(Strategy.STOCK)
    (found,) = stores.shop.products().values()
    assert {one["sku"]: one["onHand"] for one in found["variants"]}["shirt-M"] == 9


def test_a_lost_reply_doubles_nothing(stores: StoreWorld, shirt: uuid.UUID) -> None:
    add(stores, shirt, "M")
    stores.shop.play(FaultRule(methods=("POST",), drop_rate=1.0, limit=1))
    stores.sync(Strategy.SELECTIVE)
    stores.fleet.time_passes()
    (job,) = stores.fleet.jobs(kind="add_variants")
    perform.perform(stores.fleet.deps, job.id)
    assert stores.fleet.job(job.id).state == "done" and skus(stores) == ["shirt-M", "shirt-S"]
    assert len(stores.fleet.jobs(kind="add_variants")) == 1


def test_one_that_the_shop_refuses_is_tried_once_an_hour(stores: StoreWorld, shirt: uuid.UUID) -> None:
    add(stores, shirt, "M")
    stores.shop.add("other")
    with stores.shop.shop.storage.transaction() as tx:
        tx.exec_driver_sql("UPDATE variants SET sku = 'shirt-M' WHERE sku = 'other-1'")
    stores.setting("store_direction", "push")
    for _ in range(2):
        stores.sync(Strategy.SELECTIVE)
    (job,) = stores.fleet.jobs(kind="add_variants")
    assert job.state == "dead" and "shirt-M" in str(job.error)
