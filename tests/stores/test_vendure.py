"""The Vendure opponent: it is the real system, edits and orders change it, and it survives SIGKILL."""

from __future__ import annotations

import pytest

from tests.stores import catalogue
from tests.stores.servers import ShopError
from tests.stores.vendure_server import Vendure

pytestmark = pytest.mark.shops


def test_orders_allocate_stock_and_are_refused_without_it(vendure: Vendure) -> None:
    sku = catalogue.sku(1)
    vendure.set_stock(sku, 5)
    vendure.place_order({sku: 3})
    item = vendure.item(sku)
    assert item is not None
    assert (item.on_hand, item.allocated) == (5, 3)
    with pytest.raises(ShopError, match="INSUFFICIENT_STOCK"):
        vendure.place_order({sku: 3})


def test_acknowledged_edits_survive_a_sigkill(vendure: Vendure) -> None:
    sku = catalogue.sku(2)
    vendure.set_title(sku, "Lampe 画")
    vendure.set_price(sku, 1999)
    order = vendure.place_order({sku: 1})
    vendure.restart()
    item = vendure.item(sku)
    assert item is not None
    assert (item.title, item.price, item.allocated) == ("Lampe 画", 1999, 1)
    assert vendure.orders() == [order]
