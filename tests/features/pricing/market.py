"""A made-up market with known elasticities, weeks that move all demand, and prices that were changed now and then."""

from __future__ import annotations

import math
import random

from fleet.features.pricing.decisions.elasticity import PriceSeries, PriceWeek


class Market:
    """Variants of one category. `elasticities` are the true ones; units are Poisson, with more spread on some weeks."""

    def __init__(self, seed: int, variants: int = 12, weeks: int = 40, wild: float = 0.0) -> None:
        self.dice = random.Random(seed)
        self.wild = wild
        self.elasticities = [self.dice.gauss(-2.0, 0.5) for _ in range(variants)]
        self.rates = [math.exp(self.dice.uniform(math.log(10), math.log(120))) for _ in range(variants)]
        self.first = [self.dice.randrange(1000, 8000) for _ in range(variants)]
        self.effects = [math.exp(self.dice.gauss(0, 0.2)) for _ in range(weeks + 100)]
        self.weeks: list[list[PriceWeek]] = [[] for _ in range(variants)]
        for variant in range(variants):
            price = self.first[variant]
            for week in range(weeks):
                if week and self.dice.random() < 0.3:
                    price = round(self.first[variant] * self.dice.choice((0.9, 0.95, 1.0, 1.05, 1.1)))
                self.weeks[variant].append(PriceWeek(week, price, self.sell(variant, week, price)))

    def expected(self, variant: int, week: int, price: float) -> float:
        """Return the expected units of a week."""
        return self.rates[variant] * self.effects[week] * (price / self.first[variant]) ** self.elasticities[variant]

    def sell(self, variant: int, week: int, price: float) -> int:
        """Draw the units of a week."""
        mean = self.expected(variant, week, price) * math.exp(self.dice.gauss(0, self.wild) if self.wild else 0.0)
        return poisson(self.dice, mean)

    def series(self) -> list[PriceSeries]:
        """Return what an observer knows."""
        return [PriceSeries(f"{at:03}", "lamps", tuple(weeks)) for at, weeks in enumerate(self.weeks)]


def poisson(dice: random.Random, mean: float) -> int:
    """Draw a number of events."""
    if mean > 500:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    least, product, found = math.exp(-mean), dice.random(), 0
    while product > least:
        product *= dice.random()
        found += 1
    return found
