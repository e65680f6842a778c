"""The feature overview: the fleet at a glance."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="overview",
    help="The fleet at a glance.",
    required_because="The dashboard opens with it, and `fleet up` shows its status.",
    api=("fleet.features.overview.api:router",),
    routes=("fleet.features.overview.api_health:router",),
    pages=("fleet.features.overview.pages:router",),
    live_cards="fleet.features.overview.cards:OverviewCards",
    tables=("fleet.features.overview.models",),
    sweeps=("fleet.features.overview.outages:sweep",),
    extends={"frame.banners": ("fleet.features.overview.watch:banners",)},
    events=(
        EventType(
            subject="alert.down",
            words="{thing} is down",
            reason=("why",),
            sign="✖",
            tone="bold red",
            icon="stop",
            family="trouble",
        ),
        EventType(
            subject="alert.recovered",
            words="{thing} works again, after {lasted}",
            sign="✔",
            tone="green",
            icon="tick",
            family="trouble",
        ),
    ),
    templates=__package__,
    nav=(
        NavItem(
            path="/",
            label="Overview",
            permission="fleet.view",
            group="Fleet",
            order=10,
            icon="M3 11.5 12 4l9 7.5M5.5 10v9.5h13V10",
        ),
    ),
    commands=(
        Command(
            name="status",
            run="fleet.features.overview.cli:status",
            section="Look",
            order=10,
            help="Show the state of the fleet.",
        ),
    ),
)
