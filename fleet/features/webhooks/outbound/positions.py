"""Positions of this feature's readers: one of all webhooks, one of each webhook that is behind, subscribers in code."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.events import Position
from fleet.engine.events.positions import ReaderRow

WEBHOOKS = "webhooks"
ALARMS = "alarms"
_OF_WEBHOOK = "webhook:"


def of_code(name: str) -> str:
    """Return the name of a subscriber's position: apart from ours, whatever it calls itself."""
    return f"code:{name}"


def of_webhook(subscription_id: uuid.UUID) -> str:
    """Return the name of the position of a webhook that is behind the others."""
    return f"{_OF_WEBHOOK}{subscription_id}"


def behind(tx: Tx) -> dict[uuid.UUID, Position]:
    """Return the webhooks that are behind the others (`WEBHOOKS`), with their positions, the last one first."""
    query = sa.select(ReaderRow.name, ReaderRow.txid, ReaderRow.event_id).where(ReaderRow.name.startswith(_OF_WEBHOOK))
    rows = tx.execute(query.order_by(ReaderRow.txid, ReaderRow.event_id))
    return {uuid.UUID(row.name.removeprefix(_OF_WEBHOOK)): Position(row.txid, row.event_id) for row in rows}


def fall_behind(tx: Tx, subscription_id: uuid.UUID, at: Position) -> None:
    """Give a webhook a position of its own. One that was removed or switched off a moment ago gets none."""
    tx.execute(
        _FALL_BEHIND, {"name": of_webhook(subscription_id), "id": subscription_id, "txid": at.txid, "event_id": at.id}
    )


_FALL_BEHIND = sa.text("""
INSERT INTO event_readers (name, txid, event_id)
SELECT :name, :txid, :event_id FROM hook_subscriptions WHERE id = :id AND active FOR KEY SHARE
ON CONFLICT (name) DO UPDATE SET txid = excluded.txid, event_id = excluded.event_id, moved_at = clock_timestamp()
""")
