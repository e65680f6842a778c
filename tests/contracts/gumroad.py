"""Gumroad's API v2 as its documentation and its source say (antiwork/gumroad, read 2026-11-22)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from tests.contracts.server import Call, Contract, Reply, route

TOKEN = "gumroad-access-token-of-tests"
PAGE = 10


def failure(message: str) -> Reply:
    """A refusal: Gumroad sends it with status 200."""
    return Reply(200, {"success": False, "message": message})


class GumroadContract(Contract):
    """One seller."""

    not_found = Reply(404, {"status": 404, "error": "Not Found"})

    def __init__(self) -> None:
        super().__init__()
        self.products: dict[str, dict[str, Any]] = {}
        self.sales: dict[str, dict[str, Any]] = {}
        self.scopes = {"edit_products", "view_sales", "edit_sales", "mark_sales_as_shipped"}
        self.is_expired = False
        self._number = 0

    def refuse(self, call: Call) -> Reply | None:
        if call.token != TOKEN or self.is_expired:
            return Reply(401, {"error": "invalid_token"})
        is_write = call.method != "GET"
        scope = (
            ("edit_sales" if is_write else "view_sales")
            if "/sales" in call.path
            else "edit_products"
            if is_write
            else ""
        )
        if scope and scope not in self.scopes:
            return Reply(403, {"error": "insufficient_scope"})
        return None

    def new_id(self) -> str:
        self._number += 1
        return base64.b64encode(f"id-{self._number:06}/+?".encode()).decode()

    def add_product(self, name: str, *, price: int = 2799, permalink: str = "", limit: int | None = None,
                    **fields: Any) -> dict[str, Any]:  # fmt: skip
        """Add a product."""
        product = {
            "id": self.new_id(), "name": name, "description": f"<p>{name}</p>", "price": price, "currency": "eur",
            "published": True, "custom_permalink": permalink or None, "tags": [], "max_purchase_count": limit,
            "sales_count": 0, "deleted": False, "short_url": f"https://ada.gumroad.com/l/{permalink}", **fields,
        }  # fmt: skip
        self.products[product["id"]] = product
        return product

    def sell(self, product: dict[str, Any], units: int = 1, at: datetime | None = None) -> dict[str, Any]:
        """Sell units of a product."""
        product["sales_count"] += units
        sale = {
            "id": self.new_id(), "order_id": self._number, "product_id": product["id"], "product_name": product["name"],
            "product_permalink": product["custom_permalink"], "price": product["price"] * units, "quantity": units,
            "created_at": (at or datetime.now(UTC)).isoformat(), "email": "bea@example.org", "full_name": "Bea",
            "country_iso2": "DE", "refunded": False, "shipped": False,
        }  # fmt: skip
        self.sales[sale["id"]] = sale
        return sale

    def _page(self, call: Call, name: str, found: list[dict[str, Any]]) -> Reply:
        """The newest first; the key of a page names the last entry, so that new ones move nothing."""
        found = found[::-1]
        if "page_key" in call.query:
            last = [one["id"] for one in found].index(call.query["page_key"])
            found = found[last + 1 :]
        body: dict[str, Any] = {"success": True, name: found[:PAGE]}
        return Reply(200, body | ({"next_page_key": found[PAGE - 1]["id"]} if len(found) > PAGE else {}))

    @route("GET", r"/v2/user")
    def user(self, _: Call) -> Reply:
        return Reply(
            200, {"success": True, "user": {"user_id": "u==", "name": "Ada", "url": "https://ada.gumroad.com"}}
        )

    @route("GET", r"/v2/products")
    def list_products(self, call: Call) -> Reply:
        return self._page(call, "products", [one for one in self.products.values() if not one["deleted"]])

    @route("POST", r"/v2/products")
    def create(self, call: Call) -> Reply:
        """Create a draft."""
        request = call.json
        if any(request["custom_permalink"] in (one["custom_permalink"], one["id"]) for one in self.products.values()):
            return failure("Custom permalink has already been taken")
        if request["price"] < 99:
            return failure("Sorry, a product must be at least €0.99.")
        made = self.add_product(request["name"], price=request["price"], permalink=request["custom_permalink"],
                                description=request["description"], tags=request["tags"], published=False,
                                currency=request["price_currency_type"])  # fmt: skip
        return Reply(200, {"success": True, "product": made})

    def _product(self, call: Call) -> dict[str, Any] | None:
        found = self.products.get(unquote(call.parts[0]))
        return None if found is None or found["deleted"] else found

    @route("GET", r"/v2/products/([^/]+)")
    def product(self, call: Call) -> Reply:
        found = self._product(call)
        return Reply(200, {"success": True, "product": found}) if found else failure("The product was not found.")

    @route("PUT", r"/v2/products/([^/]+)")
    def update(self, call: Call) -> Reply:
        found, request = self._product(call), call.json
        if found is None:
            return failure("The product was not found.")
        if request.get("price", 99) < 99:
            return failure("Sorry, a product must be at least €0.99.")
        found |= request
        return Reply(200, {"success": True, "product": found})

    @route("PUT", r"/v2/products/([^/]+)/(enable|disable)")
    def switch(self, call: Call) -> Reply:
        found = self._product(call)
        if found is None:
            return failure("The product was not found.")
        found["published"] = call.parts[1] == "enable"
        return Reply(200, {"success": True, "product": found})

    @route("DELETE", r"/v2/products/([^/]+)")
    def delete(self, call: Call) -> Reply:
        found = self._product(call)
        if found is None:
            return failure("The product was not found.")
        found["deleted"] = True
        return Reply(200, {"success": True, "message": "The product was deleted successfully."})

    @route("GET", r"/v2/sales")
    def list_sales(self, call: Call) -> Reply:
        after = call.query.get("after", "")
        return self._page(call, "sales", [one for one in self.sales.values() if one["created_at"] >= after])

    @route("GET", r"/v2/sales/([^/]+)")
    def sale(self, call: Call) -> Reply:
        found = self.sales.get(unquote(call.parts[0]))
        return Reply(200, {"success": True, "sale": found}) if found else failure("The sale was not found.")

    @route("PUT", r"/v2/sales/([^/]+)/(mark_as_shipped|refund)")
    def move(self, call: Call) -> Reply:
        found = self.sales[unquote(call.parts[0])]
        if call.parts[1] == "mark_as_shipped":
            found |= {"shipped": True, "tracking_url": call.json.get("tracking_url")}
        elif found["refunded"]:
            return failure("Purchase is already refunded.")
        else:
            found |= {"refunded": True, "refunds": found.get("refunds", 0) + 1}
        return Reply(200, {"success": True, "sale": found})
