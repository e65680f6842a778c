"""Vendure and Oscar as grounds in which discrepancies are planted by hand, through the shops' own APIs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal

from tests.features.reconciliation.planting import PlantingGround, Shown
from tests.stores.oscar_server import Oscar
from tests.stores.servers import Shop
from tests.stores.vendure_server import Vendure

_VENDURE_TIMES = {
    "product": "updatedAt", "product_translation": "updatedAt", "product_variant": "updatedAt",
    "product_variant_price": "updatedAt", "product_variant_translation": "updatedAt",
}  # fmt: skip
_OSCAR_TIMES = {"catalogue_product": "date_updated", "partner_stockrecord": "date_updated"}


class _RealGround:
    def __init__(self, shop: Shop, times: Mapping[str, str]) -> None:
        self._shop = shop
        self._times = times

    def set_price(self, key: str, minor: int) -> None:
        """Change a price."""
        self._shop.set_price(f"{key}-1", minor)

    def set_stock(self, key: str, on_hand: int) -> None:
        """Count stock."""
        self._shop.set_stock(f"{key}-1", on_hand)

    def delete(self, key: str) -> None:
        """Delete a product."""
        self._shop.delete_product(f"{key}-1")

    def age(self) -> None:
        """Move the times in the shop's database, as if a day had passed since."""
        with closing(sqlite3.connect(self._shop.database, timeout=20)) as database, database:
            for table, column in self._times.items():
                old = f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-1 day')"
                database.execute(f"UPDATE {table} SET {column} = {old} WHERE {column} IS NOT NULL")


class VendureGround(_RealGround):
    """Products of Vendure, by the admin API."""

    def __init__(self, shop: Vendure) -> None:
        super().__init__(shop, _VENDURE_TIMES)
        self._vendure = shop

    def add(self, key: str, *, price: int, on_hand: int) -> None:
        """Add a product."""
        product = self._vendure.add_product(f"{key}-1", key.title(), price, on_hand).product_id
        self._update(product, description=f"About {key}.")

    def change(self, key: str, **fields: str) -> None:
        """Change fields of a product."""
        item = self._vendure.item(f"{key}-1")
        assert item is not None
        self._update(item.product_id, **fields)

    def _update(self, product_id: str, **fields: str) -> None:
        names = {"title": "name", "description": "description"}
        words = {names[name]: value for name, value in fields.items() if name in names}
        change = {"id": product_id, **({"translations": [{"languageCode": "en", **words}]} if words else {}),
                  **({"enabled": fields["status"] == "active"} if "status" in fields else {})}  # fmt: skip
        self._vendure.admin("mutation($new: UpdateProductInput!) { updateProduct(input: $new) { id } }", new=change)

    def shown(self) -> Mapping[str, Shown]:
        """Return all products."""
        products = {one["id"]: one for one in self._vendure._all("products", "id name description enabled")}
        return {
            item.sku.removesuffix("-1"): (
                products[item.product_id]["name"], products[item.product_id]["description"],
                "active" if products[item.product_id]["enabled"] else "draft", item.price, item.on_hand,
            )
            for item in self._vendure.catalogue()
        }  # fmt: skip


class OscarGround(_RealGround):
    """Products of Oscar, by its REST API."""

    def __init__(self, shop: Oscar) -> None:
        super().__init__(shop, _OSCAR_TIMES)
        self._oscar = shop

    def add(self, key: str, *, price: int, on_hand: int) -> None:
        """Add a product."""
        product = self._oscar.add_product(f"{key}-1", key.title(), price, on_hand).product_id
        self._patch(product, description=f"About {key}.")

    def change(self, key: str, **fields: str) -> None:
        """Change fields of a product."""
        item = self._oscar.item(f"{key}-1")
        assert item is not None
        self._patch(item.product_id, **fields)

    def _patch(self, product_id: str, **fields: str) -> None:
        body: dict[str, object] = {name: value for name, value in fields.items() if name != "status"}
        if "status" in fields:
            body["is_public"] = fields["status"] == "active"
        self._oscar.admin("PATCH", f"api/admin/products/{product_id}/", body)

    def shown(self) -> Mapping[str, Shown]:
        """Return all products."""
        return {
            one["upc"].removesuffix("-1"): (
                one["title"], one["description"], "active" if one["is_public"] else "draft",
                int(Decimal(one["stockrecords"][0]["price"]) * 100), one["stockrecords"][0]["num_in_stock"],
            )
            for one in self._oscar._all("api/admin/products/")
        }  # fmt: skip


def ground_of(shop: Shop) -> PlantingGround:
    """Return a shop as a ground."""
    if isinstance(shop, Vendure):
        return VendureGround(shop)
    assert isinstance(shop, Oscar)
    return OscarGround(shop)
