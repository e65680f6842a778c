"""The feature pictures: pictures of posts by provider, with cost, credit and a fallback."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="pictures",
    help="Pictures of posts by provider: models that draw, and stock photos with credit.",
    settings="fleet.features.pictures.settings:PictureSettings",
    needs=("publishing", "media", "costs"),
    tables=("fleet.features.pictures.models",),
    checks_at_start=("fleet.features.pictures.service:check",),
    extends={
        "publishing.picture_sources": ("fleet.features.pictures.service:SOURCE",),
        "costs.providers": ("fleet.features.pictures.providers:NAMES",),
    },
    pruners=("fleet.features.pictures.records:prune",),
    events=(
        EventType(
            subject="picture.unfit",
            words="could not use a picture of a provider",
            reason=("why",),
            sign="🖼",
            tone="yellow",
            icon="picture",
            family="trouble",
        ),
    ),
    api=("fleet.features.pictures.api:router",),
    pages=("fleet.features.pictures.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/pictures",
            label="Pictures",
            permission="costs.view",
            group="Run",
            order=105,
            icon="M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
        ),
    ),
    commands=(
        Command(
            name="pictures",
            run="fleet.features.pictures.cli:pictures",
            section="Look",
            order=42,
            help="List pictures with their providers, costs and credits.",
        ),
    ),
)
