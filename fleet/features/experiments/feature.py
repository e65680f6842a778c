"""The feature experiments: variants of posts, and what came of them."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="experiments",
    help="Variants of posts, and what came of them.",
    api=("fleet.features.experiments.api:router",),
    pages=("fleet.features.experiments.pages:router",),
    nav=(
        NavItem(
            path="/experiments",
            label="Experiments",
            permission="fleet.view",
            group="Fleet",
            order=50,
            icon="M9 3h6M10 3v6L4.5 19a1.5 1.5 0 0 0 1.3 2h12.4a1.5 1.5 0 0 0 1.3-2L14 9V3M7.5 15h9",
        ),
    ),
    commands=(
        Command(
            name="experiments",
            run="fleet.features.experiments.cli:experiments",
            section="Look",
            order=50,
            help="Show what is tried out, and what came of it.",
        ),
    ),
)
