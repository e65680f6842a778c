"""Elasticities of demand from weeks of own orders: how many percent of units one percent of price changes. Pure.

Units of a week are exp(level + elasticity * log price + effect of the week), fitted by Poisson pseudo-maximum
likelihood (Santos Silva and Tenreyro, 2006): a log-log regression that weeks without a sale do not bias. The effect of
a week is that of all variants of the category together. The estimates of a category are then shrunk to their mean by
their errors (empirical Bayes; spread between variants after DerSimonian and Laird, 1986, its uncertainty in the error
after Morris, 1983).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAST_WEEKS = 8
LEAST_UNITS = 20
LEAST_STEP = 0.02
"""Two log prices closer than this are the same price."""
_FOR_WEEKS = 4
"""Variants that a category needs for effects of weeks."""
_ROUNDS, _CLOSE = 80, 1e-4
_LEAST_SPREAD = 0.1
"""Variance between variants of a category that is assumed at least: no two are quite alike."""
_WIDEST = 8.0
Z80 = 1.2816


@dataclass(frozen=True, slots=True)
class PriceWeek:
    """A week of a variant: its price, the units sold, and the share of it in which there was stock."""

    week: int
    price: float
    units: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """The weeks of a variant."""

    key: str
    category: str
    weeks: tuple[PriceWeek, ...]

    @property
    def prices(self) -> int:
        """How many different prices it had, steps below 2 % aside."""
        found, last = 0, -math.inf
        for price in sorted(math.log(one.price) for one in self.weeks):
            if price - last >= LEAST_STEP:
                found, last = found + 1, price
        return found

    @property
    def units(self) -> int:
        """The units of all weeks."""
        return sum(one.units for one in self.weeks)

    @property
    def is_enough(self) -> bool:
        """Whether its orders suffice for an estimate of its own."""
        return len(self.weeks) >= LEAST_WEEKS and self.prices >= 2 and self.units >= LEAST_UNITS


@dataclass(frozen=True, slots=True)
class Elasticity:
    """The elasticity of a variant with its standard error; `own` and `own_error` before shrinking."""

    value: float
    error: float
    own: float
    own_error: float
    category: str
    weeks: int
    prices: int
    units: int
    freedom: float
    """Degrees of freedom of the error."""

    @property
    def low(self) -> float:
        """The lower end of the interval of 80 %."""
        return self.value - wide(self.freedom) * self.error

    @property
    def high(self) -> float:
        """The upper end of the interval of 80 %."""
        return self.value + wide(self.freedom) * self.error


@dataclass(slots=True)
class _Fit:
    """The state of a variant while its category is fitted. `level` and `slope` are those of the regression."""

    series: PriceSeries
    middle: float
    level: float = 1.0
    slope: float = 0.0

    def means(self, effects: Mapping[int, float]) -> list[float]:
        """Return the expected units of its weeks."""
        return [
            self.level * one.share * effects.get(one.week, 1.0) * math.exp(self.slope * self.log(one))
            for one in self.series.weeks
        ]

    def log(self, one: PriceWeek) -> float:
        """Return the log price of a week, from the middle one."""
        return math.log(one.price) - self.middle


def wide(freedom: float) -> float:
    """Return how many errors the half of an interval of 80 % is wide (Student's t, after Cornish and Fisher)."""
    return Z80 + (Z80**3 + Z80) / (4 * max(freedom, 1.0))


def estimate(series: Sequence[PriceSeries]) -> dict[str, Elasticity]:
    """Return the elasticities of the variants whose orders suffice, by key."""
    by_category: dict[str, list[PriceSeries]] = {}
    for one in sorted(series, key=lambda one: one.key):
        if one.weeks and one.units:
            by_category.setdefault(one.category, []).append(one)
    found: dict[str, Elasticity] = {}
    for category, ones in sorted(by_category.items()):
        own = _fit(ones)
        found |= _shrunk(category, own)
    return found


def _fit(ones: Sequence[PriceSeries]) -> list[tuple[PriceSeries, float, float, float]]:
    """Return the variants whose orders suffice, each with slope, error, and degrees of freedom of the error."""
    fits = [_Fit(one, sum(math.log(week.price) for week in one.weeks) / len(one.weeks)) for one in ones]
    weeks = sorted({week.week for one in ones for week in one.weeks}) if len(ones) >= _FOR_WEEKS else []
    effects = dict.fromkeys(weeks, 1.0)
    for _ in range(_ROUNDS):
        moved = 0.0
        for fit in fits:
            moved = max(moved, _improve(fit, effects))
        if weeks:
            moved = max(moved, _renew(effects, fits))
        if moved < _CLOSE:
            break
    totals: dict[int, float] = {}
    for fit in fits:
        for week, mean in zip(fit.series.weeks, fit.means(effects), strict=True):
            totals[week.week] = totals.get(week.week, 0.0) + mean
    measured = [(fit, *_error(fit, effects, totals)) for fit in fits]
    pooled_freedom = sum(freedom for _, _, _, freedom in measured)
    pooled = sum(squares for _, _, squares, _ in measured) / max(pooled_freedom, 1.0)
    found = []
    for fit, information, squares, freedom in measured:
        if not fit.series.is_enough or information <= 0:
            continue
        # The dispersion of few weeks is uncertain: it is drawn to that of the category with the weight of ten weeks.
        dispersion = (squares + 10 * pooled) / (freedom + 10) if len(fits) > 1 else squares / max(freedom, 1.0)
        error = math.sqrt(max(dispersion, 1.0) / information)
        found.append((fit.series, fit.slope, error, freedom + (10 if len(fits) > 1 else 0)))
    return found


def _improve(fit: _Fit, effects: Mapping[int, float]) -> float:
    """Make a step of Newton's method in the slope of a variant, and fit its level; return how far the slope moved."""
    means = fit.means(effects)
    total = sum(means)
    if total <= 0:
        return 0.0
    fit.level *= fit.series.units / total
    means = [mean * fit.series.units / total for mean in means]
    if fit.series.prices < 2:
        return 0.0
    logs = [fit.log(one) for one in fit.series.weeks]
    middle = sum(mean * log for mean, log in zip(means, logs, strict=True)) / fit.series.units
    spread = sum(mean * (log - middle) ** 2 for mean, log in zip(means, logs, strict=True))
    slope = sum((one.units - mean) * log for one, mean, log in zip(fit.series.weeks, means, logs, strict=True))
    step = max(-1.0, min(1.0, slope / spread)) if spread > 1e-9 else 0.0
    before, fit.slope = fit.slope, max(-_WIDEST, min(_WIDEST, fit.slope + step))
    return abs(fit.slope - before)


def _renew(effects: dict[int, float], fits: Sequence[_Fit]) -> float:
    """Fit the effects of weeks, of which the mean log is zero; return the largest relative move."""
    expected, sold = dict.fromkeys(effects, 0.0), dict.fromkeys(effects, 0.0)
    for fit in fits:
        for one, mean in zip(fit.series.weeks, fit.means(effects), strict=True):
            expected[one.week] += mean
            sold[one.week] += one.units
    moved = 0.0
    for week, mean in expected.items():
        # Half a unit more on both sides: a week without a sale has a small effect, not one of zero.
        ratio = (sold[week] + 0.5) / (mean + 0.5)
        effects[week] *= ratio
        moved = max(moved, abs(math.log(ratio)))
    centre = math.exp(sum(map(math.log, effects.values())) / len(effects))
    for week in effects:
        effects[week] /= centre
    return moved


def _error(fit: _Fit, effects: Mapping[int, float], totals: Mapping[int, float]) -> tuple[float, float, float]:
    """Return the information about a slope, Pearson's sum of squares, and its degrees of freedom."""
    means = fit.means(effects)
    logs = [fit.log(one) for one in fit.series.weeks]
    # What a variant itself adds to the effect of a week tells nothing about its price.
    left = [mean * (1 - mean / totals[one.week]) if effects else mean
            for one, mean in zip(fit.series.weeks, means, strict=True)]  # fmt: skip
    weight = sum(left)
    if weight <= 0:
        return 0.0, 0.0, 0.0
    middle = sum(one * log for one, log in zip(left, logs, strict=True)) / weight
    information = sum(one * (log - middle) ** 2 for one, log in zip(left, logs, strict=True))
    squares = sum((one.units - mean) ** 2 / max(mean, 0.05) for one, mean in zip(fit.series.weeks, means, strict=True))
    lost = sum(mean / totals[one.week] for one, mean in zip(fit.series.weeks, means, strict=True)) if effects else 0.0
    return information, squares, max(len(means) - 2 - lost, 1.0)


def _shrunk(category: str, own: Sequence[tuple[PriceSeries, float, float, float]]) -> dict[str, Elasticity]:
    if not own:
        return {}
    weights = [1 / error**2 for _, _, error, _ in own]
    mean = sum(weight * slope for weight, (_, slope, _, _) in zip(weights, own, strict=True)) / sum(weights)
    between = _spread(weights, [slope for _, slope, _, _ in own], mean)
    all_weights = [1 / (error**2 + between) for _, _, error, _ in own]
    mean = sum(weight * slope for weight, (_, slope, _, _) in zip(all_weights, own, strict=True)) / sum(all_weights)
    found: dict[str, Elasticity] = {}
    for one, slope, error, freedom in own:
        value, new_error = slope, error
        if len(own) >= 3:
            share = between / (between + error**2)  # of its own estimate
            value = share * slope + (1 - share) * mean
            unsure = 2 / (len(own) - 1) * ((1 - share) * (slope - mean)) ** 2
            new_error = math.sqrt(share * error**2 + (1 - share) ** 2 / sum(all_weights) + unsure)
        found[one.key] = Elasticity(
            value, new_error, slope, error, category, len(one.weeks), one.prices, one.units, freedom
        )  # fmt: skip
    return found


def _spread(weights: Sequence[float], slopes: Sequence[float], mean: float) -> float:
    """Return the variance between variants, at least `_LEAST_SPREAD`."""
    total = sum(weights)
    heterogeneity = sum(weight * (slope - mean) ** 2 for weight, slope in zip(weights, slopes, strict=True))
    scale = total - sum(weight**2 for weight in weights) / total
    found = (heterogeneity - (len(slopes) - 1)) / scale if scale > 0 else 0.0
    return max(found, _LEAST_SPREAD)
