"""The feature orders: orders of all stores, with as little as possible about customers."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="orders",
    help="Orders of all stores, with as little as possible about customers.",
    needs=("products",),
    tables=("fleet.features.orders.models",),
    resealers=("fleet.features.orders.customers:reseal",),
    extends={"verbs": ("fleet.features.orders.verbs:RELEASE", "fleet.features.orders.verbs:ACT")},
    api=("fleet.features.orders.api:router",),
    pages=("fleet.features.orders.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/orders", label="Orders", permission="fleet.view", group="Shop", order=82,
            icon="M6 3h12v18l-3-2-3 2-3-2-3 2ZM9 8h6M9 12h6", tally="fleet.features.orders.queries:held",
            is_alarming=True,
        ),
    ),
    commands=(
        Command(
            name="orders", run="fleet.features.orders.cli:orders", section="Act", order=47,
            help="Show orders of stores, release and erase.",
        ),
    ),
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
