"""What a change of price earned: profit a day before and after it, beside what was expected. Pure.

The season and everything else that moves all demand is taken out by variants of the organisation whose price did not
change meanwhile (difference in differences, in logs), where they sold enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fleet.features.pricing.decisions.elasticity import Z80

BEFORE_DAYS, AFTER_DAYS, LEAST_DAYS = 28, 28, 7
LEAST_CONTROL = 50
"""Units of other variants, before and after, from which on they tell what the season did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFacts:
    """Units and days before and after a change; `control` are units of variants without one, in the same days."""

    before: int
    after: int
    cost: int | None
    units_before: int
    days_before: float
    units_after: int
    days_after: float
    control_before: int = 0
    control_after: int = 0
    control_days_before: float = 0
    control_days_after: float = 0


def measure(facts: ResultFacts) -> dict[str, Any] | None:
    """Return the change of profit a day with its interval of 80 %, in minor units; None if too little is known.

    Units are taken as Poisson: the interval holds chance in orders, not other changes that came with the price.
    """
    if facts.cost is None or facts.days_before < LEAST_DAYS or facts.days_after < LEAST_DAYS:
        return None
    season, season_error = _season(facts)
    rate_before = facts.units_before / facts.days_before * season
    rate_after = facts.units_after / facts.days_after
    old, new = facts.before - facts.cost, facts.after - facts.cost
    change = rate_after * new - rate_before * old
    # A rate of n units has a variance of n, of none that of one.
    variance = (new / facts.days_after) ** 2 * max(facts.units_after, 1)
    variance += (old / facts.days_before * season) ** 2 * max(facts.units_before, 1)
    variance += (rate_before * old * season_error) ** 2
    half = Z80 * math.sqrt(variance)
    return {
        "profit": round(change, 2), "low": round(change - half, 2), "high": round(change + half, 2),
        "units_before": facts.units_before, "units_after": facts.units_after,
        "days_before": round(facts.days_before, 1), "days_after": round(facts.days_after, 1),
        "season": round(season, 3), "is_controlled": season_error > 0,
    }  # fmt: skip


def _season(facts: ResultFacts) -> tuple[float, float]:
    """Return by what other variants' demand changed, and the relative error of that."""
    if min(facts.control_before, facts.control_after) < LEAST_CONTROL or not facts.control_days_before:
        return 1.0, 0.0
    before = facts.control_before / facts.control_days_before
    after = facts.control_after / max(facts.control_days_after, 1e-9)
    return after / before, math.sqrt(1 / facts.control_before + 1 / facts.control_after)
