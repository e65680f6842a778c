"""Budgets, the gallery's own kill switch, and whether keys are honoured.

Kept in the database, so they hold over restarts and between processes.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.sandbox.gallery.config import GalleryBudgets
from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.store.tables import controls, executions

_BUDGET_LOCK = 0x627564676574


def budgets(tx: sa.Connection) -> GalleryBudgets:
    """Return the budgets in force."""
    value = _get(tx, "budgets")
    return GalleryBudgets(**value) if isinstance(value, dict) else GalleryBudgets()


def set_budgets(tx: sa.Connection, new: GalleryBudgets) -> None:
    """Replace the budgets."""
    _set(tx, "budgets", asdict(new))


def is_paused(tx: sa.Connection) -> bool:
    """Tell whether the kill switch is on."""
    return _get(tx, "paused") is True


def set_paused(tx: sa.Connection, paused: bool) -> None:
    """Turn the kill switch on or off."""
    _set(tx, "paused", paused)


def honours_keys(tx: sa.Connection, *, configured: bool) -> bool:
    """Tell whether a write under a known Idempotency-Key repeats the stored response."""
    switched = _get(tx, "honour_keys")
    return configured if switched is None else switched is True


def set_honour_keys(tx: sa.Connection, honour: bool | None) -> None:
    """Set whether keys are honoured; None restores the configured value."""
    _set(tx, "honour_keys", honour)


def refuse_when_paused(tx: sa.Connection) -> None:
    """Raise ApiError 503 while the kill switch is on."""
    if is_paused(tx):
        raise ApiError(503, "FLEET_PAUSED", "The fleet is paused by the gallery; only a person lifts this.")


def spend(tx: sa.Connection, user_id: uuid.UUID, now: datetime) -> None:
    """Check that one more execution is within all budgets. Raises ApiError 429.

    Holds a lock until the transaction ends, in which the caller inserts the execution: two at once cannot both take
    the last one.
    """
    limits = budgets(tx)
    if not limits.any:
        return
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_BUDGET_LOCK)))
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    next_month = (month + timedelta(days=32)).replace(day=1)
    spans = (
        ("FLEET_DAILY_BUDGET_EXCEEDED", limits.fleet_daily, day, day + timedelta(days=1), None),
        ("FLEET_MONTHLY_BUDGET_EXCEEDED", limits.fleet_monthly, month, next_month, None),
        ("AGENT_DAILY_LIMIT_EXCEEDED", limits.agent_daily, day, day + timedelta(days=1), user_id),
        ("AGENT_MONTHLY_LIMIT_EXCEEDED", limits.agent_monthly, month, next_month, user_id),
    )
    for code, limit, since, reset_at, of_user in spans:
        used = 0 if limit is None else _used(tx, since, of_user)
        if limit is not None and used >= limit:
            raise _spent(code, used, limit, reset_at)


def _spent(code: str, used: int, limit: int, reset_at: datetime) -> ApiError:
    whose, span = code.split("_")[:2]
    words = f"The {whose.lower()}'s {span.lower()} budget of {limit} executions is used up."
    return ApiError(429, code, words, {"resetAt": reset_at.isoformat(), "usage": {"used": used, "limit": limit}})


def _used(tx: sa.Connection, since: datetime, user_id: uuid.UUID | None) -> int:
    query = (
        sa.select(sa.func.count()).select_from(executions)
        .where(executions.c.started_at >= since, executions.c.state != "failed")
    )  # fmt: skip
    if user_id is not None:
        query = query.where(executions.c.user_id == user_id)
    return int(tx.scalar(query) or 0)


def _get(tx: sa.Connection, name: str) -> Any:
    return tx.scalar(sa.select(controls.c.value).where(controls.c.name == name))


def _set(tx: sa.Connection, name: str, value: object) -> None:
    statement = insert(controls).values(name=name, value=value)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
