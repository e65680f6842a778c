"""The feature fraud: scores of orders with reasons, and their precision and recall, from files of orders."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature

FEATURE = Feature(
    name="fraud",
    help="Scores of orders that may be fraud, with reasons; people decide.",
    commands=(
        Command(
            name="fraud",
            run="fleet.features.fraud.cli:fraud",
            section="Look",
            order=49,
            help="Score orders of a file for fraud.",
        ),
    ),
)
