"""The units that a store can be told to have, as the catalogue knows them now."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from fleet.core.db import Tx
from fleet.features.products import stock
from fleet.features.stores import rules, values
from fleet.features.stores.state.context import StoreContext


def known_units(
    tx: Tx, context: StoreContext, variant_ids: Collection[uuid.UUID]
) -> dict[tuple[uuid.UUID, str], int]:  # fmt: skip
    """Return the units by variant and field; none for a variant that has no stock."""
    own, buffer = f"order:{context.account_id}:", context.settings.store_buffer
    fields = {here: values.stock_field(there, here) for there, here in context.places.items()}
    found = {}
    for (variant_id, location_id), level in stock.levels(tx, variant_ids).items():
        others = sum(units for ref, units in level.reserved.items() if not ref.startswith(own))
        if location_id in fields:
            found[variant_id, fields[location_id]] = rules.told(level.on_hand, others=others, buffer=buffer)
    return found
