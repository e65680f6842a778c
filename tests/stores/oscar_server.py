"""Oscar as a test opponent: its REST API for edits by hand, for checkers and for customers."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.stores import catalogue
from tests.stores.catalogue import Item, Order
from tests.stores.servers import PASSWORD, SOURCES, STORES, USERNAME, Shop, ShopError

_PYTHON = STORES / "oscar" / "bin" / "python"
_PAGE = 100
_MAKE_S = 300.0
_ADDRESS = {"first_name": "Ada", "last_name": "L", "line1": "1 Test Street", "line4": "Testville", "postcode": "12345"}


class Oscar(Shop):
    """An Oscar shop. A SKU is a UPC, which is unique, and the partner SKU of its one stock record.

    Its API cannot find a product by UPC without changing it, so the helpers ask the shop's own view for the id.
    """

    name = "oscar"
    sources = ("oscar", "oscar.lock", "catalogue.py")

    def _command(self) -> list[str | Path]:
        return [_PYTHON, "-m", "shop.serve"]

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(SOURCES / "oscar"), "DJANGO_SETTINGS_MODULE": "shop.settings", "USERNAME": USERNAME,
            "PASSWORD": PASSWORD, "ASSETS": str(self.folder / "assets"),
        }  # fmt: skip

    @classmethod
    def _make_database(cls, folder: Path, products: int) -> Path:
        with closing(cls(folder, is_new=True)) as shop:
            environment = {**os.environ, "DATABASE": str(shop.database), **shop._environment()}
            ended = subprocess.run(
                [_PYTHON, "-m", "shop.seeding"], input=json.dumps(list(catalogue.products(products))), text=True,
                env=environment, cwd=folder, capture_output=True, timeout=_MAKE_S, check=False,
            )  # fmt: skip
            if ended.returncode:
                raise RuntimeError(f"Oscar's database could not be made: {ended.stderr[-2000:]}")
            return shop.database

    # ---- requests -----------------------------------------------------------------------------------------------

    def admin(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Call the API with all rights, as `admin("GET", "api/admin/products/1/")`. Raises ShopError."""
        url = path if path.startswith("http") else f"{self.url}/{path}"
        return _answer(self.http.request(method, url, json=body, params=params or None, auth=(USERNAME, PASSWORD)))

    # ---- reading ------------------------------------------------------------------------------------------------

    def catalogue(self) -> list[Item]:
        """Return all products, by id. The API's order shifts while products are added, so each counts once."""
        found = {one["id"]: one for one in self._all("api/admin/products/")}
        return [_item(found[number]) for number in sorted(found)]

    def stock_levels(self) -> dict[str, tuple[int, int]]:
        """Return on hand and allocated by SKU, as a view of the shop itself reads it from its tables."""
        levels = self.admin("GET", "own/stock/")["results"]
        return {one["partner_sku"]: (one["num_in_stock"], one["num_allocated"] or 0) for one in levels}

    def _all(self, path: str) -> list[dict[str, Any]]:
        """Return all pages. A page of products is a quarter of a second of processor, so two are read at a time."""
        first = self.admin("GET", path, limit=_PAGE, offset=0)
        offsets = range(_PAGE, first["count"], _PAGE)
        with ThreadPoolExecutor(2) as threads:
            pages = threads.map(lambda offset: self.admin("GET", path, limit=_PAGE, offset=offset), offsets)
            return [*first["results"], *(one for page in pages for one in page["results"])]

    def item(self, sku: str) -> Item | None:
        """Return the product with this UPC."""
        number = self._id(sku)
        return None if number is None else _item(self.admin("GET", f"api/admin/products/{number}/"))

    def _id(self, sku: str) -> int | None:
        found = self.admin("GET", "own/products/", upc=sku)["results"]
        return int(found[0]["id"]) if found else None

    def _ours(self, sku: str) -> Item:
        if not (found := self.item(sku)):
            raise ShopError(f"No product has the UPC {sku}.")
        return found

    def orders(self) -> list[Order]:
        """Return all orders, by number. A line knows its product only, and none once that is deleted: SKU "" then."""
        skus: dict[str | None, str] = {None: ""}
        found = []
        for one in self._all("api/admin/orders/"):
            lines: dict[str, int] = {}
            for line in self._all(one["lines"]):
                product = line["product"]
                if product not in skus:
                    skus[product] = self.admin("GET", product.replace("/api/", "/api/admin/"))["upc"]
                lines[skus[product]] = lines.get(skus[product], 0) + int(line["quantity"])
            found.append(Order(one["number"], one["status"], lines))
        return sorted(found, key=lambda order: int(order.code))

    # ---- edits by hand ------------------------------------------------------------------------------------------

    def add_product(self, sku: str, title: str, price: int, stock: int) -> Item:
        """Create a product with one stock record."""
        record = {"partner": f"{self.url}/api/admin/partners/1/", "partner_sku": sku, "price_currency": "EUR",
                  "price": _decimal(price), "num_in_stock": stock}  # fmt: skip
        self.admin("POST", "api/admin/products/", {
            "product_class": "thing", "slug": sku.lower(), "upc": sku, "title": title, "stockrecords": [record],
            "categories": ["Everything"],
        })  # fmt: skip
        return self._ours(sku)

    def set_title(self, sku: str, title: str) -> None:
        """Change the title of a product."""
        self.admin("PATCH", f"api/admin/products/{self._id(sku)}/", {"title": title})

    def set_price(self, sku: str, price: int) -> None:
        """Change the price of a product's stock record, in minor units."""
        self.admin("PATCH", f"api/admin/stockrecords/{self._ours(sku).variant_id}/", {"price": _decimal(price)})

    def set_stock(self, sku: str, on_hand: int) -> None:
        """Change the stock on hand of a product's stock record."""
        self.admin("PATCH", f"api/admin/stockrecords/{self._ours(sku).variant_id}/", {"num_in_stock": on_hand})

    def delete_product(self, sku: str) -> None:
        """Delete a product for good."""
        self.admin("DELETE", f"api/admin/products/{self._id(sku)}/")

    def cancel_order(self, code: str) -> None:
        """Cancel an order, which gives its stock back."""
        self.admin("POST", f"own/orders/{code}/status/", {"status": "Cancelled"})

    def ship_order(self, code: str) -> None:
        """Ship an order, which takes its stock from what is on hand."""
        self.admin("POST", f"own/orders/{code}/status/", {"status": "Complete"})

    # ---- as a customer ------------------------------------------------------------------------------------------

    def place_order(self, lines: dict[str, int]) -> Order:
        """Order as a guest. Raises ShopError if the shop refuses."""
        with httpx.Client(base_url=f"{self.url}/api/", trust_env=False, timeout=60) as customer:
            basket: dict[str, Any] = {}
            for sku, quantity in lines.items():
                product = f"{self.url}/api/products/{self._id(sku)}/"
                basket = _answer(customer.post("basket/add-product/", json={"url": product, "quantity": quantity}))
            address = {**_ADDRESS, "country": f"{self.url}/api/countries/DE/"}
            made = _answer(customer.post("checkout/", json={
                "basket": basket["url"], "guest_email": "ada@example.org", "shipping_address": address,
            }))  # fmt: skip
        return Order(made["number"], made["status"], dict(lines))


def _answer(response: httpx.Response) -> Any:
    """Return the body of an answer. Raises ShopError if it is not one of success."""
    if response.is_error:
        request = response.request
        raise ShopError(f"{request.method} {request.url}: {response.status_code} {response.text[:2000]}")
    return response.json() if response.content else None


def _decimal(minor: int) -> str:
    return str(Decimal(minor) / 100)


def _item(product: dict[str, Any]) -> Item:
    (record,) = product["stockrecords"] or [{"price": "0", "num_in_stock": 0, "num_allocated": 0, "url": "/"}]
    return Item(
        product["upc"], product["title"], int(Decimal(record["price"] or 0) * 100), record["num_in_stock"] or 0,
        record["num_allocated"] or 0, str(product["id"]), record["url"].split("/")[-2],
    )  # fmt: skip
