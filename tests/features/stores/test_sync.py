"""A sync of a store: what comes into the catalogue, and what goes to the shop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.bench_sync import GeneratedShop
from fleet.adapters.shops import Money, ShopProduct
from fleet.core.errors import NotFound
from fleet.engine.attempts import perform
from fleet.features.agents import commands as agents
from fleet.features.products import service as catalogue
from fleet.features.products.service import NewProduct, NewVariant
from fleet.features.stores import service
from fleet.features.stores.rules import Strategy
from fleet.sandbox.gallery import FaultRule
from tests.features.stores.world import EmptyShop, RefusingShop, StoreWorld


def test_a_first_sync_takes_products_and_stock_into_the_catalogue(stores: StoreWorld) -> None:
    stores.shop.add("cup", variants=2, on_hand=7, price=1250)
    stores.shop.add("pot", on_hand=3)
    run = stores.sync()
    assert (run.state, run.counts["created"], run.counts["failed"]) == ("done", 2, 0), run.problem
    assert sorted(stores.products()) == ["Cup", "Pot"]
    variant = stores.variant("cup-2")
    assert (variant.price_minor, variant.currency, stores.on_hand("cup-2")) == (1250, "EUR", 7)
    assert variant.origins["price"]["from"] == "store:shop"
    again = stores.sync()
    assert (again.counts["unchanged"], again.counts["created"], again.counts["sent"]) == (2, 0, 0)
    assert stores.on_hand("cup-2") == 7


def test_what_the_shop_changed_comes_in_with_an_incremental_sync(stores: StoreWorld) -> None:
    cup, _ = stores.shop.add("cup"), stores.shop.add("pot")
    stores.sync()
    stores.shop.change(cup["id"], title="Mug", description="<script>alert(1)</script> & \u202e")
    stores.shop.set_price(cup["variants"][0]["id"], 1999)
    run = stores.sync(Strategy.INCREMENTAL)
    assert (run.state, run.counts["updated"]) == ("done", 1), run.problem
    assert sorted(stores.products()) == ["Mug", "Pot"]
    assert stores.variant("cup-1").price_minor == 1999
    assert stores.products()["Mug"].description == "<script>alert(1)</script> & \u202e"


def test_a_change_within_the_second_of_the_cursor_is_not_lost(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup")
    stores.sync()
    for price in (1100, 1200, 1300):  # each within the second of the sync before
        stores.shop.set_price(cup["variants"][0]["id"], price)
        stores.sync(Strategy.INCREMENTAL)
        assert stores.variant("cup-1").price_minor == price


def test_a_product_is_matched_by_its_sku_and_never_guessed(stores: StoreWorld) -> None:
    with stores.fleet.deps.db.transaction() as tx:
        organisation = stores.store().organisation_id
        cup, pot = (
            catalogue.create(
                tx, organisation,
                NewProduct(title=title, variants=(NewVariant(sku=sku, price=Money(900, "EUR"), currency="EUR"),)),
                origin="user:tests",
            ).id
            for title, sku in (("Own cup", "cup-1"), ("Own pot", "set-2"))
        )  # fmt: skip
    stores.setting("store_conflicts", "source")
    stores.shop.add("cup")
    stores.shop.add("cup-again", variants=1, title="Third")
    run = stores.sync()
    assert run.counts["created"] == 1
    with stores.fleet.deps.db.transaction() as tx:
        assert catalogue.get(tx, cup).title == "Cup"
        assert catalogue.get(tx, pot).title == "Own pot"
    stores.shop.add("set", variants=2)  # one of its SKUs is that of Own pot, and none of another product
    with stores.fleet.deps.db.transaction() as tx:
        catalogue.create(
            tx, organisation, NewProduct(title="Half", variants=(NewVariant(sku="set-1", currency="EUR"),)),
            origin="user:tests",
        )  # fmt: skip
    stores.sync()
    (conflict,) = stores.conflicts()
    assert (conflict.kind, len(conflict.candidates)) == ("match", 2)
    assert sorted(stores.products()) == ["Cup", "Half", "Own pot", "Third"]


def test_a_price_that_changed_here_goes_to_the_shop(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup")
    stores.sync()
    stores.change("cup-1", price=Money(1750, "EUR"))
    stores.change_product("Cup", title="Better cup")
    stores.wake()
    done = {job.kind: job.state for job in stores.work()}
    assert done == {"sync_store": "done", "update_product": "done", "update_variants": "done"}
    there = stores.shop.products()["cup"]
    assert (there["title"], there["variants"][0]["priceMinor"]) == ("Better cup", 1750)
    run = stores.sync()
    assert (run.counts["updated"], run.counts["sent"]) == (0, 0)  # the echo is no change
    assert stores.variant(cup["variants"][0]["sku"]).origins["price"]["from"] == "user:tests"


def test_an_edit_in_the_shop_is_not_overwritten_by_a_waiting_push(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup")
    stores.sync()
    stores.change("cup-1", price=Money(1750, "EUR"))
    stores.wake()
    run_job = next(job for job in stores.ready() if job.kind == "sync_store")
    perform.perform(stores.fleet.deps, run_job.id)
    stores.shop.set_price(cup["variants"][0]["id"], 1111)
    (push,) = stores.work()
    assert (push.kind, push.state) == ("update_variants", "skipped")
    assert stores.shop.products()["cup"]["variants"][0]["priceMinor"] == 1111
    stores.wake()  # it is read again, and both sides have moved
    stores.work()
    (conflict,) = stores.conflicts()
    assert conflict.field == "variant.price"
    assert (conflict.local, conflict.remote) == ({"minor": 1750, "currency": "EUR"}, {"minor": 1111, "currency": "EUR"})


def test_an_empty_answer_is_not_read_as_all_deleted(stores: StoreWorld) -> None:
    for number in range(6):
        stores.shop.add(f"cup-{number}")
    stores.sync()
    adapter = stores.adapter()
    stores.connect(EmptyShop(adapter))
    stores.sync()
    stores.sync()
    stores.sync()
    assert stores.gone() == 0
    assert len(stores.events("sync.distrusted")) == 3
    stores.connect(adapter)
    assert stores.sync().counts["unchanged"] == 6


def test_a_deleted_product_is_gone_after_two_sweeps_and_stays_here(stores: StoreWorld) -> None:
    cup, _ = stores.shop.add("cup"), stores.shop.add("pot")
    stores.sync()
    stores.shop.delete(cup["id"])
    assert stores.sync().counts["gone"] == 0
    assert stores.sync().counts["gone"] == 1
    assert stores.gone() == 2  # the product and its variant
    assert sorted(stores.products()) == ["Cup", "Pot"]
    stores.shop.add("cup", title="Cup reborn")
    stores.setting("store_conflicts", "source")
    stores.sync()
    assert sorted(stores.products()) == ["Cup reborn", "Pot"]


def test_prices_of_another_currency_are_left_alone(stores: StoreWorld) -> None:
    with stores.fleet.deps.db.transaction() as tx:
        catalogue.create(
            tx, stores.store().organisation_id,
            NewProduct(title="Cup", variants=(NewVariant(sku="cup-1", price=Money(900, "USD"), currency="USD"),)),
            origin="user:tests",
        )  # fmt: skip
    stores.setting("store_direction", "both")
    stores.setting("store_conflicts", "source")
    stores.shop.add("cup", price=1000)
    stores.sync()
    stores.change("cup-1", price=Money(950, "USD"))
    stores.sync()
    assert stores.variant("cup-1").price_minor == 950
    assert stores.shop.products()["cup"]["variants"][0]["priceMinor"] == 1000
    assert not stores.conflicts()


def test_a_new_product_is_created_once_at_the_shop_though_the_reply_is_lost(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    stores.setting("store_creates", True)
    stores.sync()
    stores.create("lamp", on_hand=4)
    stores.shop.play(FaultRule(methods=("POST",), drop_rate=1.0, limit=1))
    stores.wake()
    states = [job.state for job in stores.work() if job.kind == "create_product"]
    assert states == ["unknown"]
    stores.fleet.time_passes()
    (job,) = stores.fleet.jobs(kind="create_product")
    perform.perform(stores.fleet.deps, job.id)
    assert stores.fleet.job(job.id).state == "done"
    run = stores.sync()
    assert (run.counts["created"], run.counts["sent"]) == (0, 0)
    assert [one["title"] for one in stores.shop.products().values()] == ["Lamp"]
    assert stores.on_hand("lamp") == 4


def test_a_store_whose_agent_is_deleted_is_forgotten_and_can_be_added_again(stores: StoreWorld) -> None:
    stores.shop.add("cup", on_hand=3)
    stores.sync()
    stores.request(Strategy.FULL)
    agents.delete(stores.fleet.deps, stores.agent().username, by="tests")
    with stores.fleet.deps.db.transaction() as tx, pytest.raises(NotFound):
        service.named(tx, "shop")
    assert stores.runs()[-1].state == "cancelled"
    stores.add()
    run = stores.sync()
    assert (run.state, run.counts["created"], stores.on_hand("cup-1")) == ("done", 0, 3), run.problem


def test_a_sync_that_fails_is_told_and_the_next_one_waits(stores: StoreWorld) -> None:
    adapter = stores.adapter()
    stores.connect(RefusingShop(adapter))
    run = stores.sync()
    store = stores.store()
    assert (run.state, store.failed_syncs) == ("failed", 1), run.problem
    assert "no products today" in store.problem
    stores.connect(adapter)
    stores.wake()
    assert len(stores.runs()) == 1, "it waits"
    run = stores.sync()  # a person need not wait
    assert (run.state, stores.store().failed_syncs, stores.store().problem) == ("done", 0, "")


def test_a_run_whose_job_is_lost_is_ended_by_its_agent(stores: StoreWorld) -> None:
    stores.request(Strategy.FULL)
    stores.fleet.sql("UPDATE jobs SET state = 'dead', dead_reason = 'exhausted', error = 'no answer', "
                     "finished_at = clock_timestamp() WHERE kind = 'sync_store'")  # fmt: skip
    stores.wake()
    (run,) = stores.runs()
    assert (run.state, run.problem, stores.store().failed_syncs) == ("failed", "no answer", 1)


def test_texts_that_no_database_takes_fail_no_sync(stores: StoreWorld) -> None:
    shop = GeneratedShop(4)
    plain = shop._product
    wrong: dict[int, Any] = {
        0: {"title": "nul \x00 and \ud800 half", "description": "\x00"}, 1: {"title": "   "}, 2: {"id": "p\x002"},
    }  # fmt: skip

    def hostile(number: int) -> ShopProduct:
        return replace(plain(number), **wrong.get(number, {}))

    shop._product = hostile  # type: ignore[method-assign]
    stores.connect(shop)
    run = stores.sync()
    assert (run.state, run.counts["created"], run.counts["failed"]) == ("done", 2, 2), run.problem
    assert any(title.startswith("nul ") and "half" in title for title in stores.products())


def test_a_request_during_a_run_wakes_the_agent_at_its_end(stores: StoreWorld) -> None:
    stores.request(Strategy.FULL)
    service.request_sync(stores.fleet.deps, "shop", by="tests", strategy=Strategy.STOCK)
    stores.fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 hour' WHERE kind = 'store_sync'")
    stores.work()
    due = stores.fleet.sql(
        "SELECT next_tick_at <= clock_timestamp() FROM agents WHERE kind = 'store_sync'"
    ).scalar_one()
    assert due
    stores.wake()
    stores.work()
    assert [run.strategy for run in stores.runs()] == ["full", "stock"]
