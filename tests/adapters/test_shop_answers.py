"""Answers of shops are data: hostile, broken or huge ones become plain values or an error of adapters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry, shops, webhook_signatures
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.oscar import wire as oscar_wire
from fleet.adapters.shops import Money, ProductImage, ShopEventKind, ShopProduct, digest_of
from fleet.adapters.vendure import orders as vendure_orders
from fleet.adapters.vendure import wire as vendure_wire
from fleet.adapters.vendure.reads import is_after
from fleet.core.errors import InvalidInput

JUNK: tuple[Any, ...] = (
    None, True, -1, 2**80, 1.5, "", "x" * 200_000, [], [None], {}, {"id": {}}, {"id": "é" * 500}, [[[]]], "\x00",
    {"items": [{"id": 1}]},
)  # fmt: skip
VENDURE = {
    "id": "7", "slug": "lamp", "name": "Lamp", "description": "<p>x</p>", "enabled": True, "facetValues": [],
    "featuredAsset": {"id": "2"}, "updatedAt": "2026-11-24T20:41:50.248Z",
    "assets": [{"id": "1", "name": "a.jpg", "source": "s"}, {"id": "2", "name": f"fleet-{'a' * 64}.jpg"}],
}  # fmt: skip
VARIANT = {
    "id": "8", "productId": "7", "sku": "L-1", "name": "Lamp", "currencyCode": "EUR",
    "prices": [{"price": 1, "currencyCode": "USD"}, {"price": 2999, "currencyCode": "EUR"}],
    "updatedAt": "2026-11-24T20:41:50.248Z", "options": [{"name": "M", "group": {"name": "Size"}}],
    "stockLevels": [{"stockLocationId": "1", "stockOnHand": 5, "stockAllocated": 2}],
}  # fmt: skip
ORDER = {
    "id": "1", "code": "C", "state": "Shipped", "orderPlacedAt": "2026-11-24T20:49:25.056Z", "totalWithTax": 100,
    "currencyCode": "EUR", "updatedAt": "2026-11-24T20:49:22.000Z", "customer": {"firstName": "A"}, "payments": [],
    "shippingAddress": {"countryCode": "DE"}, "lines": [{"id": "1", "quantity": 1, "productVariant": {"id": "8"}}],
    "fulfillments": [{"id": "1", "state": "Shipped", "lines": [{"orderLineId": "1", "quantity": 1}]}],
}  # fmt: skip
RECORD = {"url": "http://shop/api/admin/stockrecords/9/", "partner": "http://shop/api/admin/partners/1/",
          "partner_sku": "L-1", "price": "29.99", "price_currency": "EUR", "num_in_stock": 5, "num_allocated": None,
          "date_updated": "2026-11-24T21:00:43.184254Z"}  # fmt: skip
ROW = {
    "id": 7, "upc": "lamp", "title": "Lamp", "description": "x", "is_public": True, "structure": "standalone",
    "categories": ["Everything"], "images": [{"id": 3, "original": "u", "code": f"fleet-{'b' * 64}-lamp"}],
    "attributes": [], "stockrecords": [RECORD], "children": [], "date_updated": "2026-11-24T21:00:42.791Z",
}  # fmt: skip


def broken(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an object with junk in place of each of its values, also in its lists and objects."""
    for name, value in good.items():
        for junk in JUNK:
            yield {**good, name: junk}
        if isinstance(value, dict):
            yield from ({**good, name: one} for one in broken(value))
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from ({**good, name: [one, *value[1:]]} for one in broken(value[0]))


def test_an_answer_is_read() -> None:
    vendure = vendure_wire.product_of(VENDURE, [vendure_wire.variant_of(VARIANT)], "u")
    oscar = oscar_wire.product_of(ROW, (), "u")
    for found in (vendure, oscar):
        (variant,) = found.variants
        assert (found.id, found.key, found.title, variant.sku, variant.price, variant.on_hand) == (
            "7", "lamp", "Lamp", "L-1", Money(2999, "EUR"), 5
        )  # fmt: skip
    assert [(one.id, one.digest) for one in vendure.images] == [("2", "a" * 64), ("1", "")], "the featured one first"
    assert [(one.id, one.digest) for one in oscar.images] == [("3", "b" * 64)]
    assert vendure_wire.levels_of(VARIANT)[0].available == 3


def test_junk_in_any_place_is_a_plain_value_or_an_error_of_adapters() -> None:
    read = 0
    for one in broken(VENDURE):
        read += _is_plain(vendure_wire.product_of(one, [], "u"))
    for one in broken(VARIANT):
        read += _is_plain(vendure_wire.product_of(VENDURE, [vendure_wire.variant_of(one)], "u"))
        vendure_wire.levels_of(one)
    for one in broken(ROW):
        read += _is_plain(oscar_wire.product_of(one, (), "u"))
        oscar_wire.levels_of(one)
    for one in broken(ORDER):
        try:
            assert vendure_orders.order_of(one).total.currency == "EUR"
        except base.Uncertain:
            continue
    assert read > 500


def _is_plain(found: ShopProduct) -> bool:
    assert len(json.dumps(shops.product_state(found))) < 400_000
    for one in found.variants:
        json.dumps(shops.variant_state(one, found.id))
        assert one.price is None or isinstance(one.price, Money)
        assert one.on_hand is None or abs(one.on_hand) < 2**40
    return True


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("vendure-auth-token", "t")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the names of http.server

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", ["vendure", "oscar"])
def test_a_shop_that_talks_nonsense_is_an_error_of_adapters(name: str) -> None:
    deep = b'{"data":' * 50_000
    huge = b'{"results": ["' + b"x" * 9_000_000 + b'"], "count": 1}'
    bodies = (b"", b"null", b"[]", b"[1]", b'{"data": null}', b'{"data": {"products": {"items": 5}}}', deep, huge,
              b'{"results": [], "count": -1}', b'{"errors": [1], "data": {}}', b"\xff", b'"' + b"a" * 100,
              b'{"errors": [{"message": {"a": 1}, "extensions": []}]}')  # fmt: skip
    for body in bodies:
        with answering(body) as address:
            adapter = registry.get(name).connect(AccountAccess(address, SecretStr("user:password"), timeout_s=10))
            for call in (
                lambda one=adapter: one.products(cursor=None, limit=10),
                lambda one=adapter: one.shop(),
                lambda one=adapter: one.orders(since=None, cursor=None, limit=10),
            ):
                try:
                    found = call()
                except base.AdapterError:
                    continue
                assert body in (b"[]", b"[1]") and not getattr(found, "items", ()), body[:100]
            adapter.close()


@pytest.mark.parametrize("name", ["vendure", "oscar"])
@pytest.mark.parametrize("credentials", ["", "{", "{}", "[" * 9999, '{"username": "x"}', "k\ney\x00", ":", "\x00:x"])
def test_wrong_credentials_are_refused_without_repeating_them(name: str, credentials: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        registry.get(name).connect(AccountAccess("http://127.0.0.1:9", SecretStr(credentials)))
    assert len(credentials) < 3 or credentials not in str(raised.value)


def test_a_delivery_of_a_plugin_is_read_once_for_each_variant() -> None:
    body = json.dumps({"id": "e", "type": "stock.changed", "variants": ["1", "2", 3]}).encode()
    events = webhook_signatures.SHOP_PLUGIN.read({}, body)
    assert [(one.id, one.kind, one.variant_id) for one in events] == [
        ("e:1", ShopEventKind.STOCK, "1"), ("e:2", ShopEventKind.STOCK, "2")
    ]  # fmt: skip
    (deleted,) = webhook_signatures.SHOP_PLUGIN.read({}, b'{"id": "e", "type": "product.deleted", "product": "5"}')
    assert (deleted.kind, deleted.product_id, deleted.kind.priority) == (ShopEventKind.PRODUCT_DELETED, "5", 5)


def test_images_are_compared_by_their_files() -> None:
    url = "data:image/png;base64,AAAA"
    digest = digest_of(ProductImage(url=url))
    product = ShopProduct(id="1", key="k", title="t", images=(ProductImage(url="u", id="5", digest=digest),))
    assert shops.differences(product, {"images": (ProductImage(url=url),)}) == {}
    assert shops.differences(product, {"images": (ProductImage(url="", id="5"),)}) == {}
    assert set(shops.differences(product, {"images": (), "title": "t"})) == {"images"}
    assert set(shops.differences(product, {"images": (ProductImage(url=url + "AAAA"),)})) == {"images"}
    assert digest_of(ProductImage(url="data:image/png;base64,!")) == digest_of(ProductImage(url="http://x")) == ""
    with pytest.raises(base.Refused):
        shops.differences(product, {"price": 1})


@pytest.mark.parametrize("amount", ["1e999999", "1e-999999", "9" * 40, "NaN", "Infinity", "1.999", "", "x"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(InvalidInput):
        Money.parse(amount, "EUR")


def test_ids_are_in_the_order_of_the_shop() -> None:
    assert is_after("10", "9") and not is_after("9", "10") and is_after("b", "a")
    assert vendure_orders.stamp(datetime(2026, 11, 24, 1, 2, 3, 4567, UTC)) == "2026-11-24T01:02:03.004Z"
