"""Current numbers of the ledger, for metrics and status: what waits, how long, and which leases ran out.

Called by `fleet.engine` at every scrape and status request, so each query reads a partial index of live and dead jobs
and never finished ones. Conditions are literals: a placeholder would hide the index from the planner.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from fleet.accounts.models import key_of
from fleet.core.db import Tx
from fleet.engine import registry

_LIVE = """
SELECT kind, state, count(*) FROM jobs WHERE state IN ('ready', 'unknown') GROUP BY kind, state
UNION ALL
SELECT kind, state, count(*) FROM jobs WHERE lease_until IS NOT NULL AND state IN ('running', 'sending') GROUP BY kind, state
UNION ALL
SELECT kind, 'dead', count(*) FROM jobs WHERE state = 'dead' GROUP BY kind
"""  # noqa: E501
_DUE = """
SELECT priority, count(*), extract(epoch FROM clock_timestamp() - min(next_attempt_at))
FROM jobs WHERE state IN ('ready', 'unknown') AND next_attempt_at <= clock_timestamp() AND lease_until IS NULL
AND NOT (lane IS NOT NULL AND published_at IS NULL)
GROUP BY priority
"""
_DEAD = "SELECT dead_reason, count(*) AS number FROM jobs WHERE state = 'dead' GROUP BY dead_reason"
_OLDEST_UNKNOWN = """
SELECT extract(epoch FROM clock_timestamp() - min(sending_at))
FROM jobs WHERE state IN ('ready', 'unknown') AND state = 'unknown'
"""
_LAPSED_JOBS = "SELECT count(*) FROM jobs WHERE lease_until IS NOT NULL AND lease_until < clock_timestamp()"
_TICKS = """
SELECT state, count(*), coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0),
       count(*) FILTER (WHERE lease_until < clock_timestamp())
FROM ticks WHERE decided_at IS NULL GROUP BY state
"""
_ENDED = """
SELECT kind, state, count(*) FROM (
    SELECT kind, state FROM jobs WHERE finished_at >= :since AND finished_at < :until
    ORDER BY finished_at DESC LIMIT :limit) AS newest
GROUP BY kind, state
"""
_LATENESS = """
SELECT extract(epoch FROM decided_at - due_at) FROM ticks WHERE decided_at IS NOT NULL
ORDER BY decided_at DESC LIMIT :limit
"""
_LAST_SENT = """
SELECT account_id, max(sending_at) FROM (
    SELECT account_id, sending_at FROM jobs WHERE surface = :surface AND sending_at IS NOT NULL
    ORDER BY sending_at DESC LIMIT :limit) AS newest
GROUP BY account_id
"""

_TROUBLE = """
SELECT jobs.account_id, count(*) AS number, (array_agg(newest.why ORDER BY newest.id DESC))[1] AS why,
       max(newest.occurred_at) AS last_at
FROM unnest(ARRAY['job.retrying', 'job.unknown']) AS asked (subject)
CROSS JOIN LATERAL (
    SELECT events.id, events.job_id, events.occurred_at, events.payload->>'why' AS why FROM events
    WHERE events.subject = asked.subject ORDER BY events.id DESC LIMIT :limit) AS newest
JOIN jobs ON jobs.id = newest.job_id
WHERE newest.occurred_at > :since AND jobs.kind != ALL(:off_surface)
GROUP BY jobs.account_id
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Attempts through an account that failed: how many, why the newest did, and when."""

    number: int
    why: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class QueueWait:
    """What of one priority may be claimed now: how many jobs, and how long the oldest has been due."""

    number: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Undecided:
    """Undecided ticks of one state. `lapsed` ones have a lease that ran out and was not taken back."""

    number: int
    oldest_s: float
    lapsed: int


def live_and_dead(tx: Tx) -> dict[tuple[str, str], int]:
    """Return how many jobs there are by (kind, state): live ones and dead letters."""
    return {(kind, state): number for kind, state, number in tx.execute(sa.text(_LIVE))}


def waiting(tx: Tx) -> dict[str, QueueWait]:
    """Return the jobs that may be claimed now, by priority; jobs that wait for a pause, cap, retry or receiver do
    not count.
    """
    rows = tx.execute(sa.text(_DUE))
    return {priority: QueueWait(number, max(0.0, float(oldest_s))) for priority, number, oldest_s in rows}


def dead_letters(tx: Tx) -> dict[str, int]:
    """Return how many dead letters there are by reason."""
    return {row.dead_reason: row.number for row in tx.execute(sa.text(_DEAD))}


def oldest_unknown_s(tx: Tx) -> float:
    """Return the age of the oldest write whose outcome is unknown; 0 without one."""
    return max(0.0, float(tx.scalar(sa.text(_OLDEST_UNKNOWN)) or 0.0))


def lapsed_jobs(tx: Tx) -> int:
    """Return how many jobs have a lease that ran out and that no sweep has taken back yet."""
    return int(tx.scalar(sa.text(_LAPSED_JOBS)) or 0)


def undecided_ticks(tx: Tx) -> dict[str, Undecided]:
    """Return the undecided ticks, by state."""
    rows = tx.execute(sa.text(_TICKS))
    return {state: Undecided(number, max(0.0, float(oldest)), lapsed) for state, number, oldest, lapsed in rows}


def ended(tx: Tx, since: datetime, until: datetime, *, limit: int = 200_000) -> dict[tuple[str, str], int]:
    """Return how many jobs ended in a span of time by (kind, state), among the newest `limit`."""
    span = {"since": since, "until": until, "limit": limit}
    return {(kind, state): number for kind, state, number in tx.execute(sa.text(_ENDED), span)}


def lateness_s(tx: Tx, *, limit: int = 960) -> list[float]:
    """Return how late the newest decisions were, oldest first."""
    found = [max(0.0, float(late_s)) for (late_s,) in tx.execute(sa.text(_LATENESS), {"limit": limit})]
    return found[::-1]


def trouble(tx: Tx, *, since: datetime, limit: int = 1000) -> dict[uuid.UUID, Trouble]:
    """Return the attempts that failed since a moment, by the account that they called; of the newest `limit` of all.

    A webhook that is down, or a notice that is not taken, is no trouble with a surface.
    """
    asked = {
        "since": since,
        "limit": limit,
        "off_surface": sorted(registry.current().kinds(lambda job: not job.uses_surface)),
    }
    found: dict[uuid.UUID, Trouble] = {}
    for row in tx.execute(sa.text(_TROUBLE), asked):
        one = Trouble(row.number, row.why or "no answer", row.last_at)
        before = found.get(key_of(row.account_id))  # the account of the settings is named, or not
        found[key_of(row.account_id)] = one if before is None else _both(before, one)
    return found


def _both(one: Trouble, other: Trouble) -> Trouble:
    newest = max(one, other, key=lambda trouble: trouble.last_at)
    return replace(newest, number=one.number + other.number)


def last_sent_at(tx: Tx, surface: str, *, limit: int = 10_000) -> dict[uuid.UUID, datetime]:
    """Return when the last write to a surface was sent that it did not refuse, by account; among the newest `limit`."""
    found: dict[uuid.UUID, datetime] = {}
    for account_id, sent_at in tx.execute(sa.text(_LAST_SENT), {"surface": surface, "limit": limit}):
        found[key_of(account_id)] = max(sent_at, found.get(key_of(account_id), sent_at))
    return found
