"""The feature forecast: expected demand with intervals, its backtest, and proposals to reorder."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority
from fleet.engine.registry import AgentType, Command, EventType, Feature, JobHandler, NavItem, SystemAgent

FEATURE = Feature(
    name="forecast",
    help="Forecasts of demand from orders and stock or from files, with a backtest and proposals to reorder.",
    needs=("products", "orders"),
    settings="fleet.features.forecast.settings:ForecastSettings",
    tables=("fleet.features.forecast.runs.models",),
    agents=(
        AgentType(
            kind="demand_forecast",
            behaviour="fleet.features.forecast.runs.agent",
            system=SystemAgent(
                username="fleet_forecast",
                name="Forecast",
                every_s=3600,
                personality="Forecasts the demand of the catalogue and proposes reorders.",
            ),
        ),
    ),
    jobs=(
        JobHandler(
            kind="forecast_run",
            noun="a forecast of demand",
            plural="forecasts of demand",
            prepare="fleet.features.forecast.runs.service:run",
            priority=Priority.LOW,
            expires_after=timedelta(hours=12),
            uses_surface=False,
            is_act=False,
        ),
    ),
    pruners=("fleet.features.forecast.runs.service:prune",),
    events=(
        EventType(
            subject="job.done",
            kind="forecast_run",
            words="has ended a forecast",
            sign="📈",
            icon="tick",
            is_quiet=True,
        ),
        EventType(
            subject="forecast.made",
            words="forecast {series} variants and proposes {reorders} reorders",
            sign="📈",
            tone="blue",
            icon="box",
        ),
        EventType(
            subject="forecast.decided",
            words="{decision} the order of {units} {sku}, by {by}",
            sign="📈",
            icon="box",
            family="people",
        ),
    ),
    api=("fleet.features.forecast.api:router",),
    pages=("fleet.features.forecast.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/forecast",
            label="Forecast",
            permission="fleet.view",
            group="Shop",
            order=88,
            icon="M4 20V4M4 20h16M7 15l4-5 3 3 5-7",
            tally="fleet.features.forecast.runs.queries:tally",
            is_shown="fleet.features.forecast.runs.queries:is_shown",
        ),
    ),
    commands=(
        Command(
            name="forecast",
            run="fleet.features.forecast.cli_runs:forecast",
            section="Look",
            order=48,
            help="Forecast demand from orders or a file, propose reorders.",
        ),
    ),
)
