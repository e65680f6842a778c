"""The feature settings: settings and versions of a process."""

from __future__ import annotations

from fleet.engine.registry import Feature, NavItem

FEATURE = Feature(
    name="settings",
    help="Settings and versions of a process.",
    required_because="People see here which limits are in force; the page of controls shows some of them.",
    api=("fleet.features.settings.api:router",),
    pages=("fleet.features.settings.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/settings",
            label="Settings",
            permission="settings.view",
            group="Run",
            order=150,
            icon="M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h12M20 12h0M18 10v4",
        ),
    ),
)
