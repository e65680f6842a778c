"""Amazon's Selling Partner API as developer-docs.amazon.com describes it (read 2026-11-22).

Listings Items 2021-08-01, Feeds 2021-06-30, Orders v0, Sellers v1, and Login with Amazon.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from tests.contracts.server import Call, Contract, Reply, route

SELLER, PLACE, OTHER_PLACE = "A1SELLERXYZ", "A1PA6795UKMFR9", "A13V1IB3VIYZZH"
TOKEN, REFRESH = "Atza|of-tests", "Atzr|of-tests"
ITEMS = rf"/listings/2021-08-01/items/{SELLER}"
PUT_ONE = ("PUT", rf"{ITEMS}/[^/]+")


def refusal(status: int, code: str, message: str, details: str = "") -> Reply:
    return Reply(status, {"errors": [{"code": code, "message": message, "details": details}]})


class AmazonContract(Contract):
    """One seller in one marketplace. What it accepts is live at once, unless `is_slow`."""

    not_found = refusal(404, "NOT_FOUND", "Requested resource not found.")

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.feeds: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, bytes] = {}
        self.tokens = {TOKEN}
        self.is_slow = False
        self._number = 0

    def next(self) -> int:
        self._number += 1
        return self._number

    def stamp(self) -> str:
        """Return a time that goes on with each change."""
        return datetime.now(UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{self.next() % 1_000_000:06}Z")

    def refuse(self, call: Call) -> Reply | None:
        if call.path.startswith(("/auth/", "/upload/")):
            return None
        if call.headers.get("x-amz-access-token") not in self.tokens:
            return refusal(
                403, "Unauthorized", "Access to requested resource is denied.", "The access token has expired."
            )
        return None

    # What tests put into the shop

    def add_item(
        self, sku: str, *, title: str = "Lamp", price: str = "27.99", quantity: int | None = 5
    ) -> dict[str, Any]:
        """Add a listing; without a quantity Amazon ships it."""
        attributes = {
            "item_name": [{"value": title, "marketplace_id": PLACE}],
            "purchasable_offer": [
                {"marketplace_id": PLACE, "currency": "EUR", "audience": "ALL",
                 "our_price": [{"schedule": [{"value_with_tax": float(price)}]}],
                 "discounted_price": [{"schedule": [{"value_with_tax": 19.99}]}]},
                {"marketplace_id": PLACE, "audience": "B2B", "our_price": [{"schedule": [{"value_with_tax": 25.0}]}]},
                {"marketplace_id": OTHER_PLACE, "our_price": [{"schedule": [{"value_with_tax": 31.0}]}]},
            ],
            "fulfillment_availability": [
                {"fulfillment_channel_code": "AMAZON_EU"} if quantity is None else
                {"fulfillment_channel_code": "DEFAULT", "quantity": quantity, "lead_time_to_ship_max_days": 3}
            ],
        }  # fmt: skip
        return self._store(sku, attributes, self.stamp())

    def _store(self, sku: str, attributes: dict[str, Any], created: str) -> dict[str, Any]:
        self.items[sku] = {"sku": sku, "attributes": attributes, "created": created, "updated": self.stamp()}
        return self.items[sku]

    def _shown(self, item: dict[str, Any]) -> dict[str, Any]:
        attributes = item["attributes"]
        summary = {
            "marketplaceId": PLACE, "asin": "B00TEST", "status": ["BUYABLE", "DISCOVERABLE"],
            "createdDate": item["created"], "lastUpdatedDate": item["updated"],
            "itemName": attributes["item_name"][0]["value"],
        }  # fmt: skip
        offer = next(one for one in attributes["purchasable_offer"]
                     if one["marketplace_id"] == PLACE and one.get("audience", "ALL") == "ALL")  # fmt: skip
        amount = offer["our_price"][0]["schedule"][0]["value_with_tax"]
        stock = [
            {"fulfillmentChannelCode": one["fulfillment_channel_code"],
             **{name: value for name, value in one.items() if name == "quantity"}}
            for one in attributes.get("fulfillment_availability", [])
        ]  # fmt: skip
        offers = [{"marketplaceId": PLACE, "offerType": "B2C", "price": {"currencyCode": "EUR", "amount": str(amount)}}]
        return {"sku": item["sku"], "summaries": [summary], "attributes": attributes, "offers": offers,
                "fulfillmentAvailability": stock}  # fmt: skip

    def sell(self, sku: str, units: int = 2, status: str = "Unshipped") -> dict[str, Any]:
        """Place an order."""
        order_id = f"302-{self.next():07}-0000001"
        order = {
            "AmazonOrderId": order_id, "OrderStatus": status, "PurchaseDate": self.stamp(),
            "LastUpdateDate": self.stamp(), "ShippingAddress": {"CountryCode": "DE"},
            "OrderTotal": {"CurrencyCode": "EUR", "Amount": f"{27.99 * units:.2f}"},
            "BuyerInfo": {"BuyerEmail": "x@marketplace.amazon.test"}, "parcels": [],
            "items": [{"OrderItemId": f"i{self._number}", "SellerSKU": sku, "Title": "Lamp", "QuantityOrdered": units,
                       "QuantityShipped": 0, "ItemPrice": {"CurrencyCode": "EUR", "Amount": f"{27.99 * units:.2f}"}}],
        }  # fmt: skip
        if status == "Pending":
            del order["OrderTotal"]
        self.orders[order_id] = order
        return order

    # The protocol

    @route("POST", r"/auth/o2/token")
    def token(self, call: Call) -> Reply:
        expected = {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH,
            "client_id": "amzn1.app",
            "client_secret": "s",
        }
        if call.form != expected:
            return Reply(400, {"error": "invalid_grant"})
        made = f"Atza|{self.next()}"
        self.tokens.add(made)
        return Reply(200, {"access_token": made, "refresh_token": REFRESH, "token_type": "bearer", "expires_in": 3600})

    @route("GET", r"/sellers/v1/marketplaceParticipations")
    def participations(self, _: Call) -> Reply:
        place = {"id": PLACE, "name": "Amazon.de", "countryCode": "DE", "defaultCurrencyCode": "EUR"}
        return Reply(200, {"payload": [{"marketplace": place, "participation": {"isParticipating": True}}]})

    @route("GET", ITEMS)
    def search(self, call: Call) -> Reply:
        """Search listings: 20 a page, and 1,000 in all."""
        query = call.query
        assert query["marketplaceIds"] == PLACE and int(query.get("pageSize", 10)) <= 20
        found = [*self.items.values()]
        if "identifiers" in query:
            wanted = query["identifiers"].split(",")
            assert len(wanted) <= 20 and query["identifiersType"] == "SKU"
            return Reply(
                200, {"numberOfResults": 0, "items": [self._shown(one) for one in found if one["sku"] in wanted]}
            )
        field = {"createdDate": "created", "lastUpdatedDate": "updated"}[query.get("sortBy", "lastUpdatedDate")]
        after = query.get("createdAfter" if field == "created" else "lastUpdatedAfter", "")
        found = sorted((one for one in found if one[field] >= after), key=lambda one: one[field])[:1000]
        start = int(query.get("pageToken", 0))
        page = [self._shown(one) for one in found[start : start + int(query["pageSize"])]]
        end = start + len(page)
        return Reply(200, {"items": page, "pagination": {"nextToken": str(end)} if end < len(found) else {}})

    @route("GET", rf"{ITEMS}/([^/]+)")
    def one(self, call: Call) -> Reply:
        found = self.items.get(unquote(call.parts[0]))
        return Reply(200, self._shown(found)) if found else self.not_found

    def _wrong(self, attributes: dict[str, Any]) -> list[dict[str, Any]]:
        stock = [one.get("quantity", 0) for one in attributes.get("fulfillment_availability", [])]
        wrong = ["item_name"] if not attributes.get("item_name") else []
        wrong += ["fulfillment_availability"] if any(one < 0 for one in stock) else []
        return [
            {"code": "99022", "severity": "ERROR", "message": f"{one} is wrong.", "attributeNames": [one]}
            for one in wrong
        ]

    @route("PUT", rf"{ITEMS}/([^/]+)")
    def put(self, call: Call) -> Reply:
        sku, request = unquote(call.parts[0]), call.json
        issues = self._wrong(request["attributes"])
        is_preview = call.query.get("mode") == "VALIDATION_PREVIEW"
        status = "INVALID" if issues else "VALID" if is_preview else "ACCEPTED"
        if not issues and not is_preview and not self.is_slow:
            known = self.items.get(sku)
            self._store(sku, request["attributes"], known["created"] if known else self.stamp())
        return Reply(200, {"sku": sku, "status": status, "submissionId": f"s{self.next()}", "issues": issues})

    def _apply(self, sku: str, patches: list[dict[str, Any]]) -> list[dict[str, Any]]:
        attributes = dict(self.items[sku]["attributes"])
        for one in patches:
            assert one["op"] == "replace"  # of the whole attribute
            attributes[one["path"].removeprefix("/attributes/")] = one["value"]
        issues = self._wrong(attributes)
        if not issues:
            self.items[sku] |= {"attributes": attributes, "updated": self.stamp()}
        return issues

    @route("PATCH", rf"{ITEMS}/([^/]+)")
    def patch(self, call: Call) -> Reply:
        sku = unquote(call.parts[0])
        if sku not in self.items:
            return self.not_found
        issues = self._apply(sku, call.json["patches"])
        return Reply(200, {"sku": sku, "status": "INVALID" if issues else "ACCEPTED", "issues": issues})

    @route("DELETE", rf"{ITEMS}/([^/]+)")
    def delete(self, call: Call) -> Reply:
        sku = unquote(call.parts[0])
        return Reply(200, {"sku": sku, "status": "ACCEPTED"}) if self.items.pop(sku, None) else self.not_found

    @route("POST", r"/feeds/2021-06-30/documents")
    def document(self, call: Call) -> Reply:
        assert call.json["contentType"].startswith("application/json")
        name = f"amzn1.tortuga.{self.next()}"
        return Reply(201, {"feedDocumentId": name, "url": f"{self.url}/upload/{name}?X-Amz-Expires=300"})

    @route("PUT", r"/upload/(.+)")
    def upload(self, call: Call) -> Reply:
        assert "x-amz-access-token" not in call.headers
        self.documents[call.parts[0]] = call.body
        return Reply(200)

    @route("POST", r"/feeds/2021-06-30/feeds")
    def create_feed(self, call: Call) -> Reply:
        request = call.json
        if request["inputFeedDocumentId"] not in self.documents:
            return refusal(400, "InvalidInput", "The feed document has no content.")
        feed = {**request, "feedId": f"f{self.next()}", "processingStatus": "IN_QUEUE"}
        self.feeds[feed["feedId"]] = feed
        return Reply(202, {"feedId": feed["feedId"]})

    def work(self) -> None:
        """Process the feeds that wait."""
        for feed in self.feeds.values():
            if feed["processingStatus"] == "IN_QUEUE":
                for one in json.loads(self.documents[feed["inputFeedDocumentId"]])["messages"]:
                    self._apply(one["sku"], one["patches"])
                feed["processingStatus"] = "DONE"

    @route("GET", r"/orders/v0/orders")
    def list_orders(self, call: Call) -> Reply:
        after, start = call.query.get("LastUpdatedAfter", ""), int(call.query.get("NextToken", 0))
        found = sorted((one for one in self.orders.values() if one["LastUpdateDate"] >= after),
                       key=lambda one: str(one["LastUpdateDate"]))  # fmt: skip
        end = start + int(call.query["MaxResultsPerPage"])
        shown = [{name: value for name, value in one.items() if name[0].isupper()} for one in found[start:end]]
        return Reply(200, {"payload": {"Orders": shown, **({"NextToken": str(end)} if end < len(found) else {})}})

    @route("GET", r"/orders/v0/orders/([^/]+)")
    def order(self, call: Call) -> Reply:
        found = self.orders.get(call.parts[0])
        return Reply(200, {"payload": found}) if found else self.not_found

    @route("GET", r"/orders/v0/orders/([^/]+)/orderItems")
    def order_items(self, call: Call) -> Reply:
        return Reply(200, {"payload": {"OrderItems": self.orders[call.parts[0]]["items"]}})

    @route("POST", r"/orders/v0/orders/([^/]+)/shipmentConfirmation")
    def confirm(self, call: Call) -> Reply:
        found, parcel = self.orders[call.parts[0]], call.json["packageDetail"]
        found["parcels"].append(parcel)
        for one in found["items"]:
            one["QuantityShipped"] += sum(each["quantity"] for each in parcel["orderItems"]
                                          if each["orderItemId"] == one["OrderItemId"])  # fmt: skip
        found |= {"OrderStatus": "Shipped", "LastUpdateDate": self.stamp()}
        return Reply(204)
