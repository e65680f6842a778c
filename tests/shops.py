"""A sandbox shop in a thread of this process, emptied for each test, and what a test does in it by hand.

Used by the fixture `sandbox_shop`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from fleet.adapters import registry
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.sandbox_shop.adapter import SandboxShop
from fleet.adapters.shops import Money, ShopProduct, ShopVariant
from fleet.sandbox.gallery import FaultRule
from fleet.sandbox.shop import HookHabits, ShopConfig, running
from fleet.sandbox.shop.api.bodies import OrderStateBody
from fleet.sandbox.shop.api.orders import move, place
from fleet.sandbox.shop.state import Shop
from fleet.sandbox.shop.store import answers, hooks, orders, products, stock
from fleet.sandbox.shop.store.tables import metadata

TOKEN = "shp_token_of_the_tests"
SECRET = "webhook secret of the tests"
CREDENTIALS = json.dumps({"token": TOKEN, "webhook_secret": SECRET})


class ShopWorld:
    """The shop as people and customers use it. `adapter` is Fleet's side."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.url = shop.config.base_url
        self.token, self.secret, self.credentials = TOKEN, SECRET, CREDENTIALS
        self._adapters: list[SandboxShop] = []

    def adapter(self, *, timeout_s: float = 10.0) -> SandboxShop:
        """Return a new adapter to the shop."""
        access = AccountAccess(self.url, SecretStr(CREDENTIALS), timeout_s)
        made = registry.get("sandbox_shop").connect(access)
        assert isinstance(made, SandboxShop)
        self._adapters.append(made)
        return made

    def add(
        self, key: str, *, price: int = 1000, on_hand: int = 10, variants: int = 1, **fields: Any
    ) -> dict[str, Any]:
        """Put a product into the shop by hand; its SKUs are KEY-1, KEY-2, ..."""
        made = [
            {"sku": f"{key}-{number}", "title": "", "options": {}, "price_minor": price, "barcode": "",
             "on_hand": on_hand}
            for number in range(1, variants + 1)
        ]  # fmt: skip
        usual = {"title": key.title(), "description": f"About {key}.", "status": "active", "categories": [],
                 "images": []}  # fmt: skip
        with self.shop.change() as tx:
            product = products.create(tx, {"key": key, **usual, **fields, "variants": made})
            self.shop.events.add(tx, "product", product_id=product["id"])
        return product

    def change(self, product_id: str, **changes: Any) -> None:
        """Change fields of a product by hand."""
        with self.shop.change() as tx:
            products.update(tx, int(product_id), changes, {})
            self.shop.events.add(tx, "product", product_id=product_id)

    def set_price(self, variant_id: str, minor: int) -> None:
        """Change a price by hand."""
        with self.shop.change() as tx:
            (product_id,) = products.update_variants(tx, [{"id": variant_id, "price_minor": minor}])
            self.shop.events.add(tx, "product", product_id=product_id)

    def set_stock(self, variant_id: str, on_hand: int, location_id: str = "") -> None:
        """Count the stock by hand."""
        with self.shop.change() as tx:
            moved = stock.set_levels(
                tx, [{"variant_id": variant_id, "on_hand": on_hand, "location_id": location_id}]
            )  # fmt: skip
            for variant, product_id in moved:
                self.shop.events.add(tx, "stock", product_id=product_id, variant_id=variant)

    def delete(self, product_id: str) -> None:
        """Delete a product by hand."""
        with self.shop.change() as tx:
            products.delete(tx, int(product_id))
            self.shop.events.add(tx, "product_deleted", product_id=product_id)

    def sell(self, variant_id: str, quantity: int = 1, *, is_paid: bool = True) -> dict[str, Any]:
        """Have a customer order something. Raises ApiError if the shop has too little."""
        customer = {"name": "Carla Cook", "email": "carla@example.com", "country": "PT"}
        with self.shop.change() as tx:
            return place(tx, self.shop, [(int(variant_id), quantity)], customer, is_paid=is_paid)

    def move(self, order_id: str, state: str) -> None:
        """Give an order another state by hand."""
        with self.shop.change() as tx:
            move(tx, self.shop, int(order_id), OrderStateBody.model_validate({"state": state}))

    def products(self) -> dict[str, dict[str, Any]]:
        """Return all products as the shop's own rows say, by key."""
        with self.shop.storage.transaction() as tx:
            return {one["key"]: one for one in products.page(tx, after=0, limit=10_000)}

    def on_hand(self, variant_id: str) -> int:
        """Return the units of a variant in all locations."""
        with self.shop.storage.transaction() as tx:
            return sum(one["onHand"] for one in stock.of_variants(tx, [int(variant_id)]))

    def levels(self, variant_id: str) -> list[dict[str, Any]]:
        """Return the stock of a variant, the main location first."""
        with self.shop.storage.transaction() as tx:
            return stock.of_variants(tx, [int(variant_id)])

    def waiting_hooks(self) -> int:
        """Return how many webhooks are not delivered yet."""
        with self.shop.storage.transaction() as tx:
            return sum(one["waiting"] for one in hooks.listed(tx))

    def hook_urls(self) -> list[str]:
        """Return the addresses to which webhooks are sent."""
        with self.shop.storage.transaction() as tx:
            return [str(one["url"]) for one in hooks.listed(tx)]

    def orders(self) -> Sequence[Mapping[str, Any]]:
        """Return all orders."""
        with self.shop.storage.transaction() as tx:
            return orders.changed(tx, since=None, after=None, limit=10_000)

    def play(self, *rules: FaultRule) -> None:
        """Replace the faults; none ends them."""
        self.shop.faults.set(rules)

    def honour_keys(self, honour: bool) -> None:
        """Set whether idempotency keys of creations are honoured."""
        with self.shop.storage.transaction() as tx:
            answers.set_honour_keys(tx, honour)

    def send_hooks(self, url: str, *, twice: float = 0.0, late: float = 0.0, late_s: float = 0.0) -> None:
        """Have webhooks sent to an address, some of them twice or late."""
        self.shop.events.habits = HookHabits(twice, late, late_s)
        with self.shop.storage.transaction() as tx:
            hooks.subscribe(tx, url, SECRET)

    def close(self) -> None:
        """Close the adapters."""
        for one in self._adapters:
            one.close()
        self._adapters.clear()


@contextmanager
def serving(database_url: str) -> Iterator[Shop]:
    """Serve an empty shop without customers."""
    with running(ShopConfig(database_url, TOKEN, port=0, habits=HookHabits(0, 0, 0))) as shop:
        yield shop


def emptied(shop: Shop) -> ShopWorld:
    """Return the shop as if it were new; ids go on counting, so that a test mistakes none of another for its own."""
    shop.faults.set(())
    shop.events.habits = HookHabits(0, 0, 0)
    with shop.storage.transaction() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(sa.delete(table))
        stock.make_locations(tx)
    return ShopWorld(shop)


def product(key: str, *, price: int = 1000, on_hand: int = 10, variants: int = 1, **fields: Any) -> ShopProduct:
    """Return a product as Fleet creates it, in euros."""
    made = tuple(
        ShopVariant(sku=f"{key}-{number}", price=Money(price, "EUR"), on_hand=on_hand)
        for number in range(1, variants + 1)
    )
    return ShopProduct(**{"key": key, "title": key.title(), "description": f"About {key}.", "variants": made, **fields})
