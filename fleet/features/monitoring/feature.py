"""The feature monitoring: health and metrics."""

from __future__ import annotations

from fleet.engine.registry import Feature

FEATURE = Feature(
    name="monitoring",
    help="Health and metrics.",
    is_optional=False,
    routes=("fleet.features.monitoring.api:router",),
    metrics=("fleet.features.monitoring.metrics:METRICS",),
)
