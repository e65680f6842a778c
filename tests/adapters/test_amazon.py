"""Amazon: listings by SKU, patches that lose nothing, feeds, tokens of an hour, and orders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry, shops
from fleet.adapters.manifest import AccountAccess, MemoryTokens, check
from fleet.adapters.shops import Money, OrderingAdapter, OrderState, ProductImage, ProductStatus, ShopAdapter, Stale
from tests.adapters.networks import uploaded
from tests.adapters.shops import act, connect, do, lamp, price_change, probe, stock_change, sweep
from tests.contracts.amazon import ITEMS, PLACE, PUT_ONE, REFRESH, SELLER, TOKEN, AmazonContract, refusal
from tests.contracts.server import Reply

KEYS = {"access_token": TOKEN, "seller_id": SELLER, "marketplace_id": PLACE}
ONE = rf"{ITEMS}/[^/]+"


@pytest.fixture
def server() -> Iterator[AmazonContract]:
    with AmazonContract().serve() as contract:
        yield contract


@pytest.fixture
def adapter(server: AmazonContract) -> Iterator[Any]:
    made = connect("amazon", server.url, KEYS).adapter
    yield made
    made.close()


def test_the_manifest_is_what_the_adapter_does(server: AmazonContract, adapter: Any) -> None:
    manifest = check(registry.get("amazon"))
    assert dict(manifest.writes) == dict(adapter.actions)
    assert isinstance(adapter, ShopAdapter) and isinstance(adapter, OrderingAdapter)
    assert isinstance(adapter, base.UploadingAdapter)
    assert adapter.check(timeout_s=5).id == SELLER and adapter.shop().currency == "EUR"
    elsewhere = connect("amazon", server.url, {**KEYS, "marketplace_id": "A2EUQ1WTGCTBG2"}).adapter
    with pytest.raises(base.TokenRefused):
        elsewhere.check(timeout_s=5)


def test_a_listing_is_checked_and_put_once(server: AmazonContract, adapter: Any) -> None:
    picture = ProductImage("https://pictures.test/lamp.jpg")
    action = act(shops.CREATE_PRODUCT, lamp("A/1 & ü", images=(picture,), description="It glows."))
    assert probe(adapter, action) is None
    server.lose_reply(*PUT_ONE)  # of the preview: nothing is written
    with pytest.raises(base.Unreachable):
        do(adapter, action)
    assert not server.items
    receipt = do(adapter, action)
    found = adapter.product("A/1 & ü")
    assert (found.title, found.description, found.images) == ("Lamp", "It glows.", (picture,))
    assert (found.variants[0].price, found.variants[0].on_hand) == (Money(2799, "EUR"), 5)
    assert receipt.detail["variants"] == {"A/1 & ü": "A/1 & ü"} and probe(adapter, action) is not None
    assert do(adapter, action).remote_id == receipt.remote_id and len(server.items) == 1


def test_a_sku_that_the_seller_had_is_not_overwritten(server: AmazonContract, adapter: Any) -> None:
    server.add_item("A", title="Other")["created"] = "2026-01-01T00:00:00.000Z"
    action = act(shops.CREATE_PRODUCT, lamp("A"))
    assert probe(adapter, action) is None
    with pytest.raises(shops.ProductExists) as raised:
        do(adapter, action)
    assert raised.value.product_ids == ("A",) and server.count(*PUT_ONE) == 0
    for wrong in (lamp("B", "C"), lamp("B", status=ProductStatus.DRAFT), lamp("B", title=""), lamp("B", on_hand=-1)):
        with pytest.raises(base.Refused):
            do(adapter, act(shops.CREATE_PRODUCT, wrong))
    assert [*server.items] == ["A"]


def test_what_is_accepted_and_not_live_yet_is_put_again(server: AmazonContract, adapter: Any) -> None:
    action = act(shops.CREATE_PRODUCT, lamp("A"))
    server.is_slow = True
    assert do(adapter, action).detail["now"] == []
    assert probe(adapter, action) is None
    server.is_slow = False
    do(adapter, action)
    assert probe(adapter, action) is not None


def test_a_patch_keeps_the_other_offers_and_stock(server: AmazonContract, adapter: Any) -> None:
    server.add_item("A")
    product = adapter.product("A")
    change = price_change(product, price=Money(1050, "EUR"), expected_price=Money(2799, "EUR"))
    receipt = do(adapter, act(shops.UPDATE_VARIANTS, (change,)))
    assert receipt.detail["now"][0]["price"] == 1050
    others, ours = (
        server.items["A"]["attributes"]["purchasable_offer"][:2],
        server.items["A"]["attributes"]["purchasable_offer"][2],
    )
    assert [one["our_price"][0]["schedule"][0]["value_with_tax"] for one in others] == [25.0, 31.0]
    assert ours["discounted_price"] == [{"schedule": [{"value_with_tax": 19.99}]}]
    do(adapter, act(shops.SET_STOCK, (stock_change(product, 9, expected=5),)))
    stock = server.items["A"]["attributes"]["fulfillment_availability"]
    assert stock == [{"fulfillment_channel_code": "DEFAULT", "quantity": 9, "lead_time_to_ship_max_days": 3}]


def test_stale_values_and_stock_of_amazon_are_refused(server: AmazonContract, adapter: Any) -> None:
    server.add_item("A")
    server.add_item("FBA", quantity=None)
    mine, theirs = adapter.product("A"), adapter.product("FBA")
    with pytest.raises(Stale) as raised:
        do(adapter, act(shops.SET_STOCK, (stock_change(mine, 9, expected=4), stock_change(theirs, 1))))
    assert raised.value.found == {"A": 5} and server.count("PATCH", ONE) == 0
    receipt = do(adapter, act(shops.SET_STOCK, (stock_change(mine, 9), stock_change(theirs, 1))))
    assert list(receipt.detail["refused"]) == ["FBA"] and "warehouses" in receipt.detail["refused"]["FBA"]
    assert [one.variant_id for one in sweep(adapter.stock)] == ["A"]
    for wrong in (price_change(mine, price=Money(5, "USD")), price_change(mine, sku="B")):
        with pytest.raises(base.Refused):
            do(adapter, act(shops.UPDATE_VARIANTS, (wrong,)))
    with pytest.raises(Stale):
        do(adapter, act(shops.UPDATE_PRODUCT, "A", {"title": "New"}, expected={"title": "Old"}))
    with pytest.raises(base.Refused):
        do(adapter, act(shops.UPDATE_PRODUCT, "A", {"status": ProductStatus.DRAFT}))


def test_a_lost_patch_is_read_back(server: AmazonContract, adapter: Any) -> None:
    server.add_item("A")
    for action in (act(shops.SET_STOCK, (stock_change(adapter.product("A"), 7, expected=5),)),
                   act(shops.UPDATE_PRODUCT, "A", {"title": "New"}, {"title": "Lamp"})):  # fmt: skip
        assert probe(adapter, action) is None
        server.lose_reply("PATCH", ONE)
        with pytest.raises(base.Uncertain):
            do(adapter, action)
        assert probe(adapter, action) is not None
        do(adapter, action)


def test_many_changes_go_into_a_feed_that_is_uploaded_before(server: AmazonContract, adapter: Any) -> None:
    products = [adapter.product(str(server.add_item(f"S{number}")["sku"])) for number in range(45)]
    action = act(shops.SET_STOCK, tuple(stock_change(one, 8, expected=5) for one in products))
    with pytest.raises(base.UploadsLost):
        do(adapter, action)
    action = uploaded(adapter, action)
    assert len(server.documents) == 1 and not server.feeds and server.count("PATCH", ONE) == 0
    receipt = do(adapter, action)
    assert server.feeds[receipt.detail["feed"]]["marketplaceIds"] == [PLACE]
    assert probe(adapter, action) is None  # Amazon has not worked on it yet
    server.work()
    found = probe(adapter, action)
    assert found is not None and {one["on_hand"] for one in found.detail["now"]} == {8}
    stale = act(shops.SET_STOCK, tuple(stock_change(one, 3, expected=5) for one in products))
    with pytest.raises(Stale):
        uploaded(adapter, stale)
    few = act(shops.SET_STOCK, (stock_change(products[0], 1),))
    assert adapter.upload(few, timeout_s=5) is None


def test_a_file_goes_to_no_foreign_address(server: AmazonContract, adapter: Any) -> None:
    products = [adapter.product(str(server.add_item(f"S{number}")["sku"])) for number in range(21)]
    action = act(shops.SET_STOCK, tuple(stock_change(one, 8) for one in products))
    body = {"feedDocumentId": "d", "url": "https://elsewhere.test/upload"}
    server.answer("POST", "/feeds/2021-06-30/documents", Reply(201, body))
    with pytest.raises(base.Unreachable, match="foreign"):
        adapter.upload(action, timeout_s=5)


def test_a_sweep_goes_on_after_a_thousand_listings(server: AmazonContract, adapter: Any) -> None:
    made = [server.add_item(f"S{number}")["sku"] for number in range(1100)]
    assert {one.id for one in sweep(adapter.products)} == set(made)
    changed = sweep(adapter.changed_products, since=datetime.now(UTC) + timedelta(minutes=1))
    assert changed == []
    assert [one.id for one in adapter.find_products(sku="S7")] == ["S7"] and adapter.find_products(key="none") == []


def test_orders_are_read_and_shipped_once(server: AmazonContract, adapter: Any) -> None:
    server.add_item("A")
    sold = [server.sell("A") for _ in range(25)] + [server.sell("A", status="Pending")]
    orders = sweep(adapter.orders, since=datetime.now(UTC) - timedelta(hours=1))
    assert [one.id for one in orders] == [one["AmazonOrderId"] for one in sold]
    order = orders[0]
    assert (order.total, order.state, order.customer.country) == (Money(5598, "EUR"), OrderState.CONFIRMED, "DE")
    assert (order.lines[0].unit_price, order.lines[0].variant_id) == (Money(2799, "EUR"), "A")
    assert (orders[-1].total, orders[-1].state) == (Money(0, "EUR"), OrderState.PENDING)
    ship = act(shops.UPDATE_ORDER, order.id, OrderState.SHIPPED, tracking="T1")
    server.lose_reply("POST", r"/orders/v0/orders/[^/]+/shipmentConfirmation")
    with pytest.raises(base.Uncertain):
        do(adapter, ship)
    assert probe(adapter, ship) is not None and do(adapter, ship).detail["adopted"] is True
    assert len(sold[0]["parcels"]) == 1 and adapter.order(order.id).lines[0].fulfilled == 2
    for wrong in (act(shops.UPDATE_ORDER, orders[1].id, OrderState.SHIPPED),
                  act(shops.UPDATE_ORDER, orders[1].id, OrderState.REFUNDED)):  # fmt: skip
        with pytest.raises(base.Refused):
            do(adapter, wrong)


def test_a_removed_listing_can_be_removed_again(server: AmazonContract, adapter: Any) -> None:
    server.add_item("A")
    product = adapter.product("A")
    for _ in range(2):
        do(adapter, act(shops.REMOVE_PRODUCT, "A"))
    for call in (lambda: adapter.product("A"), lambda: adapter.product(".."), lambda: adapter.order("../x"),
                 lambda: do(adapter, act(shops.SET_STOCK, (stock_change(product, 1),)))):  # fmt: skip
        with pytest.raises(base.Vanished):
            call()
    assert adapter.stock_of(["A", "B,C", ""]) == []


def test_a_token_is_got_by_the_sellers_refresh_token_and_renewed(server: AmazonContract) -> None:
    keys = {**KEYS, "access_token": "", "client_id": "amzn1.app", "client_secret": "s", "refresh_token": REFRESH,
            "login_address": server.url}  # fmt: skip
    tokens = MemoryTokens()
    adapter: Any = registry.get("amazon").connect(AccountAccess(server.url, SecretStr(json.dumps(keys)), 10, tokens))
    assert adapter.shop().currency == "EUR" and adapter.shop().currency == "EUR"
    assert server.count("POST", "/auth/o2/token") == 1
    server.tokens.clear()
    with pytest.raises(base.Throttled):
        adapter.shop()
    assert adapter.shop().currency == "EUR"
    server.tokens.clear()  # refused although it is new
    with pytest.raises(base.TokenRefused):
        adapter.shop()
    assert server.count("POST", "/auth/o2/token") == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(200, {"status": "INVALID", "issues": [{"severity": "ERROR", "message": "No."}]}), base.Refused),
        (refusal(400, "InvalidInput", "Bad SKU"), base.Refused),
        (refusal(403, "Unauthorized", "Access to requested resource is denied."), base.TokenRefused),
        (Reply(429, {"errors": [{"code": "QuotaExceeded"}]}, {"x-amzn-RateLimit-Limit": "0.5"}), base.Throttled),
        (refusal(503, "ServiceUnavailable", "Later"), base.Uncertain),
        (Reply(200, b"<html>"), base.Uncertain),
        (Reply(200, {"status": 5, "issues": "x"}), base.Refused),
    ],
)
def test_refusals_are_distinguished(server: AmazonContract, adapter: Any, reply: Reply, error: type[Exception]) -> None:
    server.add_item("A")
    product = adapter.product("A")
    server.answer("PATCH", ONE, reply)
    with pytest.raises(error) as raised:
        do(adapter, act(shops.SET_STOCK, (stock_change(product, 7),)))
    assert type(raised.value) is error and TOKEN not in str(raised.value)
    if isinstance(raised.value, base.Throttled):
        assert raised.value.retry_after_s == 2
    hostile = {
        "sku": "A",
        "summaries": 5,
        "attributes": [],
        "offers": [{"marketplaceId": PLACE, "price": {"amount": "1e9999"}}],
    }
    server.answer("GET", ONE, Reply(200, hostile))
    found = adapter.product("A")
    assert (found.title, found.variants[0].price, found.variants[0].on_hand) == ("", None, None)
