"""A store at a real shop: its catalogue comes in, edits go both ways, orders take stock once."""

from __future__ import annotations

import pytest

from fleet.adapters.shops import Money
from fleet.features.stores.rules import Strategy
from tests.features.stores.world import StoreWorld
from tests.stores import catalogue
from tests.stores.servers import Shop

pytestmark = pytest.mark.shops


def test_a_real_shop_and_the_catalogue_come_into_step(store: StoreWorld, shop: Shop) -> None:
    store.setting("store_direction", "both")
    run = store.sync()
    assert (run.state, run.counts["created"], run.counts["failed"]) == ("done", 200, 0), run.problem
    one, two, three, four = (catalogue.sku(number) for number in (1, 2, 3, 4))
    before = {sku: shop.item(sku) for sku in (one, two, three)}
    assert all(item is not None for item in before.values())
    assert store.variant(one).price_minor == before[one].price  # type: ignore[union-attr]
    there = shop.stock_levels()
    assert all(store.on_hand(sku) == there[sku][0] for sku in (one, two, three, four))

    shop.set_title(one, "Edited there")
    shop.set_price(two, 4321)
    store.change(three, price=Money(1234, "EUR"))
    store.count(three, 77)
    shop.set_stock(four, 20)
    order = shop.place_order({four: 3})
    shop.ship_order(order.code)
    for strategy in (Strategy.FULL, Strategy.STOCK, Strategy.FULL):
        assert (run := store.sync(strategy)).state == "done", run.problem
    assert store.variant(two).price_minor == 4321
    assert "Edited there" in store.products()
    pushed = shop.item(three)
    assert pushed is not None
    assert (pushed.price, shop.stock_levels()[three][0], store.on_hand(three)) == (1234, 77, 77)
    assert (store.on_hand(four), shop.stock_levels()[four][0]) == (17, 17)
    assert store.conflicts() == []
    assert run.counts["sent"] == 0


def test_an_incremental_sync_sees_that_an_order_was_shipped(store: StoreWorld, shop: Shop) -> None:
    store.setting("store_direction", "both")
    sku = catalogue.sku(4)
    shop.set_stock(sku, 20)
    store.sync()
    order = shop.place_order({sku: 3})
    store.sync(Strategy.INCREMENTAL)
    assert (store.order().state, store.reserved(sku), store.on_hand(sku)) in {
        ("confirmed", 3, 20), ("pending", 3, 20)
    }  # fmt: skip
    # Long ago for the shop: its list of changed orders no longer has it, and shipping moves no time of it.
    store.fleet.sql("UPDATE sync_cursors SET value = value + interval '1 day' WHERE stream = 'orders'")
    shop.ship_order(order.code)
    store.sync(Strategy.INCREMENTAL)
    store.sync(Strategy.STOCK)
    assert (store.order().state, store.reserved(sku), store.on_hand(sku)) == ("shipped", 0, 17)
    assert shop.stock_levels()[sku][0] == 17
