"""Runs of stores by their schedule: how many found a change, how long they took, and the size of their pages."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.points.effect_size import Sample
from fleet.features.tuning.decisions.samples import Metric, share
from fleet.features.tuning.load.window import LoadWindow

SCHEDULED = "its interval is over"
"""The reason of syncs by the schedule (`stores.rules.should_sync`)."""
_LEAST_READ = 20
"""Runs that read fewer items say little about the time of one."""
_CHANGES = " + ".join(f"coalesce((counts->>'{name}')::float8, 0)"
                      for name in ("created", "updated", "gone", "conflicts", "orders", "stock", "sent"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunTable:
    """Where the runs of a setting are, which of them follow the schedule, and what counts as a change."""

    name: str
    is_scheduled: str
    changes: str


SYNCS = RunTable("sync_runs", f"requested_by IS NULL AND reason = '{SCHEDULED}'", _CHANGES)
COMPARISONS = RunTable("reconciliations", "requested_by IS NULL", "coalesce((counts->>'new')::float8, 0)")
TABLES: Mapping[str, RunTable] = {"store_interval": SYNCS, "reconcile_every": COMPARISONS}


@dataclass(frozen=True, slots=True)
class ScheduledRuns:
    """Runs of a store that ended in a window."""

    ended: int
    failed: int
    done: int
    changed: int
    changes: Sample
    p95_s: float


def scheduled(tx: Tx, table: RunTable, account_id: uuid.UUID, window: LoadWindow) -> ScheduledRuns:
    """Return the runs by the schedule of a store that began in a window and have ended."""
    query = sa.text(f"""
    WITH own AS (SELECT state, {table.changes} AS changes, extract(epoch FROM ended_at - started_at)::float8 AS took_s
                 FROM {table.name} WHERE account_id = :account_id AND started_at >= :since AND started_at < :until
                 AND state IN ('done', 'failed') AND {table.is_scheduled})
    SELECT count(*) AS ended, count(*) FILTER (WHERE state = 'failed') AS failed,
           count(*) FILTER (WHERE state = 'done') AS done,
           count(*) FILTER (WHERE state = 'done' AND changes > 0) AS changed,
           coalesce(avg(changes) FILTER (WHERE state = 'done'), 0) AS mean,
           coalesce(var_samp(changes) FILTER (WHERE state = 'done'), 0) AS variance,
           coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY took_s), 0) AS p95_s
    FROM own""")  # noqa: S608 - names of this module
    row: Any = tx.execute(query, {"account_id": account_id, **window.values}).one()
    return ScheduledRuns(
        row.ended, row.failed, row.done, row.changed, Sample(row.done, row.mean, row.variance), row.p95_s
    )


def by_batch(tx: Tx, account_id: uuid.UUID, window: LoadWindow) -> Mapping[int, Sample]:
    """Return the seconds for one item by the size of a page, of syncs of a store that read enough."""
    query = sa.text("""
    WITH own AS (SELECT batch, extract(epoch FROM ended_at - started_at)::float8 / (counts->>'read')::float8 AS item_s
                 FROM sync_runs WHERE account_id = :account_id AND started_at >= :since AND started_at < :until
                 AND state = 'done' AND batch IS NOT NULL AND strategy <> 'selective'
                 AND coalesce((counts->>'read')::float8, 0) >= :least)
    SELECT batch, count(*), avg(item_s), coalesce(var_samp(item_s), 0) FROM own GROUP BY batch ORDER BY batch""")
    rows = tx.execute(query, {"account_id": account_id, **window.values, "least": _LEAST_READ})
    return {batch: Sample(number, mean, variance) for batch, number, mean, variance in rows}


def outcomes(tx: Tx, account_id: uuid.UUID, window: LoadWindow, *, batch: int | None = None) -> tuple[int, int]:
    """Return how many syncs of a store ended, and how many of them failed."""
    query = sa.text("""
    SELECT count(*), count(*) FILTER (WHERE state = 'failed') FROM sync_runs
    WHERE account_id = :account_id AND started_at >= :since AND started_at < :until AND state IN ('done', 'failed')
    AND (CAST(:batch AS integer) IS NULL OR batch = :batch)""")
    row: Any = tx.execute(query, {"account_id": account_id, **window.values, "batch": batch}).one()
    return int(row[0]), int(row[1])


def of_interval(tx: Tx, setting: str, account_id: uuid.UUID, metric: Metric, window: LoadWindow) -> Sample:
    """Return a metric of the runs by an interval."""
    found = scheduled(tx, TABLES[setting], account_id, window)
    if metric is Metric.CHANGED:
        return share(found.done, found.changed)
    return share(found.ended, found.failed) if metric is Metric.FAILED else found.changes


def of_batch(tx: Tx, account_id: uuid.UUID, metric: Metric, window: LoadWindow) -> Sample:
    """Return a metric of the syncs of a store, whatever their pages were."""
    if metric is Metric.FAILED:
        return share(*outcomes(tx, account_id, window))
    return pooled(list(by_batch(tx, account_id, window).values()))


def pooled(samples: list[Sample]) -> Sample:
    """Return several samples as one."""
    units = sum(one.units for one in samples)
    if not units:
        return Sample(0, 0.0, 0.0)
    mean = sum(one.units * one.mean for one in samples) / units
    squares = sum((one.units - 1) * one.variance + one.units * (one.mean - mean) ** 2 for one in samples)
    return Sample(units, mean, squares / max(units - 1, 1))
