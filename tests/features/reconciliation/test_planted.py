"""Planted discrepancies of every type and size: all found, the sure ones fixed, and all fixes undone on request.

`PLANTED=390` in the environment plants 300, beside 90 forms of the same content; it takes a minute or two.
"""

from __future__ import annotations

import os

from tests.features.reconciliation.planting import SandboxGround, check_planted
from tests.features.stores.world import StoreWorld


def test_planted_discrepancies_are_found_fixed_and_undone(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    number = int(os.environ.get("PLANTED", "42"))
    for place in range(number):  # what is not touched, so that missing products are believed
        stores.shop.add(f"calm{place:03}")
    check_planted(stores, SandboxGround(stores), number, seed=1)
