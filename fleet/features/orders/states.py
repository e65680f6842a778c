"""The states of an order, and which readings of a store move it. Pure.

A store decides about its orders; Fleet only follows. A reading moves an order forward at once. It moves it back only if
the store itself says that this reading is newer: readings come late and twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from fleet.adapters.shops import OrderState

_S = OrderState
OPEN = frozenset({_S.PENDING, _S.CONFIRMED, _S.PROCESSING})
"""Its units are still in stock, and reserved."""
SENT = frozenset({_S.SHIPPED, _S.DELIVERED})
"""All its units have left."""
MOVES: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        _S.PENDING: frozenset(_S) - {_S.PENDING},
        _S.CONFIRMED: frozenset({_S.PROCESSING, _S.SHIPPED, _S.DELIVERED, _S.CANCELLED, _S.REFUNDED}),
        _S.PROCESSING: frozenset({_S.SHIPPED, _S.DELIVERED, _S.CANCELLED, _S.REFUNDED}),
        _S.SHIPPED: frozenset({_S.DELIVERED, _S.CANCELLED, _S.REFUNDED}),
        _S.DELIVERED: frozenset({_S.REFUNDED}),
        _S.CANCELLED: frozenset({_S.REFUNDED}),
        _S.REFUNDED: frozenset(),
    }
)
"""Where an order goes from each state."""
SETBACKS: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        _S.PENDING: frozenset(),
        _S.CONFIRMED: frozenset({_S.PENDING}),
        _S.PROCESSING: frozenset({_S.PENDING, _S.CONFIRMED}),
        _S.SHIPPED: frozenset({_S.PROCESSING}),
        _S.DELIVERED: frozenset({_S.SHIPPED}),
        _S.CANCELLED: OPEN | SENT,
        _S.REFUNDED: SENT,
    }
)
"""Where an order goes back to, by a newer reading: a store takes a payment back, or opens a cancelled order again."""


def sources(into: OrderState, *, is_newer: bool) -> frozenset[OrderState]:
    """Return the states from which a reading with state `into` may move an order, or in which it stays."""
    tables = (MOVES, SETBACKS) if is_newer else (MOVES,)
    return frozenset({into} | {one for table in tables for one, goals in table.items() if into in goals})


def is_newer(changed_at: datetime | None, before: datetime | None) -> bool:
    """Return whether the store says that a reading is newer than the one before. Without both times: no."""
    return changed_at is not None and before is not None and changed_at > before


def is_older(changed_at: datetime | None, before: datetime | None) -> bool:
    """Return whether the store says that a reading is older than the one before. Without both times: no."""
    return changed_at is not None and before is not None and changed_at < before


def fulfilled(state: OrderState, quantity: int, said: int, before: int) -> int:
    """Return how many units of a line have left: never fewer than before, and all of an order that is sent."""
    return max(before, min(quantity, quantity if state in SENT else said))


def reserved(state: OrderState, quantity: int, left: int) -> int:
    """Return how many units of a line are reserved: those of an open order that have not left."""
    return max(0, quantity - left) if state in OPEN else 0


def fulfilment(quantities: Mapping[str, int], left: Mapping[str, int]) -> str:
    """Return how much of an order has left: unfulfilled, partial or fulfilled. Quantities are by line."""
    if not any(left.values()):
        return "unfulfilled"
    return "fulfilled" if all(left.get(line, 0) >= quantity for line, quantity in quantities.items()) else "partial"
