"""The feature links: short links that count clicks without cookies, and conversions."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="links",
    help="Short links that count clicks without cookies, and conversions.",
    settings="fleet.features.links.settings:LinksSettings",
    tables=("fleet.features.links.models",),
    pruners=("fleet.features.links.service:prune",),
    extends={
        "reports.sections": ("fleet.features.links.report_section:section",),
        "webhooks.received": ("fleet.features.links.service:received",),
    },
    api=("fleet.features.links.api:router",),
    routes=("fleet.features.links.route:router",),
    pages=("fleet.features.links.pages:router",),
    templates=__package__,
    events=(
        EventType(
            subject="link.created", words="created the link {code}, by {by}", sign="🔗", icon="link", family="people"
        ),
        EventType(
            subject="link.removed", words="removed the link {code}, by {by}", sign="–", icon="cross", family="people"
        ),
        EventType(
            subject="link.converted",
            words="conversion by the link {code}, worth {value}",
            sign="✓",
            tone="green",
            icon="coin",
        ),
    ),
    nav=(
        NavItem(
            path="/links",
            label="Links",
            permission="fleet.view",
            group="Fleet",
            order=15,
            icon="M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
        ),
    ),
    commands=(
        Command(
            name="links",
            run="fleet.features.links.cli:links",
            section="Act",
            order=45,
            help="Manage short links, and count conversions.",
        ),
    ),
)
