"""The feature media: pictures from public addresses, fetched once and kept."""

from __future__ import annotations

from fleet.engine.registry import Feature

FEATURE = Feature(
    name="media",
    help="Pictures from public addresses, fetched once and kept.",
    is_optional=False,
    api=("fleet.features.media.api:router",),
    pruners=("fleet.features.media.records:prune_not_had",),
    tables=("fleet.features.media.models",),
)
