"""Changes that open pages receive, append-only. Written in the transaction that makes them so; read by `live`.

Ids are handed out before COMMIT, so "id > last" would miss slow transactions. A position is (transaction, id), and
only transactions older than every running one are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fleet.sandbox.gallery.store.tables import changes

_SETTLED_BELOW = sa.text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
_POSITION = re.compile(r"(\d{1,18})-(\d{1,18})")
_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class ChangePosition:
    """A reader's position."""

    txid: int
    id: int

    @classmethod
    def parse(cls, text: str) -> ChangePosition | None:
        """Parse the output of `str`; None for other text."""
        match = _POSITION.fullmatch(text)
        return None if match is None else cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.txid}-{self.id}"


@dataclass(frozen=True, slots=True)
class GalleryChange:
    """One change."""

    position: ChangePosition
    kind: str
    payload: dict[str, Any]


def record(tx: sa.Connection, kind: str, **payload: Any) -> None:
    """Record a change, in the transaction that makes it."""
    tx.execute(sa.insert(changes).values(kind=kind, payload=payload))


def tail(tx: sa.Connection) -> ChangePosition:
    """Return the position after the latest change."""
    return ChangePosition(int(tx.scalar(sa.select(_SETTLED_BELOW)) or 0) - 1, 2**62)


def after(tx: sa.Connection, position: ChangePosition, limit: int = 500) -> list[GalleryChange]:
    """Return settled changes after a position, oldest first."""
    query = (
        sa.select(changes.c.txid, changes.c.id, changes.c.kind, changes.c.payload)
        .where(
            sa.tuple_(changes.c.txid, changes.c.id) > sa.tuple_(sa.literal(position.txid), sa.literal(position.id)),
            changes.c.txid < _SETTLED_BELOW,
        )
        .order_by(changes.c.txid, changes.c.id)
        .limit(limit)
    )
    return [GalleryChange(ChangePosition(row.txid, row.id), row.kind, row.payload) for row in tx.execute(query)]


def prune(tx: sa.Connection) -> None:
    """Delete changes that no page can still read."""
    tx.execute(sa.delete(changes).where(changes.c.created_at < sa.func.clock_timestamp() - _KEPT))
