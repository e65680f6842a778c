"""The feature media: pictures from public addresses, fetched once and stored."""

from __future__ import annotations

from fleet.engine.registry import EventType, Feature

FEATURE = Feature(
    name="media",
    help="Pictures from public addresses, fetched once and kept.",
    settings="fleet.features.media.settings:MediaSettings",
    api=("fleet.features.media.api:router",),
    pruners=("fleet.features.media.records:prune_not_had",),
    sweeps=("fleet.features.media.service:sweep",),
    tables=("fleet.features.media.models",),
    pages=("fleet.features.media.pages:router",),
    extends={
        "publishing.kept_pictures": ("fleet.features.media.draft_media:shown",),
        "publishing.previews": ("fleet.features.media.previews:keep",),
        "publishing.files": ("fleet.features.media.previews:FILES",),
    },
    events=(
        EventType(subject="media.kept", icon="picture"),
        EventType(subject="media.refused", icon="picture", family="trouble"),
        EventType(subject="media.failed", icon="picture", family="trouble"),
    ),
)
