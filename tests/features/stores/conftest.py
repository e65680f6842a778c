"""Fixtures of the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.features.stores.world import StoreWorld, world
from tests.shops import ShopWorld


@pytest.fixture
def stores(database_url: str, sandbox_shop: ShopWorld) -> Iterator[StoreWorld]:
    """A fleet with a store at the sandbox shop."""
    with world(database_url, sandbox_shop) as made:
        yield made
