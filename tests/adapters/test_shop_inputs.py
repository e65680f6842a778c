"""What all adapters of shops do with credentials, cursors and ids that make no sense."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry, shops
from fleet.adapters.amazon import answers as amazon_answers
from fleet.adapters.base import SurfaceObject
from fleet.adapters.etsy import answers as etsy_answers
from fleet.adapters.etsy.inventory import merged
from fleet.adapters.gumroad import adapter as gumroad_adapter
from fleet.adapters.manifest import AccountAccess, Capability
from fleet.adapters.printify import answers as printify_answers
from fleet.adapters.shopify import answers as shopify_answers
from fleet.adapters.shops import ShopOrder, ShopProduct
from fleet.core.errors import InvalidInput
from tests import ROOT
from tests.adapters import test_amazon, test_etsy, test_printify, test_shopify
from tests.adapters.shops import connect
from tests.adapters.test_shop_answers import broken
from tests.contracts.amazon import AmazonContract
from tests.contracts.etsy import EtsyContract
from tests.contracts.gumroad import TOKEN as GUMROAD_TOKEN
from tests.contracts.gumroad import GumroadContract
from tests.contracts.printify import PrintifyContract
from tests.contracts.shopify import ShopifyContract

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "shopify": (ShopifyContract, test_shopify.KEYS),
    "etsy": (EtsyContract, test_etsy.KEYS),
    "printify": (PrintifyContract, test_printify.KEYS),
    "gumroad": (GumroadContract, {"access_token": GUMROAD_TOKEN}),
    "amazon": (AmazonContract, test_amazon.KEYS),
}


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def adapter(name: str) -> Iterator[Any]:
    contract, keys = CASES[name]
    with contract().serve() as server:
        made = connect(name, server.url, keys).adapter
        yield made
        made.close()


def test_an_unsupported_operation_says_why(name: str) -> None:
    manifest = registry.get(name)
    lacking = [one for one in manifest.operations if one.capability is Capability.UNSUPPORTED]
    assert lacking and all("read 2026-11-22" in one.rule for one in lacking)
    assert manifest.shop is not None and all(one.source for one in manifest.limits)


@pytest.mark.parametrize("cursor", ["\x00[nonsense", "é", "-1", "9" * 300])
def test_a_cursor_that_the_adapter_never_gave_is_refused(adapter: Any, cursor: str) -> None:
    if adapter.name == "gumroad" and cursor == "-1":
        pytest.skip("Gumroad gives its own")
    with pytest.raises(InvalidInput):
        adapter.products(cursor=cursor, limit=10)


@pytest.mark.parametrize("value", ["999999999", "0", "-1", "../1", "1/../2", "1?x=2", "", "é" * 300, "\x00"])
def test_an_id_that_is_not_there_is_vanished_and_leads_nowhere_else(adapter: Any, value: str) -> None:
    with pytest.raises(base.Vanished):
        adapter.product(value)
    with pytest.raises(base.Vanished):
        adapter.order(value)
    assert not adapter.stock_of([value])
    for action in ("create_product", "update_order"):
        page = adapter.url_of(SurfaceObject(action=action, id=value, username="shop"))
        assert page is None or (page.startswith("https://") and "/../" not in page and "?" not in page)


@pytest.mark.parametrize("credentials", ["secret-token-alone", "{}", '{"access_token": 5}', '["secret-token-alone"]'])
def test_malformed_credentials_are_refused_and_not_repeated(name: str, credentials: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        registry.get(name).connect(AccountAccess("https://shop.test", SecretStr(credentials)))
    assert "secret-token-alone" not in f"{raised.value} {raised.value.fix}"
    with pytest.raises(InvalidInput):
        registry.get(name).connect(AccountAccess("no address", SecretStr(json.dumps(CASES[name][1]))))


def test_a_token_of_somebody_else_stops_the_account(name: str) -> None:
    contract, keys = CASES[name]
    with contract().serve() as server:
        adapter = connect(name, server.url, {**keys, "access_token": "secret-of-somebody-else"}).adapter
        with pytest.raises(base.TokenRefused) as raised:
            adapter.check(timeout_s=5)
        assert "secret-of-somebody-else" not in str(raised.value)


def test_a_server_that_is_not_there_is_unreachable(name: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = connect(name, f"http://127.0.0.1:{free.getsockname()[1]}", CASES[name][1]).adapter
        with pytest.raises(base.Unreachable):
            gone.check(timeout_s=2)
        gone.close()


ANSWERS: dict[str, dict[str, Any]] = json.loads((ROOT / "tests/data/shop_answers.json").read_text(encoding="utf-8"))
PRODUCTS: dict[str, Callable[[dict[str, Any]], ShopProduct]] = {
    "shopify product": lambda one: shopify_answers.product_of(one, "EUR"),
    "etsy listing": etsy_answers.listing_of,
    "printify product": lambda one: printify_answers.product_of(one, "EUR"),
    "gumroad product": gumroad_adapter.product_of,
    "amazon listing": lambda one: amazon_answers.product_of(one, "P"),
}
ORDERS: dict[str, Callable[[dict[str, Any]], ShopOrder]] = {
    "shopify order": shopify_answers.order_of,
    "etsy receipt": etsy_answers.order_of,
    "printify order": lambda one: printify_answers.order_of(one, "EUR"),
    "gumroad sale": lambda one: gumroad_adapter.order_of(one, "EUR"),
    "amazon order": lambda one: amazon_answers.order_of(one, [one], "EUR"),
}


@pytest.mark.parametrize("kind", PRODUCTS)
def test_junk_in_a_product_is_a_plain_value_or_an_error_of_adapters(kind: str) -> None:
    read, good = PRODUCTS[kind], ANSWERS[kind]
    assert read(good).variants[0].price is not None and read(good).variants[0].on_hand in (None, 4, 5)
    for one in broken(good):
        with suppress(base.AdapterError):
            found = read(one)
            assert len(json.dumps(shops.product_state(found))) < 100_000
            prices = [each.price.minor for each in found.variants if each.price is not None]
            assert all(abs(each) <= shops.MOST_MINOR for each in prices)
            assert all(each.on_hand is None or abs(each.on_hand) < 2**40 for each in found.variants)


@pytest.mark.parametrize("kind", ORDERS)
def test_junk_in_an_order_is_a_plain_value_or_an_error_of_adapters(kind: str) -> None:
    read, good = ORDERS[kind], ANSWERS[kind]
    assert read(good).lines[0].quantity == 1
    for one in broken(good):
        with suppress(base.AdapterError):
            found = read(one)
            amounts = [found.total.minor, *(each.unit_price.minor for each in found.lines)]
            assert all(abs(each) <= shops.MOST_MINOR for each in amounts)
            assert len(json.dumps(shops.order_state(found))) < 1_000 and len(repr(found)) < 200_000


def test_junk_in_stock_is_left_out_or_refused() -> None:
    for one in broken(ANSWERS["shopify levels"]):
        assert all(abs(each.on_hand) < 2**40 for each in shopify_answers.levels_of("v", one["levels"]))
    for one in broken(ANSWERS["etsy inventory"]):
        with suppress(base.AdapterError):
            merged(one, "1", {"1-3": {"quantity": 2}})
