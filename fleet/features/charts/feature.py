"""The feature charts: actions, failures, lateness, queue and cost over time."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="charts",
    help="Charts of actions, failures, lateness, queue and cost over time.",
    tables=("fleet.features.charts.models",),
    pruners=("fleet.features.charts.history:prune",),
    sweeps=("fleet.features.charts.history:sample",),
    api=("fleet.features.charts.api:router",),
    pages=("fleet.features.charts.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/charts",
            label="Charts",
            permission="fleet.view",
            group="Fleet",
            order=12,
            icon="M4 4v16h16M8 16v-4M12.5 16V7M17 16v-6.5",
        ),
    ),
    commands=(
        Command(
            name="stats",
            run="fleet.features.charts.cli:stats",
            section="Look",
            order=15,
            help="Show actions, failures, lateness, queue and cost over time.",
        ),
    ),
)
