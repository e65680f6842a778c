"""The adapter of Oscar against a real shop: what all shops must do, and what Oscar does in its own way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry
from fleet.adapters.manifest import AccountAccess
from tests.adapters.shop_conformance import TIMEOUT_S, ShopConformance, changed
from tests.stores import catalogue
from tests.stores.oscar_server import Oscar
from tests.stores.servers import PASSWORD, USERNAME

pytestmark = pytest.mark.shops
LOGIN = f"{USERNAME}:{PASSWORD}"


def connect(shop: Oscar, credentials: str = LOGIN) -> Any:
    return registry.get("oscar").connect(AccountAccess(shop.url, SecretStr(credentials), timeout_s=TIMEOUT_S))


class TestOscar(ShopConformance):
    credentials = json.dumps({"username": USERNAME, "password": PASSWORD, "currency": "EUR"})

    @pytest.fixture
    def opponent(self, oscar: Oscar) -> Oscar:
        return oscar

    @pytest.fixture
    def adapter(self, oscar: Oscar) -> Iterator[Any]:
        found = connect(oscar)
        yield found
        found.close()


def test_wrong_credentials_are_refused(oscar: Oscar) -> None:
    for wrong in (f"{USERNAME}:wrong", "nobody:here"):
        with pytest.raises(base.TokenRefused):
            connect(oscar, wrong).check(timeout_s=TIMEOUT_S)


def test_a_view_of_the_shop_finds_products_by_upc_and_change_without_a_sweep(oscar: Oscar) -> None:
    adapter = connect(oscar, json.dumps({"username": USERNAME, "password": PASSWORD, "lookup": "own/products/"}))
    before = adapter.find_products(sku=catalogue.sku(3))[0]
    assert adapter.find_products(key=before.key) == [before], "finding it does not change its time"
    since = datetime.now(UTC)
    oscar.set_price(catalogue.sku(3), 123)
    oscar.set_title(catalogue.sku(4), "Edited")
    assert {one.key for one in changed(adapter, since).values()} == {catalogue.sku(3), catalogue.sku(4)}
