"""Orders for units that there were not, and the reason of each: the shop's own race, a sale that was not told yet, us.

An order is oversold if the open orders of all shops before it left fewer units than it takes. The shop sold them
- by itself, if its own number of units was too small for its own open orders;
- before it was told of a sale elsewhere, if its number was right for itself, and older than that sale.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from tests.stores.catalogue import Order
from tests.stores.chaos.hands import Hands
from tests.stores.chaos.ledger import VariantHistory, histories

_PLACED = "SELECT number, placed_at, account_id FROM orders"
OWN_RACE = "oversold by a shop itself, in parallel orders"
ELSEWHERE = "oversold by two shops at once, before Fleet could tell either of them"


def classify(
    tx: Tx, accounts: Mapping[str, uuid.UUID], orders: Mapping[str, Sequence[Order]], hands: Hands,
    variants: Mapping[str, uuid.UUID],
) -> dict[str, Any]:  # fmt: skip
    """Return how many lines of orders were oversold, and why; and the units that scarce products were short of."""
    names = {account_id: name for name, account_id in accounts.items()}
    placed = {(names[one.account_id], one.number): one.placed_at for one in tx.execute(sa.text(_PLACED))}
    ended: dict[tuple[str, str], datetime] = {
        (one.where, one.code): one.at for one in hands.sales if one.field != "placed"
    }
    known = histories(tx)
    lines: dict[str, list[tuple[datetime, str, str, int]]] = defaultdict(list)
    for name, found in orders.items():
        for order in found:
            if (name, order.code) in placed:
                for which, quantity in order.lines.items():
                    lines[which].append((placed[name, order.code], name, order.code, quantity))
    counts: Counter[str] = Counter({OWN_RACE: 0, ELSEWHERE: 0})
    for which, sales in lines.items():
        history = known.get(variants.get(which, uuid.UUID(int=0)), VariantHistory())
        _of_variant(sorted(sales), ended, history, counts)
    return {"lines of orders": sum(map(len, lines.values())), **counts}


def _of_variant(
    sales: Sequence[tuple[datetime, str, str, int]], ended: Mapping[tuple[str, str], datetime],
    history: VariantHistory, counts: Counter[str],
) -> None:  # fmt: skip
    for number, (at, name, _, quantity) in enumerate(sales):
        before = [one for one in sales[:number] if (end := ended.get((one[1], one[2]))) is None or end > at]
        physical = _on_hand(history, at)
        open_here = sum(one[3] for one in before if one[1] == name)
        open_elsewhere = sum(one[3] for one in before if one[1] != name)
        if quantity <= physical - open_here - open_elsewhere:
            continue
        counts[OWN_RACE if quantity > physical - open_here else ELSEWHERE] += 1


def _on_hand(history: VariantHistory, at: datetime) -> int:
    units = 0
    for when, number in zip(history.times, history.on_hand, strict=True):
        if when > at:
            break
        units = number
    return units
