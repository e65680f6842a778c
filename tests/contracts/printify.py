"""Printify's API v1 as developers.printify.com describes it (read 2026-11-22)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from tests.contracts.server import Call, Contract, Reply, route

SHOP, TOKEN = 815, "printify-access-token-of-tests"
BLUEPRINT, PROVIDER = 384, 1
S = rf"/v1/shops/{SHOP}"
SIZES = {1001: "S", 1002: "M", 1003: "L"}


def refusal(status: int, code: int, reason: str) -> Reply:
    return Reply(status, {"status": "error", "code": code, "message": "Validation failed.",
                          "errors": {"reason": reason, "code": code}})  # fmt: skip


class PrintifyContract(Contract):
    """One shop. A product is locked while it is published."""

    not_found = Reply(404, {"status": "error", "code": 404, "message": "Not found."})

    def __init__(self) -> None:
        super().__init__()
        self.products: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.images: dict[str, bytes] = {}
        self.is_expired = False
        self.locks_for_good = False
        self.published: list[dict[str, Any]] = []
        self._number = 0

    def refuse(self, call: Call) -> Reply | None:
        if call.token != TOKEN or self.is_expired:
            return Reply(401, {"error": "Unauthenticated."})
        return None

    def new_id(self) -> str:
        self._number += 1
        return f"{self._number:024x}"

    def add_product(self, title: str, *, skus: tuple[str, ...] = ("SKU-1",), price: int = 2799, is_out: bool = True,
                    **fields: Any) -> dict[str, Any]:  # fmt: skip
        """Add a product with a size for each SKU."""
        variants = [{"id": number, "sku": sku, "price": price, "title": size, "is_enabled": True, "options": [number]}
                    for (number, size), sku in zip(SIZES.items(), skus, strict=False)]  # fmt: skip
        values = [{"id": number, "title": size} for number, size in SIZES.items()]
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S+00:00")
        product = {
            "id": self.new_id(), "title": title, "description": f"<p>{title}</p>", "tags": [], "variants": variants,
            "options": [{"name": "Size", "type": "size", "values": values}], "created_at": now, "updated_at": now,
            "images": [{"src": "https://images.printify.test/1.jpg"}], "visible": True, "is_locked": False,
            "external": {"id": "9", "handle": "https://shop.test/9"} if is_out else {}, **fields,
        }  # fmt: skip
        self.products[product["id"]] = product
        return product

    def sell(self, product: dict[str, Any], status: str = "on-hold") -> dict[str, Any]:
        """Place an order."""
        variant = product["variants"][0]
        order = {
            "id": self.new_id(), "status": status, "created_at": datetime.now(UTC).isoformat(), "total_price": 5598,
            "total_shipping": 400, "total_tax": 0, "shipments": [],
            "metadata": {"shop_order_label": f"#{self._number}"},
            "address_to": {"first_name": "Bea", "last_name": "B", "email": "bea@example.org", "country": "DE"},
            "line_items": [{"product_id": product["id"], "variant_id": variant["id"], "quantity": 2,
                            "metadata": {"title": product["title"], "price": variant["price"], "sku": variant["sku"]}}],
        }  # fmt: skip
        self.orders[order["id"]] = order
        return order

    def _page(self, call: Call, found: list[dict[str, Any]], most: int) -> Reply:
        size, number = int(call.query["limit"]), int(call.query["page"])
        assert size <= most
        found = found[::-1]
        last = max(1, -(-len(found) // size))
        return Reply(200, {"current_page": number, "last_page": last, "total": len(found),
                           "data": found[(number - 1) * size : number * size]})  # fmt: skip

    @route("GET", r"/v1/shops\.json")
    def shops(self, _: Call) -> Reply:
        return Reply(200, [{"id": 1, "title": "Other"}, {"id": SHOP, "title": "Prints", "sales_channel": "custom"}])

    @route("GET", rf"/v1/catalog/blueprints/{BLUEPRINT}/print_providers/{PROVIDER}/variants\.json")
    def catalogue(self, _: Call) -> Reply:
        variants = [{"id": number, "title": size, "options": {"size": size}} for number, size in SIZES.items()]
        return Reply(200, {"id": BLUEPRINT, "variants": variants})

    @route("POST", r"/v1/uploads/images\.json")
    def upload(self, call: Call) -> Reply:
        image = self.new_id()
        self.images[image] = base64.b64decode(call.json["contents"])
        return Reply(200, {"id": image, "file_name": call.json["file_name"]})

    @route("GET", rf"{S}/products\.json")
    def list_products(self, call: Call) -> Reply:
        return self._page(call, [*self.products.values()], 50)

    @route("POST", rf"{S}/products\.json")
    def create(self, call: Call) -> Reply:
        """Create a product: two equal requests make two."""
        request = call.json
        areas = {number for area in request["print_areas"] for number in area["variant_ids"]}
        images = [image["id"] for area in request["print_areas"] for place in area["placeholders"]
                  for image in place["images"]]  # fmt: skip
        if areas != {one["id"] for one in request["variants"]} or any(one not in self.images for one in images):
            return refusal(400, 8251, "print_areas: The print areas must cover all variants.")
        made = self.add_product(
            request["title"], description=request["description"], tags=request["tags"], is_out=False
        )
        made["variants"] = [{**one, "title": SIZES[one["id"]], "options": [one["id"]]} for one in request["variants"]]
        return Reply(200, made)

    @route("GET", rf"{S}/products/(\w+)\.json")
    def one(self, call: Call) -> Reply:
        found = self.products.get(call.parts[0])
        return Reply(200, found) if found else self.not_found

    @route("PUT", rf"{S}/products/(\w+)\.json")
    def update(self, call: Call) -> Reply:
        found, request = self.products.get(call.parts[0]), call.json
        if found is None:
            return self.not_found
        if found["is_locked"]:
            return refusal(400, 8252, "Product is disabled for editing")
        if "variants" in request:  # one that is not sent is disabled
            sent = {one["id"]: one for one in request.pop("variants")}
            found["variants"] = [one | sent.get(one["id"], {"is_enabled": False}) for one in found["variants"]]
        found |= request
        return Reply(200, found)

    @route("DELETE", rf"{S}/products/(\w+)\.json")
    def delete(self, call: Call) -> Reply:
        return Reply(200, {}) if self.products.pop(call.parts[0], None) else self.not_found

    @route("POST", rf"{S}/products/(\w+)/publish\.json")
    def publish(self, call: Call) -> Reply:
        found = self.products.get(call.parts[0])
        if found is None:
            return self.not_found
        self.published.append(call.json)
        if self.locks_for_good:
            found["is_locked"] = True
        else:
            found["external"] = {"id": "9", "handle": "https://shop.test/9"}
        return Reply(200, {})

    @route("GET", rf"{S}/orders\.json")
    def list_orders(self, call: Call) -> Reply:
        return self._page(call, [*self.orders.values()], 10)

    @route("GET", rf"{S}/orders/(\w+)\.json")
    def order(self, call: Call) -> Reply:
        found = self.orders.get(call.parts[0])
        return Reply(200, found) if found else self.not_found

    @route("POST", rf"{S}/orders/(\w+)/cancel\.json")
    def cancel(self, call: Call) -> Reply:
        found = self.orders[call.parts[0]]
        if found["status"] != "on-hold":
            return refusal(400, 8502, "The order cannot be canceled.")
        found["status"] = "canceled"
        return Reply(200, found)
