"""How long jobs of late waited and took, by kind. For people; reads so many of the newest finished ones and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx

SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Spread:
    """Half, 95 % and 99 % of all were no longer than this."""

    p50_s: float
    p95_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class Timing:
    """The waiting time of the jobs of a kind, from due to claimed, and the duration of the successful attempt."""

    kind: str
    number: int
    wait: Spread
    run: Spread


# The attempt that finished a job holds its newest lease; its row still has the time when the job was due.
_TIMINGS = sa.text("""
WITH newest AS MATERIALIZED (
    SELECT id, kind, lease_token, next_attempt_at FROM jobs
    WHERE finished_at IS NOT NULL AND state = 'done' ORDER BY finished_at DESC LIMIT :newest),
timed AS (
    SELECT kind, greatest(0, extract(epoch FROM started_at - next_attempt_at))::float8 AS wait_s,
           greatest(0, extract(epoch FROM ended_at - started_at))::float8 AS run_s
    FROM newest JOIN job_attempts ON job_id = id AND job_attempts.lease_token = newest.lease_token
    WHERE ended_at IS NOT NULL)
SELECT kind, count(*), percentile_cont(CAST(:shares AS float8[])) WITHIN GROUP (ORDER BY wait_s),
       percentile_cont(CAST(:shares AS float8[])) WITHIN GROUP (ORDER BY run_s)
FROM timed GROUP BY kind ORDER BY count(*) DESC, kind
""")


def timings(tx: Tx, *, newest: int) -> list[Timing]:
    """Return the times of the `newest` jobs that were done last, the most frequent kind first (ix_jobs_finished_at)."""
    rows: Any = tx.execute(_TIMINGS, {"newest": newest, "shares": list(SHARES)})
    return [Timing(kind, number, Spread(*wait), Spread(*run)) for kind, number, wait, run in rows]
