"""Proposals of prices: from an elasticity where there is one, else by stock, age and competitors. Pure.

Whatever the figures are, a proposed price is within all bounds: not below floor and cost with its margin, not further
from the prices of a day and a week ago than allowed, nor from stores that keep a price of their own. Amounts are whole
minor units; percents are taken as exact decimals, so that a bound is not missed by a rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from fleet.features.pricing.decisions.elasticity import Elasticity

ASSUMED = Elasticity(-1.5, 1.0, -1.5, 1.0, "", 0, 0, 0, 1000.0)
"""Where orders tell nothing: most published elasticities of goods lie between (Bijmolt, van Heerde and Pieters, 2005,
have a mean of -2.6 with much spread; durables are lower)."""
_LEAST_UNITS = 5
"""Units within `RECENT_DAYS` from which on a rate of sales is taken as known."""
RECENT_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBounds:
    """The bounds and thresholds that people set; percents are of the price, the margin of the cost."""

    day_percent: float = 5
    week_percent: float = 10
    step_percent: float = 1
    margin_percent: float = 0
    stores_percent: float = 10
    ending: str = ""
    high_cover_days: int = 120
    low_cover_days: int = 10
    old_days: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFacts:
    """What is known of a variant. Amounts are in minor units of its currency, which has `decimals` decimals."""

    price: int
    cost: int | None = None
    floor: int | None = None
    decimals: int = 2
    day_price: int | None = None
    """The price a day ago, if it was another; also `week_price`."""
    week_price: int | None = None
    store_prices: Mapping[str, int] = field(default_factory=dict)
    """Prices of stores that keep their own, by name."""
    available: int | None = None
    """Units that are neither taken nor promised; None: stock is not kept."""
    sold: int = 0
    """Units sold in the last `RECENT_DAYS` days."""
    days: float = RECENT_DAYS
    """Of these, the days on which there was stock."""
    age_days: int = 0
    competitors: Mapping[str, int] = field(default_factory=dict)
    """Current prices of competitors."""

    @property
    def least(self) -> int | None:
        """The floor or the cost, whichever is higher; None if neither is known."""
        known = [one for one in (self.floor, self.cost) if one is not None]
        return max(known) if known else None

    @property
    def rate(self) -> float:
        """Units a day."""
        return self.sold / self.days if self.days > 0 else 0.0

    @property
    def cover_days(self) -> float | None:
        """How long the stock lasts at this rate; None if that is unknown, infinite without a sale."""
        if self.available is None:
            return None
        return math.inf if self.rate == 0 else max(self.available, 0) / self.rate


@dataclass(frozen=True, slots=True)
class PricePlan:
    """A proposed price. `low`, `high` and `profit` are the change of profit a day, in minor units."""

    after: int
    basis: str
    words: str
    profit: float | None
    low: float | None
    high: float | None
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why no price is proposed: a short key for counting."""

    why: str


@dataclass(frozen=True, slots=True)
class _Wish:
    target: float
    basis: str
    words: str


def percent(value: float) -> Fraction:
    """Return a percentage as a fraction of one, exact to what a person wrote."""
    return Fraction(str(value)) / 100


def span(facts: PriceFacts, bounds: PriceBounds) -> tuple[int, int]:
    """Return the lowest and the highest price that the bounds allow; there is none if the first is higher."""
    low, high = Fraction(1), Fraction(10**15)
    if facts.floor is not None:
        low = max(low, Fraction(facts.floor))
    if facts.cost is not None:
        low = max(low, facts.cost * (1 + percent(bounds.margin_percent)))
    for before, most in (
        (facts.price, bounds.day_percent), (facts.day_price, bounds.day_percent),
        (facts.week_price, bounds.week_percent), (facts.price, bounds.week_percent),
    ):  # fmt: skip
        if before is not None:
            low, high = max(low, before * (1 - percent(most))), min(high, before * (1 + percent(most)))
    apart = 1 + percent(bounds.stores_percent)
    for price in facts.store_prices.values():
        low, high = max(low, price / apart), min(high, price * apart)
    return math.ceil(low), math.floor(high)


def check(after: int, facts: PriceFacts, bounds: PriceBounds) -> str:
    """Return why a price must not be set now; empty if it may. Called again before it is written."""
    low, high = span(facts, bounds)
    if facts.floor is not None and after < facts.floor:
        return "it is below the floor"
    if facts.cost is not None and after < facts.cost * (1 + percent(bounds.margin_percent)):
        return "it is below the cost and its margin"
    if after < low or after > high:
        return "it is outside the bounds of a day, a week or the stores"
    if after < facts.price and facts.least is None:
        return "neither cost nor floor is known, so nothing says how low the price may go"
    return ""


def propose(facts: PriceFacts, bounds: PriceBounds, elasticity: Elasticity | None = None) -> PricePlan | NoPlan:
    """Return the price to propose, or why there is none. The same figures give the same proposal."""
    if facts.price <= 0:
        return NoPlan("no price")
    wish = _wish(facts, bounds, elasticity)
    if isinstance(wish, NoPlan):
        return wish
    if wish.target < facts.price and facts.least is None:
        return NoPlan("neither cost nor floor known")
    after = _settle(wish.target, facts, bounds)
    if after is None or check(after, facts, bounds):
        return NoPlan("no price within the bounds")
    used = elasticity or ASSUMED
    profit, low, high = _effects(facts, used, after)
    change = (after - facts.price) / facts.price
    evidence = _evidence(facts, used, is_own=elasticity is not None)
    return PricePlan(after, wish.basis, f"{wish.words}: {change:+.1%}", profit, low, high, evidence)


def _wish(facts: PriceFacts, bounds: PriceBounds, elasticity: Elasticity | None) -> _Wish | NoPlan:
    least = span(PriceFacts(price=facts.price, cost=facts.cost, floor=facts.floor), PriceBounds(
        day_percent=99, week_percent=99, margin_percent=bounds.margin_percent))[0]  # fmt: skip
    if facts.least is not None and facts.price < least:
        return _Wish(least, "floor", "the price is below floor or cost")
    if elasticity is not None and facts.cost is not None and facts.sold >= _LEAST_UNITS:
        found = _from_elasticity(facts, elasticity)
        if found is not None:
            return found
    return _by_stock(facts, bounds) or _by_competitors(facts, bounds) or NoPlan(
        "the elasticity is not certain enough" if elasticity is not None else "no reason to change")  # fmt: skip


def _from_elasticity(facts: PriceFacts, one: Elasticity) -> _Wish | None:
    """Return the price of the most profit, where the whole interval says that the price is to move that way.

    With a margin m of the price, profit rises with the price exactly while the elasticity is above -1 / m.
    """
    assert facts.cost is not None
    margin = (facts.price - facts.cost) / facts.price
    if margin <= 0:
        return None
    turn = -1 / margin
    best = facts.cost * one.value / (1 + one.value) if one.value < -1.001 else math.inf
    words = f"demand changes by {one.value:.2f} % (80 %: {one.low:.2f} to {one.high:.2f}) for 1 % of price"
    if one.low > turn:
        return _Wish(max(best, facts.price), "elasticity", words)
    if one.high < turn:
        return _Wish(min(best, facts.price), "elasticity", words)
    return None


def _by_stock(facts: PriceFacts, bounds: PriceBounds) -> _Wish | None:
    cover = facts.cover_days
    if cover is None or not facts.available or facts.available < 0:
        return None
    if facts.age_days >= bounds.old_days and facts.days >= RECENT_DAYS / 2 and cover > bounds.high_cover_days:
        if facts.sold == 0:
            return _Wish(0, "unsold", f"{facts.available} in stock, none sold in {RECENT_DAYS} days")
        return _Wish(0, "overstock", f"stock lasts {cover:.0f} days, {facts.age_days} days after it came")
    if facts.sold >= _LEAST_UNITS and cover < bounds.low_cover_days:
        return _Wish(math.inf, "scarce", f"{facts.available} in stock last {cover:.0f} days")
    return None


def _by_competitors(facts: PriceFacts, bounds: PriceBounds) -> _Wish | None:
    if not facts.competitors:
        return None
    name, cheapest = min(facts.competitors.items(), key=lambda one: (one[1], one[0]))
    apart = percent(bounds.step_percent)
    if cheapest < facts.price * (1 - apart):
        return _Wish(cheapest, "competitor", f"{name} asks less")
    if cheapest > facts.price * (1 + apart) and facts.sold >= _LEAST_UNITS:
        return _Wish(cheapest, "competitor", "every known competitor asks more")
    return None


def _settle(target: float, facts: PriceFacts, bounds: PriceBounds) -> int | None:
    """Return the allowed price that is nearest to a target, on its side of the current price; None if there is none."""
    low, high = span(facts, bounds)
    step = facts.price * percent(bounds.step_percent)
    if target > facts.price:
        low = max(low, math.ceil(facts.price + step), facts.price + 1)
    elif target < facts.price:
        high = min(high, math.floor(facts.price - step), facts.price - 1)
    else:
        return None
    if low > high:
        return None
    wanted = low if target <= low else high if target >= high else round(target)
    return _with_ending(wanted, low, high, facts.decimals, bounds.ending)


def _with_ending(wanted: int, low: int, high: int, decimals: int, ending: str) -> int | None:
    """Return the price with an ending that is nearest to a wanted one; the wanted one where the currency has none."""
    digits = ending.removeprefix(".")
    if not digits or len(digits) > decimals:
        return wanted
    unit = 10**decimals
    end = int(digits.ljust(decimals, "0"))
    below = (wanted - end) // unit * unit + end
    found = [one for one in (below, below + unit) if low <= one <= high]
    return min(found, key=lambda one: (abs(one - wanted), one)) if found else None


def _effects(facts: PriceFacts, one: Elasticity, after: int) -> tuple[float, float, float] | tuple[None, None, None]:
    """Return the expected change of profit a day, and its ends at those of the elasticity's interval."""
    if facts.cost is None:
        return None, None, None
    cost, ratio = facts.cost, after / facts.price

    def change(value: float) -> float:
        units: float = facts.rate * ratio ** max(min(value, 20.0), -20.0)
        return units * (after - cost) - facts.rate * (facts.price - cost)

    ends = sorted((change(one.low), change(one.high)))
    return round(change(one.value), 2), round(ends[0], 2), round(ends[1], 2)


def _evidence(facts: PriceFacts, used: Elasticity, *, is_own: bool) -> dict[str, Any]:
    cover = facts.cover_days
    return {
        "elasticity": round(used.value, 3), "elasticity_low": round(used.low, 3),
        "elasticity_high": round(used.high, 3), "elasticity_error": round(used.error, 3), "is_assumed": not is_own,
        "weeks": used.weeks, "prices": used.prices, "cost": facts.cost, "floor": facts.floor,
        "available": facts.available, "sold": facts.sold, "days": round(facts.days, 1), "age_days": facts.age_days,
        "cover_days": None if cover is None or math.isinf(cover) else round(cover, 1),
        "competitors": dict(sorted(facts.competitors.items())), "stores": dict(sorted(facts.store_prices.items())),
    }  # fmt: skip
