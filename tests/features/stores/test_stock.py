"""Stock and orders: each unit is counted once, and no store is told more than there is."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from typing import Any

import pytest

from fleet.access import Principal, Role
from fleet.access.principal import Via
from fleet.adapters.base import Receipt, Uncertain
from fleet.engine.attempts import perform
from fleet.features.orders import points
from fleet.features.orders import service as orders
from fleet.features.stores.rules import Strategy
from tests.features.stores.world import StoreWorld


def test_an_order_reserves_and_its_shipment_takes_stock_once(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    order = stores.shop.sell(cup, 3)
    stores.sync(Strategy.INCREMENTAL)
    assert (stores.on_hand("cup-1"), stores.reserved("cup-1")) == (10, 3)
    stores.shop.move(order["id"], "shipped")
    for strategy in (Strategy.INCREMENTAL, Strategy.STOCK, Strategy.FULL, Strategy.STOCK):
        stores.sync(strategy)
        assert (stores.on_hand("cup-1"), stores.reserved("cup-1")) == (7, 0)
    assert stores.shop.on_hand(cup) == 7


def test_orders_from_before_the_store_was_added_take_no_stock(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    sold = stores.shop.sell(cup, 4)
    stores.shop.move(sold["id"], "shipped")
    stores.sync()
    stores.sync(Strategy.STOCK)
    assert stores.on_hand("cup-1") == 6


def test_a_count_in_the_shop_comes_in_and_a_count_here_goes_out(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    stores.shop.set_stock(cup, 12)
    stores.sync(Strategy.STOCK)
    assert stores.on_hand("cup-1") == 12
    stores.count("cup-1", 20)
    stores.wake()
    stores.work()
    assert stores.shop.on_hand(cup) == 20
    stores.sync(Strategy.STOCK)
    assert stores.on_hand("cup-1") == 20


def test_both_sides_counted_at_once_add_up(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    stores.count("cup-1", 15)  # five came here
    stores.shop.set_stock(cup, 8)  # two broke there
    stores.sync(Strategy.STOCK)
    assert (stores.on_hand("cup-1"), stores.shop.on_hand(cup)) == (13, 13)


def test_a_store_is_told_less_than_what_others_sold_and_the_buffer(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    stores.setting("store_buffer", 2)
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    assert stores.shop.on_hand(cup) == 8
    stores.reserve("cup-1", 5, ref="order:another:1")
    stores.sync(Strategy.STOCK)
    assert (stores.on_hand("cup-1"), stores.shop.on_hand(cup)) == (10, 3)
    stores.reserve("cup-1", 50, ref="order:another:2")
    stores.sync(Strategy.STOCK)
    assert stores.shop.on_hand(cup) == 0


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_in_between_both_sides_agree_at_the_end(stores: StoreWorld, seed: int) -> None:
    stores.setting("store_direction", "both")
    dice = random.Random(seed)
    cup = stores.shop.add("cup", on_hand=100)["variants"][0]["id"]
    stores.sync()
    expected, open_orders = 100, []
    for _ in range(12):
        what = dice.choice(("sell", "ship", "count", "break", "sync", "cancel"))
        if what == "sell":
            open_orders.append((stores.shop.sell(cup, quantity := dice.randint(1, 3))["id"], quantity))
        elif what in ("ship", "cancel") and open_orders:
            order, quantity = open_orders.pop(dice.randrange(len(open_orders)))
            stores.shop.move(order, "shipped" if what == "ship" else "cancelled")
            expected -= quantity if what == "ship" else 0
        elif what == "count":
            stores.move("cup-1", more := dice.randint(1, 5))
            expected += more
        elif what == "break":
            stores.shop.set_stock(cup, stores.shop.on_hand(cup) - 1)
            expected -= 1
        else:
            stores.sync(dice.choice((Strategy.STOCK, Strategy.INCREMENTAL, Strategy.FULL)))
    for _ in range(3):
        stores.sync(Strategy.STOCK)
    assert (stores.on_hand("cup-1"), stores.shop.on_hand(cup)) == (expected, expected)
    assert stores.reserved("cup-1") == sum(quantity for _, quantity in open_orders)


def test_a_person_ships_an_order_at_its_store(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    stores.shop.sell(cup, 3)
    stores.sync(Strategy.INCREMENTAL)
    order = stores.order()
    who = Principal(uuid.uuid4(), "ana", Role.OWNER, Via.TERMINAL, uuid.uuid4())
    assert points.run(stores.fleet.deps, order.id, "ship", {"tracking": "XY1"}, who).startswith("The store is told")
    stores.work()
    stores.wake()  # the write woke the agent: it reads the order
    stores.work()
    assert (stores.order().state, stores.on_hand("cup-1"), stores.shop.on_hand(cup)) == ("shipped", 7, 7)
    with stores.fleet.deps.db.transaction() as tx:
        assert [one.name for one in points.offered(stores.fleet.deps, tx, orders.get(tx, order.id))] == ["refund"]


def test_a_number_whose_reply_was_lost_is_no_count_by_a_person(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    sold = stores.shop.sell(cup, 1)["id"]
    stores.sync(Strategy.INCREMENTAL)
    adapter = stores.adapter()
    write = adapter.write

    def lost(action: Any, *, timeout_s: float) -> Receipt:
        adapter.write = write
        write(action, timeout_s=timeout_s)
        stores.shop.move(sold, "shipped")  # so that neither the probe nor the next attempt finds the number
        raise Uncertain("the reply was lost")

    adapter.write = lost
    stores.count("cup-1", 20)
    stores.wake()
    stores.work()
    (job,) = stores.fleet.jobs(kind="set_stock")
    for _ in range(2):  # the probe, then the next attempt
        stores.fleet.time_passes()
        perform.perform(stores.fleet.deps, job.id)
    job = stores.fleet.job(job.id)
    assert (job.state, stores.shop.on_hand(cup)) == ("skipped", 19), job.error
    for _ in range(2):
        stores.sync(Strategy.STOCK)
    assert (stores.on_hand("cup-1"), stores.shop.on_hand(cup)) == (19, 19)


@pytest.mark.parametrize(("is_taken", "left"), [(False, 4), (True, 4)])
def test_a_number_that_an_order_made_is_not_taken_for_the_write(stores: StoreWorld, is_taken: bool, left: int) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    sold = stores.shop.sell(cup, 3)["id"]
    stores.sync(Strategy.INCREMENTAL)
    adapter = stores.adapter()
    write = adapter.write

    def lost(action: Any, *, timeout_s: float) -> Receipt:
        adapter.write = write
        if is_taken:
            write(action, timeout_s=timeout_s)
        else:
            stores.shop.move(sold, "shipped")  # the shop has 7 by this, too
        raise Uncertain("the reply was lost")

    adapter.write = lost
    stores.count("cup-1", 7)
    stores.wake()
    stores.work()
    (job,) = stores.fleet.jobs(kind="set_stock")
    stores.fleet.time_passes()
    perform.perform(stores.fleet.deps, job.id)
    assert (stores.fleet.job(job.id).state, stores.shop.on_hand(cup)) == ("done", 7)
    if is_taken:
        stores.shop.move(sold, "shipped")
    for strategy in (Strategy.STOCK, Strategy.STOCK):
        stores.sync(strategy)
    assert (stores.on_hand("cup-1"), stores.shop.on_hand(cup)) == (left, left)


def test_a_job_that_waited_tells_no_units_that_were_sold_meanwhile(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    stores.count("cup-1", 12)
    stores.wake()
    (run,) = stores.ready()
    perform.perform(stores.fleet.deps, run.id)
    (job,) = stores.ready()
    stores.reserve("cup-1", 7, ref="order:another:1")
    perform.perform(stores.fleet.deps, job.id)
    assert (stores.fleet.job(job.id).state, stores.shop.on_hand(cup)) == ("skipped", 10)
    for _ in range(2):
        stores.wake()
        stores.work()
    assert stores.shop.on_hand(cup) == 5


def test_units_that_left_with_an_order_are_no_count_when_the_webhook_of_the_order_is_late(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    order = stores.shop.sell(cup, 3)["id"]
    stores.sync(Strategy.INCREMENTAL)
    stores.shop.move(order, "shipped")
    webhook(stores, variant_id=cup, order_id="")
    stores.wake()
    stores.work()
    moved = stores.fleet.sql("SELECT reason, delta FROM stock_movements ORDER BY at").all()
    assert [tuple(one) for one in moved] == [("store", 10), ("order", -3)]


def test_units_that_left_with_an_order_that_nobody_told_of_yet_are_no_count(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", on_hand=3)["variants"][0]["id"]
    stores.sync()
    stores.shop.move(stores.shop.sell(cup, 2)["id"], "shipped")
    webhook(stores, variant_id=cup, order_id="")
    stores.wake()
    stores.work()
    moved = stores.fleet.sql("SELECT reason, delta FROM stock_movements ORDER BY at").all()
    assert [tuple(one) for one in moved] == [("store", 3), ("order", -2)]
    stores.sync(Strategy.STOCK)
    assert (stores.on_hand("cup-1"), stores.shop.on_hand(cup)) == (1, 1)


def test_an_order_that_is_read_without_its_stock_counts_no_earlier_order_twice(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    first, second = stores.shop.sell(cup, 3)["id"], stores.shop.sell(cup, 2)["id"]
    stores.sync(Strategy.INCREMENTAL)
    stores.shop.move(first, "shipped")
    webhook(stores, variant_id=cup, order_id="")
    webhook(stores, variant_id="", order_id=first)
    stores.wake()
    stores.work()
    stores.shop.move(second, "shipped")
    webhook(stores, variant_id="", order_id=second)
    stores.wake()
    stores.work()
    stores.sync(Strategy.STOCK)
    moved = stores.fleet.sql("SELECT reason, delta FROM stock_movements ORDER BY at").all()
    assert [tuple(one) for one in moved] == [("store", 10), ("order", -3), ("order", -2)]


def webhook(stores: StoreWorld, *, variant_id: str, order_id: str) -> None:
    """Have the shop say that a variant's stock or an order changed."""
    kind, event_id = "order" if order_id else "stock", str(uuid.uuid4())
    stores.fleet.sql("INSERT INTO shop_events (account_id, event_id, kind, priority, product_id, variant_id, order_id)"
                     " VALUES (:id, :event, :kind, 8, '', :variant, :ordered)",
                     id=stores.account_id, event=event_id, kind=kind, variant=variant_id, ordered=order_id)  # fmt: skip


def test_a_sale_that_a_write_covered_is_no_count_in_the_shop(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    order = stores.shop.sell(cup, 3)
    stores.sync(Strategy.INCREMENTAL)
    adapter = stores.adapter()
    write = adapter.write

    def between_read_and_write(action: Any, *, timeout_s: float) -> Receipt:
        """Ship the order once the number was compared, as a shop without compare-and-set lets happen."""
        stores.shop.move(order["id"], "shipped")
        changes = tuple(replace(one, expected=None) for one in action.payload.changes)
        receipt: Receipt = write(replace(action, payload=replace(action.payload, changes=changes)), timeout_s=timeout_s)
        return receipt

    stores.count("cup-1", 20)
    adapter.write = between_read_and_write
    stores.wake()
    stores.work()
    adapter.write = write
    assert stores.shop.on_hand(cup) == 20
    for strategy in (Strategy.FULL, Strategy.STOCK, Strategy.FULL):
        stores.sync(strategy)
    assert (stores.on_hand("cup-1"), stores.shop.on_hand(cup)) == (17, 17)
