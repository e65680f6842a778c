"""The feature reports: the figures of a day, a week or a month, frozen, kept and compared."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="reports",
    help="Reports of a day, a week or a month, kept and compared.",
    settings="fleet.features.reports.settings:ReportsSettings",
    tables=("fleet.features.reports.models",),
    sweeps=("fleet.features.reports.service:sweep",),
    pruners=("fleet.features.reports.service:prune",),
    extends={
        "reports.sections": (
            "fleet.features.reports.sections:actions",
            "fleet.features.reports.sections:cost",
        )
    },
    api=("fleet.features.reports.api:router",),
    events=(
        EventType(
            subject="report.built",
            words="{cadence} report built, version {version}",
            reason=("reason",),
            sign="📊",
            icon="eye",
            family="people",
        ),
    ),
    pages=("fleet.features.reports.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/reports",
            label="Reports",
            permission="fleet.view",
            group="Fleet",
            order=14,
            icon="M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h5",
        ),
    ),
    commands=(
        Command(
            name="reports",
            run="fleet.features.reports.cli:reports",
            section="Look",
            order=47,
            help="Show, build, export and compare reports.",
        ),
    ),
)
