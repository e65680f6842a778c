"""Webhooks: addresses, and the deliveries that wait for an answer.

An event is stored in the transaction of its change, once for each address; some are stored twice or late on purpose,
as real shops deliver them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import clock
from fleet.sandbox.shop.store.tables import deliveries, hooks

_BACKOFF_S = (0.5, 5.0, 30.0, 120.0, 600.0)
"""Waits after a failed attempt. After the last one the delivery is given up."""


@dataclass(frozen=True, slots=True)
class HookHabits:
    """How often an event is delivered twice, and how often late: rates from 0 to 1."""

    twice: float = 0.1
    late: float = 0.1
    late_s: float = 3.0


class HookEvents:
    """Stores events. `rng` decides which are delivered twice or late, so that a run can be repeated."""

    def __init__(self, habits: HookHabits, seed: int) -> None:
        self.habits = habits
        self._rng = Random(seed)

    def add(self, tx: sa.Connection, kind: str, *, product_id: object = "", variant_id: object = "",
            order_id: object = "") -> None:  # fmt: skip
        """Store one event for each address."""
        now = clock.now()
        body = {
            "id": str(uuid.uuid4()), "kind": kind, "at": now.isoformat(),
            "productId": str(product_id), "variantId": str(variant_id), "orderId": str(order_id),
        }  # fmt: skip
        for hook_id in tx.scalars(sa.select(hooks.c.id).order_by(hooks.c.id)).all():
            for due_at in self._times(now):
                tx.execute(sa.insert(deliveries).values(hook_id=hook_id, body=body, due_at=due_at))

    def _times(self, now: datetime) -> list[datetime]:
        copies = 2 if self._rng.random() < self.habits.twice else 1
        late = [self._rng.uniform(0, self.habits.late_s) if self._rng.random() < self.habits.late else 0.0
                for _ in range(copies)]  # fmt: skip
        return [now + timedelta(seconds=seconds) for seconds in late]


def subscribe(tx: sa.Connection, url: str, secret: str) -> None:
    """Add an address, or give it another secret."""
    statement = insert(hooks).values(url=url, secret=secret)
    tx.execute(statement.on_conflict_do_update(index_elements=["url"], set_={"secret": secret}))


def unsubscribe(tx: sa.Connection, url: str | None) -> int:
    """Remove an address, or all; return how many there were."""
    which = sa.true() if url is None else hooks.c.url == url
    return tx.execute(sa.delete(hooks).where(which)).rowcount


def listed(tx: sa.Connection) -> list[dict[str, Any]]:
    """Return the addresses, each with the number of its deliveries that wait and the last error."""
    query = (
        sa.select(hooks.c.url, sa.func.count(deliveries.c.id), sa.func.coalesce(sa.func.max(deliveries.c.error), ""))
        .outerjoin(deliveries, deliveries.c.hook_id == hooks.c.id).group_by(hooks.c.id).order_by(hooks.c.id)
    )  # fmt: skip
    return [{"url": url, "waiting": count, "error": error} for url, count, error in tx.execute(query)]


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery whose time has come."""

    id: int
    url: str
    secret: str
    body: Mapping[str, Any]
    attempts: int


def due(tx: sa.Connection, now: datetime, *, limit: int) -> Sequence[DueDelivery]:
    """Return deliveries whose time has come, those first that are due longest."""
    query = (
        sa.select(deliveries.c.id, hooks.c.url, hooks.c.secret, deliveries.c.body, deliveries.c.attempts)
        .join(hooks, hooks.c.id == deliveries.c.hook_id).where(deliveries.c.due_at <= now)
        .order_by(deliveries.c.due_at, deliveries.c.id).limit(limit)
    )  # fmt: skip
    return [DueDelivery(*row) for row in tx.execute(query)]


def next_due(tx: sa.Connection) -> datetime | None:
    """Return when the next delivery is due; None if there is none."""
    found: datetime | None = tx.scalar(sa.select(sa.func.min(deliveries.c.due_at)))
    return found


def answered(tx: sa.Connection, one: DueDelivery) -> None:
    """Remove a delivery that its receiver has accepted."""
    tx.execute(sa.delete(deliveries).where(deliveries.c.id == one.id))


def failed(tx: sa.Connection, one: DueDelivery, error: str) -> None:
    """Deliver it again later; give it up after the last wait."""
    if one.attempts >= len(_BACKOFF_S):
        answered(tx, one)
        return
    due_at = clock.now() + timedelta(seconds=_BACKOFF_S[one.attempts])
    values = {"attempts": one.attempts + 1, "due_at": due_at, "error": error[:200]}
    tx.execute(sa.update(deliveries).where(deliveries.c.id == one.id).values(values))
