"""What was answered to the Idempotency-Keys of creations, and whether keys are honoured."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import clock
from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.shop.store.tables import answers, controls

_KEPT = timedelta(hours=24)


def honours_keys(tx: sa.Connection, *, configured: bool) -> bool:
    """Tell whether a creation under a known key repeats the stored response."""
    switched = tx.scalar(sa.select(controls.c.value).where(controls.c.name == "honour_keys"))
    return configured if switched is None else switched is True


def set_honour_keys(tx: sa.Connection, honour: bool | None) -> None:
    """Set whether keys are honoured; None restores the configured value."""
    statement = insert(controls).values(name="honour_keys", value=honour)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": honour}))


def known(tx: sa.Connection, key: str, request: Any) -> dict[str, Any] | None:
    """Return what was answered to a key; None for a new one. Raises ApiError 422 for another request under it.

    Holds a lock on the key until the transaction ends, so that two equal requests at once create one object.
    """
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(key))))
    row = tx.execute(sa.select(answers).where(answers.c.key == key)).one_or_none()
    if row is None:
        return None
    if row.digest != _digest(request):
        raise ApiError(422, "KEY_REUSED", "This Idempotency-Key was used for another request.")
    body: dict[str, Any] = row.body
    return body


def store(tx: sa.Connection, key: str, request: Any, body: dict[str, Any]) -> None:
    """Store the response to a creation under its key, and forget those of yesterday."""
    tx.execute(sa.delete(answers).where(answers.c.created_at < clock.now() - _KEPT))
    tx.execute(sa.insert(answers).values(key=key, digest=_digest(request), body=body))


def _digest(request: Any) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
