"""The feature fraud: scores of orders with reasons, of stores and of files; orders above a bar are held for people."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature

FEATURE = Feature(
    name="fraud",
    help="Scores of orders that may be fraud, with reasons; people decide.",
    needs=("orders",),
    settings="fleet.features.fraud.settings:FraudSettings",
    extends={
        "orders.recorded": ("fleet.features.fraud.service:recorded",),
        "orders.sections": ("fleet.features.fraud.service:section",),
    },
    api=("fleet.features.fraud.api:router",),
    events=(
        EventType(
            subject="fraud.full", words="does not hold the order {number} of {points} points: {most} are held already",
            sign="!", tone="yellow", icon="unknown", family="trouble",
        ),
    ),
    commands=(
        Command(
            name="fraud",
            run="fleet.features.fraud.cli:fraud",
            section="Look",
            order=49,
            help="Score orders for fraud: of stores, or of a file.",
        ),
    ),
)  # fmt: skip
