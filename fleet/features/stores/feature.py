"""The feature stores: shops that are kept in step with the catalogue."""

from __future__ import annotations

from fleet.engine.registry import Feature

FEATURE = Feature(
    name="stores",
    help="Shops that are kept in step with the catalogue.",
    needs=("products", "orders"),
    tables=("fleet.features.stores.models",),
)
