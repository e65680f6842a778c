"""Extension points of stores: fields that syncs leave alone."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from fleet.core.db import Tx
from fleet.engine import registry

PINNED = "stores.pinned"
"""`pinned(tx, account_id, local_ids)` returns pairs of an object here and a field: the store keeps its own value of it,
so a sync neither reads it into the catalogue nor writes it."""


def pinned(tx: Tx, account_id: uuid.UUID, local_ids: Collection[uuid.UUID]) -> frozenset[tuple[uuid.UUID, str]]:
    """Return the fields of a store that syncs leave alone."""
    found = registry.current().extensions(PINNED)
    return frozenset(pair for one in found for pair in one(tx, account_id, local_ids))
