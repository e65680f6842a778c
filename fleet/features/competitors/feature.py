"""The feature competitors: figures of competitors, imported as CSV and shown beside own ones."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="competitors",
    help="Figures of competitors, imported as CSV and shown beside own ones.",
    tables=("fleet.features.competitors.models",),
    pruners=("fleet.features.competitors.service:prune",),
    extends={"reports.sections": ("fleet.features.competitors.report_section:section",)},
    api=("fleet.features.competitors.api:router",),
    pages=("fleet.features.competitors.pages:router",),
    templates=__package__,
    events=(
        EventType(
            subject="competitors.imported",
            words="imported figures of competitors: {new} new, {replaced} replaced, by {by}",
            sign="⇅",
            icon="again",
            family="people",
        ),
    ),
    nav=(
        NavItem(
            path="/competitors",
            label="Competitors",
            permission="fleet.view",
            group="Fleet",
            order=17,
            icon="M4 20V10M10 20V4M16 20v-7M22 20H2",
        ),
    ),
    commands=(
        Command(
            name="competitors",
            run="fleet.features.competitors.cli:competitors",
            section="Look",
            order=46,
            help="Compare own figures with those of competitors, and import them.",
        ),
    ),
)
