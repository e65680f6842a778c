"""The load of workers: jobs and ticks, how long they waited and took, and how many workers took them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.points.effect_size import Sample
from fleet.features.tuning.decisions.queueing import QueueLoad
from fleet.features.tuning.decisions.rules import WorkerFacts
from fleet.features.tuning.decisions.samples import share
from fleet.features.tuning.load.window import LoadWindow

_LEAST_SCV, _MOST_SCV = 0.1, 25.0
_HOUR = timedelta(hours=1)
# The wait of an attempt is known where it ended its job: a job that goes on has its next time already. Jobs in lanes
# wait for their turn, not for a worker.
_SERVED = """
served AS (
    SELECT a.started_at AS began, greatest(0, extract(epoch FROM a.ended_at - a.started_at))::float8 AS run_s,
           CASE WHEN j.finished_at IS NOT NULL AND j.lease_token = a.lease_token AND j.lane IS NULL
                THEN greatest(0, extract(epoch FROM a.started_at - j.next_attempt_at))::float8 END AS wait_s
    FROM job_attempts a JOIN jobs j ON j.id = a.job_id
    WHERE a.started_at >= :since AND a.started_at < :until AND a.ended_at IS NOT NULL
    UNION ALL
    SELECT t.decided_at - make_interval(secs => t.duration_ms / 1000.0), t.duration_ms / 1000.0,
           greatest(0, extract(epoch FROM t.decided_at - t.due_at) - t.duration_ms / 1000.0)
    FROM ticks t WHERE t.decided_at >= :since AND t.decided_at < :until AND t.duration_ms IS NOT NULL)
"""
_LATE = sa.text(f"""
WITH {_SERVED}
SELECT count(wait_s), count(*) FILTER (WHERE wait_s > :goal_s), percentile_cont(0.95) WITHIN GROUP (ORDER BY wait_s),
       min(began)
FROM served
""")  # noqa: S608
_BUSIEST = sa.text(f"""
WITH {_SERVED},
hours AS (SELECT date_bin('1 hour', began, :since) AS hour, run_s,
                 began - make_interval(secs => coalesce(wait_s, 0)) AS due FROM served),
busiest AS (SELECT hour FROM hours GROUP BY hour ORDER BY sum(run_s) DESC, hour LIMIT 1),
own AS (SELECT hour, run_s, extract(epoch FROM due - lag(due) OVER (ORDER BY due))::float8 AS gap_s
        FROM hours JOIN busiest USING (hour))
SELECT max(hour) AS hour, count(*) AS number, avg(run_s) AS service_s, coalesce(var_samp(run_s), 0) AS service_var,
       avg(gap_s) AS gap_s, coalesce(var_samp(gap_s), 0) AS gap_var
FROM own
""")  # noqa: S608
_WORKERS = sa.text("""
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY number) FROM (
    SELECT count(DISTINCT worker) AS number FROM job_attempts
    WHERE started_at >= CAST(:until AS timestamptz) - interval '1 hour' AND started_at < :until
    GROUP BY date_bin('10 minutes', started_at, :until)) AS parts
""")


def facts(tx: Tx, window: LoadWindow, *, threads: int, goal_s: float) -> WorkerFacts:
    """Return the load of a window, with that of its busiest hour."""
    seen, late, p95, first = tx.execute(_LATE, {**window.values, "goal_s": goal_s}).one()
    busiest: Any = tx.execute(_BUSIEST, window.values).one()
    service, gap = busiest.service_s or 0.0, busiest.gap_s or 0.0
    load = QueueLoad(
        rate=busiest.number / _HOUR.total_seconds(), service_s=service, arrival_scv=_scv(busiest.gap_var, gap),
        service_scv=_scv(busiest.service_var, service),
    )  # fmt: skip
    # Of a quiet hour some workers are not seen: what is proposed starts from those of the busiest one.
    workers = 0 if busiest.hour is None else running(tx, busiest.hour + _HOUR)
    return WorkerFacts(
        workers=workers, now=running(tx, window.until), threads=threads, load=load, arrivals=busiest.number, seen=seen,
        late=late, wait_p95_s=p95 or 0.0, is_whole=first is not None and first < window.since + window.length / 10,
    )  # fmt: skip


def running(tx: Tx, until: datetime) -> int:
    """Return how many worker processes were at work in the hour before: the median of its ten minutes with any, so that
    a restart counts no process twice.
    """
    return int(tx.execute(_WORKERS, {"until": until}).scalar() or 0)


def late(tx: Tx, window: LoadWindow, goal_s: float) -> Sample:
    """Return the share of jobs and ticks that waited longer than the goal."""
    seen, hits, *_ = tx.execute(_LATE, {**window.values, "goal_s": goal_s}).one()
    return share(seen, hits)


def _scv(variance: float, mean: float) -> float:
    """Return a squared coefficient of variation within bounds: of few or equal times it says little."""
    return min(max(variance / mean**2, _LEAST_SCV), _MOST_SCV) if mean > 0 else 1.0
