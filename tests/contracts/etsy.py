"""Etsy's Open API v3 as its documentation describes it (read 2026-11-22)."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.contracts.server import Call, Contract, Reply, route

SHOP, KEY, SECRET = 4242, "keystring-1", "shared-1"
TOKEN = "99.etsy-access-token-of-tests"
SCOPES = {"listings_r", "listings_w", "listings_d", "transactions_r", "transactions_w", "shops_r"}
APP = "/v3/application"
NEVER_SENT = ("product_id", "offering_id", "scale_name", "is_deleted")


def refusal(status: int, error: str, description: str = "") -> Reply:
    return Reply(status, {"error": error, **({"error_description": description} if description else {})})


class EtsyContract(Contract):
    """One shop and its listings."""

    not_found = refusal(404, "Resource not found")

    def __init__(self) -> None:
        super().__init__()
        self.listings: dict[int, dict[str, Any]] = {}
        self.receipts: dict[int, dict[str, Any]] = {}
        self.scopes = set(SCOPES)
        self.left_today = 10_000
        self.is_expired = False
        self.renewed = ""
        self.refresh = "refresh-1"
        self._number = 7000
        self._ticks = 0

    def next(self) -> int:
        self._number += 1
        return self._number

    def now(self) -> int:
        """Return a time in seconds that goes on with each change, so that an order by it is certain."""
        self._ticks += 1
        return int(datetime.now(UTC).timestamp()) + self._ticks // 1000

    def refuse(self, call: Call) -> Reply | None:
        if call.path.startswith("/v3/public/"):
            return None
        if call.headers.get("x-api-key") != f"{KEY}:{SECRET}":
            return refusal(403, "API key not found or not active", "or incorrect shared secret")
        if call.token not in (TOKEN, self.renewed) or self.is_expired:
            return refusal(401, "invalid_token", "access token is expired")
        scope = self._scope(call)
        if scope not in self.scopes:
            return refusal(403, "insufficient_scope", f"token lacks the scope {scope}")
        if self.left_today <= 0:
            return Reply(429, {"error": "Exceeded daily quota"}, {"Retry-After": "600", **self._limits()})
        self.left_today -= 1
        return None

    @staticmethod
    def _scope(call: Call) -> str:
        if "/receipts" in call.path:
            return "transactions_r" if call.method == "GET" else "transactions_w"
        if call.method == "DELETE" and "/images" not in call.path:
            return "listings_d"
        return "listings_r" if call.method == "GET" else "listings_w"

    def _limits(self) -> dict[str, str]:
        return {"x-limit-per-second": "10", "x-remaining-this-second": "9", "x-limit-per-day": "10000",
                "x-remaining-today": str(self.left_today)}  # fmt: skip

    def handle(self, call: Call) -> Reply | None:
        reply = super().handle(call)
        if reply is not None:
            reply.headers = {**self._limits(), **reply.headers}
        return reply

    # What tests put into the shop

    def add_listing(self, title: str, *, sku: str = "", state: str = "active", price: int = 2799, quantity: int = 5,
                    options: Sequence[str] = ()) -> dict[str, Any]:  # fmt: skip
        """Add a listing, with a variation for each option."""
        listing_id, now = self.next(), self.now()
        listing = {
            "listing_id": listing_id, "shop_id": SHOP, "title": title, "description": f"About {title}", "state": state,
            "tags": [], "url": f"https://www.etsy.com/listing/{listing_id}", "created_timestamp": now, "images": [],
            "original_creation_timestamp": now, "updated_timestamp": now,
        }  # fmt: skip
        names = options or ("",)
        values = [[{"property_id": 513, "property_name": "Size", "scale_id": None, "scale_name": None, "value_ids": [1],
                    "values": [one]}] if one else [] for one in names]  # fmt: skip
        listing["inventory"] = {
            "products": [self._product(f"{sku}{'-' * bool(one)}{one}", value, price, quantity)
                         for one, value in zip(names, values, strict=True)],
            **dict.fromkeys(("price_on_property", "quantity_on_property", "sku_on_property"), [513] if options else []),
        }  # fmt: skip
        self.listings[listing_id] = listing
        if state != "draft":
            listing["images"].append(
                {"listing_image_id": self.next(), "rank": 1, "url_fullxfull": "https://i.etsy.test/1.jpg"}
            )
        return listing

    def _product(
        self, sku: str, properties: list[Any], price: int, quantity: int, product_id: int = 0
    ) -> dict[str, Any]:
        money = {"amount": price, "divisor": 100, "currency_code": "EUR"}
        offering = {"offering_id": self.next(), "quantity": quantity, "is_enabled": True, "is_deleted": False,
                    "price": money, "readiness_state_id": 9}  # fmt: skip
        return {"product_id": product_id or self.next(), "sku": sku, "is_deleted": False, "offerings": [offering],
                "property_values": properties}  # fmt: skip

    def sell(self, listing: dict[str, Any], units: int = 1) -> dict[str, Any]:
        """Sell units of the first variant: its quantity falls."""
        product, now, number = listing["inventory"]["products"][0], self.now(), self.next()
        product["offerings"][0]["quantity"] -= units
        price = product["offerings"][0]["price"]
        receipt = {
            "receipt_id": number, "status": "Paid", "is_paid": True, "is_shipped": False, "created_timestamp": now,
            "updated_timestamp": now, "grandtotal": {**price, "amount": price["amount"] * units}, "shipments": [],
            "name": "Bea &amp; Co", "buyer_email": "ada@example.org", "buyer_user_id": 5, "country_iso": "DE",
            "transactions": [{"transaction_id": self.next(), "title": listing["title"], "quantity": units,
                              "price": price,
                              "listing_id": listing["listing_id"], "product_id": product["product_id"],
                              "sku": product["sku"]}],
        }  # fmt: skip
        self.receipts[number] = receipt
        return receipt

    # The protocol

    @route("POST", r"/v3/public/oauth/token")
    def token(self, call: Call) -> Reply:
        """Give a new pair for a refresh token, which is good once."""
        form = call.form
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh:
            return refusal(400, "invalid_grant")
        if form.get("client_id") != KEY:
            return refusal(400, "invalid_client")
        self.refresh, self.renewed = "refresh-2", "99.etsy-renewed"
        return Reply(200, {"access_token": self.renewed, "refresh_token": self.refresh, "expires_in": 3600})

    @route("GET", rf"{APP}/shops/{SHOP}")
    def shop(self, _: Call) -> Reply:
        return Reply(200, {"shop_id": SHOP, "shop_name": "LampsAndMore", "currency_code": "EUR",
                           "url": "https://www.etsy.com/shop/LampsAndMore"})  # fmt: skip

    def _shown(self, listing: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        included = {name.lower() for name in query.get("includes", "").split(",")}
        shown = {
            name: value for name, value in listing.items() if name not in ("images", "inventory") or name in included
        }
        return {**shown, "title": html.escape(str(shown["title"]))}

    @route("GET", rf"{APP}/shops/{SHOP}/listings")
    def list_listings(self, call: Call) -> Reply:
        query = call.query
        assert int(query["limit"]) <= 100
        found = [one for one in self.listings.values() if one["state"] == query.get("state", "active")]
        field = {"created": "created_timestamp", "updated": "updated_timestamp"}[query.get("sort_on", "created")]
        found.sort(key=lambda one: (one[field], one["listing_id"]), reverse=query.get("sort_order") == "desc")
        offset = int(query.get("offset", 0))
        page = found[offset : offset + int(query["limit"])]
        return Reply(200, {"count": len(found), "results": [self._shown(one, query) for one in page]})

    @route("GET", rf"{APP}/listings/batch")
    def several(self, call: Call) -> Reply:
        ids = [int(one) for one in call.query["listing_ids"].split(",")]
        assert len(ids) <= 100
        found = [self._shown(self.listings[one], call.query) for one in ids if one in self.listings]
        return Reply(200, {"count": len(found), "results": found})

    @route("GET", rf"{APP}/listings/(\d+)")
    def one(self, call: Call) -> Reply:
        found = self.listings.get(int(call.parts[0]))
        return Reply(200, self._shown(found, call.query)) if found else self.not_found

    @route("POST", rf"{APP}/shops/{SHOP}/listings")
    def create(self, call: Call) -> Reply:
        """Create a draft: two equal requests make two."""
        form = call.form
        needed = ("quantity", "title", "description", "price", "who_made", "when_made", "taxonomy_id")
        lacking = [name for name in needed if not form.get(name) or form[name] == "0"]
        if lacking:
            return refusal(400, f"Missing required parameters: {', '.join(lacking)}")
        listing = self.add_listing(form["title"], state="draft", price=round(float(form["price"]) * 100),
                                   quantity=int(form["quantity"]))  # fmt: skip
        listing |= {"description": form["description"], "tags": [one for one in form.get("tags", "").split(",") if one]}
        return Reply(201, self._shown(listing, {}))

    @route("PATCH", rf"{APP}/shops/{SHOP}/listings/(\d+)")
    def patch(self, call: Call) -> Reply:
        listing, form = self.listings.get(int(call.parts[0])), call.form
        if listing is None:
            return self.not_found
        if form.get("state") == "active" and not listing["images"]:
            return refusal(400, "Listing must have at least one image to be published")
        if form.get("state") not in (None, "active", "inactive"):
            return refusal(400, "Invalid state")
        if "tags" in form:
            form["tags"] = [one for one in form["tags"].split(",") if one]
        listing |= {**form, "updated_timestamp": self.now()}
        return Reply(200, self._shown(listing, {}))

    @route("DELETE", rf"{APP}/listings/(\d+)")
    def delete(self, call: Call) -> Reply:
        return Reply(204) if self.listings.pop(int(call.parts[0]), None) else self.not_found

    @route("GET", rf"{APP}/listings/(\d+)/inventory")
    def inventory(self, call: Call) -> Reply:
        found = self.listings.get(int(call.parts[0]))
        return Reply(200, found["inventory"]) if found else self.not_found

    @route("PUT", rf"{APP}/listings/(\d+)/inventory")
    def put_inventory(self, call: Call) -> Reply:
        """Replace the whole inventory: a variant that is not sent is gone."""
        listing = self.listings.get(int(call.parts[0]))
        if listing is None:
            return self.not_found
        body = call.json
        wrong = [name for one in body["products"] for part in (one, *one["offerings"], *one["property_values"])
                 for name in part if name in NEVER_SENT]  # fmt: skip
        if wrong:
            return refusal(400, f"Invalid fields: {', '.join(wrong)}")
        offerings = [offering for one in body["products"] for offering in one["offerings"]]
        if any(isinstance(one["price"], Mapping) or one["price"] < 0.2 or one["quantity"] < 0 for one in offerings):
            return refusal(400, "Invalid price or quantity")
        if not any(one["quantity"] for one in offerings):
            return refusal(400, "At least one offering must have quantity greater than 0")
        old = {str([each["values"] for each in one["property_values"]]): one["product_id"]
               for one in listing["inventory"]["products"]}  # fmt: skip
        products = [
            self._product(one["sku"], one["property_values"], round(one["offerings"][0]["price"] * 100),
                          one["offerings"][0]["quantity"],
                          old.get(str([each["values"] for each in one["property_values"]]), 0))
            for one in body["products"]
        ]  # fmt: skip
        listing["inventory"] = {**{name: body.get(name, []) for name in listing["inventory"]}, "products": products}
        listing["updated_timestamp"] = self.now()
        return Reply(200, listing["inventory"])

    @route("POST", rf"{APP}/shops/{SHOP}/listings/(\d+)/images")
    def upload(self, call: Call) -> Reply:
        listing, form = self.listings[int(call.parts[0])], call.form
        image = {"listing_image_id": self.next(), "rank": int(form["rank"]), "alt_text": form.get("alt_text", ""),
                 "url_fullxfull": f"https://i.etsy.test/{self._number}.jpg"}  # fmt: skip
        assert isinstance(form["image"], bytes) and form["image"]
        listing["images"].append(image)
        return Reply(201, image)

    @route("DELETE", rf"{APP}/shops/{SHOP}/listings/(\d+)/images/(\d+)")
    def delete_image(self, call: Call) -> Reply:
        listing = self.listings[int(call.parts[0])]
        listing["images"] = [one for one in listing["images"] if one["listing_image_id"] != int(call.parts[1])]
        return Reply(204)

    @route("GET", rf"{APP}/shops/{SHOP}/receipts")
    def list_receipts(self, call: Call) -> Reply:
        since, offset = int(call.query.get("min_last_modified", 0)), int(call.query.get("offset", 0))
        found = [one for one in self.receipts.values() if one["updated_timestamp"] >= since]
        found.sort(key=lambda one: one["updated_timestamp"])
        return Reply(200, {"count": len(found), "results": found[offset : offset + int(call.query["limit"])]})

    @route("GET", rf"{APP}/shops/{SHOP}/receipts/(\d+)")
    def receipt(self, call: Call) -> Reply:
        found = self.receipts.get(int(call.parts[0]))
        return Reply(200, found) if found else self.not_found

    @route("PUT", rf"{APP}/shops/{SHOP}/receipts/(\d+)")
    def mark(self, call: Call) -> Reply:
        found = self.receipts[int(call.parts[0])]
        found |= {"is_shipped": call.form.get("was_shipped") == "true", "updated_timestamp": self.now()}
        return Reply(200, found)

    @route("POST", rf"{APP}/shops/{SHOP}/receipts/(\d+)/tracking")
    def track(self, call: Call) -> Reply:
        """Add a parcel: two equal requests add two."""
        found = self.receipts[int(call.parts[0])]
        found["shipments"].append({"receipt_shipping_id": self.next(), "tracking_code": call.form["tracking_code"],
                                   "shipment_notification_timestamp": self.now()})  # fmt: skip
        found |= {"is_shipped": True, "status": "Completed", "updated_timestamp": self.now()}
        return Reply(200, found)
