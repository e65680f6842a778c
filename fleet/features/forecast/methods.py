"""Forecasts of daily demand for many series at once. Pure; needs numpy.

A series is a row of units sold a day, oldest first. NaN is a day on which nothing could be sold (out of stock, or not
yet offered): it says nothing about demand, and is skipped. Series that sell on most days get a damped Holt-Winters
forecast with a week as its season; those that sell now and then (more than 1.32 days a sale: Syntetos and Boylan, 2005)
get TSB (Teunter, Syntetos and Babai, 2011), which falls when a product is no longer bought.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
"""Series by days."""
Vector = npt.NDArray[np.float64]

SEASON = 7
LEAST_DAYS = 4 * SEASON
"""Shorter series are forecast by their mean."""
INTERMITTENT = 1.32
LEAST_ERRORS = 28
"""With fewer past errors there is no interval."""
LEAST_WINDOWS = 5
"""Nor with errors of fewer periods that do not overlap: totals of overlapping periods are nearly the same. With one
such period an interval of 80 % held 45 % of totals of made-up series, with five 75 %."""
_TSB_SIZE, _TSB_CHANCE = 0.1, 0.03
_DAMPING = 0.98
_LEVELS, _TRENDS, _SEASONS = (0.05, 0.15, 0.35), (0.0, 0.02, 0.08), (0.05, 0.15, 0.3)


class Method(StrEnum):
    """How a series is forecast."""

    MEAN = "mean"
    TSB = "tsb"
    HOLT_WINTERS = "holt_winters"


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of many series over the next days.

    `daily` has a row a series and a column a day. `errors` has the past errors of the total over all these days, actual
    less forecast, a row a series and a column an origin; NaN where an origin has none.
    """

    methods: tuple[Method, ...]
    daily: Matrix
    errors: Matrix

    @property
    def totals(self) -> Vector:
        """The expected total over all days, one a series."""
        found: Vector = self.daily.sum(axis=1)
        return found

    def quantile(self, share: float) -> Vector:
        """Return the total that demand stays below with a chance of `share`; NaN where too few errors are known.

        It is the expected total and the empirical quantile of past errors: no distribution is assumed.
        """
        least = max(LEAST_ERRORS, LEAST_WINDOWS * self.daily.shape[1])
        enough = np.sum(~np.isnan(self.errors), axis=1) >= least
        found = np.full(len(self.totals), np.nan)
        if enough.any():
            found[enough] = self.totals[enough] + np.nanquantile(self.errors[enough], share, axis=1)
        return np.asarray(np.maximum(found, 0.0))


def forecast(sales: Matrix, days: int) -> Forecast:
    """Return the forecast of the next `days` days. Raises ValueError without a series or for no days."""
    if sales.ndim != 2 or not sales.size or days < 1:
        raise ValueError("a forecast needs a series and at least one day")
    count = sales.shape[0]
    daily, errors = np.zeros((count, days)), np.full((count, sales.shape[1]), np.nan)
    chosen = choose(sales)
    for method in Method:
        rows = np.flatnonzero([one is method for one in chosen])
        if rows.size:
            expected, sums = _RUNS[method](sales[rows], days)
            daily[rows], errors[rows] = np.maximum(expected, 0.0), _errors(sales[rows], np.maximum(sums, 0.0), days)
    return Forecast(chosen, daily, errors)


def choose(sales: Matrix) -> tuple[Method, ...]:
    """Return the method of each series."""
    known = np.sum(~np.isnan(sales), axis=1)
    sold = np.sum(np.nan_to_num(sales) > 0, axis=1)
    return tuple(
        Method.MEAN if days < LEAST_DAYS
        else Method.TSB if days > INTERMITTENT * with_sales
        else Method.HOLT_WINTERS
        for days, with_sales in zip(known, sold, strict=True)
    )  # fmt: skip


def seasonal_naive(sales: Matrix, days: int) -> Forecast:
    """Return the forecast that each day is as that of the last week: what every other one has to be better than.

    An unknown day is as that of the last week in which it is known.
    """
    filled = sales.copy()
    for day in range(SEASON, sales.shape[1]):
        filled[:, day] = np.where(np.isnan(filled[:, day]), filled[:, day - SEASON], filled[:, day])
    filled = np.nan_to_num(filled)
    daily = np.take(filled[:, -SEASON:], np.arange(days) % min(SEASON, filled.shape[1]), axis=1)
    sums = np.full(sales.shape, np.nan)
    for origin in range(SEASON, sales.shape[1]):
        week = filled[:, origin - SEASON : origin]
        sums[:, origin] = np.take(week, np.arange(days) % SEASON, axis=1).sum(axis=1)
    return Forecast((), daily, _errors(sales, sums, days))


def _errors(sales: Matrix, sums: Matrix, days: int) -> Matrix:
    """Return actual totals less the totals that were forecast before each day. Windows with unknown days have none."""
    length = sales.shape[1]
    found = np.full(sales.shape, np.nan)
    if length >= days:
        running = np.concatenate([np.zeros((len(sales), 1)), np.cumsum(np.nan_to_num(sales), axis=1)], axis=1)
        unknown = np.concatenate([np.zeros((len(sales), 1)), np.cumsum(np.isnan(sales), axis=1)], axis=1)
        totals = running[:, days:] - running[:, :-days]
        totals[unknown[:, days:] > unknown[:, :-days]] = np.nan
        found[:, : length - days + 1] = totals - sums[:, : length - days + 1]
    found[np.cumsum(~np.isnan(sales), axis=1) <= LEAST_DAYS] = np.nan  # the methods had seen too little by then
    return found


def _beginning(sales: Matrix) -> Matrix:
    """Return the first known days of each series, from which the methods begin; NaN for all other days."""
    known = ~np.isnan(sales)
    return np.where(known & (np.cumsum(known, axis=1) <= LEAST_DAYS), sales, np.nan)


def _mean(sales: Matrix, days: int) -> tuple[Matrix, Matrix]:
    known = np.maximum(np.sum(~np.isnan(sales), axis=1), 1)
    mean = np.nansum(sales, axis=1) / known
    return np.repeat(mean[:, None], days, axis=1), np.full(sales.shape, np.nan)


def _tsb(sales: Matrix, days: int) -> tuple[Matrix, Matrix]:
    first = _beginning(sales)
    sold = np.nan_to_num(first) > 0
    known = np.maximum(np.sum(~np.isnan(first), axis=1), 1)
    chance = (np.sum(sold, axis=1) + 1) / (known + 2)
    everything = np.nan_to_num(sales)
    size = np.where(
        sold.any(axis=1), np.nansum(first, axis=1) / np.maximum(sold.sum(axis=1), 1),
        everything.sum(axis=1) / np.maximum((everything > 0).sum(axis=1), 1),
    )  # fmt: skip
    sums = np.empty(sales.shape)
    for day in range(sales.shape[1]):
        sums[:, day] = days * chance * size
        units = sales[:, day]
        is_known, is_sold = ~np.isnan(units), np.nan_to_num(units) > 0
        chance = np.where(is_known, chance + _TSB_CHANCE * (is_sold - chance), chance)
        size = np.where(is_sold, size + _TSB_SIZE * (np.nan_to_num(units) - size), size)
    return np.repeat((chance * size)[:, None], days, axis=1), sums


def _holt_winters(sales: Matrix, days: int) -> tuple[Matrix, Matrix]:
    grid = np.array([(level, trend, season) for level in _LEVELS for trend in _TRENDS for season in _SEASONS])
    squared = _smooth(sales, grid[:, :, None], 0)[2]
    best = grid[np.argmin(squared, axis=0)]
    daily, sums, _ = _smooth(sales, best.T[None], days)
    return daily[0], sums


def _smooth(sales: Matrix, weights: npt.NDArray[np.float64], days: int) -> tuple[Matrix, Matrix, Matrix]:
    """Run the recursion; return forecasts of the next days, totals forecast before each day, and squared errors.

    `weights` are level, trend and season, of shape (variants, 3, series or 1). Of several variants only the squared
    errors are of use.
    """
    alpha, beta, gamma = (weights[:, at] for at in range(3))
    shape = (len(weights), len(sales))
    first = _beginning(sales)
    mean = np.nansum(first, axis=1) / np.maximum(np.sum(~np.isnan(first), axis=1), 1)
    level, trend = np.broadcast_to(mean, shape).copy(), np.zeros(shape)
    weekday = [_plain_mean(first[:, at::SEASON], mean) - mean for at in range(SEASON)]
    season = [np.broadcast_to(one, shape).copy() for one in weekday]
    ahead = np.cumsum(_DAMPING ** np.arange(1, days + 1)) if days else np.zeros(0)
    squared, sums = np.zeros(shape), np.full(sales.shape, np.nan)
    for day in range(sales.shape[1]):
        at = day % SEASON
        if days:
            seasonal = sum(season[(day + step) % SEASON][0] for step in range(days))
            sums[:, day] = days * level[0] + ahead.sum() * trend[0] + seasonal
        base = level + _DAMPING * trend
        error = np.nan_to_num(sales[:, day] - base - season[at])
        if day >= LEAST_DAYS:
            squared += error * error
        level = base + alpha * error
        trend = _DAMPING * trend + alpha * beta * error
        season[at] = season[at] + gamma * (1 - alpha) * error
    end = sales.shape[1]
    steps = [level[0] + ahead[step] * trend[0] + season[(end + step) % SEASON][0] for step in range(days)]
    daily = np.stack(steps, axis=1)[None] if days else np.zeros((1, len(sales), 0))
    return daily, sums, squared


def _plain_mean(values: Matrix, otherwise: Vector) -> Vector:
    known = np.sum(~np.isnan(values), axis=1)
    return np.where(known > 0, np.nansum(values, axis=1) / np.maximum(known, 1), otherwise)


_RUNS = {Method.MEAN: _mean, Method.TSB: _tsb, Method.HOLT_WINTERS: _holt_winters}
