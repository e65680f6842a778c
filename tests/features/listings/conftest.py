"""Fixtures of the tests of listings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import PostgresForTests
from tests.features.listings.world import ListingWorld, second_shop, world
from tests.shops import ShopWorld


@pytest.fixture
def listed(database_url: str, sandbox_shop: ShopWorld) -> Iterator[ListingWorld]:
    """A fleet with two stores at sandbox shops, and a product "Mug" that none of them has."""
    with world(database_url, sandbox_shop) as made:
        yield made


@pytest.fixture
def second(listed: ListingWorld, postgres_server: PostgresForTests) -> Iterator[ShopWorld]:
    """A second shop, with the store `second` at it."""
    url = postgres_server.create_database()
    with second_shop(listed, url) as other:
        yield other
    postgres_server.drop_database(url)
