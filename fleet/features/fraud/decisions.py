"""What is done with the score of an order. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

OPEN_STATES = frozenset({"pending", "confirmed", "processing"})
"""Only of such orders something can still be kept back."""
LEFT_OUT = ("device", "card", "address", "billing country", "shipping country", "network country")
"""What the reasons of scores from files look at and shops do not give to Fleet."""


class FraudMode(StrEnum):
    """The switch: nothing, scores only, or holds as well."""

    OFF = "off"
    SCORE = "score"
    HOLD = "hold"


class FraudDecision(StrEnum):
    """What becomes of an order."""

    NOTHING = "nothing"
    SCORE = "score"
    HOLD = "hold"
    FULL = "full"
    """It would be held, and too many are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudCase:
    """An order as the decision sees it. `points_before` are those that people saw; None for the first score."""

    state: str
    points: int
    points_before: int | None
    is_held: bool
    held_at_store: int
    """Orders of the store that are held now."""


def decide(case: FraudCase, *, mode: FraudMode, bar: int, most_held: int) -> FraudDecision:
    """Return what to do with an order.

    An order is held once: after a person has released it, only a higher score holds it again.
    """
    if mode is FraudMode.OFF or case.state not in OPEN_STATES:
        return FraudDecision.NOTHING
    is_news = case.points_before is None or case.points > case.points_before
    if mode is FraudMode.SCORE or case.points < bar or case.is_held or not is_news:
        return FraudDecision.SCORE
    return FraudDecision.FULL if case.held_at_store >= most_held else FraudDecision.HOLD
