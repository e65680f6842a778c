"""What was spent: sums over the calls, for people. Reading only."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
import sqlalchemy.orm

from fleet.core.db import Tx
from fleet.llm.errors import unwell_outcomes
from fleet.spending import days
from fleet.spending.groups import SpendingBy


@dataclass(frozen=True, slots=True)
class CallSum:
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


_ANSWERS = ("answered", "repaired")
_COLUMNS: dict[SpendingBy, str] = {
    SpendingBy.DAY: "day",
    SpendingBy.PROVIDER: "provider",
    SpendingBy.MODEL: "model",
    SpendingBy.PERSONA: "persona_id",
    SpendingBy.AGENT: "agent_id",
    SpendingBy.PURPOSE: "purpose",
    SpendingBy.OUTCOME: "outcome",
}


def sums(tx: Tx, by: SpendingBy, *, since: datetime, until: datetime | None = None, agent_id: uuid.UUID | None = None,
         limit: int = 100) -> list[CallSum]:  # fmt: skip
    """Return the calls since a moment, all or one agent's, summed: the newest days in order, anything else dearest
    first."""
    if by is SpendingBy.AGENT or agent_id is not None:  # days are folded over all agents
        source = days.calls(since, until, agent_id)
    else:
        source = days.spent(days.span(tx, since, until))
    key, total = source.c[_COLUMNS[by]], sa.func.sum(source.c.microusd)
    failed = sa.func.coalesce(sa.func.sum(source.c.calls).filter(source.c.outcome.not_in(_ANSWERS)), 0)
    query = (
        sa.select(key, sa.func.sum(source.c.calls), failed, *(sa.func.sum(source.c[name]) for name in days.ADDED))
        .group_by(key)
        .order_by(key.desc() if by is SpendingBy.DAY else total.desc(), key)
        .limit(limit)
    )
    found = [CallSum(_text(row[0]), *(int(number) for number in row[1:])) for row in tx.execute(query)]
    return found[::-1] if by is SpendingBy.DAY else found


def spent_by_day(tx: Tx, since: datetime) -> dict[date, int]:
    """Return the cost of each day (UTC) since a midnight, in microusd, today so far included; free days are left
    out.
    """
    source = days.spent(days.span(tx, since, None))
    query = sa.select(source.c.day, sa.func.sum(source.c.microusd)).group_by(source.c.day)
    return {day: int(amount) for day, amount in tx.execute(query)}


def spent_since(tx: Tx, since: datetime, until: datetime | None = None) -> int:
    """Return the cost of all calls since a time, and before another, in microusd."""
    source = days.spent(days.span(tx, since, until))
    return int(tx.scalar(sa.select(sa.func.coalesce(sa.func.sum(source.c.microusd), 0))) or 0)


@dataclass(frozen=True, slots=True)
class RecentCalls:
    """A provider's newest calls: how many, how many of them got no text, how long they took on average, the last.

    The others are about failures of the provider itself; a text that is refused or malformed is an answer.
    """

    provider: str
    calls: int
    failed: int
    latency_ms: int
    last_at: datetime
    failed_lately: int
    in_a_row: int
    """Failures since the last answer."""
    failing_since: datetime | None
    failed_at: datetime | None
    ok_at: datetime | None
    last_failure: str | None
    """The outcome of the newest failure."""


_RECENT = sa.text("""
WITH newest AS (
    SELECT provider, outcome, called_at, latency_ms, outcome = ANY(:unwell) AS is_failure,
           max(called_at) FILTER (WHERE outcome <> ALL(:unwell)) OVER (PARTITION BY provider) AS ok_at
    FROM (SELECT * FROM llm_calls WHERE called_at > :since ORDER BY called_at DESC LIMIT :limit) AS calls),
judged AS (SELECT *, is_failure AND (ok_at IS NULL OR called_at > ok_at) AS is_in_row FROM newest)
SELECT provider, count(*) AS calls, count(*) FILTER (WHERE outcome <> ALL(:answers)) AS failed,
       round(avg(latency_ms))::int AS latency_ms, max(called_at) AS last_at,
       count(*) FILTER (WHERE is_failure AND called_at > :lately) AS failed_lately,
       count(*) FILTER (WHERE is_in_row) AS in_a_row,
       coalesce(min(called_at) FILTER (WHERE is_in_row), max(called_at) FILTER (WHERE is_failure)) AS failing_since,
       max(called_at) FILTER (WHERE is_failure) AS failed_at, max(ok_at) AS ok_at,
       (array_agg(outcome ORDER BY called_at DESC) FILTER (WHERE is_failure))[1] AS last_failure
FROM judged GROUP BY provider ORDER BY provider
""")


def recent(tx: Tx, *, since: datetime, lately: datetime, limit: int = 20_000) -> list[RecentCalls]:
    """Return the results of the newest calls since a moment, by provider."""
    asked = {"since": since, "lately": lately, "limit": limit, "unwell": unwell_outcomes(), "answers": list(_ANSWERS)}
    return [RecentCalls(*row) for row in tx.execute(_RECENT, asked).tuples()]


def _text(key: object) -> str | None:
    if key is None:
        return None
    return key.isoformat() if isinstance(key, date) else str(key)
