"""Planted discrepancies in real shops: all found, the sure ones fixed, and all fixes undone on request.

`PLANTED=390` in the environment plants 300 in each shop, beside 90 forms of the same content.
"""

from __future__ import annotations

import os

import pytest

from tests.features.reconciliation.planting import check_planted
from tests.features.stores.world import StoreWorld
from tests.stores.planting_grounds import ground_of
from tests.stores.servers import Shop

pytestmark = pytest.mark.shops


def test_planted_discrepancies_of_a_real_shop_are_found_fixed_and_undone(store: StoreWorld, shop: Shop) -> None:
    store.setting("store_direction", "both")
    number = int(os.environ.get("PLANTED", "39"))
    check_planted(store, ground_of(shop), number, seed=1)
