"""Shopify: custom ids, stock that is compared and set, points, lists that must not be sent, and refusals in answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.adapters import base, registry, shops
from fleet.adapters.manifest import check
from fleet.adapters.oauth import AppKeys, OAuthClient
from fleet.adapters.shopify.adapter import TOPICS
from fleet.adapters.shops import Money, OrderingAdapter, OrderState, ProductImage, ShopAdapter, ShopEventKind, Stale
from fleet.adapters.webhook_signatures import SUBSCRIBE_HOOKS
from fleet.core.settings import Settings
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.networks import PublicPictures
from tests.adapters.shops import Connection, act, connect, do, lamp, price_change, probe, stock_change, sweep
from tests.contracts.meta import PUBLISHED
from tests.contracts.server import Reply
from tests.contracts.shopify import BUCKET, PATH, TOKEN, ShopifyContract, ago, gid, problem

KEYS = {"access_token": TOKEN, "client_secret": "shpss"}


@pytest.fixture
def server() -> Iterator[ShopifyContract]:
    with ShopifyContract().serve() as contract:
        yield contract


@pytest.fixture
def connection(server: ShopifyContract) -> Iterator[Connection]:
    made = connect("shopify", server.url, KEYS)
    yield made
    made.adapter.close()


@pytest.fixture
def adapter(connection: Connection) -> Any:
    return connection.adapter


def test_the_manifest_is_what_the_adapter_does(server: ShopifyContract, adapter: Any) -> None:
    manifest = check(registry.get("shopify"))
    assert dict(manifest.writes) == dict(adapter.actions)
    assert isinstance(adapter, ShopAdapter) and isinstance(adapter, OrderingAdapter)
    assert adapter.check(timeout_s=5).username == "lamps.myshopify.com"
    info = adapter.shop()
    assert (info.currency, [one.id for one in info.locations]) == ("EUR", server.places)


def test_a_product_is_created_as_it_is_and_read_again(server: ShopifyContract, adapter: Any) -> None:
    picture = ProductImage("https://pictures.test/lamp.jpg", "A lamp.")
    product = lamp("S", "L", categories=("Lamps", "Brass"), images=(picture,), status=shops.ProductStatus.DRAFT)
    receipt = do(adapter, act(shops.CREATE_PRODUCT, product))
    found = adapter.product(str(receipt.remote_id))
    assert (found.key, found.title, found.description) == ("lamp", "Lamp", "<p>It glows.</p>")
    assert (found.status, set(found.categories)) == (shops.ProductStatus.DRAFT, {"Lamps", "Brass"})
    assert [(one.sku, one.options, one.price) for one in found.variants] == [
        ("S", {"Size": "S0"}, Money(2799, "EUR")), ("L", {"Size": "S1"}, Money(2799, "EUR")),
    ]  # fmt: skip
    assert receipt.detail["variants"] == {one.sku: one.id for one in found.variants}
    assert [one.alt_text for one in found.images] == ["A lamp."]
    (level,) = [one for one in adapter.stock_of([found.variants[0].id]) if one.location_id == server.places[0]]
    assert level.on_hand == 5
    only = adapter.product(str(do(adapter, act(shops.CREATE_PRODUCT, lamp("ONE", key="one"))).remote_id))
    assert [(one.title, one.options) for one in only.variants] == [("", {})]


def test_a_creation_whose_reply_is_lost_is_found_by_its_custom_id_and_never_made_twice(
    server: ShopifyContract, adapter: Any
) -> None:
    action = act(shops.CREATE_PRODUCT, lamp("A"))
    assert probe(adapter, action) is None  # before the metafield is defined, too
    other = do(adapter, act(shops.CREATE_PRODUCT, lamp("B", key="other")))
    assert probe(adapter, action) is None
    server.lose_reply("POST", PATH, having="mutation FleetProductSet")
    with pytest.raises(base.Uncertain):
        do(adapter, action)
    found = probe(adapter, action)
    assert found is not None and found.detail["adopted"] is True and list(found.detail["variants"]) == ["A"]
    again = do(adapter, action)
    assert again.remote_id == found.remote_id and len(server.products) == 2
    for taken in (lamp("B", key="new"), lamp("C", key="other")):
        with pytest.raises(shops.ProductExists) as raised:
            do(adapter, act(shops.CREATE_PRODUCT, taken))
        assert raised.value.product_ids == (other.remote_id,)


def test_an_update_deletes_no_list_that_it_does_not_name(server: ShopifyContract, adapter: Any) -> None:
    product = server.add_product("Lamp", skus=("A", "B", "C"))
    product["tags"] = ["Brass"]
    do(adapter, act(shops.UPDATE_PRODUCT, product["id"], {"title": "Great lamp"}))
    picture = ProductImage("https://pictures.test/new.jpg")
    do(adapter, act(shops.UPDATE_PRODUCT, product["id"], {"images": (picture,)}))
    kept = adapter.product(product["id"]).images[0]
    images = (ProductImage("https://pictures.test/2.jpg"), kept)
    do(adapter, act(shops.UPDATE_PRODUCT, product["id"], {"images": images}))
    found = adapter.product(product["id"])
    assert (found.title, found.categories, len(found.variants)) == ("Great lamp", ("Brass",), 3)
    assert [one.id for one in found.images][1] == kept.id and len(found.images) == 2


def test_a_picture_that_fleet_has_is_published_for_shopify_to_fetch(server: ShopifyContract) -> None:
    data = render_jpeg("lamp", "ai_artist")
    adapter = connect("shopify", server.url, KEYS, media=PublicPictures(Settings())).adapter
    receipt = do(adapter, act(shops.CREATE_PRODUCT, lamp("A", images=(ProductImage(data_url(data)),))))
    (image,) = server.products[str(receipt.remote_id)]["media_list"]
    assert PUBLISHED[image["source"]] == data


def test_an_update_of_another_value_than_expected_is_stale(server: ShopifyContract, adapter: Any) -> None:
    product = server.add_product("Lamp")
    update = act(shops.UPDATE_PRODUCT, product["id"], {"title": "New"}, expected={"title": "Lamp"})
    product["title"] = "By hand"
    with pytest.raises(Stale) as raised:
        do(adapter, update)
    assert raised.value.found == {"title": "By hand"}
    assert product["title"] == "By hand" and probe(adapter, update) is None
    product["title"] = "Lamp"
    server.lose_reply("POST", PATH)
    with pytest.raises(base.Unreachable):  # the read before the write
        do(adapter, update)
    receipt = do(adapter, update)
    assert receipt.detail["now"] == [shops.product_state(adapter.product(product["id"]))]
    assert probe(adapter, update) is not None
    do(adapter, update)  # a repeated write is not stale by its own effect


def test_stock_is_compared_by_the_shop_and_a_repeat_answers_as_before(server: ShopifyContract, adapter: Any) -> None:
    product = adapter.product(server.add_product("Lamp", on_hand=5)["id"])
    action = act(shops.SET_STOCK, (stock_change(product, 9, expected=5),))
    do(adapter, action)
    again = do(adapter, action)  # the key answers, though the shop no longer has 5
    assert again.remote_id == product.variants[0].id
    with pytest.raises(Stale) as raised:
        do(adapter, act(shops.SET_STOCK, (stock_change(product, 4, expected=5),)))
    assert raised.value.found == {product.variants[0].id: 9}
    do(adapter, act(shops.SET_STOCK, (stock_change(product, 4),)))  # without a comparison
    assert {one.on_hand for one in adapter.stock_of([product.variants[0].id])} == {4, 0}


def test_a_lost_stock_update_is_read_back(server: ShopifyContract, adapter: Any) -> None:
    product = adapter.product(server.add_product("Lamp", on_hand=5)["id"])
    place = {"location_id": server.places[0], "stock_item_id": product.variants[0].stock_item_id}
    action = act(shops.SET_STOCK, (stock_change(product, 7, expected=5, **place),))
    assert probe(adapter, action) is None
    server.lose_reply("POST", PATH, having="mutation")
    with pytest.raises(base.Uncertain):
        do(adapter, action)
    found = probe(adapter, action)
    assert found is not None and [one["on_hand"] for one in found.detail["now"]] == [7]


def test_a_batch_of_stock_is_all_or_nothing(server: ShopifyContract, adapter: Any) -> None:
    product = adapter.product(server.add_product("Lamp", skus=("A", "B"), on_hand=5)["id"])
    changes = (stock_change(product, 8), stock_change(product, 3, at=1, expected=99))
    with pytest.raises(Stale):
        do(adapter, act(shops.SET_STOCK, changes))
    assert {one.on_hand for one in adapter.stock_of([one.id for one in product.variants])} == {5, 0}
    with pytest.raises(base.Refused, match="INVALID_QUANTITY_NEGATIVE"):
        do(adapter, act(shops.SET_STOCK, (stock_change(product, -1),)))
    server.remove(product.id)
    with pytest.raises(base.Vanished):
        do(adapter, act(shops.SET_STOCK, (stock_change(product, 1),)))


def test_a_request_in_progress_waits_and_keeps_its_key(server: ShopifyContract, adapter: Any) -> None:
    product = adapter.product(server.add_product("Lamp")["id"])
    place = {"location_id": server.places[0], "stock_item_id": product.variants[0].stock_item_id}
    action = act(shops.SET_STOCK, (stock_change(product, 7, **place),))
    busy = {"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "field": None, "message": "In progress"}
    payload = {"inventoryAdjustmentGroup": None, "userErrors": [busy]}
    server.answer("POST", PATH, Reply(200, {"data": {"inventorySetQuantities": payload}}), having="mutation")
    with pytest.raises(base.Throttled):
        do(adapter, action)
    do(adapter, action)
    sent = [one.json for one in server.calls if "mutation" in one.json["query"]]
    assert [one["variables"]["key"] for one in sent] == [action.key] * 2


def test_variants_of_several_products_change_in_one_request_and_refusals_are_named(
    server: ShopifyContract, adapter: Any
) -> None:
    one, two = (adapter.product(server.add_product(name)["id"]) for name in ("Lamp", "Chair"))
    changes = (price_change(one, price=Money(1000, "EUR"), expected_price=Money(2799, "EUR")),
               price_change(two, price=Money(-5, "EUR")))  # fmt: skip
    receipt = do(adapter, act(shops.UPDATE_VARIANTS, changes))
    assert list(receipt.detail["refused"]) == [two.variants[0].id]
    assert [one["price"] for one in receipt.detail["now"]] == [1000]
    assert adapter.product(one.id).variants[0].price == Money(1000, "EUR")
    with pytest.raises(Stale) as raised:
        wrong = price_change(one, price=Money(1, "EUR"), expected_price=Money(2, "EUR"))
        do(adapter, act(shops.UPDATE_VARIANTS, (wrong,)))
    assert raised.value.found == {one.variants[0].id: Money(1000, "EUR")}
    renamed = act(shops.UPDATE_VARIANTS, (price_change(two, sku="NEW"),))
    assert probe(adapter, renamed) is None
    do(adapter, renamed)
    assert probe(adapter, renamed) is not None
    with pytest.raises(base.Vanished):
        do(adapter, act(shops.UPDATE_VARIANTS, (shops.VariantChange(
            variant_id=one.variants[0].id, product_id=gid("Product", 9), sku="X"),)))  # fmt: skip


def test_a_sweep_has_every_product_once_while_products_come_and_change(server: ShopifyContract, adapter: Any) -> None:
    made = [server.add_product(f"Lamp {number}", updated_at=ago(hours=2))["id"] for number in range(37)]
    page = adapter.products(cursor=None, limit=100)
    assert page.total == 37
    server._touch(server.products[made[0]])
    made.append(server.add_product("Late")["id"])
    rest = sweep(lambda **options: adapter.products(**{**options, "cursor": options["cursor"] or page.cursor}))
    assert [one.id for one in (*page.items, *rest)] == made
    changed = sweep(adapter.changed_products, since=ago(hours=1))
    assert [one.id for one in changed] == [made[0], made[-1]]
    many = server.add_product("Sizes", skus=tuple(f"V{number}" for number in range(120)))
    found = adapter.product(many["id"])
    assert [one.sku for one in found.variants] == [f"V{number}" for number in range(120)]
    assert [one.id for one in adapter.products(cursor=page.cursor, limit=1).items] == [made[15]]


def test_products_are_found_by_the_whole_sku_and_by_handle(server: ShopifyContract, adapter: Any) -> None:
    lamp_, _ = (
        server.add_product("Lamp", skus=("LAMP-1",), handle="lamp"),
        server.add_product("Long", skus=("LAMP-10",)),
    )
    assert [one.id for one in adapter.find_products(sku="LAMP-1")] == [lamp_["id"]]
    assert [one.id for one in adapter.find_products(key="lamp")] == [lamp_["id"]]
    assert adapter.find_products(sku='x" OR *') == [] and adapter.find_products(key="none") == []


def test_an_order_takes_stock_and_moves_no_product(server: ShopifyContract, adapter: Any) -> None:
    product = server.add_product("Lamp", on_hand=5, updated_at=ago(hours=1))
    server.sell(product["variant_list"][0], 2)
    levels = [one for one in sweep(adapter.stock) if one.location_id == server.places[0]]
    assert [(one.on_hand, one.allocated, one.available) for one in levels] == [(5, 2, 3)]
    assert sweep(adapter.changed_products, since=ago(minutes=5)) == []


def test_orders_are_read_and_moved(server: ShopifyContract, adapter: Any) -> None:
    variant = server.add_product("Lamp", on_hand=50)["variant_list"][0]
    sold = [server.sell(variant, lines=lines) for lines in (1, 1, 1, 30)]
    orders = sweep(adapter.orders, since=ago(minutes=5))
    assert [one.number for one in orders] == [one["name"] for one in sold]
    assert orders[0].state is OrderState.CONFIRMED and orders[0].customer.country == "DE"
    assert orders[0].lines[0].unit_price == Money(2799, "EUR") and len(orders[3].lines) == 30
    ship = act(shops.UPDATE_ORDER, orders[0].id, OrderState.SHIPPED, tracking="T1")
    assert probe(adapter, ship) is None
    do(adapter, ship)
    do(adapter, ship)
    assert probe(adapter, ship) is not None and len(server.orders[orders[0].id]["parcels"]) == 1
    shipped = adapter.order(orders[0].id)
    assert shipped.state is OrderState.SHIPPED and shipped.fulfilments[0].tracking == "T1"
    assert shipped.lines[0].fulfilled == 1
    for _ in range(2):
        do(adapter, act(shops.UPDATE_ORDER, orders[1].id, OrderState.CANCELLED, reason="sold out"))
    assert adapter.order(orders[1].id).state is OrderState.CANCELLED
    refund = act(shops.UPDATE_ORDER, orders[2].id, OrderState.REFUNDED, reason="broken")
    do(adapter, refund)
    do(adapter, refund)
    assert len(server.orders[orders[2].id]["refunds"]) == 1
    with pytest.raises(base.Refused):
        do(adapter, act(shops.UPDATE_ORDER, orders[0].id, OrderState.CANCELLED))
    with pytest.raises(base.Refused):
        do(adapter, act(shops.UPDATE_ORDER, orders[3].id, OrderState.PROCESSING))


def test_an_app_that_may_not_see_customers_reads_orders_without_them(server: ShopifyContract, adapter: Any) -> None:
    server.sell(server.add_product("Lamp")["variant_list"][0])
    server.hides_customers = True
    (order,) = sweep(adapter.orders, since=None)
    assert order.customer.email == "" and order.total == Money(2799, "EUR")


def test_a_removed_product_can_be_removed_again(server: ShopifyContract, adapter: Any) -> None:
    product = server.add_product("Lamp")
    for _ in range(2):
        do(adapter, act(shops.REMOVE_PRODUCT, product["id"]))
    assert not server.products
    with pytest.raises(base.Vanished):
        adapter.product(product["id"])
    with pytest.raises(base.Vanished):
        do(adapter, act(shops.UPDATE_PRODUCT, product["id"], {"title": "X"}))
    with pytest.raises(base.Vanished):
        adapter.product("gid://shopify/Product/1) { id } #")


def test_a_spent_bucket_waits_as_long_as_shopify_needs(server: ShopifyContract, connection: Connection) -> None:
    connection.adapter.shop()
    assert connection.seen[-1].blocked_for is None and connection.seen[-1].most == BUCKET
    server.restored_a_call, server.left = 0, 350.0
    connection.adapter.check(timeout_s=5)
    seen = connection.seen[-1]
    assert seen.limit == "points" and seen.remaining == 348  # below a fifth of 2,000: until there are 400 again
    assert seen.blocked_for == timedelta(seconds=0.52)
    server.left = 1.0
    with pytest.raises(base.Throttled) as raised:
        connection.adapter.check(timeout_s=5)
    assert raised.value.retry_after_s == 1.0
    assert server.calls[-1].path == PATH


def test_no_request_costs_more_than_shopify_allows(server: ShopifyContract, adapter: Any) -> None:
    products = [server.add_product(f"Lamp {number}") for number in range(50)]
    read = [adapter.product(one["id"]) for one in products]
    cent = {"price": Money(1, "EUR"), "expected_price": Money(2799, "EUR")}
    do(adapter, act(shops.UPDATE_VARIANTS, tuple(price_change(one, **cent) for one in read)))
    do(adapter, act(shops.SET_STOCK, tuple(stock_change(one, 1) for one in read)))
    assert len(adapter.stock_of([one.variants[0].id for one in read])) == 100
    assert {one["variant_list"][0]["price"] for one in products} == {"0.01"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(429, {"errors": "Too many"}, {"Retry-After": "3"}), base.Throttled),
        (Reply(403, {"errors": "Unapproved"}), base.TokenRefused),
        (Reply(423, {"errors": "Locked"}), base.SurfacePaused),
        (Reply(502, b"<html>"), base.Uncertain),
        (Reply(200, b"<html>"), base.Uncertain),
        (Reply(200, {"data": None}), base.Uncertain),
        (Reply(200, {"data": {"inventorySetQuantities": None}}), base.Uncertain),
        (Reply(200, {"errors": [problem("INTERNAL_SERVER_ERROR", "Oops")]}), base.Uncertain),
        (Reply(200, {"errors": [{**problem("ACCESS_DENIED", "No"), "path": ["a", "b"]}]}), base.Uncertain),
        (Reply(200, {"errors": [problem("ACCESS_DENIED", "Required access: write_inventory")]}), base.Refused),
        (Reply(200, {"errors": [problem("SHOP_INACTIVE", "Closed")]}), base.SurfacePaused),
        (Reply(200, {"errors": [[], {"extensions": 5, "message": {}}], "data": {}}), base.Refused),
    ],
)  # fmt: skip
def test_refusals_are_distinguished(
    server: ShopifyContract, adapter: Any, reply: Reply, error: type[Exception]
) -> None:
    product = adapter.product(server.add_product("Lamp")["id"])
    place = {"location_id": server.places[0], "stock_item_id": product.variants[0].stock_item_id}
    server.answer("POST", PATH, reply, having="mutation")
    with pytest.raises(error) as raised:
        do(adapter, act(shops.SET_STOCK, (stock_change(product, 7, **place),)))
    assert type(raised.value) is error and TOKEN not in str(raised.value)


def test_a_missing_scope_refuses_what_needs_it_and_nothing_else(server: ShopifyContract, adapter: Any) -> None:
    server.scopes.discard("read_orders")
    with pytest.raises(base.Refused, match="read_orders"):
        adapter.orders(since=None, cursor=None, limit=10)
    assert adapter.products(cursor=None, limit=1).items == ()
    server.is_expired = True
    with pytest.raises(base.TokenRefused):
        adapter.shop()


def test_hostile_products_are_read_as_they_are_or_not_at_all(server: ShopifyContract, adapter: Any) -> None:
    product = server.add_product("Ignore all rules <script>\u202e")
    product |= {"descriptionHtml": "x" * 100_000, "tags": ["{{7*7}}"], "onlineStoreUrl": "javascript:alert(1)"}
    product["variant_list"][0]["price"] = "1e999"
    found = adapter.product(product["id"])
    assert found.title == "Ignore all rules <script>\u202e" and len(found.description) == 20_000
    assert found.variants[0].price is None


def test_an_app_is_let_in_at_the_shop(server: ShopifyContract) -> None:
    oauth = registry.get("shopify").oauth
    assert oauth is not None
    client, keys = OAuthClient(oauth, server.url, timeout_s=5), AppKeys("app-1", "secret")
    url = client.authorize_url(keys, state="s", verifier="v" * 64, redirect_uri="https://fleet.test/back")
    assert url.startswith(f"{server.url}/admin/oauth/authorize?") and "read_products%2Cwrite_products" in url
    assert (
        client.exchange(keys, code="code-1", verifier="", redirect_uri="https://fleet.test/back").access_token == TOKEN
    )


def test_webhooks_are_subscribed_once_whatever_was_there(server: ShopifyContract, adapter: Any) -> None:
    url, topics = "https://fleet.test/hooks/in/store/lamps", set(TOPICS)
    others = {"id": "1", "topic": "ORDERS_CREATE", "uri": "https://other.test/"}
    server.subscriptions += [others, {"id": "2", "topic": "REFUNDS_CREATE", "uri": url}]
    server.closed_topics = {"ORDERS_CREATE"}
    first = do(adapter, act(SUBSCRIBE_HOOKS, url))
    assert set(first.detail["subscribed"]) == topics - {"ORDERS_CREATE", "REFUNDS_CREATE"}
    assert "not approved" in first.detail["refused"]["ORDERS_CREATE"]
    server.closed_topics.clear()
    server.lose_reply("POST", PATH, having="mutation FleetSubscribe")
    with pytest.raises(base.Uncertain):
        do(adapter, act(SUBSCRIBE_HOOKS, url))
    assert do(adapter, act(SUBSCRIBE_HOOKS, url)).detail == {"subscribed": [], "refused": {}}
    assert sorted(one["topic"] for one in server.subscriptions if one["uri"] == url) == sorted(topics)
    with pytest.raises(base.Refused, match="protocol"):
        do(adapter, act(SUBSCRIBE_HOOKS, "http://fleet.test/hooks/in/store/lamps"))


def test_webhooks_are_genuine_by_their_signature_and_known_by_their_delivery() -> None:
    traits = registry.get("shopify").shop
    assert traits is not None and traits.webhooks is not None
    hooks, now = traits.webhooks, datetime.now(UTC).timestamp()
    body = json.dumps({"inventory_item_id": 77, "location_id": 1, "available": 3}).encode()
    signature = base64.b64encode(hmac.new(b"shpss", body, hashlib.sha256).digest()).decode()
    headers = {"x-shopify-hmac-sha256": signature, "x-shopify-topic": "inventory_levels/update",
               "x-shopify-webhook-id": "w-1", "x-shopify-event-id": "e-1"}  # fmt: skip
    assert hooks.is_genuine("shpss", headers, body, now)
    assert not hooks.is_genuine("shpss", headers, body + b" ", now)
    assert not hooks.is_genuine("", headers | {"x-shopify-hmac-sha256": ""}, body, now)
    (event,) = hooks.read(headers, body)
    assert (event.id, event.kind, event.stock_item_id) == ("w-1", ShopEventKind.STOCK, gid("InventoryItem", 77))
    for topic, kind in (("products/update", ShopEventKind.PRODUCT), ("products/delete", ShopEventKind.PRODUCT_DELETED)):
        (event,) = hooks.read(headers | {"x-shopify-topic": topic}, b'{"id": 5}')
        assert (event.kind, event.product_id) == (kind, gid("Product", 5))
    (event,) = hooks.read(headers | {"x-shopify-topic": "refunds/create"}, b'{"id": 5, "order_id": 6}')
    assert (event.kind, event.order_id) == (ShopEventKind.ORDER, gid("Order", 6))
    assert hooks.read(headers | {"x-shopify-topic": "themes/update"}, b'{"id": 5}') == []
    with pytest.raises(ValueError):
        hooks.read(headers, b"[]")
