"""The feature reports: the figures of a day, a week or a month, frozen, kept and compared."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature

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
