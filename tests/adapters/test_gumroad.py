"""Gumroad: refusals with status 200, drafts that are finished, and a limit of sales in place of stock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.adapters import base, registry, shops
from fleet.adapters.manifest import check
from fleet.adapters.shops import Money, OrderingAdapter, OrderState, ProductStatus, ShopAdapter, Stale
from tests.adapters.shops import act, connect, do, lamp, price_change, probe, stock_change, sweep
from tests.contracts.gumroad import TOKEN, GumroadContract, failure
from tests.contracts.server import Reply

ONE = r"/v2/products/[^/]+"


@pytest.fixture
def server() -> Iterator[GumroadContract]:
    with GumroadContract().serve() as contract:
        yield contract


@pytest.fixture
def adapter(server: GumroadContract) -> Iterator[Any]:
    made = connect("gumroad", server.url, {"access_token": TOKEN}).adapter
    yield made
    made.close()


def test_the_manifest_is_what_the_adapter_does(server: GumroadContract, adapter: Any) -> None:
    manifest = check(registry.get("gumroad"))
    assert dict(manifest.writes) == dict(adapter.actions)
    assert isinstance(adapter, ShopAdapter) and isinstance(adapter, OrderingAdapter)
    assert not isinstance(adapter, shops.ChangesAdapter)
    assert adapter.check(timeout_s=5).username == "Ada"
    server.add_product("Book")
    assert adapter.shop().currency == "EUR"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v2/products"), ("PUT", ONE), ("PUT", rf"{ONE}/enable"), ("", "")]
)
@pytest.mark.parametrize("is_done", [True, False])
def test_a_creation_that_is_cut_off_anywhere_makes_one_product(
    server: GumroadContract, adapter: Any, method: str, path: str, is_done: bool
) -> None:
    action = act(shops.CREATE_PRODUCT, lamp("lamp", categories=("brass",)))
    assert probe(adapter, action) is None
    if method and is_done:
        server.lose_reply(method, path)
    elif method:
        server.answer(method, path, Reply(502, b"<html>"))
    if method:
        with pytest.raises(base.Uncertain):
            do(adapter, action)
    receipt = probe(adapter, action) or do(adapter, action)
    (product,) = server.products.values()
    assert (product["published"], product["max_purchase_count"], product["tags"]) == (True, 5, ["brass"])
    found = adapter.product(str(receipt.remote_id))
    assert (found.key, found.title, found.variants[0].price) == ("lamp", "Lamp", Money(2799, "EUR"))
    assert receipt.detail["variants"] == {"lamp": product["id"]}


def test_another_product_with_the_permalink_is_neither_adopted_nor_changed(
    server: GumroadContract, adapter: Any
) -> None:
    other = server.add_product("Other", permalink="lamp")
    action = act(shops.CREATE_PRODUCT, lamp("lamp"))
    assert probe(adapter, action) is None
    with pytest.raises(shops.ProductExists) as raised:
        do(adapter, action)
    assert raised.value.product_ids == (other["id"],)
    for wrong in (lamp("a", "b"), lamp("a", status=ProductStatus.ARCHIVED)):
        with pytest.raises(base.Refused):
            do(adapter, act(shops.CREATE_PRODUCT, wrong))


def test_a_creation_that_is_refused_half_way_leaves_nothing(server: GumroadContract, adapter: Any) -> None:
    server.answer("PUT", rf"{ONE}/enable", failure("Please connect a bank account."))
    with pytest.raises(base.Refused, match="bank account"):
        do(adapter, act(shops.CREATE_PRODUCT, lamp("lamp")))
    assert sweep(adapter.products) == []


def test_stock_is_what_may_still_be_sold(server: GumroadContract, adapter: Any) -> None:
    raw, endless = server.add_product("Book", permalink="book", limit=10), server.add_product("Endless")
    server.sell(raw, 4)
    product = adapter.product(raw["id"])
    assert [one.on_hand for one in sweep(adapter.stock)] == [6]
    action = act(shops.SET_STOCK, (stock_change(product, 20, expected=6),))
    assert probe(adapter, action) is None
    server.lose_reply("PUT", ONE)
    with pytest.raises(base.Uncertain):
        do(adapter, action)
    assert probe(adapter, action) is not None and raw["max_purchase_count"] == 24
    assert do(adapter, action).detail["now"][0]["on_hand"] == 20
    with pytest.raises(Stale) as raised:
        do(adapter, act(shops.SET_STOCK, (stock_change(product, 5, expected=6),)))
    assert raised.value.found == {raw["id"]: 20}
    assert adapter.stock_of([endless["id"], "gone"]) == []
    with pytest.raises(base.Refused):
        do(adapter, act(shops.SET_STOCK, (stock_change(product, 5),) * 2))


def test_prices_and_fields_change_and_are_compared(server: GumroadContract, adapter: Any) -> None:
    raw = server.add_product("Book", permalink="book")
    product = adapter.product(raw["id"])
    change = price_change(product, price=Money(999, "EUR"), expected_price=Money(2799, "EUR"))
    assert do(adapter, act(shops.UPDATE_VARIANTS, (change,))).detail["now"][0]["price"] == 999
    cheap, stale = Money(5, "EUR"), Money(1, "EUR")
    for wrong, error in (
        (price_change(product, price=Money(5, "USD")), base.Refused),
        (price_change(product, price=cheap), base.Refused),
        (price_change(product, price=cheap, expected_price=stale), Stale),
    ):
        with pytest.raises(error):
            do(adapter, act(shops.UPDATE_VARIANTS, (wrong,)))
    update = act(shops.UPDATE_PRODUCT, product.id, {"title": "New", "status": ProductStatus.DRAFT}, {"title": "Book"})
    assert do(adapter, update).detail["now"] == [shops.product_state(adapter.product(product.id))]
    assert (raw["name"], raw["published"], raw["price"]) == ("New", False, 999)
    assert probe(adapter, update) is not None
    with pytest.raises(Stale):
        do(adapter, act(shops.UPDATE_PRODUCT, product.id, {"title": "Newer"}, expected={"title": "Book"}))
    with pytest.raises(base.Refused):
        do(adapter, act(shops.UPDATE_PRODUCT, product.id, {"images": ()}))


def test_a_sweep_has_every_product_while_some_are_added(server: GumroadContract, adapter: Any) -> None:
    made = [server.add_product(f"Book {number}", permalink=f"b{number}")["id"] for number in range(25)]
    page = adapter.products(cursor=None, limit=100)
    server.add_product("Late")
    rest = sweep(lambda **options: adapter.products(**{**options, "cursor": options["cursor"] or page.cursor}))
    assert [one.id for one in (*page.items, *rest)] == made[::-1]
    assert [one.id for one in adapter.find_products(sku="b3")] == [made[3]]
    assert adapter.find_products(key="none") == []


def test_sales_are_orders(server: GumroadContract, adapter: Any) -> None:
    product = server.add_product("Book", permalink="book")
    server.sell(product, at=datetime.now(UTC) - timedelta(days=5))
    sales = [server.sell(product, 2) for _ in range(12)]
    orders = sweep(adapter.orders, since=datetime.now(UTC) - timedelta(hours=1))
    assert {one.id for one in orders} == {one["id"] for one in sales}
    order = adapter.order(sales[0]["id"])
    assert (order.total, order.lines[0].unit_price, order.lines[0].quantity) == (
        Money(5598, "EUR"),
        Money(2799, "EUR"),
        2,
    )
    assert (order.state, order.customer.email) == (OrderState.CONFIRMED, "bea@example.org")
    ship = act(shops.UPDATE_ORDER, order.id, OrderState.SHIPPED, tracking="https://parcels.test/1")
    do(adapter, ship)
    assert (
        adapter.order(order.id).fulfilments[0].tracking == "https://parcels.test/1" and probe(adapter, ship) is not None
    )
    refund = act(shops.UPDATE_ORDER, sales[1]["id"], OrderState.REFUNDED)
    server.lose_reply("PUT", r"/v2/sales/[^/]+/refund")
    with pytest.raises(base.Uncertain):
        do(adapter, refund)
    assert probe(adapter, refund) is not None
    do(adapter, refund)
    assert sales[1]["refunds"] == 1
    for wrong in (act(shops.UPDATE_ORDER, sales[2]["id"], OrderState.CANCELLED),
                  act(shops.UPDATE_ORDER, sales[2]["id"], OrderState.SHIPPED, tracking="T1")):  # fmt: skip
        with pytest.raises(base.Refused):
            do(adapter, wrong)


def test_a_removed_product_can_be_removed_again(server: GumroadContract, adapter: Any) -> None:
    raw = server.add_product("Book", permalink="book")
    product = adapter.product(raw["id"])
    for _ in range(2):
        do(adapter, act(shops.REMOVE_PRODUCT, product.id))
    for call in (lambda: adapter.product(product.id), lambda: adapter.product("../user"), lambda: adapter.order("none"),
                 lambda: do(adapter, act(shops.SET_STOCK, (stock_change(product, 1),)))):  # fmt: skip
        with pytest.raises(base.Vanished):
            call()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (failure("Something broke."), base.Refused),
        (failure("The product was not found."), base.Vanished),
        (Reply(400, {"status": 400, "error": "Invalid request."}), base.Refused),
        (Reply(401, {"error": "invalid_token"}), base.TokenRefused),
        (Reply(429, {}, {"Retry-After": "30"}), base.Throttled),
        (Reply(500, b"<html>"), base.Uncertain),
        (Reply(200, b"<html>"), base.Uncertain),
    ],
)
def test_refusals_are_distinguished(
    server: GumroadContract, adapter: Any, reply: Reply, error: type[Exception]
) -> None:
    product = adapter.product(server.add_product("Book", limit=3)["id"])
    server.answer("PUT", ONE, reply)
    with pytest.raises(error) as raised:
        do(adapter, act(shops.SET_STOCK, (stock_change(product, 7),)))
    assert type(raised.value) is error and TOKEN not in str(raised.value)
    server.products[product.id] |= {
        "price": "much",
        "name": {},
        "tags": 3,
        "max_purchase_count": -5,
        "sales_count": "x",
    }
    hostile = adapter.product(product.id)
    assert (hostile.title, hostile.categories, hostile.variants[0].price, hostile.variants[0].on_hand) == (
        "",
        (),
        None,
        None,
    )
