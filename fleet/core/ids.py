"""Ids: random for objects that people create, derived for objects that must never be created twice.

A job's id follows from (agent, tick, ordinal), so however often a tick is decided or a message is delivered, the row,
and the idempotency key sent to the surface, are the same.
"""

from __future__ import annotations

import hashlib
import uuid

_NAMESPACE = uuid.UUID("6f1d0f5e-3c0a-5b3e-9d51-0a3a7f0c9e21")
_NO_VERSION = uuid.UUID("ffffffff-ffff-0fff-3fff-ffffffffffff").int
_VERSION_5 = uuid.UUID("00000000-0000-5000-8000-000000000000").int


def new() -> uuid.UUID:
    """Return a fresh random id, made before the INSERT so that callers know it at once."""
    return uuid.uuid4()


def job(agent_id: uuid.UUID, tick_no: int, ordinal: int) -> uuid.UUID:
    """Return the id of the `ordinal`-th job of an agent's tick; the same arguments give the same id."""
    return uuid.uuid5(_NAMESPACE, f"job:{agent_id}:{tick_no}:{ordinal}")


def derived(purpose: str, *parts: object) -> uuid.UUID:
    """Return an id derived from others; the same arguments give the same id."""
    return uuid.uuid5(_NAMESPACE, f"{purpose}:{':'.join(map(str, parts))}")


def seed(agent_id: uuid.UUID, tick_no: int, purpose: str) -> int:
    """Return the seed of the dice that an agent throws for one purpose at one tick."""
    # What `uuid5(...).int` is, without making a UUID, which costs as much as all else that draws a next time.
    named = _NAMESPACE.bytes + f"dice:{agent_id}:{tick_no}:{purpose}".encode()
    digest = hashlib.sha1(named, usedforsecurity=False).digest()
    return int.from_bytes(digest[:16]) & _NO_VERSION | _VERSION_5


def share(agent_id: uuid.UUID, tick_no: int, purpose: str) -> float:
    """Return a number from 0 up to 1 that an agent draws for one purpose at one tick.

    Where one number is all that is drawn: dice take four times as long to make as to throw once.
    """
    return (seed(agent_id, tick_no, purpose) >> 80) / (1 << 48)  # the digits before the version, which are all random
