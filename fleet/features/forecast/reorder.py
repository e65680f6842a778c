"""Proposals to reorder, by an order-up-to level: stock is to last until the order after the next one arrives. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StockOfVariant:
    """What there is of a product at a location, and how it is ordered."""

    on_hand: int
    on_order: int = 0
    lead_days: int = 7
    pack: int = 1
    """Orders are multiples of it."""


@dataclass(frozen=True, slots=True)
class ReorderProposal:
    """How many units to order now, and why."""

    units: int
    expected: float
    """Units that are expected to be sold until the order after the next one arrives."""
    covers: float | None
    """Units that are to be there for that time; None where no interval is known, and the expectation is used."""
    reason: str


def propose(
    stock: StockOfVariant, *, expected: float, quantile: float | None, days: int, service: float
) -> ReorderProposal:
    """Return the proposal for demand over `days`: lead time and days between orders.

    `quantile` is the total that demand stays below with a chance of `service`.
    """
    target = expected if quantile is None else quantile
    there = stock.on_hand + stock.on_order
    missing = max(0, math.ceil(round(target - there, 6)))
    units = math.ceil(missing / stock.pack) * stock.pack
    needed = f"{target:.0f} units last {days} days" + (
        "; too little is known for an interval" if quantile is None else f" in {service:.0%} of cases"
    )
    return ReorderProposal(units, expected, quantile, f"{needed}; {stock.on_hand} on hand, {stock.on_order} on order")
