"""The conformance of shops, on the contract server of Shopify in place of a shop's own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.shop_conformance import ShopConformance
from tests.adapters.shops import connect
from tests.contracts.shopify import TOKEN, ShopifyContract, ago
from tests.stores import catalogue
from tests.stores.catalogue import Item, Order


class ShopifyOpponent:
    """The shop as its staff and customers change it."""

    def __init__(self, contract: ShopifyContract) -> None:
        self.contract = contract
        self.contract.places = self.contract.places[:1]
        for one in catalogue.products(200):
            self.add_product(str(one["sku"]), str(one["title"]), int(one["price"]), int(one["stock"]))
            product = self._variant(str(one["sku"]))["product"]
            product["descriptionHtml"] = one["description"]
            contract._touch(product, ago(hours=1))

    @property
    def url(self) -> str:
        return self.contract.url

    def reset(self, products: int) -> None:
        assert products == 0
        self.contract.products.clear()
        self.contract.levels.clear()

    def _variant(self, sku: str) -> dict[str, Any]:
        variants = (one for product in self.contract.products.values() for one in product["variant_list"])
        return next(one for one in variants if one["sku"] == sku)

    def _level(self, variant: dict[str, Any]) -> dict[str, int]:
        return self.contract.levels[variant["item"]][self.contract.places[0]]

    def _item(self, variant: dict[str, Any]) -> Item:
        level, product = self._level(variant), variant["product"]
        return Item(variant["sku"], product["title"], round(float(variant["price"]) * 100), level["on_hand"],
                    level["committed"], product["id"], variant["id"])  # fmt: skip

    def catalogue(self) -> list[Item]:
        return [self._item(one) for product in self.contract.products.values() for one in product["variant_list"]]

    def item(self, sku: str) -> Item | None:
        return next((one for one in self.catalogue() if one.sku == sku), None)

    def add_product(self, sku: str, title: str, price: int, stock: int) -> Item:
        product = self.contract.add_product(title, skus=(sku,), price=f"{price / 100:.2f}", on_hand=stock)
        return self._item(product["variant_list"][0])

    def set_title(self, sku: str, title: str) -> None:
        product = self._variant(sku)["product"]
        product["title"] = title
        self.contract._touch(product)

    def set_price(self, sku: str, price: int) -> None:
        variant = self._variant(sku)
        variant["price"] = f"{price / 100:.2f}"
        self.contract._touch(variant["product"])

    def set_stock(self, sku: str, on_hand: int) -> None:
        self._level(self._variant(sku))["on_hand"] = on_hand

    def delete_product(self, sku: str) -> None:
        self.contract.remove(self._variant(sku)["product"]["id"])

    def place_order(self, lines: dict[str, int]) -> Order:
        ((sku, units),) = lines.items()
        order = self.contract.sell(self._variant(sku), units)
        return Order(order["name"], "PAID", lines)


class TestShopify(ShopConformance):
    credentials = json.dumps({"access_token": TOKEN})
    credentials_elsewhere = '{"access_token": "shpat_of_another_shop"}'

    @pytest.fixture
    def opponent(self) -> Iterator[ShopifyOpponent]:
        with ShopifyContract().serve() as contract:
            yield ShopifyOpponent(contract)

    @pytest.fixture
    def adapter(self, opponent: ShopifyOpponent) -> Iterator[Any]:
        made = connect("shopify", opponent.url, json.loads(self.credentials)).adapter
        yield made
        made.close()

    def test_webhooks_are_verified_and_read(self, adapter: Any, opponent: Any, traits: Any) -> None:
        """Shopify's own form is in test_shopify.py: this opponent sends none."""
