"""Forecasts and proposals to reorder of many histories at once. Pure; needs numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np

from fleet.features.forecast import backtest as testing
from fleet.features.forecast import methods, reorder
from fleet.features.forecast.reorder import ReorderProposal, StockOfVariant
from fleet.features.forecast.runs.history import DemandHistory, Place

_FIGURES = ("rmsse", "pinball", "inside", "bias")
_AT_ONCE = 1000
"""Series in one matrix: 1,000 of two years and their smoothing need about 100 MB."""
_TESTED = (28, 14, 7)


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """The forecast of a variant at a location, with the scores of its backtest by the name of the forecast."""

    place: Place
    method: str
    daily: tuple[float, ...]
    total: float
    low: float | None
    high: float | None
    known_days: int
    scores: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForecastResult:
    """The forecasts of an organisation. `reorders` has only those of at least one unit."""

    series: tuple[SeriesForecast, ...]
    tested_days: int | None
    summary: Mapping[str, Any]
    reorders: tuple[tuple[Place, ReorderProposal], ...]


def compute(
    histories: Mapping[Place, DemandHistory], until: date, stocks: Mapping[Place, StockOfVariant], *, days: int,
    review_days: int, service: float,
) -> ForecastResult:  # fmt: skip
    """Forecast the `days` days after `until`, and propose reorders for places whose stock is known."""
    places = sorted(histories, key=lambda place: (str(place[0]), str(place[1])))
    length = max(((until - one.first).days + 1 for one in histories.values()), default=0)
    tested = next((one for one in _TESTED if length >= methods.LEAST_DAYS + (testing.FOLDS + 1) * one), None)
    series: list[SeriesForecast] = []
    reorders: list[tuple[Place, ReorderProposal]] = []
    for at in range(0, len(places), _AT_ONCE):
        part = places[at : at + _AT_ONCE]
        units = _matrix([histories[one] for one in part], until)
        series += _forecasts(part, units, days, tested)
        reorders += _reorders(part, units, stocks, review_days, service)
    summary = _summary(series)
    return ForecastResult(tuple(series), tested, {"forecasts": summary, "methods": _counted(series)}, tuple(reorders))


def _matrix(histories: Sequence[DemandHistory], until: date) -> methods.Matrix:
    first = min(one.first for one in histories)
    length = (until - first).days + 1
    return np.array([one.units(first, length) for one in histories], dtype=np.float64)


def _forecasts(places: Sequence[Place], units: methods.Matrix, days: int, tested: int | None) -> list[SeriesForecast]:
    found = methods.forecast(units, days)
    low, high = found.quantile(0.1), found.quantile(0.9)
    known = np.sum(~np.isnan(units), axis=1)
    is_long = tested is not None and units.shape[1] >= methods.LEAST_DAYS + (testing.FOLDS + 1) * tested
    scores = testing.backtest(units, tested) if is_long and tested is not None else {}
    return [
        SeriesForecast(
            place, found.methods[at].value, tuple(round(float(one), 4) for one in found.daily[at]),
            round(float(found.totals[at]), 4), _number(low[at]), _number(high[at]), int(known[at]),
            {name: {figure: _number(getattr(one, figure)[at]) for figure in _FIGURES} for name, one in scores.items()},
        )
        for at, place in enumerate(places)
    ]  # fmt: skip


def _reorders(
    places: Sequence[Place], units: methods.Matrix, stocks: Mapping[Place, StockOfVariant], review_days: int,
    service: float,
) -> list[tuple[Place, ReorderProposal]]:  # fmt: skip
    found: list[tuple[Place, ReorderProposal]] = []
    spans = {at: stocks[place].lead_days + review_days for at, place in enumerate(places) if place in stocks}
    for span in sorted(set(spans.values())):
        rows = [at for at, own in spans.items() if own == span]
        demand = methods.forecast(units[rows], span)
        for at, expected, most in zip(rows, demand.totals, demand.quantile(service), strict=True):
            one = reorder.propose(stocks[places[at]], expected=float(expected), quantile=_number(most), days=span,
                                  service=service)  # fmt: skip
            if one.units > 0:
                found.append((places[at], one))
    return found


def _summary(series: Sequence[SeriesForecast]) -> dict[str, dict[str, float | None]]:
    return {
        name: {figure: _mean([one.scores[name][figure] for one in series if name in one.scores]) for figure in _FIGURES}
        for name in testing.NAMES
        if any(name in one.scores for one in series)
    }


def _counted(series: Sequence[SeriesForecast]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in series:
        found[one.method] = found.get(one.method, 0) + 1
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return round(sum(known) / len(known), 4) if known else None


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def last_full_day(today: date) -> date:
    """Return the last day whose sales are all known: yesterday."""
    return today - timedelta(days=1)
