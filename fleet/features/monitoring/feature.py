"""The feature monitoring: health and metrics."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature

FEATURE = Feature(
    name="monitoring",
    help="Health and metrics.",
    is_optional=False,
    routes=("fleet.features.monitoring.api:router",),
    metrics=("fleet.features.monitoring.metrics:METRICS",),
    commands=(
        Command(
            name="metrics",
            run="fleet.features.monitoring.cli:metrics",
            section="Run",
            order=130,
            help="Serve the fleet's numbers to Prometheus, in the foreground.",
        ),
    ),
)
