"""What the catalogue knew about stock at each moment, and whether a shop was ever told more than that.

Read from the movements of stock, the events of reservations, the attempts of jobs, and the proxies' logs of writes.
"""

from __future__ import annotations

import bisect
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.core.db import Tx
from tests.stores.chaos.shop_proxy import StockCall

_MOVES = "SELECT variant_id, at, on_hand FROM stock_movements ORDER BY at, id"
_PROMISES = """
SELECT (payload->>'variant')::uuid AS variant_id, occurred_at AS at, payload->>'ref' AS ref,
    CASE subject WHEN 'stock.reserved' THEN (payload->>'units')::int ELSE 0 END AS units
FROM events WHERE subject IN ('stock.reserved', 'stock.released') ORDER BY occurred_at, id"""
_WRITES = """
SELECT (change->>'variant')::uuid AS variant_id, (change->>'quantity')::int AS quantity, attempt.started_at,
    coalesce(attempt.ended_at, clock_timestamp()) AS ended_at
FROM jobs job CROSS JOIN LATERAL jsonb_array_elements(job.payload->'changes') AS change
JOIN job_attempts attempt ON attempt.job_id = job.id
WHERE job.kind = 'set_stock' AND job.account_id = :account_id
UNION ALL
SELECT (variant->>'variant')::uuid, (variant->>'on_hand')::int, attempt.started_at,
    coalesce(attempt.ended_at, clock_timestamp())
FROM jobs job CROSS JOIN LATERAL jsonb_array_elements(job.payload->'values'->'variants') AS variant
JOIN job_attempts attempt ON attempt.job_id = job.id
WHERE job.kind = 'create_product' AND job.account_id = :account_id"""
_LATE = timedelta(seconds=12)
"""An attempt whose worker was killed has its request under way for the deadline of a call at most."""


@dataclass(slots=True)
class VariantHistory:
    """Units on hand, and units promised by what they are promised for, over time."""

    times: list[datetime] = field(default_factory=list)
    on_hand: list[int] = field(default_factory=list)
    promises: list[tuple[datetime, str, int]] = field(default_factory=list)

    def known(self, at: datetime, own: str) -> int:
        """Return the units that a store could be told at a moment."""
        place = bisect.bisect_right(self.times, at)
        units = self.on_hand[place - 1] if place else 0
        promised: dict[str, int] = {}
        for when, ref, quantity in self.promises:
            if when > at:
                break
            promised[ref] = quantity
        return max(0, units - sum(n for ref, n in promised.items() if not ref.startswith(own)))

    def most_known(self, begin: datetime, end: datetime, own: str) -> int:
        """Return the most units that a store could be told within a time."""
        changes = [*self.times, *(one[0] for one in self.promises)]
        return max(self.known(at, own) for at in (begin, *(one for one in changes if begin < one <= end)))


@dataclass(slots=True)
class ToldStock:
    """What became of the writes of stock to one shop."""

    writes: int = 0
    accepted: int = 0
    in_flight: int = 0
    """Writes that the catalogue's number fell below while their attempt ran."""
    above: list[str] = field(default_factory=list)
    """Writes of more than the catalogue had at any moment of their attempt: oversold by Fleet."""


def histories(tx: Tx) -> dict[uuid.UUID, VariantHistory]:
    """Return the history of every variant."""
    found: dict[uuid.UUID, VariantHistory] = defaultdict(VariantHistory)
    for one in tx.execute(sa.text(_MOVES)):
        found[one.variant_id].times.append(one.at)
        found[one.variant_id].on_hand.append(one.on_hand)
    for one in tx.execute(sa.text(_PROMISES)):
        found[one.variant_id].promises.append((one.at, one.ref, one.units))
    return found


def told(
    tx: Tx, account_id: uuid.UUID, calls: Sequence[StockCall], places: Mapping[str, uuid.UUID],
    known: Mapping[uuid.UUID, VariantHistory],
) -> ToldStock:  # fmt: skip
    """Compare the writes of stock that reached a shop with what the catalogue knew. `places`: variants by ids there."""
    attempts: dict[tuple[uuid.UUID, int], list[tuple[datetime, datetime]]] = defaultdict(list)
    for one in tx.execute(sa.text(_WRITES), {"account_id": account_id}):
        attempts[one.variant_id, one.quantity].append((one.started_at, one.ended_at))
    result, own = ToldStock(), f"order:{account_id}:"
    for call in calls:
        variant_id = places.get(call.place)
        if variant_id is None:
            continue
        result.writes += 1
        result.accepted += call.is_accepted
        begins = [begin for begin, end in attempts[variant_id, call.quantity] if begin <= call.at <= end + _LATE]
        history = known.get(variant_id, VariantHistory())
        if not begins:
            result.above.append(f"{call.at:%H:%M:%S} variant {variant_id}: {call.quantity} units by no known job")
        elif call.quantity > history.most_known(max(begins), call.at, own):
            result.above.append(
                f"{call.at:%H:%M:%S.%f} variant {variant_id}: {call.quantity} units, known"
                f" {history.known(call.at, own)}, attempt since {max(begins):%H:%M:%S.%f}"
            )
        elif call.quantity > history.known(call.at, own):
            result.in_flight += 1
    return result
