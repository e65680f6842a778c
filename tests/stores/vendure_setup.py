"""Make an empty Vendure a shop that sells, by its admin API. A change of this file makes new template databases."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.stores.servers import PASSWORD, USERNAME, ShopError

API_KEY = "fleet:key-of-tests"
"""Sent as the header `vendure-api-key`; it has all rights of the superadministrator."""


def data_of(response: httpx.Response) -> dict[str, Any]:
    """Return `data` of an answer. Raises ShopError for each of the three kinds of errors that Vendure has."""
    body = response.json()
    if response.is_error or body.get("errors"):
        raise ShopError(f"{response.status_code} {json.dumps(body.get('errors', body))}")
    for name, result in body["data"].items():
        if isinstance(result, dict) and result.get("errorCode"):
            raise ShopError(f"{name}: {json.dumps(result)}")
    return dict(body["data"])


def set_up(http: httpx.Client, address: str) -> None:
    """Make a shop that sells: a country, a tax, a currency, a way to ship, one to pay, and the API key."""
    login = "mutation($name: String!, $word: String!) { login(username: $name, password: $word) { __typename } }"
    answer = http.post(address, json={"query": login, "variables": {"name": USERNAME, "word": PASSWORD}})
    key = {"Authorization": f"Bearer {answer.headers['vendure-auth-token']}"}

    def run(query: str, **variables: Any) -> Any:
        return data_of(http.post(address, json={"query": query, "variables": variables}, headers=key))

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
