"""Printify: artwork that is sent before, locked products, variants that must all be sent, and no stock."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.adapters import base, registry, shops
from fleet.adapters.manifest import Capability, check
from fleet.adapters.shops import Money, OrderingAdapter, OrderState, ProductImage, ProductStatus, ShopAdapter, Stale
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.networks import uploaded
from tests.adapters.shops import act, connect, do, lamp, price_change, probe, stock_change, sweep
from tests.contracts.printify import BLUEPRINT, PROVIDER, SHOP, TOKEN, PrintifyContract, S, refusal
from tests.contracts.server import Reply

KEYS = {"access_token": TOKEN, "shop_id": SHOP, "currency": "EUR", "blueprint_id": BLUEPRINT,
        "print_provider_id": PROVIDER}  # fmt: skip
ART = render_jpeg("lamp", "ai_artist")
ONE = rf"{S}/products/\w+\.json"


@pytest.fixture
def server() -> Iterator[PrintifyContract]:
    with PrintifyContract().serve() as contract:
        yield contract


@pytest.fixture
def adapter(server: PrintifyContract) -> Iterator[Any]:
    made = connect("printify", server.url, KEYS).adapter
    yield made
    made.close()


def shirt(**fields: Any) -> Any:
    """Return a shirt in two sizes to create."""
    product = lamp("S-1", "L-1", on_hand=None, images=(ProductImage(data_url(ART)),), title="Shirt", **fields)
    sizes = tuple(replace(one, options={"Size": size}) for one, size in zip(product.variants, ("s", "L"), strict=True))
    return act(shops.CREATE_PRODUCT, replace(product, variants=sizes))


def test_the_manifest_is_what_the_adapter_does(adapter: Any) -> None:
    manifest = check(registry.get("printify"))
    assert dict(manifest.writes) == dict(adapter.actions)
    assert isinstance(adapter, ShopAdapter) and isinstance(adapter, OrderingAdapter)
    assert isinstance(adapter, base.UploadingAdapter) and not isinstance(adapter, shops.ChangesAdapter)
    stock = manifest.operation("set_stock")
    assert stock.capability is Capability.UNSUPPORTED and "on demand" in stock.rule
    assert adapter.check(timeout_s=5).username == "Prints" and adapter.shop().currency == "EUR"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", rf"{S}/products\.json"), ("POST", rf"{S}/products/\w+/publish\.json")]
)
@pytest.mark.parametrize("is_done", [True, False])
def test_a_creation_that_is_cut_off_makes_one_product(
    server: PrintifyContract, adapter: Any, method: str, path: str, is_done: bool
) -> None:
    action = uploaded(adapter, shirt(categories=("brass",)))
    assert probe(adapter, action) is None
    if is_done:
        server.lose_reply(method, path)
    else:
        server.answer(method, path, Reply(502, b"<html>"))
    with pytest.raises(base.Uncertain):
        do(adapter, action)
    receipt = probe(adapter, action) or do(adapter, action)
    found = adapter.product(str(receipt.remote_id))
    assert len(server.products) == len(server.images) == 1
    assert [*server.images.values()] == [ART]
    assert (found.title, found.status, found.categories) == ("Shirt", ProductStatus.ACTIVE, ("brass",))
    assert [(one.sku, one.options, one.price) for one in found.variants] == [
        ("S-1", {"Size": "S"}, Money(2799, "EUR")), ("L-1", {"Size": "L"}, Money(2799, "EUR"))
    ]  # fmt: skip
    assert receipt.detail["variants"] == {one.sku: one.id for one in found.variants}
    assert probe(adapter, replace(action, key="other", payload=shirt(description="Other").payload)) is None


def test_a_product_that_the_provider_does_not_print_is_refused(server: PrintifyContract, adapter: Any) -> None:
    with pytest.raises(base.Refused, match="artwork"):
        uploaded(adapter, act(shops.CREATE_PRODUCT, lamp("A")))
    action = uploaded(adapter, act(shops.CREATE_PRODUCT, lamp("A", images=(ProductImage(data_url(ART)),))))
    with pytest.raises(base.Refused, match="provider has no variant"):
        do(adapter, action)
    with pytest.raises(base.Refused):
        do(adapter, act(shops.SET_STOCK, (stock_change(lamp("A"), 5),)))
    server.answer("POST", rf"{S}/products/\w+/publish\.json", refusal(400, 8253, "No sales channel."))
    with pytest.raises(base.Refused, match="sales channel"):
        do(adapter, uploaded(adapter, shirt()))
    assert not server.products and adapter.stock(cursor=None, limit=10).items == () and adapter.stock_of(["x"]) == []


def test_all_variants_are_sent_and_one_changes(server: PrintifyContract, adapter: Any) -> None:
    raw = server.add_product("Shirt", skus=("S-1", "M-1", "L-1"))
    product = adapter.product(raw["id"])
    change = price_change(product, 1, price=Money(999, "EUR"), expected_price=Money(2799, "EUR"))
    receipt = do(adapter, act(shops.UPDATE_VARIANTS, (change,)))
    assert [(one["sku"], one["price"]) for one in receipt.detail["now"]] == [("M-1", 999)]
    assert [(one["price"], one["is_enabled"]) for one in raw["variants"]] == [(2799, True), (999, True), (2799, True)]
    assert [name for name, is_sent in server.published[-1].items() if is_sent] == ["variants"]
    with pytest.raises(Stale) as raised:
        do(
            adapter,
            act(
                shops.UPDATE_VARIANTS,
                (price_change(product, 1, price=Money(5, "EUR"), expected_price=Money(1, "EUR")),),
            ),
        )
    assert raised.value.found == {product.variants[1].id: Money(999, "EUR")}
    with pytest.raises(base.Refused, match="EUR"):
        do(adapter, act(shops.UPDATE_VARIANTS, (price_change(product, price=Money(5, "USD")),)))
    again = act(shops.UPDATE_VARIANTS, (price_change(product, 0, sku="NEW"),))
    server.lose_reply("PUT", ONE)
    with pytest.raises(base.Uncertain):
        do(adapter, again)
    found = probe(adapter, again)
    assert found is not None and found.detail["now"][0]["sku"] == "NEW"


def test_a_locked_product_waits(server: PrintifyContract, adapter: Any) -> None:
    product = adapter.product(server.add_product("Shirt", is_out=False)["id"])
    server.locks_for_good = True
    do(adapter, act(shops.UPDATE_PRODUCT, product.id, {"title": "New", "status": ProductStatus.ACTIVE}))
    assert all(server.published[-1].values())
    update = act(shops.UPDATE_PRODUCT, product.id, {"title": "Newer"}, {"title": "New"})
    with pytest.raises(base.Throttled) as raised:
        do(adapter, update)
    assert raised.value.retry_after_s == 30
    server.products[product.id]["is_locked"] = server.locks_for_good = False
    do(adapter, update)
    assert probe(adapter, update) is not None and adapter.product(product.id).title == "Newer"
    with pytest.raises(Stale):
        do(adapter, act(shops.UPDATE_PRODUCT, product.id, {"title": "X"}, {"title": "New"}))
    for changes in ({"status": ProductStatus.ARCHIVED}, {"images": ()}):
        server.products[product.id]["external"] = {"id": "9"}
        with pytest.raises(base.Refused):
            do(adapter, act(shops.UPDATE_PRODUCT, product.id, changes))


def test_a_sweep_has_every_product_while_some_are_added(server: PrintifyContract, adapter: Any) -> None:
    made = [server.add_product(f"Shirt {number}", skus=(f"S-{number}",))["id"] for number in range(120)]
    page = adapter.products(cursor=None, limit=100)
    assert page.total == 120
    server.add_product("Late")
    rest = sweep(lambda **options: adapter.products(**{**options, "cursor": options["cursor"] or page.cursor}))
    assert {one.id for one in (*page.items, *rest)} == set(made)
    assert [one.id for one in adapter.find_products(sku="S-3")] == [made[3]]
    assert [one.id for one in adapter.find_products(key=made[5])] == [made[5]] and adapter.find_products(
        key="../1"
    ) == []


def test_orders_are_read_and_cancelled_while_they_are_on_hold(server: PrintifyContract, adapter: Any) -> None:
    raw = server.add_product("Shirt")
    sold = [server.sell(raw) for _ in range(12)]
    orders = sweep(adapter.orders, since=datetime.now(UTC) - timedelta(hours=1))
    assert {one.id for one in orders} == {one["id"] for one in sold}
    order = adapter.order(sold[0]["id"])
    assert (order.total, order.state, order.customer.country) == (Money(5998, "EUR"), OrderState.CONFIRMED, "DE")
    assert (order.lines[0].variant_id, order.lines[0].quantity) == (adapter.product(raw["id"]).variants[0].id, 2)
    cancel = act(shops.UPDATE_ORDER, order.id, OrderState.CANCELLED)
    server.lose_reply("POST", rf"{S}/orders/\w+/cancel\.json")
    with pytest.raises(base.Uncertain):
        do(adapter, cancel)
    assert probe(adapter, cancel) is not None and do(adapter, cancel).detail["adopted"] is True
    sold[1] |= {"status": "fulfilled", "shipments": [{"number": "T1", "delivered_at": "2026-11-22 10:00:00+00:00"}]}
    assert adapter.order(sold[1]["id"]).state is OrderState.DELIVERED
    for wrong in (act(shops.UPDATE_ORDER, sold[1]["id"], OrderState.CANCELLED),
                  act(shops.UPDATE_ORDER, sold[2]["id"], OrderState.SHIPPED)):  # fmt: skip
        with pytest.raises(base.Refused):
            do(adapter, wrong)


def test_a_removed_product_can_be_removed_again(server: PrintifyContract, adapter: Any) -> None:
    product = adapter.product(server.add_product("Shirt")["id"])
    for _ in range(2):
        do(adapter, act(shops.REMOVE_PRODUCT, product.id))
    for call in (lambda: adapter.product(product.id), lambda: adapter.order("x"),
                 lambda: do(adapter, act(shops.UPDATE_VARIANTS, (price_change(product, sku="X"),)))):  # fmt: skip
        with pytest.raises(base.Vanished):
            call()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(400, 8251, "title: required"), base.Refused),
        (Reply(401, {"error": "Unauthenticated."}), base.TokenRefused),
        (Reply(429, {}, {"Retry-After": "7"}), base.Throttled),
        (Reply(502, b"<html>"), base.Uncertain),
        (Reply(200, b"<html>"), base.Uncertain),
        (Reply(400, {"errors": ["odd"], "code": "x"}), base.Refused),
    ],
)
def test_refusals_are_distinguished(
    server: PrintifyContract, adapter: Any, reply: Reply, error: type[Exception]
) -> None:
    product = adapter.product(server.add_product("Shirt")["id"])
    server.answer("PUT", ONE, reply)
    with pytest.raises(error) as raised:
        do(adapter, act(shops.UPDATE_PRODUCT, product.id, {"title": "New"}))
    assert type(raised.value) is error and TOKEN not in str(raised.value)
    server.products[product.id] |= {
        "options": [3],
        "tags": "x",
        "external": [],
        "variants": [{"price": "1", "options": [{}]}],
    }
    hostile = adapter.product(product.id)
    assert hostile.variants[0].price is None and hostile.status is ProductStatus.DRAFT


def test_webhooks_are_genuine_by_their_signature() -> None:
    traits = registry.get("printify").shop
    assert traits is not None and traits.webhooks is not None
    hooks = traits.webhooks
    body = json.dumps({"id": "e-1", "type": "order:updated", "resource": {"id": "5a", "type": "order"}}).encode()
    headers = {"x-pfy-signature": f"sha256={hmac.new(b'secret', body, hashlib.sha256).hexdigest()}"}
    assert hooks.is_genuine("secret", headers, body, 0.0)
    assert not hooks.is_genuine("secret", headers, body + b" ", 0.0) and not hooks.is_genuine("", headers, body, 0.0)
    (event,) = hooks.read(headers, body)
    assert (event.id, event.kind, event.order_id) == ("e-1", shops.ShopEventKind.ORDER, "5a")
    (event,) = hooks.read({}, body.replace(b"order:updated", b"product:deleted"))
    assert (event.kind, event.product_id) == (shops.ShopEventKind.PRODUCT_DELETED, "5a")
    assert hooks.read({}, body.replace(b"order:updated", b"shop:disconnected")) == []
    for wrong in (b"[]", b"{", b"[" * 100_000, b'{"id": "e"}'):
        with pytest.raises(ValueError):
            hooks.read({}, wrong)
