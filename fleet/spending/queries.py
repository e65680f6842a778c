"""What was spent: sums over the calls, for people. Reading only."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.core.db import Tx
from fleet.spending.models import CallRow


class By(StrEnum):
    """What the calls are summed by."""

    DAY = "day"
    PROVIDER = "provider"
    MODEL = "model"
    PERSONA = "persona"
    AGENT = "agent"
    PURPOSE = "purpose"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Sum:
    """Calls that have something in common. `key` is None for calls without it."""

    key: str | None
    calls: int
    failed: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    microusd: int
    latency_ms: int  # of all calls together


_DAY = sa.cast(sa.func.timezone("UTC", CallRow.called_at), sa.Date)
_KEYS: dict[By, Any] = {
    By.DAY: _DAY, By.PROVIDER: CallRow.provider, By.MODEL: CallRow.model, By.PERSONA: CallRow.persona_id,
    By.AGENT: CallRow.agent_id, By.PURPOSE: CallRow.purpose, By.OUTCOME: CallRow.outcome,
}  # fmt: skip
_ADDED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "microusd", "latency_ms")
_ANSWERS = ("answered", "repaired")
_ANSWERED = CallRow.outcome.in_(_ANSWERS)


def sums(tx: Tx, by: By, *, since: datetime, until: datetime | None = None, agent_id: uuid.UUID | None = None,
         limit: int = 100) -> list[Sum]:  # fmt: skip
    """Return the calls since a moment, all or one agent's, summed: days in order, anything else dearest first."""
    key = _KEYS[by]
    total = sa.func.sum(CallRow.microusd)
    query = (
        sa.select(key, sa.func.count(), sa.func.count().filter(~_ANSWERED),
                  *(sa.func.coalesce(sa.func.sum(getattr(CallRow, name)), 0) for name in _ADDED))
        .where(CallRow.called_at >= since)
        .group_by(key)
        .order_by(key if by is By.DAY else total.desc(), key)
        .limit(limit)
    )  # fmt: skip
    if until is not None:
        query = query.where(CallRow.called_at < until)
    if agent_id is not None:
        query = query.where(CallRow.agent_id == agent_id)
    return [Sum(_text(row[0]), *(int(number) for number in row[1:])) for row in tx.execute(query)]


def spent_by_day(tx: Tx, starts: Sequence[datetime]) -> list[int]:
    """Return what each of some days in a row cost, in microusd; the last one goes on to now (ix_llm_calls_spent)."""
    given = sa.literal(list(starts), ARRAY(sa.DateTime(timezone=True)))
    number = sa.func.width_bucket(CallRow.called_at, given).label("number")
    query = sa.select(number, sa.func.sum(CallRow.microusd)).where(CallRow.called_at >= starts[0]).group_by(number)
    cost: dict[int, Any] = {row[0]: row[1] for row in tx.execute(query)}
    return [int(cost.get(day, 0)) for day in range(1, len(starts) + 1)]


def spent_since(tx: Tx, since: datetime, until: datetime | None = None) -> int:
    """Return what all calls since a moment, and before another, cost, in microusd."""
    query = sa.select(sa.func.coalesce(sa.func.sum(CallRow.microusd), 0)).where(CallRow.called_at >= since)
    return int(tx.scalar(query if until is None else query.where(CallRow.called_at < until)))


@dataclass(frozen=True, slots=True)
class Recent:
    """A provider's newest calls: how many, how many of them got no answer, how long they took on average, the last."""

    provider: str
    calls: int
    failed: int
    latency_ms: int
    last_at: datetime


def recent(tx: Tx, *, limit: int = 200) -> list[Recent]:
    """Return what became of the newest calls, by provider."""
    newest = sa.select(CallRow).order_by(CallRow.called_at.desc()).limit(limit).subquery()
    call = sa.orm.aliased(CallRow, newest)
    failed = sa.func.count().filter(call.outcome.not_in(_ANSWERS))
    query = (
        sa.select(call.provider, sa.func.count(), failed, sa.func.avg(call.latency_ms), sa.func.max(call.called_at))
        .group_by(call.provider)
        .order_by(call.provider)
    )
    return [Recent(name, int(n), int(bad), round(ms), last) for name, n, bad, ms, last in tx.execute(query)]


def _text(key: object) -> str | None:
    if key is None:
        return None
    return key.isoformat() if isinstance(key, date) else str(key)
