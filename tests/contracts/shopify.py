"""Shopify's Admin GraphQL API 2026-10 as its documentation and changelog describe it (read 2026-11-22).

Requests are checked against the schema beside this file and executed; costs are counted and refused as Shopify does.
"""

# Fields and arguments have Shopify's names.
# ruff: noqa: N802, N803

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import graphql

from tests.contracts.server import Call, Contract, Reply, route

TOKEN = "shpat_of_tests"
SCHEMA = graphql.build_schema((Path(__file__).parent / "shopify.graphql").read_text(encoding="utf-8").split("\n", 1)[1])
PATH = "/admin/api/2026-10/graphql.json"
MOST_POINTS, BUCKET, RESTORE = 1000, 2000.0, 100.0
SCOPES = {"read_products", "write_products", "read_inventory", "write_inventory", "read_locations", "read_orders",
          "write_orders"}  # fmt: skip
NEEDS = {"orders": "read_orders", "order": "read_orders", "products": "read_products",
         "inventorySetQuantities": "write_inventory", "productSet": "write_products"}  # fmt: skip
MUST_HAVE_KEY = ("inventorySetQuantities", "refundCreate")


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def problem(code: str, message: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code}}


def user_error(code: str, message: str, *field: str) -> dict[str, Any]:
    return {"code": code, "field": list(field), "message": message}


class ShopifyContract(Contract):
    """One shop with two locations."""

    not_found = Reply(404, {"errors": "Not Found"})
    create_path = ("POST", PATH)

    def __init__(self) -> None:
        super().__init__()
        self.products: dict[str, dict[str, Any]] = {}
        self.levels: dict[str, dict[str, dict[str, int]]] = {}
        """Units by inventory item and location: "on_hand" and "committed"."""
        self.orders: dict[str, dict[str, Any]] = {}
        self.custom_ids: dict[tuple[str, str], str] = {}
        self.answered: dict[str, tuple[Any, Any]] = {}
        """The payload of each idempotency key, with its input."""
        self.defined: set[str] = set()
        self.subscriptions: list[dict[str, Any]] = []
        self.closed_topics: set[str] = set()
        """Topics for which the app lacks an approval."""
        self.scopes = set(SCOPES)
        self.places = [gid("Location", 1), gid("Location", 2)]
        self.left = BUCKET
        self.restored_a_call = BUCKET
        self.is_expired = self.is_suspended = self.hides_customers = False
        self.page_cap = 250
        self.sets = 0
        self._number = 1000

    def next(self) -> int:
        self._number += 1
        return self._number

    def refuse(self, call: Call) -> Reply | None:
        if call.path.startswith("/admin/oauth"):
            return None
        if call.headers.get("x-shopify-access-token") != TOKEN or self.is_expired:
            return Reply(
                401, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
            )
        return Reply(402, {"errors": "Unavailable Shop"}) if self.is_suspended else None

    # What tests put into the shop

    def add_product(self, title: str, *, skus: Sequence[str] = ("SKU-1",), price: str = "27.99", on_hand: int = 5,
                    handle: str = "", updated_at: datetime | None = None) -> dict[str, Any]:  # fmt: skip
        """Add a product of which each variant has some units at the first location."""
        options = [{"Title": "Default Title"}] if len(skus) == 1 else [{"Size": str(at)} for at, _ in enumerate(skus)]
        number = self.next()
        product: dict[str, Any] = {
            "__typename": "Product", "id": gid("Product", number), "handle": handle or f"product-{number}",
            "title": title, "descriptionHtml": f"<p>{title}</p>", "status": "ACTIVE", "tags": [], "media_list": [],
            "variant_list": [], "onlineStoreUrl": None,
        }  # fmt: skip
        self.products[product["id"]] = product
        for sku, option in zip(skus, options, strict=True):
            self._add_variant(product, sku, option, price, {self.places[0]: on_hand})
        self._touch(product, updated_at)
        return product

    def _add_variant(self, product: dict[str, Any], sku: str, options: Mapping[str, str], price: str,
                     units: Mapping[str, int], barcode: str | None = None) -> dict[str, Any]:  # fmt: skip
        item = gid("InventoryItem", self.next())
        self.levels[item] = {place: {"on_hand": units.get(place, 0), "committed": 0} for place in self.places}
        variant: dict[str, Any] = {
            "__typename": "ProductVariant", "id": gid("ProductVariant", self.next()), "sku": sku, "price": price,
            "title": " / ".join(options.values()), "barcode": barcode, "product": product, "item": item,
            "selectedOptions": [{"name": name, "value": value} for name, value in options.items()],
        }  # fmt: skip
        variant["inventoryItem"] = lambda _info: self._item(item)
        product["variant_list"].append(variant)
        product["variants"] = self._list(lambda: product["variant_list"])
        product["media"] = self._list(lambda: product["media_list"])
        return variant

    def sell(self, variant: dict[str, Any], units: int = 1, *, lines: int = 1) -> dict[str, Any]:
        """Place and pay an order: units are committed, and no product changes."""
        self.levels[variant["item"]][self.places[0]]["committed"] += units
        number = self.next()
        money = {"shopMoney": {"amount": "27.99", "currencyCode": "EUR"}}
        items = [
            {"id": gid("LineItem", self.next()), "sku": variant["sku"], "title": "Lamp", "quantity": units,
             "currentQuantity": units, "unfulfilledQuantity": units, "variant": variant, "originalUnitPriceSet": money}
            for _ in range(lines)
        ]  # fmt: skip
        order: dict[str, Any] = {
            "id": gid("Order", number), "name": f"#{number}", "createdAt": _now(), "updatedAt": _now(),
            "cancelledAt": None, "displayFinancialStatus": "PAID", "displayFulfillmentStatus": "UNFULFILLED",
            "totalPriceSet": {"shopMoney": {"amount": f"{27.99 * units * lines:.2f}", "currencyCode": "EUR"}},
            "lineItems": self._list(lambda: items), "items": items, "parcels": [],
            "fulfillments": lambda _info, first=None: order["parcels"][:first],
            "shippingAddress": {"countryCodeV2": "DE"},
            "customer": lambda _info: self._customer(),
            "fulfillmentOrders": lambda _info, first=None: {"nodes": [{
                "id": gid("FulfillmentOrder", number), "supportedActions": [{"action": "CREATE_FULFILLMENT"}],
                "status": "CLOSED" if order["cancelledAt"] or order["parcels"] else "OPEN",
            }]},
            "suggestedRefund": lambda _info, suggestFullRefund=False: self._suggested(order, items),
        }  # fmt: skip
        self.orders[order["id"]] = order
        return order

    def _customer(self) -> dict[str, Any]:
        if self.hides_customers:
            message = "This app is not approved to access the Customer object."
            raise graphql.GraphQLError(message, extensions={"code": "ACCESS_DENIED"})
        return {
            "id": gid("Customer", 7),
            "displayName": "Ada",
            "defaultEmailAddress": {"emailAddress": "ada@example.org"},
        }

    def _suggested(self, order: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
        is_done = order["displayFinancialStatus"] == "REFUNDED"
        zero = {"shopMoney": {"amount": "0.0", "currencyCode": "EUR"}}
        paid = {"amountSet": order["totalPriceSet"], "gateway": "bogus", "parentTransaction": {"id": gid("Sale", 1)}}
        lines = [{"lineItem": one, "quantity": one["quantity"], "restockType": "CANCEL",
                  "location": {"id": self.places[0]}} for one in items]  # fmt: skip
        return {
            "refundLineItems": lines,
            "shipping": {"amountSet": zero},
            "suggestedTransactions": [] if is_done else [paid],
        }

    # The protocol

    @route("POST", r"/admin/oauth/access_token")
    def token(self, call: Call) -> Reply:
        is_ours = call.form.get("client_id") == "app-1" and call.form.get("code") == "code-1"
        return Reply(200, {"access_token": TOKEN, "scope": ",".join(SCOPES)}) if is_ours else Reply(400, {})

    @route("POST", PATH)
    def graphql(self, call: Call) -> Reply:
        request = call.json
        document = graphql.parse(request["query"])
        wrong = graphql.validate(SCHEMA, document)
        if wrong:
            return Reply(200, {"errors": [problem("undefinedField", one.message) for one in wrong]})
        variables = request.get("variables") or {}
        cost = Cost(document, variables).total()
        shown = {"requestedQueryCost": cost, "actualQueryCost": None, "throttleStatus": self._bucket()}
        if cost > MOST_POINTS:
            error = problem(
                "MAX_COST_EXCEEDED", f"Query cost is {cost}, which exceeds the single query max cost limit (1000)."
            )
            return Reply(200, {"errors": [error], "extensions": {"cost": shown}})
        if self.left < cost:
            error = problem("THROTTLED", "Throttled")
            return Reply(200, {"errors": [error], "extensions": {"cost": shown}})
        self.left = min(BUCKET, self.left - cost + self.restored_a_call)
        result = graphql.execute_sync(SCHEMA, document, _Root(self), variable_values=variables)
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = [one.formatted for one in result.errors]
        shown |= {"actualQueryCost": cost, "throttleStatus": self._bucket()}
        return Reply(200, body | {"extensions": {"cost": shown}})

    def _bucket(self) -> dict[str, float]:
        return {"maximumAvailable": BUCKET, "currentlyAvailable": self.left, "restoreRate": RESTORE}

    def _list(self, items: Callable[[], list[dict[str, Any]]]) -> Callable[..., dict[str, Any]]:
        def page(_info: Any, first: int = 10, after: str | None = None, query: str | None = None,
                 sortKey: str | None = None) -> dict[str, Any]:  # fmt: skip
            found = [one for one in items() if _matches(one, query or "")]
            if sortKey:
                found.sort(key=lambda one: one["updatedAt"] if sortKey == "UPDATED_AT" else _number(one["id"]))
            start = int(after.removeprefix("after-")) if after else 0
            if start + first > 25_000:
                raise graphql.GraphQLError("paging ends after 25,000 objects")
            shown = found[start : start + min(first, self.page_cap)]
            end = start + len(shown)
            return {"nodes": shown, "pageInfo": {"hasNextPage": end < len(found), "endCursor": f"after-{end}"}}

        return page

    def _touch(self, product: dict[str, Any], at: datetime | None = None) -> None:
        moment = _now(at)
        product["updatedAt"] = moment
        for one in product["variant_list"]:
            one["updatedAt"] = moment

    # Queries

    def shop(self, _info: Any) -> dict[str, Any]:
        return {"id": gid("Shop", 1), "name": "Lamps", "currencyCode": "EUR", "myshopifyDomain": "lamps.myshopify.com",
                "primaryDomain": {"url": "https://lamps.example"}}  # fmt: skip

    def locations(self, _info: Any, first: int = 10) -> dict[str, Any]:
        return {
            "nodes": [{"id": one, "name": f"Place {at}", "isActive": True} for at, one in enumerate(self.places, 1)]
        }

    def product(self, _info: Any, id: str) -> dict[str, Any] | None:
        return self.products.get(id)

    def productByIdentifier(self, _info: Any, identifier: dict[str, Any]) -> dict[str, Any] | None:
        return self._identified(identifier)

    def _identified(self, identifier: Mapping[str, Any]) -> dict[str, Any] | None:
        if "customId" in identifier:
            custom = identifier["customId"]
            if f"{custom['namespace']}.{custom['key']}" not in self.defined:
                message = "Metafield definition of type 'id' is required when using custom ids."
                raise graphql.GraphQLError(message, extensions={"code": "NOT_FOUND"})
            return self.products.get(self.custom_ids.get((custom["key"], custom["value"]), ""))
        if "handle" in identifier:
            return next((one for one in self.products.values() if one["handle"] == identifier["handle"]), None)
        return self.products.get(identifier.get("id", ""))

    def products_(self, info: Any, **args: Any) -> dict[str, Any]:
        return self._list(lambda: [*self.products.values()])(info, **args)

    def productsCount(self, _info: Any) -> dict[str, Any]:
        return {"count": len(self.products)}

    def _variants(self) -> list[dict[str, Any]]:
        return [one for product in self.products.values() for one in product["variant_list"]]

    def productVariants(self, info: Any, **args: Any) -> dict[str, Any]:
        return self._list(self._variants)(info, **args)

    def _item(self, item: str) -> dict[str, Any]:
        def level(place: str, units: Mapping[str, int]) -> dict[str, Any]:
            shown = {"on_hand": units["on_hand"], "available": units["on_hand"] - units["committed"]}
            return {"id": place, "location": {"id": place}, "quantities": lambda _info, names: [
                {"name": one, "quantity": shown[one]} for one in names]}  # fmt: skip

        levels = self.levels[item]
        return {"__typename": "InventoryItem", "id": item, "inventoryLevels": self._list(
            lambda: [level(place, units) for place, units in levels.items()])}  # fmt: skip

    def inventoryItem(self, _info: Any, id: str) -> dict[str, Any] | None:
        return self._item(id) if id in self.levels else None

    def nodes(self, _info: Any, ids: list[str]) -> list[dict[str, Any] | None]:
        variants = {one["id"]: one for one in self._variants()}
        return [variants.get(one) for one in ids]

    def order(self, _info: Any, id: str) -> dict[str, Any] | None:
        return self.orders.get(id)

    def orders_(self, info: Any, **args: Any) -> dict[str, Any]:
        return self._list(lambda: [*self.orders.values()])(info, **args)

    def metafieldDefinitions(self, _info: Any, namespace: str, key: str, **_: Any) -> dict[str, Any]:
        return {
            "nodes": [{"id": "gid://shopify/MetafieldDefinition/1"}] if f"{namespace}.{key}" in self.defined else []
        }

    def webhookSubscriptions(self, _info: Any, first: int, topics: Sequence[str] = ()) -> dict[str, Any]:
        return {"nodes": [one for one in self.subscriptions if one["topic"] in topics][:first]}

    # Mutations

    def webhookSubscriptionCreate(self, _info: Any, topic: str, webhookSubscription: dict[str, Any]) -> dict[str, Any]:
        uri, where = webhookSubscription["uri"], ("webhookSubscription", "uri")
        if not uri.startswith("https://"):
            return {"userErrors": [user_error("", "Address protocol http:// is not supported", *where)]}
        if topic in self.closed_topics:
            return {"userErrors": [user_error("", "This app is not approved to subscribe to the topic", "topic")]}
        if any((one["topic"], one["uri"]) == (topic, uri) for one in self.subscriptions):
            return {"userErrors": [user_error("", "Address for this topic has already been taken", *where)]}
        made = {"id": gid("WebhookSubscription", self.next()), "topic": topic, "uri": uri}
        self.subscriptions.append(made)
        return {"webhookSubscription": made, "userErrors": []}

    def metafieldDefinitionCreate(self, _info: Any, definition: dict[str, Any]) -> dict[str, Any]:
        name = f"{definition['namespace']}.{definition['key']}"
        if name in self.defined:
            return {"userErrors": [user_error("TAKEN", "Key is in use for Product metafields", "definition", "key")]}
        self.defined |= {name} if definition["type"] == "id" else set()
        return {"createdDefinition": {"id": "gid://shopify/MetafieldDefinition/1"}, "userErrors": []}

    def productSet(self, _info: Any, input: dict[str, Any], identifier: dict[str, Any] | None = None,
                   synchronous: bool = True) -> dict[str, Any]:  # fmt: skip
        self.sets += 1
        product = self._identified(identifier) if identifier else None
        wrong = self._wrong_set(input, product)
        if wrong:
            return {"product": None, "userErrors": [wrong]}
        if product is None:
            if identifier and "id" in identifier:
                return {
                    "product": None,
                    "userErrors": [user_error("PRODUCT_DOES_NOT_EXIST", "Product does not exist", "identifier")],
                }
            product = self.add_product(input["title"], skus=())
            product["descriptionHtml"] = ""
            self._set_variants(product, input.get("variants", []))
            if identifier and "customId" in identifier:
                custom = identifier["customId"]
                self.custom_ids[(custom["key"], custom["value"])] = product["id"]
        elif "variants" in input:
            self._set_variants(product, input["variants"])
        product |= {
            name: input[name] for name in ("title", "handle", "descriptionHtml", "status", "tags") if name in input
        }
        product["tags"] = sorted(product["tags"])
        if "files" in input:  # a list field: what it lacks is deleted
            kept = {one["id"]: one for one in product["media_list"]}
            product["media_list"] = [kept[one["id"]] if "id" in one else self._image(one) for one in input["files"]]
        self._touch(product)
        return {"product": product, "userErrors": []}

    def _wrong_set(self, input: Mapping[str, Any], product: Mapping[str, Any] | None) -> dict[str, Any] | None:
        taken = {one["handle"] for one in self.products.values() if one is not product}
        if input.get("handle") in taken:
            return user_error("HANDLE_NOT_UNIQUE", f"Handle {input['handle']} already in use", "input", "handle")
        if "title" in input and not input["title"].strip():
            return user_error("BLANK", "Title can't be blank", "input", "title")
        if any(float(one.get("price", 0)) < 0 for one in input.get("variants", [])):
            return user_error(
                "GREATER_THAN_OR_EQUAL_TO", "Price must be greater than or equal to 0", "input", "variants"
            )
        options = {one["name"] for one in input.get("productOptions", [])}
        for one in input.get("variants", []):
            if {value["optionName"] for value in one["optionValues"]} != options:
                return user_error("OPTION_VALUES_MISSING", "Option values are missing", "input", "variants")
        return None

    def _set_variants(self, product: dict[str, Any], variants: list[dict[str, Any]]) -> None:
        product["variant_list"].clear()  # a list field: what it lacks is deleted
        product["variants"] = self._list(lambda: product["variant_list"])
        product["media"] = self._list(lambda: product["media_list"])
        for one in variants:
            options = {value["optionName"]: value["name"] for value in one["optionValues"]}
            units = {each["locationId"]: each["quantity"] for each in one.get("inventoryQuantities", [])}
            self._add_variant(product, one.get("sku", ""), options, one.get("price", "0.00"), units, one.get("barcode"))

    def _image(self, one: dict[str, Any]) -> dict[str, Any]:
        number = self.next()
        return {"__typename": "MediaImage", "id": gid("MediaImage", number), "alt": one.get("alt"),
                "mediaContentType": "IMAGE", "image": {"url": f"https://cdn.shopify.test/{number}.jpg"},
                "source": one["originalSource"]}  # fmt: skip

    def productUpdate(self, _info: Any, product: dict[str, Any]) -> dict[str, Any]:
        found = self.products.get(product["id"])
        if found is None:
            return {"product": None, "userErrors": [{"field": ["id"], "message": "Product does not exist"}]}
        wrong = self._wrong_set(product, found)
        if wrong:
            return {"product": None, "userErrors": [wrong]}
        found |= {name: value for name, value in product.items() if name != "id"}
        found["tags"] = sorted(found["tags"])
        self._touch(found)
        return {"product": found, "userErrors": []}

    def productDelete(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:
        if input["id"] not in self.products:
            return {"deletedProductId": None, "userErrors": [{"field": ["id"], "message": "Product does not exist"}]}
        self.remove(input["id"])
        return {"deletedProductId": input["id"], "userErrors": []}

    def remove(self, product_id: str) -> None:
        """Remove a product with its inventory items."""
        for one in self.products.pop(product_id)["variant_list"]:
            del self.levels[one["item"]]

    def productVariantsBulkUpdate(self, _info: Any, productId: str, variants: list[dict[str, Any]],
                                  allowPartialUpdates: bool = False) -> dict[str, Any]:  # fmt: skip
        product = self.products.get(productId)
        if product is None:
            return {"userErrors": [user_error("PRODUCT_DOES_NOT_EXIST", "Product does not exist", "productId")]}
        known = {one["id"]: one for one in product["variant_list"]}
        for at, one in enumerate(variants):
            if one["id"] not in known:
                error = user_error(
                    "PRODUCT_VARIANT_DOES_NOT_EXIST", "Product variant does not exist", "variants", str(at)
                )
                return {"userErrors": [error]}
            if float(one.get("price", 0)) < 0:
                error = user_error("NEGATIVE_PRICE_VALUE", "Price must be positive", "variants", str(at), "price")
                return {"userErrors": [error]}
        for one in variants:
            found = known[one["id"]]
            found["price"] = one.get("price", found["price"])
            found["sku"] = one.get("inventoryItem", {}).get("sku", found["sku"])
        self._touch(product)
        return {"productVariants": [known[one["id"]] for one in variants], "userErrors": []}

    def productVariantsBulkCreate(self, _info: Any, productId: str, variants: list[dict[str, Any]],
                                  strategy: str = "DEFAULT") -> dict[str, Any]:  # fmt: skip
        """Add variants: all of them, or none. A SKU may be taken; a combination of options may not."""
        product = self.products.get(productId)
        if product is None:
            return {"userErrors": [user_error("PRODUCT_DOES_NOT_EXIST", "Product does not exist", "productId")]}
        made = []
        for one in variants:
            options = {value["optionName"]: value["name"] for value in one["optionValues"]}
            units = {each["locationId"]: each["availableQuantity"] for each in one.get("inventoryQuantities", [])}
            made.append((one.get("inventoryItem", {}).get("sku", ""), options, one.get("price", "0.00"), units,
                         one.get("barcode")))  # fmt: skip
        before = len(product["variant_list"])
        for values in made:
            self._add_variant(product, *values)
        self._touch(product)
        return {"productVariants": product["variant_list"][before:], "userErrors": []}

    def inventorySetQuantities(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:
        assert input["name"] in ("available", "on_hand")
        for at, one in enumerate(input["quantities"]):
            place = ("input", "quantities", str(at))
            if "changeFromQuantity" not in one:
                raise graphql.GraphQLError("changeFromQuantity must be given", extensions={"code": "INVALID_VARIABLE"})
            if one["inventoryItemId"] not in self.levels:
                return {"userErrors": [user_error("INVALID_INVENTORY_ITEM", "The item could not be found.", *place)]}
            level = self.levels[one["inventoryItemId"]].get(one["locationId"])
            if level is None:
                return {"userErrors": [user_error("ITEM_NOT_STOCKED_AT_LOCATION", "Not stocked here.", *place)]}
            if one["quantity"] < 0:
                return {
                    "userErrors": [user_error("INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.", *place)]
                }
            if one["changeFromQuantity"] not in (None, level["on_hand"]):
                message = "The specified quantity is not the current one."
                return {"userErrors": [user_error("CHANGE_FROM_QUANTITY_STALE", message, *place)]}
        for one in input["quantities"]:
            self.levels[one["inventoryItemId"]][one["locationId"]]["on_hand"] = one["quantity"]
        return {"inventoryAdjustmentGroup": {"id": gid("InventoryAdjustmentGroup", self.next())}, "userErrors": []}

    def fulfillmentCreate(self, _info: Any, fulfillment: dict[str, Any]) -> dict[str, Any]:
        number = _number(fulfillment["lineItemsByFulfillmentOrder"][0]["fulfillmentOrderId"])
        order = self.orders[gid("Order", number)]
        if order["parcels"] or order["cancelledAt"]:
            return {"userErrors": [{"field": ["fulfillment"], "message": "Fulfillment order is closed."}]}
        units = [{"quantity": one["quantity"], "lineItem": one} for one in order["items"]]
        for one in order["items"]:
            one["unfulfilledQuantity"] = 0
        parcel = {"id": gid("Fulfillment", self.next()), "createdAt": _now(), "status": "SUCCESS",
                  "displayStatus": "FULFILLED",
                  "trackingInfo": lambda _info, first=None: [fulfillment.get("trackingInfo") or {}],
                  "fulfillmentLineItems": lambda _info, first=10: {"nodes": units[:first]}}  # fmt: skip
        order["parcels"].append(parcel)
        order |= {"displayFulfillmentStatus": "FULFILLED", "updatedAt": _now()}
        return {"fulfillment": parcel, "userErrors": []}

    def orderCancel(self, _info: Any, orderId: str, **_: Any) -> dict[str, Any]:
        order = self.orders[orderId]
        if order["cancelledAt"] or order["parcels"]:
            return {
                "orderCancelUserErrors": [user_error("INVALID", "Cannot cancel an order that is closed.", "orderId")]
            }
        order |= {"cancelledAt": _now(), "updatedAt": _now()}
        return {"job": {"id": gid("Job", 1), "done": False}, "orderCancelUserErrors": []}

    def refundCreate(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:
        order = self.orders[input["orderId"]]
        if order["displayFinancialStatus"] == "REFUNDED":
            return {"userErrors": [{"field": ["orderId"], "message": "Order has been refunded."}]}
        order.setdefault("refunds", []).append(input)
        order |= {"displayFinancialStatus": "REFUNDED", "updatedAt": _now()}
        return {"refund": {"id": gid("Refund", self.next())}, "userErrors": []}


class _Root:
    """The root of an execution: scopes are checked, and idempotency keys answered, before a field is resolved."""

    def __init__(self, shop: ShopifyContract) -> None:
        self._shop = shop

    def __getattr__(self, name: str) -> Any:
        shop = self._shop
        resolve = getattr(shop, f"{name}_", None) or getattr(shop, name)

        def answer(info: Any, **args: Any) -> Any:
            scope = NEEDS.get(name)
            if scope is not None and scope not in shop.scopes:
                message = f"Access denied for {name} field. Required access: `{scope}` access scope."
                raise graphql.GraphQLError(message, extensions={"code": "ACCESS_DENIED"})
            if name not in MUST_HAVE_KEY:
                return resolve(info, **args)
            idempotent = SCHEMA.get_directive("idempotent")
            given = graphql.get_directive_values(idempotent, info.field_nodes[0], info.variable_values)
            if given is None:
                raise graphql.GraphQLError("The @idempotent directive is required.", extensions={"code": "BAD_REQUEST"})
            key = given["key"]
            if key not in shop.answered:
                payload = resolve(info, **args)
                if not payload["userErrors"]:
                    shop.answered[key] = (args, payload)
                return payload
            known, payload = shop.answered[key]
            if known != args:
                return {"userErrors": [user_error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "Other parameters.")]}
            return payload

        return answer


class Cost:
    """The points that a request asks for: one an object, lists by how many they may have, ten a mutation."""

    def __init__(self, document: graphql.DocumentNode, variables: dict[str, Any]) -> None:
        self._variables = variables
        self._fragments = {one.name.value: one for one in document.definitions
                           if isinstance(one, graphql.FragmentDefinitionNode)}  # fmt: skip
        self._operation = next(one for one in document.definitions if isinstance(one, graphql.OperationDefinitionNode))

    def total(self) -> int:
        if self._operation.operation is graphql.OperationType.MUTATION:
            return 10 * len(self._operation.selection_set.selections)
        return self._of(self._operation.selection_set)

    def _of(self, selected: graphql.SelectionSetNode | None) -> int:
        if selected is None:
            return 0
        total = 0
        for one in selected.selections:
            if isinstance(one, graphql.FragmentSpreadNode):
                total += self._of(self._fragments[one.name.value].selection_set)
            elif isinstance(one, graphql.InlineFragmentNode):
                total += self._of(one.selection_set)
            elif isinstance(one, graphql.FieldNode) and one.selection_set is not None:
                is_object = one.name.value not in ("nodes", "pageInfo")
                total += self._many(one) * (self._of(one.selection_set) + is_object)
        return total

    def _many(self, field: graphql.FieldNode) -> int:
        values = {
            one.name.value: graphql.value_from_ast_untyped(one.value, self._variables) for one in field.arguments or ()
        }
        return len(values["ids"]) if "ids" in values else int(values.get("first") or 1)


def _matches(one: Mapping[str, Any], query: str) -> bool:
    if " OR " in query:
        return any(_matches(one, part) for part in query.split(" OR "))
    for field, operator, quoted, plain in re.findall(r"(\w+):(>=)?(?:[\"']([^\"']*)[\"']|(\S+))", query):
        value = quoted or plain
        if field == "id" and operator and _number(one["id"]) < int(value):
            return False
        if field == "updated_at" and operator and one["updatedAt"] < value:
            return False
        if field == "sku" and value.lower() not in (one["sku"] or "").lower():  # Shopify finds parts, too
            return False
    return True


def _number(gid_: str) -> int:
    return int(gid_.rsplit("/", 1)[-1])


def _now(at: datetime | None = None) -> str:
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)
