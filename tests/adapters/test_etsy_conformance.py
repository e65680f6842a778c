"""The conformance of shops, on the contract server of Etsy in place of a shop's own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.adapters.shops import ShopProduct
from tests.adapters import shop_conformance
from tests.adapters.shop_conformance import ShopConformance, picture
from tests.adapters.shops import connect
from tests.adapters.test_etsy import KEYS
from tests.contracts.etsy import EtsyContract
from tests.stores import catalogue
from tests.stores.catalogue import Item, Order


class EtsyOpponent:
    """The shop as its staff and customers change it. A listing without units is sold out."""

    def __init__(self, contract: EtsyContract) -> None:
        self.contract = contract
        for one in catalogue.products(200):
            self.add_product(str(one["sku"]), str(one["title"]), int(one["price"]), int(one["stock"]))
        for listing in contract.listings.values():
            listing["description"] = f"Description of {listing['title']}"
            listing["updated_timestamp"] -= 3600

    @property
    def url(self) -> str:
        return self.contract.url

    def _listing(self, sku: str) -> dict[str, Any]:
        return next(one for one in self.contract.listings.values() if one["inventory"]["products"][0]["sku"] == sku)

    def _offering(self, sku: str) -> dict[str, Any]:
        found: dict[str, Any] = self._listing(sku)["inventory"]["products"][0]["offerings"][0]
        return found

    def _item(self, listing: dict[str, Any]) -> Item:
        product = listing["inventory"]["products"][0]
        offering, listing_id = product["offerings"][0], listing["listing_id"]
        return Item(product["sku"], listing["title"], offering["price"]["amount"], offering["quantity"], 0,
                    str(listing_id), f"{listing_id}-{product['product_id']}")  # fmt: skip

    def catalogue(self) -> list[Item]:
        return [self._item(one) for one in self.contract.listings.values()]

    def item(self, sku: str) -> Item | None:
        return next((one for one in self.catalogue() if one.sku == sku), None)

    def add_product(self, sku: str, title: str, price: int, stock: int) -> Item:
        state = "active" if stock else "sold_out"
        return self._item(self.contract.add_listing(title, sku=sku, price=price, quantity=stock, state=state))

    def set_title(self, sku: str, title: str) -> None:
        self._listing(sku).update(title=title, updated_timestamp=self.contract.now())

    def set_price(self, sku: str, price: int) -> None:
        self._offering(sku)["price"]["amount"] = price
        self._listing(sku)["updated_timestamp"] = self.contract.now()

    def set_stock(self, sku: str, on_hand: int) -> None:
        self._offering(sku)["quantity"] = on_hand

    def delete_product(self, sku: str) -> None:
        del self.contract.listings[self._listing(sku)["listing_id"]]

    def place_order(self, lines: dict[str, int]) -> Order:
        ((sku, units),) = lines.items()
        return Order(str(self.contract.sell(self._listing(sku), units)["receipt_id"]), "Paid", lines)


class TestEtsy(ShopConformance):
    credentials = json.dumps(KEYS)

    @pytest.fixture
    def opponent(self) -> Iterator[EtsyOpponent]:
        with EtsyContract().serve() as contract:
            yield EtsyOpponent(contract)

    @pytest.fixture
    def adapter(self, opponent: EtsyOpponent) -> Iterator[Any]:
        made = connect("etsy", opponent.url, KEYS).adapter
        yield made
        made.close()

    @pytest.mark.skip(reason="a listing has no key but its id")
    def test_a_product_of_somebody_else_is_not_doubled(self) -> None: ...

    @pytest.mark.skip(reason="a listing has no key but its id")
    def test_a_product_is_created_with_options(self) -> None: ...

    @pytest.mark.skip(reason="a listing has no key but its id")
    def test_a_creation_that_is_cut_off_anywhere_makes_one_product(self) -> None: ...

    @pytest.mark.skip(reason="a listing costs $0.20 at least")
    def test_prices_are_written_exactly(self) -> None: ...

    @pytest.mark.skip(reason="a listing cannot be a draft again")
    def test_fields_of_a_product_are_changed_and_others_stay(self) -> None: ...

    @pytest.mark.skip(reason="Etsy takes sold units off and allocates none")
    def test_stock_is_read_by_itself_with_what_orders_allocated(self) -> None: ...

    @pytest.mark.skip(reason="the suite's products have no picture, and Etsy publishes none without")
    def test_it_keeps_the_promises_of_the_suite_for_strangers(self) -> None: ...

    @pytest.mark.skip(reason="Etsy's own form is in test_etsy.py")
    def test_webhooks_are_verified_and_read(self) -> None: ...

    @pytest.fixture(autouse=True)
    def _pictures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give each new product a picture: Etsy publishes none without."""
        product = shop_conformance.product

        def with_picture(number: int, **changes: Any) -> ShopProduct:
            return product(number, **{"images": (picture(str(number)),), **changes})

        monkeypatch.setattr(shop_conformance, "product", with_picture)
