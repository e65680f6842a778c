"""The feature content: the review of a text before it is published."""

from __future__ import annotations

from fleet.engine.registry import Feature

FEATURE = Feature(
    name="content",
    help="The review of a text before it is published.",
    required_because="Nothing is published without a review.",
    preloads=("fleet.features.content.review:preload",),
)
