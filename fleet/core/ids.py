"""Ids: random for things that people make, derived for things that must never be made twice.

A job's id follows from (agent, tick, ordinal), so however often a tick is decided or a message is
delivered, the row, and the idempotency key sent to the surface, are the same.
"""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("6f1d0f5e-3c0a-5b3e-9d51-0a3a7f0c9e21")


def new() -> uuid.UUID:
    """Return a fresh random id, made before the INSERT so that callers know it at once."""
    return uuid.uuid4()


def job(agent_id: uuid.UUID, tick_no: int, ordinal: int) -> uuid.UUID:
    """Return the id of the `ordinal`-th job of an agent's tick; the same arguments give the same id."""
    return uuid.uuid5(_NAMESPACE, f"job:{agent_id}:{tick_no}:{ordinal}")


def derived(purpose: str, *parts: object) -> uuid.UUID:
    """Return the id of what follows from something else; the same arguments give the same id."""
    return uuid.uuid5(_NAMESPACE, f"{purpose}:{':'.join(map(str, parts))}")


def seed(agent_id: uuid.UUID, tick_no: int, purpose: str) -> int:
    """Return the seed of the dice that an agent throws for one purpose at one tick."""
    return uuid.uuid5(_NAMESPACE, f"dice:{agent_id}:{tick_no}:{purpose}").int
