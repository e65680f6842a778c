"""The feature webhooks: webhooks out and in, and subscribers in code."""

from __future__ import annotations

from fleet.engine.registry import Feature, NavItem

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
)
