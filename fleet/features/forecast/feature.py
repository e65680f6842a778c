"""The feature forecast: expected demand with intervals, its backtest, and proposals to reorder, from files of sales."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature

FEATURE = Feature(
    name="forecast",
    help="Forecasts of demand from sales, with a backtest and proposals to reorder.",
    commands=(
        Command(
            name="forecast",
            run="fleet.features.forecast.cli:forecast",
            section="Look",
            order=48,
            help="Forecast demand from a file of sales.",
        ),
    ),
)
