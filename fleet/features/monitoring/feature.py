"""The feature monitoring: metrics for Prometheus."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature

FEATURE = Feature(
    name="monitoring",
    help="Metrics for Prometheus.",
    metrics=("fleet.features.monitoring.metrics:METRICS",),
    beside_web=("fleet.features.monitoring.beside_web:serve",),
    commands=(
        Command(
            name="metrics",
            run="fleet.features.monitoring.cli:metrics",
            section="Run",
            order=130,
            help="Serve metrics for Prometheus, in the foreground.",
        ),
    ),
)
