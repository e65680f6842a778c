"""The adapter of Vendure against a real shop: what all shops must do, and what Vendure does in its own way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.shops import (
    SET_STOCK,
    UPDATE_ORDER,
    UPDATE_PRODUCT,
    UPDATE_VARIANTS,
    Money,
    OrderState,
    StockChange,
    VariantChange,
)
from fleet.features.adapters.conformance import shop_promises, suite
from fleet.features.adapters.conformance.suite import PromiseVerdict
from tests.adapters.shop_conformance import TIMEOUT_S, ShopConformance, act, only, picture
from tests.stores import catalogue
from tests.stores.servers import PASSWORD, USERNAME
from tests.stores.vendure_server import API_KEY, Vendure

pytestmark = pytest.mark.shops
LOGIN = json.dumps({"username": USERNAME, "password": PASSWORD})


def connect(shop: Vendure, credentials: str = LOGIN) -> Any:
    return registry.get("vendure").connect(AccountAccess(shop.url, SecretStr(credentials), timeout_s=TIMEOUT_S))


class TestVendure(ShopConformance):
    credentials = LOGIN

    @pytest.fixture
    def opponent(self, vendure: Vendure) -> Vendure:
        return vendure

    @pytest.fixture
    def adapter(self, vendure: Vendure) -> Iterator[Any]:
        found = connect(vendure)
        yield found
        found.close()


def test_an_api_key_opens_the_shop_and_wrong_credentials_do_not(vendure: Vendure) -> None:
    assert connect(vendure, API_KEY).check(timeout_s=TIMEOUT_S).username == "__default_channel__"
    for wrong in ("wrong:key", json.dumps({"username": USERNAME, "password": "wrong"})):
        with pytest.raises(base.TokenRefused):
            connect(vendure, wrong).check(timeout_s=TIMEOUT_S)


def test_a_session_that_ended_is_renewed_within_the_call(vendure: Vendure) -> None:
    adapter = connect(vendure)
    adapter.check(timeout_s=TIMEOUT_S)
    vendure.reset()
    vendure.restart()  # sessions are cached
    assert adapter.shop().currency == "EUR"


def test_prices_that_a_channel_stores_with_tax_are_read_as_they_are_written(vendure: Vendure) -> None:
    with channel(vendure, pricesIncludeTax="true"):
        adapter = connect(vendure)
        found = only(adapter, catalogue.sku(9))
        change = VariantChange(variant_id=found.variants[0].id, product_id=found.id, price=Money(1200, "EUR"))
        action = act(UPDATE_VARIANTS, (change,))
        assert adapter.write(action, timeout_s=TIMEOUT_S).detail["now"][0]["price"] == 1200
        assert adapter.probe(action, since=action.created_at, known=frozenset()) is not None


def test_texts_are_written_in_the_language_of_the_channel(vendure: Vendure) -> None:
    vendure.admin("mutation { updateGlobalSettings(input: {availableLanguages: [en, de]}) { __typename } }")
    with channel(vendure, availableLanguageCodes="[en, de]", defaultLanguageCode="de"):
        adapter = connect(vendure)
        found = only(adapter, catalogue.sku(9))
        action = act(UPDATE_PRODUCT, found.id, {"title": "Lampe"})
        adapter.write(action, timeout_s=TIMEOUT_S)
        assert adapter.probe(action, since=action.created_at, known=frozenset()) is not None
    query = "query($id: ID!) { product(id: $id) { translations { languageCode name } } }"
    texts = vendure.admin(query, id=found.id)["product"]["translations"]
    assert {one["languageCode"]: one["name"] for one in texts} == {"en": catalogue.title(9), "de": "Lampe"}


@contextmanager
def channel(vendure: Vendure, **settings: str) -> Iterator[None]:
    """Give the channel other settings for a while. The running shop caches them: a reset alone would leave them."""

    def change(**values: str) -> None:
        given = ", ".join(f"{name}: {value}" for name, value in values.items())
        mutation = f"mutation {{ updateChannel(input: {{id: 1, {given}}}) {{ __typename }} }}"
        assert vendure.admin(mutation)["updateChannel"]["__typename"] == "Channel"

    change(**settings)
    try:
        yield
    finally:
        change(
            **{name: {"defaultLanguageCode": "en", "pricesIncludeTax": "false"}.get(name, "[en]") for name in settings}
        )


def test_a_picture_is_uploaded_once(vendure: Vendure) -> None:
    adapter = connect(vendure)
    one, other = (only(adapter, catalogue.sku(n)) for n in (1, 2))
    first, second = picture("a lamp"), picture("a chair")
    for found, images in ((one, (first, second)), (other, (second,)), (one, (second, first))):
        action = act(UPDATE_PRODUCT, found.id, {"images": images})
        assert adapter.upload(action, timeout_s=TIMEOUT_S)
        adapter.write(action, timeout_s=TIMEOUT_S)
        assert adapter.probe(action, since=action.created_at, known=frozenset()) is not None
    assert vendure.admin("{ assets { totalItems } }")["assets"]["totalItems"] == 2
    assert [len(adapter.product(found.id).images) for found in (one, other)] == [2, 1]


def test_a_batch_of_stock_is_found_though_one_level_of_it_changed_since(vendure: Vendure) -> None:
    adapter, skus = connect(vendure), [catalogue.sku(number) for number in (1, 2, 3)]
    items = {sku: item for sku in skus if (item := vendure.item(sku)) is not None}
    changes = tuple(StockChange(variant_id=one.variant_id, product_id=one.product_id, quantity=one.on_hand + 5,
                                expected=one.on_hand) for one in items.values())  # fmt: skip
    action = act(SET_STOCK, changes)
    vendure.set_stock(skus[0], items[skus[0]].on_hand + 5)  # by a person, who happens to count the same
    assert adapter.probe(action, since=action.created_at, known=frozenset()) is None
    vendure.set_stock(skus[0], items[skus[0]].on_hand)
    adapter.write(action, timeout_s=TIMEOUT_S)
    vendure.set_stock(skus[1], 77)
    assert adapter.probe(action, since=action.created_at, known=frozenset()) is not None


def test_orders_are_shipped_delivered_cancelled_and_refunded(vendure: Vendure) -> None:
    adapter, sku = connect(vendure), catalogue.sku(7)
    vendure.set_stock(sku, 10)
    shipped, cancelled = vendure.place_order({sku: 2}), vendure.place_order({sku: 3})
    ids = {one.number: one.id for one in adapter.orders(since=None, cursor=None, limit=10).items}

    def move(code: str, state: OrderState, **more: str) -> str:
        action = act(UPDATE_ORDER, ids[code], state, **more)
        (now,) = adapter.write(action, timeout_s=TIMEOUT_S).detail["now"]
        assert adapter.probe(action, since=action.created_at, known=frozenset()) is not None
        again = adapter.write(action, timeout_s=TIMEOUT_S)
        assert again.detail["was"] == "done already"
        return str(now["state"])

    assert move(shipped.code, OrderState.SHIPPED, tracking="T-1") == "shipped"
    order = adapter.order(ids[shipped.code])
    assert order.fulfilments[0].tracking == "T-1" and order.lines[0].fulfilled == 2
    assert move(shipped.code, OrderState.DELIVERED) == "delivered"
    assert move(cancelled.code, OrderState.CANCELLED, reason="wrong address") == "cancelled"
    assert adapter.order(ids[cancelled.code]).lines[0].quantity == 3
    assert move(cancelled.code, OrderState.REFUNDED, reason="wrong address") == "refunded"
    with pytest.raises(base.Refused):
        adapter.write(act(UPDATE_ORDER, ids[shipped.code], OrderState.CONFIRMED), timeout_s=TIMEOUT_S)
    item = vendure.item(sku)
    assert item is not None and (item.on_hand, item.allocated) == (8, 0)


def test_the_suite_finds_what_is_broken(vendure: Vendure, monkeypatch: pytest.MonkeyPatch) -> None:
    vendure.reset(0)
    monkeypatch.setattr(shop_promises, "SLOWEST_S", 0.3)
    kind = registry.get("vendure")
    methods = {"probe": lambda *_, **__: None, "url_of": lambda *_: "javascript:1"}
    broken = replace(kind, connect=type("Broken", (type(connect(vendure)),), methods))
    failed = {one.promise: one.why for one in suite.run(broken, vendure.url, LOGIN)
              if one.verdict is PromiseVerdict.FAILED}  # fmt: skip
    assert set(failed.values()) == {
        "the probe does not find the product", "the probe does not find the stock that is there",
        "the probe does not find the change", "the page is 'javascript:1'",
    }  # fmt: skip
