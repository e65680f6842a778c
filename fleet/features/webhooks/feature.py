"""The feature webhooks: webhooks out and in, and subscribers in code."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="webhooks",
    help="Webhooks out and in, and subscribers in code.",
    api=(
        "fleet.features.webhooks.inbound.api:router",
        "fleet.features.webhooks.api:router",
    ),
    pages=("fleet.features.webhooks.pages:router",),
    nav=(
        NavItem(
            path="/hooks",
            label="Webhooks",
            permission="hooks.view",
            group="Run",
            order=120,
            icon="M9 8a3 3 0 1 1 4.5 2.6L16 15M8.5 12.5 6 17m0 0a3 3 0 1 0 3 3h6m3-5a3 3 0 1 1-2 5",
        ),
    ),
    commands=(
        Command(
            name="hooks",
            run="fleet.features.webhooks.cli:hooks",
            section="Act",
            order=80,
            help="Tell others what happens: list, make, try and remove webhooks.",
        ),
        Command(
            name="events",
            run="fleet.features.webhooks.cli_events:events",
            section="Act",
            order=90,
            help="Show which code hears of events, and let it hear again.",
        ),
    ),
)
