"""How far the streams of a store are read: products, stock, orders."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core.db import Tx
from fleet.features.stores.models import SyncCursorRow


def value(tx: Tx, account_id: uuid.UUID, stream: str) -> datetime | None:
    """Return the newest change of a stream that was seen; None before the first reading."""
    row = tx.session.get(SyncCursorRow, (account_id, stream), populate_existing=True)
    return None if row is None else row.value


def swept_at(tx: Tx, account_id: uuid.UUID, stream: str) -> datetime | None:
    """Return when the newest complete sweep of a stream began."""
    row = tx.session.get(SyncCursorRow, (account_id, stream), populate_existing=True)
    return None if row is None else row.swept_at


def move(
    tx: Tx, account_id: uuid.UUID, stream: str, newest: datetime | None, *, sweep: datetime | None = None
) -> None:  # fmt: skip
    """Note that a stream was read to its end; the value never goes back."""
    row = SyncCursorRow
    new = insert(row).values(account_id=account_id, stream=stream, value=newest, swept_at=sweep, read_at=tx.now())
    tx.execute(new.on_conflict_do_update(index_elements=[row.account_id, row.stream], set_={
        "value": sa.func.greatest(row.value, new.excluded.value),
        "swept_at": sa.func.greatest(row.swept_at, new.excluded.swept_at), "read_at": new.excluded.read_at,
    }))  # fmt: skip
