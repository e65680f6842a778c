"""Made-up demand with a known nature, drawn from a seed: for figures that everybody can repeat. Pure; needs numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fleet.features.forecast.methods import Matrix

SEED = 20261124
SERIES, DAYS = 1000, 365


def draw(series: int = SERIES, days: int = DAYS, seed: int = SEED) -> dict[str, Matrix]:
    """Return units sold a day by nature, a quarter of the series each.

    Smooth: a weekly pattern. Trend: the same, growing or falling. Intermittent: sold on 5 to 30 % of days. Lumpy: the
    same with larger sizes, and half of the products are no longer bought from some day on.
    """
    dice, part = np.random.default_rng(seed), max(series // len(_NATURES), 1)
    return {name: nature(dice, part, days) for name, nature in _NATURES.items()}


def _week(dice: np.random.Generator, series: int, days: int) -> Matrix:
    level = dice.uniform(2, 60, (series, 1))
    pattern = dice.uniform(0.5, 1.6, (series, 7))
    found: Matrix = level * pattern[:, np.arange(days) % 7]
    return found


def _smooth(dice: np.random.Generator, series: int, days: int) -> Matrix:
    return dice.poisson(_week(dice, series, days)).astype(float)


def _trend(dice: np.random.Generator, series: int, days: int) -> Matrix:
    end = dice.uniform(0.4, 2.5, (series, 1))
    growth = 1 + (end - 1) * np.arange(days) / days
    return dice.poisson(_week(dice, series, days) * growth).astype(float)


def _intermittent(dice: np.random.Generator, series: int, days: int) -> Matrix:
    chance = dice.uniform(0.05, 0.3, (series, 1))
    sizes = 1 + dice.poisson(dice.uniform(0.2, 2, (series, 1)), (series, days))
    return np.asarray((dice.random((series, days)) < chance) * sizes.astype(float))


def _lumpy(dice: np.random.Generator, series: int, days: int) -> Matrix:
    chance = dice.uniform(0.05, 0.3, (series, 1))
    sizes = dice.geometric(dice.uniform(0.08, 0.4, (series, 1)), (series, days))
    ends = np.where(dice.random((series, 1)) < 0.5, dice.uniform(0.5, 1.2, (series, 1)) * days, 2 * days)
    return np.asarray((dice.random((series, days)) < chance) * (np.arange(days) < ends) * sizes.astype(float))


_NATURES: Mapping[str, Callable[[np.random.Generator, int, int], Matrix]] = {
    "smooth": _smooth, "trend": _trend, "intermittent": _intermittent, "lumpy": _lumpy,
}  # fmt: skip
