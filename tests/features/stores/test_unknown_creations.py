"""A creation whose outcome nobody knows is looked for at the shop, and made again where the shop has nothing of it."""

from __future__ import annotations

import pytest

from fleet.engine.attempts import perform
from fleet.features.stores.rules import Strategy
from fleet.sandbox.shop.store import products
from tests.features.stores.world import StoreWorld, world
from tests.shops import ShopWorld


@pytest.fixture
def creating(stores: StoreWorld) -> StoreWorld:
    """A store that is in step, and a new product whose creation ended without a reply."""
    return lost(stores)


def lost(stores: StoreWorld) -> StoreWorld:
    stores.setting("store_direction", "both")
    stores.setting("store_creates", True)
    stores.sync()
    stores.create("mug", on_hand=7)
    stores.request(Strategy.SELECTIVE)
    (sync,) = stores.ready()
    perform.perform(stores.fleet.deps, sync.id)
    (job,) = stores.fleet.jobs(kind="create_product", state="ready")
    stores.fleet.sql("UPDATE jobs SET state = 'dead', dead_reason = 'unknown_outcome', error = 'no reply', "
                     "finished_at = clock_timestamp() WHERE id = :id", id=job.id)  # fmt: skip
    stores.work()
    return stores


def is_refused(stores: StoreWorld) -> None:
    stores.fleet.sql("UPDATE jobs SET dead_reason = 'permanent' WHERE kind = 'create_product'")


def look(stores: StoreWorld) -> list[str]:
    """Have the agent decide, and do what follows; return the products of the shop."""
    stores.wake()
    stores.work()
    return list(stores.shop.products())


def test_a_full_sync_looks_for_it_too(creating: StoreWorld) -> None:
    creating.fleet.sql("UPDATE sync_cursors SET swept_at = swept_at - interval '3 days'")
    creating.wake()
    creating.work()
    assert creating.runs()[-1].strategy == "full"
    assert len(look(creating)) == 1, "an event that nobody looked at is not handled"


def test_it_is_made_again_without_the_hour_after_a_refusal(creating: StoreWorld) -> None:
    look(creating)
    assert len(look(creating)) == 1
    assert len(creating.fleet.jobs(kind="create_product")) == 2


def test_nothing_is_sent_again_while_the_shop_may_still_work_on_it(database_url: str, sandbox_shop: ShopWorld) -> None:
    with world(database_url, sandbox_shop, settle_s=600) as stores:
        lost(stores)
        assert look(stores) == look(stores) == []
        stores.fleet.sql("UPDATE jobs SET finished_at = finished_at - interval '11 minutes' WHERE state = 'dead'")
        look(stores)
        assert len(look(stores)) == 1


def test_one_that_the_shop_refused_is_tried_again_after_an_hour(creating: StoreWorld) -> None:
    is_refused(creating)
    assert look(creating) == look(creating) == []
    creating.fleet.sql("UPDATE jobs SET finished_at = finished_at - interval '61 minutes' WHERE state = 'dead'")
    look(creating)
    assert len(look(creating)) == 1


def half_made(stores: StoreWorld) -> None:
    """Show the new product as a shop does in which its creation was cut off: it is not shown to customers yet."""
    (job,) = stores.fleet.jobs(kind="create_product")
    variant = {"sku": "mug", "title": "", "options": {}, "price_minor": 1000, "barcode": "", "on_hand": 7}
    fields = {"title": "Mug", "description": "", "status": "draft", "categories": [], "images": []}
    with stores.shop.shop.change() as tx:
        products.create(tx, {"key": job.payload["key"], **fields, "variants": [variant]})


def test_a_product_is_not_read_while_its_creation_is_under_way(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    stores.setting("store_creates", True)
    stores.sync()
    stores.create("mug", on_hand=7)
    stores.request(Strategy.SELECTIVE)
    (sync,) = stores.ready()
    perform.perform(stores.fleet.deps, sync.id)
    half_made(stores)
    stores.request(Strategy.FULL)
    (sync,) = [job for job in stores.ready() if job.kind == "sync_store"]
    perform.perform(stores.fleet.deps, sync.id)
    assert stores.products()["Mug"].status == "active"
    assert stores.fleet.sql("SELECT state FROM external_refs WHERE kind = 'product'").scalars().all() == ["pending"]
    assert not stores.conflicts()


def test_one_that_was_cut_off_is_finished(creating: StoreWorld) -> None:
    half_made(creating)
    look(creating)
    creating.sync()
    (product,) = creating.shop.products().values()
    assert creating.products()["Mug"].status == product["status"] == "active"
    assert [(one["sku"], creating.shop.on_hand(one["id"])) for one in product["variants"]] == [("mug", 7)]
