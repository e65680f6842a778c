"""Days of a grown ledger in minutes: prune the oldest day, write as many new rows, see whether the files grow.

For `bench.bench_growth`. Retention is one day shorter each time instead of the clock one day later, which comes to the
same. Vacuum is called where autovacuum would begin (by the tables' own settings), without its nap of a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from bench.growth_load import ATTEMPTS, DAYS
from fleet.core import events
from fleet.engine import sweep
from fleet.engine.deps import Deps
from fleet.engine.jobs import recovery, ticks
from fleet.engine.jobs.models import PRUNABLE

TABLES = ("events", "jobs", "job_attempts", "ticks")
_PRUNED: dict[str, Callable[..., int]] = {  # of sweep.PRUNERS those whose tables grow by millions
    "ticks": ticks.prune_ticks, "jobs": recovery.prune_jobs, "events": events.prune,
}  # fmt: skip
# What differs in the copy of a row; None is left to the table.
_COPIES: dict[str, tuple[str, dict[str, str | None]]] = {
    "events": ("ORDER BY id DESC", {"id": None, "txid": None, "occurred_at": "clock_timestamp()"}),
    "ticks": (
        "ORDER BY decided_at DESC",
        {"tick_no": "tick_no + 10000000 * 2 ^ {day}", "due_at": "clock_timestamp()", "decided_at": "clock_timestamp()"},
    ),
    "jobs": (
        f"WHERE {PRUNABLE.text} ORDER BY finished_at DESC",
        {"id": "gen_random_uuid()", "created_at": "clock_timestamp()", "finished_at": "clock_timestamp()"},
    ),
}
_WHERE_DUE = """
SELECT pg_class.relname FROM pg_stat_user_tables JOIN pg_class ON pg_class.oid = relid
WHERE pg_class.relname = ANY(%s) AND n_dead_tup > 50 + 0.05 * reltuples
"""


@dataclass(frozen=True, slots=True)
class Day:
    """One day: rows deleted and how long each transaction took (s), and the size of each table (bytes) at its end."""

    pruned: dict[str, int]
    batches_s: list[float]
    took_s: float
    bytes: dict[str, int]


@dataclass
class Days:
    """A run of days, and the sizes before the first."""

    before: dict[str, int]
    days: list[Day] = field(default_factory=list)

    @property
    def rows_s(self) -> float:
        """Rows deleted a second, in all."""
        return sum(sum(day.pruned.values()) for day in self.days) / sum(day.took_s for day in self.days)

    def grown(self, table: str) -> float:
        """Return how many times as large a table and its indexes are after the last day."""
        return self.days[-1].bytes[table] / self.before[table]


def live_days(deps: Deps, connection: psycopg.Connection, number: int, *, told: Callable[[str], None]) -> Days:
    """Prune and refill day after day."""
    found = Days(sizes(connection))
    for day in range(number):
        kept = replace(deps, given=deps.settings.model_copy(update={"retention_days": DAYS - 1 - day}))
        pruned, batches_s = _prune(kept)
        _vacuum_where_due(connection)
        _refill(connection, pruned, day)
        found.days.append(Day(pruned, batches_s, sum(batches_s), sizes(connection)))
        told(f"day {day + 1} of {number}: {sum(pruned.values()):,} rows in {sum(batches_s):.0f} s of pruning")
    return found


def _prune(deps: Deps) -> tuple[dict[str, int], list[float]]:
    """Do what the task does, batch by batch, with a watch; return rows by table, and how long each batch took."""
    pruned, batches_s = dict.fromkeys(_PRUNED, 0), []
    left = dict(_PRUNED)
    while left:
        for table, prune_some in list(left.items()):
            since_s = time.perf_counter()
            number = sweep.prune_batch(deps, prune_some)
            batches_s.append(time.perf_counter() - since_s)
            pruned[table] += number
            if number < deps.settings.prune_batch:
                del left[table]
    return pruned, batches_s


def _refill(connection: psycopg.Connection, pruned: dict[str, int], day: int) -> None:
    """Write as many rows as went, as copies of the newest of their kind, and the attempts of the jobs."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    for table, number in pruned.items():
        which, changes = _COPIES[table]
        columns = [name for name in _columns(connection, table) if changes.get(name, "") is not None]
        values = ", ".join(changes.get(name) or name for name in columns)
        values = values.replace("{day}", str(day))  # powers of two: no sum of copies' numbers comes twice
        order = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} {which} LIMIT {number}"
        connection.execute(sql.SQL(order))
    connection.execute(f"{ATTEMPTS} AND created_at >= %s", row)


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND table_schema = 'public'"
    return [row[0] for row in connection.execute(query, [table])]


def sizes(connection: psycopg.Connection) -> dict[str, int]:
    """Return the bytes of each table with its indexes."""
    query = "SELECT t, pg_total_relation_size(t::regclass) FROM unnest(%s::text[]) AS t"
    return dict(connection.execute(query, [list(TABLES)]).fetchall())


def _vacuum_where_due(connection: psycopg.Connection) -> None:
    connection.execute("SELECT pg_stat_force_next_flush()")
    for (table,) in connection.execute(_WHERE_DUE, [list(TABLES)]).fetchall():
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
