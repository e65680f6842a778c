"""The feature orders: orders of all stores, with as little as possible about customers."""

from __future__ import annotations

from fleet.engine.registry import Feature

FEATURE = Feature(
    name="orders",
    help="Orders of all stores, with as little as possible about customers.",
    needs=("products",),
    tables=("fleet.features.orders.models",),
)
