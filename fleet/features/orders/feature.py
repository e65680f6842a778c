"""The feature orders: orders of all stores, with as little as possible about customers."""

from __future__ import annotations

from fleet.engine.registry import EventType, Feature

FEATURE = Feature(
    name="orders",
    help="Orders of all stores, with as little as possible about customers.",
    needs=("products",),
    tables=("fleet.features.orders.models",),
    resealers=("fleet.features.orders.customers:reseal",),
    events=(
        EventType(subject="order.placed", words="new order {number}: {total}, {state}", sign="🧾", icon="coin"),
        EventType(subject="order.changed", words="order {number} is {state}", sign="🧾", icon="coin", is_quiet=True),
        EventType(
            subject="order.held", words="holds the order {number}", reason=("why",), sign="✋", tone="yellow",
            icon="hand",
        ),
        EventType(
            subject="order.released", words="released the order {number}, by {by}", sign="▶", icon="play",
            family="people",
        ),
        EventType(
            subject="customer.erased", words="erased a customer, by {by}", sign="–", icon="cross", family="people"
        ),
    ),
)  # fmt: skip
