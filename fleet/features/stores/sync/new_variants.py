"""Variants that a store lacks: which of them Fleet can create there, and what is sent."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fleet.adapters import registry as adapters
from fleet.adapters.shops import ADD_VARIANTS
from fleet.core.db import Tx
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import VariantRow
from fleet.features.stores import rules, values
from fleet.features.stores.state.context import StoreContext
from fleet.features.stores.sync.levels import places_of


def can_add(context: StoreContext) -> bool:
    """Say whether the shop system takes new variants of a product that it has."""
    return ADD_VARIANTS.name in adapters.get(context.adapter).writes


def is_sellable(context: StoreContext, variant: VariantRow) -> bool:
    """Say whether a variant can be sold at a store: it has a SKU, and no price in another currency."""
    return bool(variant.sku) and (variant.price_minor is None or variant.currency == context.currency)


def lacking(
    context: StoreContext, variants: Sequence[VariantRow], known: Collection[uuid.UUID],
    pending: Collection[tuple[uuid.UUID, str]] = (),
) -> list[VariantRow]:  # fmt: skip
    """Return the variants of a product that the store never had and that can be added there, except those under way.

    `known` has the variants that the store has or had: one that it lost is people's.
    """
    if not can_add(context) or len(variants) > context.traits.most_variants:
        return []
    return [one for one in variants
            if one.id not in known and is_sellable(context, one) and (one.id, "create") not in pending]  # fmt: skip


def data_of(
    tx: Tx, context: StoreContext, variants: Sequence[VariantRow],
    own: Mapping[tuple[uuid.UUID, str], Any] = MappingProxyType({}),
) -> list[dict[str, Any]]:  # fmt: skip
    """Return variants with their first stock as payloads have them; `own` has values of this store alone."""
    places, levels = places_of(context), stock.levels(tx, [one.id for one in variants])
    found = []
    for one in variants:
        data: dict[str, Any] = {"variant": str(one.id), **values.variant_values(catalogue.variant_values(one),
                                                                                context.traits)}  # fmt: skip
        data |= {name: own[one.id, name] for name in data if (one.id, name) in own}
        if places:
            level = levels.get((one.id, places[0].here))
            reserved = 0 if level is None else sum(level.reserved.values())
            data["on_hand"] = 0 if level is None else rules.told(
                level.on_hand, others=reserved, buffer=context.settings.store_buffer)  # fmt: skip
            data["stock_field"] = places[0].field
        found.append(data)
    return found
