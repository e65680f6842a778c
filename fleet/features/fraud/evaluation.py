"""How well scores tell fraud from honest orders: precision and recall, each with an interval. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Z = 1.959964
"""Of the normal distribution, for 95 %."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of counted cases, with its interval of 95 % (Wilson, 1927)."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None without a case."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval; None without a case."""
        if not self.of:
            return None
        share, square = self.hits / self.of, _Z * _Z
        middle = (share + square / (2 * self.of)) / (1 + square / self.of)
        half = _Z / (1 + square / self.of) * math.sqrt(share * (1 - share) / self.of + square / (4 * self.of**2))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Precision: fraud among the orders that were held. Recall: orders that were held among fraud."""

    precision: Share
    recall: Share
    held: Share


def evaluate(scored: Sequence[tuple[int, bool]], bar: int) -> Evaluation:
    """Return how a bar does on orders, each with its score and whether it was fraud."""
    held = [is_fraud for score, is_fraud in scored if score >= bar]
    return Evaluation(
        precision=Share(sum(held), len(held)),
        recall=Share(sum(held), sum(is_fraud for _, is_fraud in scored)),
        held=Share(len(held), len(scored)),
    )
