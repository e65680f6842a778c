"""The opponents themselves: real shops that sell, keep what they acknowledged, and say what changed."""

from __future__ import annotations

import pytest

from tests.stores import catalogue
from tests.stores.catalogue import Item
from tests.stores.hook_inbox import HookInbox
from tests.stores.servers import Shop, ShopError

pytestmark = pytest.mark.shops
FIRST, SECOND, THIRD = (catalogue.sku(number) for number in (1, 2, 3))


def item(shop: Shop, sku: str) -> Item:
    found = shop.item(sku)
    assert found is not None
    return found


def test_a_fresh_shop_sells_the_seeded_products(shop: Shop) -> None:
    assert [(one.sku, one.title, one.price, one.on_hand, one.allocated) for one in shop.catalogue()] == [
        (catalogue.sku(n), catalogue.title(n), catalogue.price(n), catalogue.stock(n), 0) for n in range(1, 201)
    ]
    assert not shop.orders()


def test_edits_by_hand_change_the_catalogue_until_the_shop_is_reset(shop: Shop) -> None:
    before = shop.catalogue()
    shop.set_title(FIRST, "Lampe 画")
    shop.set_price(FIRST, 1999)
    shop.set_stock(FIRST, 44)
    shop.delete_product(SECOND)
    added = shop.add_product("NEW-1", "A new one", 1250, 3)
    assert (added.title, added.price, added.on_hand) == ("A new one", 1250, 3)
    first, *rest = shop.catalogue()
    assert (first.sku, first.title, first.price, first.on_hand) == (FIRST, "Lampe 画", 1999, 44)
    assert rest == [*before[2:], added]
    assert shop.item(SECOND) is None
    shop.reset()
    assert shop.catalogue() == before


def test_orders_move_stock_and_are_refused_without_it(shop: Shop) -> None:
    shop.set_stock(FIRST, 5)
    order = shop.place_order({FIRST: 3, SECOND: 1})
    assert (item(shop, FIRST).on_hand, item(shop, FIRST).allocated) == (5, 3)
    assert shop.stock_levels() == {one.sku: (one.on_hand, one.allocated) for one in shop.catalogue()}
    assert shop.orders() == [order]
    with pytest.raises(ShopError):
        shop.place_order({FIRST: 3})
    shop.ship_order(order.code)
    assert (item(shop, FIRST).on_hand, item(shop, FIRST).allocated) == (2, 0)
    cancelled = shop.place_order({FIRST: 2})
    shop.cancel_order(cancelled.code)
    assert (item(shop, FIRST).on_hand, item(shop, FIRST).allocated) == (2, 0)


def test_changes_are_posted_signed(shop: Shop, inbox: HookInbox) -> None:
    first, second = item(shop, FIRST), item(shop, SECOND)
    shop.set_title(FIRST, "Another title")
    assert inbox.wait_for("product.updated")["product"] == first.product_id
    shop.set_stock(SECOND, 77)
    event = inbox.wait_for("stock.changed", that=lambda one: second.variant_id in str(one))
    order = shop.place_order({SECOND: 1})
    assert inbox.wait_for("order.placed")["code"] == order.code
    shop.delete_product(THIRD)
    assert inbox.wait_for("product.deleted")["id"] != event["id"]
    assert not inbox.refused


def test_what_was_acknowledged_survives_a_sigkill(shop: Shop) -> None:
    address = shop.url
    shop.set_title(FIRST, "Kept")
    shop.set_price(FIRST, 1999)
    order = shop.place_order({FIRST: 1})
    shop.restart()
    assert shop.url == address
    assert (item(shop, FIRST).title, item(shop, FIRST).price, item(shop, FIRST).allocated) == ("Kept", 1999, 1)
    assert shop.orders() == [order]
