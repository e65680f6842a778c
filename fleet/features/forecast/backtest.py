"""How good forecasts would have been: days that are known are held back, forecast, and compared. Pure; needs numpy.

Beside each other stand the forecast in use, the week before (seasonal naive), and zero. On intermittent demand absolute
errors reward zeros, so figures are squared errors (RMSSE, as in the M5 competition, by the errors of the week before)
and the pinball loss of the total over the horizon, which is what an order has to cover.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleet.features.forecast import methods
from fleet.features.forecast.methods import SEASON, Forecast, Matrix, Vector

FOLDS = 3
QUANTILES = (0.1, 0.5, 0.9)
"""Of the total over the horizon. Between the first and the last lie 80 % of totals."""
NAMES = ("fleet", "seasonal naive", "zero")


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of one forecast, one a series. NaN: unknown, such as for a product that was never sold."""

    rmsse: Vector
    """Root mean squared error of days, by that of the week before. Below 1 is better than it."""
    pinball: Vector
    """Pinball loss of the total, mean of `QUANTILES`, by the mean total."""
    inside: Vector
    """Share of totals within the interval of 80 %."""
    bias: Vector
    """Total of the forecasts less total sold, by the mean total."""


def backtest(sales: Matrix, days: int, folds: int = FOLDS) -> dict[str, Scores]:
    """Return the scores by name over the last `folds` periods of `days` days.

    Raises ValueError when the series are too short: each fold needs `LEAST_DAYS` and `days` days before it.
    """
    length, found = sales.shape[1], dict[str, list[Scores]]()
    if length - folds * days < methods.LEAST_DAYS + days:
        raise ValueError(
            f"{length} days are too few: {folds} periods of {days} days need {methods.LEAST_DAYS + (folds + 1) * days}"
        )
    for fold in range(folds):
        end = length - fold * days
        past, actual = sales[:, : end - days], sales[:, end - days : end]
        none = Forecast((), np.zeros(actual.shape), np.zeros(past.shape))
        made = (methods.forecast(past, days), methods.seasonal_naive(past, days), none)
        for name, one in zip(NAMES, made, strict=True):
            found.setdefault(name, []).append(_scores(one, past, actual))
    return {name: _mean_of(ones) for name, ones in found.items()}


def _scores(one: Forecast, past: Matrix, actual: Matrix) -> Scores:
    days, is_known = actual.shape[1], ~np.isnan(actual).any(axis=1)
    total = np.where(is_known, np.nansum(actual, axis=1), np.nan)
    before = past[:, SEASON:] - past[:, :-SEASON]
    known_steps = np.maximum(np.sum(~np.isnan(before), axis=1), 1)
    scale = np.nansum(before**2, axis=1) / known_steps
    sold = np.nansum(past, axis=1) / np.maximum(np.sum(~np.isnan(past), axis=1), 1) * days
    scale, sold = (np.where(values > 0, values, np.nan) for values in (scale, sold))
    known_days = np.maximum(np.sum(~np.isnan(actual), axis=1), 1)
    squared = np.nansum((actual - one.daily) ** 2, axis=1) / known_days
    loss = np.zeros(len(total))
    for share in QUANTILES:
        over = total - one.quantile(share)
        loss = loss + np.maximum(share * over, (share - 1) * over) / len(QUANTILES)
    low, high = one.quantile(QUANTILES[0]), one.quantile(QUANTILES[-1])
    inside = np.where(np.isnan(total - low), np.nan, (low <= total) & (total <= high))
    return Scores(np.sqrt(squared / scale), loss / sold, inside, (one.totals - total) / sold)


def _mean_of(folds: list[Scores]) -> Scores:
    return Scores(*(_mean([getattr(one, name) for one in folds]) for name in ("rmsse", "pinball", "inside", "bias")))


def _mean(values: list[Vector]) -> Vector:
    stacked = np.stack(values)
    known = np.sum(~np.isnan(stacked), axis=0)
    return np.where(known > 0, np.nansum(stacked, axis=0) / np.maximum(known, 1), np.nan)


def overall(values: Vector) -> float | None:
    """Return the mean over series; None when it is unknown for all."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None
