"""Current numbers of the ledger, for metrics and status: what waits, how long, and which leases ran out.

Called by `fleet.engine` at every scrape and status request, so each query reads a partial index of live and dead jobs
and never finished ones. Conditions are literals: a placeholder would hide the index from the planner.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fleet.accounts.models import SETTINGS_ACCOUNT, key_of
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.points.health import LATELY, WINDOW, CallEvidence, Rate, Rates

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

_FAILED_CALLS = """
WITH failed AS (
    SELECT failed_account AS account_id, ended_at AS failed_at, error AS why FROM job_attempts
    WHERE failed_account IS NOT NULL AND ended_at > :since
    UNION ALL
    SELECT (outcome->>'failed_account')::uuid, decided_at, error FROM ticks
    WHERE error IS NOT NULL AND decided_at > :since AND outcome ? 'failed_account'),
answered AS (
    SELECT failing.account_id, newest.ended_at FROM (SELECT DISTINCT account_id FROM failed) AS failing
    CROSS JOIN LATERAL (
        SELECT job_attempts.ended_at FROM job_attempts JOIN jobs ON jobs.id = job_attempts.job_id
        WHERE job_attempts.started_at > :since AND job_attempts.outcome = 'done' AND jobs.kind = ANY(:on_surface)
        AND coalesce(jobs.account_id, :main) = failing.account_id
        ORDER BY job_attempts.started_at DESC LIMIT 1) AS newest)
SELECT failed.account_id, count(*) FILTER (WHERE failed_at > :lately) AS lately,
       count(*) FILTER (WHERE answered.ended_at IS NULL OR failed_at > answered.ended_at) AS in_a_row,
       coalesce(min(failed_at) FILTER (WHERE answered.ended_at IS NULL OR failed_at > answered.ended_at),
                max(failed_at)) AS since,
       max(failed_at) AS last_at, max(answered.ended_at) AS ok_at, (array_agg(why ORDER BY failed_at DESC))[1] AS why
FROM failed LEFT JOIN answered ON answered.account_id = failed.account_id
GROUP BY failed.account_id
"""
_RATES = """
SELECT 'attempts' AS what, count(*) FILTER (WHERE is_failed AND is_late), count(*) FILTER (WHERE is_late),
       count(*) FILTER (WHERE is_failed), count(*)
FROM (
    SELECT outcome <> 'done' AS is_failed, started_at > clock_timestamp() - interval '5 minutes' AS is_late
    FROM job_attempts WHERE started_at > clock_timestamp() - interval '1 hour'
    AND outcome IN ('done', 'retry', 'unknown', 'dead', 'lost')) AS tried
UNION ALL
SELECT 'ticks', count(*) FILTER (WHERE is_failed AND is_late), count(*) FILTER (WHERE is_late),
       count(*) FILTER (WHERE is_failed), count(*)
FROM (
    SELECT error IS NOT NULL AS is_failed, decided_at > clock_timestamp() - interval '5 minutes' AS is_late
    FROM ticks WHERE decided_at > clock_timestamp() - interval '1 hour'
    AND (state = 'decided' OR error IS NOT NULL)) AS decided
"""
_FAILING = """
SELECT job_id FROM (
    SELECT job_id, outcome, started_at FROM job_attempts WHERE started_at >= :since AND started_at < :until
    ORDER BY started_at DESC LIMIT :searched) AS newest
WHERE outcome = ANY(:failed) GROUP BY job_id ORDER BY max(started_at) DESC LIMIT :limit
"""
FAILED = ("retry", "unknown", "dead", "lost")
"""Outcomes of attempts that failed. What was put off, fenced off or found not worth doing did not fail."""


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


def failed_calls(tx: Tx) -> dict[uuid.UUID, CallEvidence]:
    """Return the evidence on accounts at which attempts or ticks failed within an hour.

    Only failures of the outside system itself count: a model, a webhook or a rule that refuses is no trouble of an
    account.
    """
    now = tx.now()
    asked = {
        "since": now - WINDOW,
        "lately": now - LATELY,
        "main": SETTINGS_ACCOUNT,
        "on_surface": sorted(registry.current().kinds(lambda job: job.uses_surface)),
    }
    return {
        row.account_id: CallEvidence(
            row.lately, row.in_a_row, row.since, row.last_at, row.ok_at, row.why or "no answer"
        )
        for row in tx.execute(sa.text(_FAILED_CALLS), asked)
    }  # fmt: skip


def rates(tx: Tx) -> Rates:
    """Return how many attempts and ticks of the last minutes and of the last hour failed.

    What was put off, fenced off or found not worth doing is neither a failure nor a success.
    """
    found = {
        what: (Rate(late_failed, late), Rate(failed, number))
        for what, late_failed, late, failed, number in tx.execute(sa.text(_RATES))
    }
    return Rates(*found["attempts"], *found["ticks"])


def last_sent_at(tx: Tx, surface: str, *, limit: int = 10_000) -> dict[uuid.UUID, datetime]:
    """Return when the last write to a surface was sent that it did not refuse, by account; among the newest `limit`."""
    found: dict[uuid.UUID, datetime] = {}
    for account_id, sent_at in tx.execute(sa.text(_LAST_SENT), {"surface": surface, "limit": limit}):
        found[key_of(account_id)] = max(sent_at, found.get(key_of(account_id), sent_at))
    return found


def failing_jobs(tx: Tx, since: datetime, until: datetime, *, limit: int, searched: int = 200_000) -> list[uuid.UUID]:
    """Return the jobs with an attempt that began in a span of time and failed, among the newest attempts."""
    span = {"since": since, "until": until, "limit": limit, "searched": searched, "failed": list(FAILED)}
    return list(tx.session.scalars(sa.text(_FAILING), span))
