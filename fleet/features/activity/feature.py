"""The feature activity: what happened, in words."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="activity",
    help="What happened, in words.",
    is_optional=False,
    api=("fleet.features.activity.api:router",),
    pages=("fleet.features.activity.pages:router",),
    nav=(
        NavItem(
            path="/activity",
            label="Activity",
            permission="fleet.view",
            group="Fleet",
            order=20,
            icon="M3 12h4l3-8 4 16 3-8h4",
        ),
    ),
    commands=(
        Command(
            name="activity",
            run="fleet.features.activity.cli:activity",
            section="Look",
            order=20,
            help="Show what happened, and with --follow what happens.",
        ),
    ),
)
