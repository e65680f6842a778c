"""The feature calendar: what was published, what is planned and what is proposed, in one view."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="calendar",
    help="What was published, what is planned and what is proposed, by month and week and as a list; iCal feeds.",
    needs=("jobs",),
    extends={"calendar.sources": ("fleet.features.calendar.jobs_source:SOURCE",)},
    api=("fleet.features.calendar.api:router",),
    pages=("fleet.features.calendar.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/calendar",
            label="Calendar",
            permission="fleet.view",
            group="Work",
            order=55,
            icon="M4 6h16v14H4zM4 10h16M8 3v5M16 3v5M8 14h2M14 14h2M8 17h2",
        ),
    ),
    commands=(
        Command(
            name="calendar",
            run="fleet.features.calendar.cli:calendar",
            section="Look",
            order=44,
            help="List what is published, planned and proposed; move, cancel and duplicate entries.",
        ),
    ),
)
