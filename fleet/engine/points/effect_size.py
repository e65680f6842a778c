"""Whether variants differ: means, differences to the first variant, and simultaneous intervals. Pure.

For every feature that compares variants. Welch's interval of the difference of two means, with Bonferroni's
correction for several comparisons. Posts assigned by one draw count as one observation: the draws are independent,
whatever the agents are like, and the interval needs no other assumption.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

CONFIDENCE = 0.95
LEAST_FOR_AN_INTERVAL = 30
"""Counts of likes are skewed: below this number their mean is not near enough to a normal distribution."""

_TINY = 1e-300
_PRECISE = 1e-12


@dataclass(frozen=True, slots=True)
class Sample:
    """The observations of a variant: number, mean, and variance (of n - 1)."""

    units: int
    mean: float
    variance: float


class EffectVerdict(StrEnum):
    """The result for a variant compared with the first."""

    REFERENCE = "reference"
    NOT_ENOUGH = "not_enough"
    NO_DIFFERENCE = "no_difference"
    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class EffectInterval:
    """A difference of means, and its interval at the confidence of all comparisons together."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A variant against the first. No interval while there is too little to compute one from."""

    verdict: EffectVerdict
    interval: EffectInterval | None = None


def compare(samples: Sequence[Sample], *, enough: int, confidence: float = CONFIDENCE) -> list[Compared]:
    """Compare each sample with the first; the intervals of all of them hold together with this confidence.

    No verdict is given before both have `enough` units: a person who looks each day and stops at the first difference
    will find one, effect or not.
    """
    if not samples:
        return []
    level = 1 - (1 - confidence) / max(1, len(samples) - 1)
    first, *others = samples
    return [Compared(EffectVerdict.REFERENCE), *(_compared(first, other, enough, level) for other in others)]


def _compared(first: Sample, other: Sample, enough: int, level: float) -> Compared:
    interval = welch(first, other, level)
    if interval is None or min(first.units, other.units) < enough:
        return Compared(EffectVerdict.NOT_ENOUGH, interval)
    if interval.low > 0:
        return Compared(EffectVerdict.MORE, interval)
    return Compared(EffectVerdict.LESS if interval.high < 0 else EffectVerdict.NO_DIFFERENCE, interval)


def welch(first: Sample, other: Sample, level: float) -> EffectInterval | None:
    """Return Welch's interval of other minus first; None with too few units, or when all of them are equal."""
    if min(first.units, other.units) < LEAST_FOR_AN_INTERVAL:
        return None
    parts = (first.variance / first.units, other.variance / other.units)
    squared = sum(parts)
    if squared <= 0:
        return None
    degrees = squared**2 / sum(
        part**2 / (sample.units - 1) for part, sample in zip(parts, (first, other), strict=True)
    )  # fmt: skip
    reach = student_t(1 - (1 - level) / 2, degrees) * math.sqrt(squared)
    difference = other.mean - first.mean
    return EffectInterval(difference, difference - reach, difference + reach)


def student_t(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t for a probability of one half or more, by halving an interval around it."""
    low, high = 0.0, 1.0
    while _t_below(high, degrees) < probability:
        low, high = high, 2 * high
    while high - low > _PRECISE * max(1.0, high):
        middle = (low + high) / 2
        if _t_below(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_below(t: float, degrees: float) -> float:
    """Return the probability of Student's t below a value that is not negative."""
    return 1 - _beta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2


def _beta(at: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function, by its continued fraction on the side where that is quick."""
    if at in (0.0, 1.0):
        return at
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(at) + b * math.log1p(-at)
    )  # fmt: skip
    if at < (a + 1) / (a + b + 2):
        return front * _fraction(at, a, b) / a
    return 1 - front * _fraction(1 - at, b, a) / b


def _fraction(at: float, a: float, b: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22)."""
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * at / (a + 1))
    value = d
    for m in range(1, 500):
        even = m * (b - m) * at / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * at / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d = 1 / _off_zero(1 + term * d)
            c = _off_zero(1 + term / c)
            change = c * d
            value *= change
        if abs(change - 1) < _PRECISE:
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
