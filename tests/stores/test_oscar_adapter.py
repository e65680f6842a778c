"""The adapter of Oscar against a real shop: what all shops must do, and what Oscar does in its own way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry
from fleet.adapters.manifest import AccountAccess, MediaFile, NoMediaTools
from fleet.adapters.shops import CREATE_PRODUCT, UPDATE_PRODUCT, digest_of
from fleet.adapters.social import read_data_url
from tests.adapters.shop_conformance import TIMEOUT_S, ShopConformance, act, changed, only, picture, product
from tests.stores import catalogue
from tests.stores.oscar_server import Oscar
from tests.stores.picture_server import serving
from tests.stores.servers import PASSWORD, USERNAME

pytestmark = pytest.mark.shops
LOGIN = f"{USERNAME}:{PASSWORD}"


class Published(NoMediaTools):
    """Publishes pictures on this machine, from where the shop fetches them."""

    def __init__(self, address: str) -> None:
        self._address = address

    def publish(self, file: MediaFile) -> str:
        return f"{self._address}/{hashlib.sha256(file.data).hexdigest()[:20]}.jpg"


def connect(shop: Oscar, credentials: str = LOGIN, pictures: str = "http://127.0.0.1:9") -> Any:
    access = AccountAccess(shop.url, SecretStr(credentials), timeout_s=TIMEOUT_S, media=Published(pictures))
    return registry.get("oscar").connect(access)


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


def test_pictures_are_fetched_by_the_shop_with_their_alternative_texts(oscar: Oscar) -> None:
    pictures = [replace(picture(text), alt_text=text) for text in ("a lamp", "a chair")]
    files = {digest_of(one): read_data_url(one.url).data for one in pictures}
    with serving(files) as address:
        adapter = connect(oscar, pictures=address)
        found = only(adapter, catalogue.sku(5))
        for images in (tuple(pictures), tuple(reversed(pictures)), tuple(pictures[:1])):
            action = act(UPDATE_PRODUCT, found.id, {"images": images})
            adapter.write(action, timeout_s=TIMEOUT_S)
            assert adapter.probe(action, since=datetime.now(UTC), known=frozenset()) is not None
            now = adapter.product(found.id)
            assert [(one.digest, one.alt_text) for one in now.images] == [
                (digest_of(one), one.alt_text) for one in images
            ]
        other = act(CREATE_PRODUCT, replace(product(1), images=tuple(pictures)))
        made = adapter.product(adapter.write(other, timeout_s=TIMEOUT_S).remote_id)
        assert [one.digest for one in made.images] == list(files)
    with pytest.raises(base.Uncertain):  # nobody answers: the shop breaks, and rolls back
        adapter.write(act(UPDATE_PRODUCT, made.id, {"images": (picture("a new one"),)}), timeout_s=TIMEOUT_S)
    assert adapter.product(made.id) == made
    adapter.write(act(UPDATE_PRODUCT, made.id, {"images": ()}), timeout_s=TIMEOUT_S)
    assert adapter.product(made.id).images == ()
