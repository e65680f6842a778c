"""A ledger that has grown: millions of events, jobs, attempts and ticks by a few INSERT ... SELECT, in minutes.

For `bench.bench_growth`. Rows stand in the order of their birth over the last forty days, so a quarter of them is past
the default retention. Indexes and keys are taken off, filled in one go and put back as the migrations made them.
Nothing here is random: number n of a kind of row is always the same row, spread evenly by multiples of irrationals.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from fleet.sandbox.servers.postgres import EmbeddedPostgres

DAYS = 40
LIVE_SHARE = 1000
"""One job in so many is not finished."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows of each kind."""

    agents: int
    ticks: int
    jobs: int
    events: int

    def times(self, factor: float) -> Size:
        """Return a ledger of so many times the rows; of agents there are a few hundred at least."""
        rows = (max(1, round(factor * number)) for number in (self.ticks, self.jobs, self.events))
        return Size(max(500, round(factor * self.agents)), *rows)

    def __str__(self) -> str:
        return f"{self.events:,} events, {self.jobs:,} jobs, {self.ticks:,} ticks, {self.agents:,} agents"


FULL = Size(agents=100_000, ticks=3_000_000, jobs=5_000_000, events=10_000_000)
QUICK = Size(agents=5_000, ticks=150_000, jobs=250_000, events=500_000)

# Agent number 0 is the busiest: the square makes few agents do much. Neighbours in n are never the same agent, so
# no agent reacts twice to one post.
_AGENT = "floor({agents} * power(n * 0.6180339887 - floor(n * 0.6180339887), 2))"
_AGENT_ID = f"md5('agent' || {_AGENT})::uuid"
_DICE = "(n * 0.7548776662 - floor(n * 0.7548776662))"
_OTHER_DICE = "(n * 0.5698402910 - floor(n * 0.5698402910))"
_AT = f"(clock.now - interval '{DAYS} days' * (({{count}} - n)::float8 / {{count}}))"
_ROWS = "FROM generate_series(1, {count}) AS n, (SELECT clock_timestamp() AS now) AS clock"
_KIND = f"""CASE WHEN {_DICE} < 0.40 THEN 'like' WHEN {_DICE} < 0.65 THEN 'browse' WHEN {_DICE} < 0.90 THEN 'comment'
            WHEN {_DICE} < 0.999 THEN 'post' ELSE 'provision' END"""
_STATE = f"""CASE WHEN n > {{jobs}} - {{live}} THEN (ARRAY['ready', 'ready', 'ready', 'ready', 'ready', 'ready',
             'ready', 'running', 'sending', 'unknown'])[1 + n % 10]
             WHEN {_OTHER_DICE} < 0.965 THEN 'done' WHEN {_OTHER_DICE} < 0.985 THEN 'skipped'
             WHEN {_OTHER_DICE} < 0.99 THEN 'cancelled' ELSE 'dead' END"""
_REASON = f"""(ARRAY['permanent', 'exhausted', 'poison', 'unknown_outcome', 'expired', 'policy'])
              [1 + floor(6 * power({_DICE}, 3))]"""

_AGENTS = """
INSERT INTO agents (id, name, username, status, persona_id, personality, vibe, interests, weights, min_interval_s,
                    max_interval_s, remote_account, next_tick_at, tick_no, last_action_at, last_thought, totals)
SELECT md5('agent' || n)::uuid, 'Agent ' || n, 'agent_' || n,
       CASE WHEN n % 50 = 0 THEN 'paused' WHEN n % 20 = 0 THEN 'idle' ELSE 'running' END,
       ('{{{personas}}}'::text[])[1 + n % array_length('{{{personas}}}'::text[], 1)],
       'Follows mistakes on purpose and keeps the seeds that went wrong.', 'experimental',
       ARRAY['latent space walks', 'failed seeds'],
       jsonb_build_object('post', 0.9, 'comment', 0.7, 'like', 0.9, 'browse', 0.5), 1800, 14400, 'u-' || n,
       clock_timestamp() + interval '1 h' + interval '2 h' * (n * 0.6180339887 - floor(n * 0.6180339887)),
       {ticks} / {agents} * 3, clock_timestamp() - interval '1 h', 'The light on that pier deserves a second look.',
       jsonb_build_object('post', 5, 'comment', 12, 'like', 20, 'browse', 12)
FROM generate_series(0, {agents} - 1) AS n
"""

_TICKS = f"""
INSERT INTO ticks (agent_id, tick_no, state, due_at, published_at, lease_token, decided_at, inputs, outcome,
                   duration_ms)
SELECT {_AGENT_ID}, n, 'decided', {_AT}, {_AT}, 1, {_AT} + interval '400 ms',
       jsonb_build_object('now', {_AT}, 'username', 'agent_' || {_AGENT}, 'feed',
                          jsonb_build_array(jsonb_build_object('id', 'p' || n / 8, 'caption', 'A quiet harbour'))),
       jsonb_build_object('action', {_KIND}, 'thought', 'Well seen.'), 12
{_ROWS}
"""

_JOBS = f"""
INSERT INTO jobs (id, agent_id, tick_no, kind, priority, target, payload, state, attempts, max_attempts, claims,
                  next_attempt_at, published_at, lease_token, lease_until, checkpoint, sending_at, remote_id, result,
                  dead_reason, error, created_at, expires_at, finished_at, once, rare)
SELECT md5('job' || n)::uuid, agent_id, n, kind,
       CASE kind WHEN 'like' THEN 'low' WHEN 'browse' THEN 'low' WHEN 'provision' THEN 'high' ELSE 'normal' END,
       CASE WHEN kind IN ('like', 'comment', 'browse') THEN 'p' || n / 8 END,
       jsonb_build_object('author_name', 'Guest ' || n % 100, 'comments', n % 7, 'caption', 'A quiet harbour at dawn'),
       state, CASE WHEN state = 'dead' THEN 5 ELSE 0 END, 5, 1, at, at, 1,
       CASE WHEN state IN ('running', 'sending') THEN clock.now + interval '1 h' END,
       CASE WHEN kind IN ('post', 'comment') AND state NOT IN ('ready', 'running') THEN
            jsonb_build_object('words', jsonb_build_object('text', 'Well seen, number ' || n, 'caption', 'Pier ' || n))
            ELSE '{{{{}}}}'::jsonb END,
       CASE WHEN kind <> 'browse' AND state IN ('done', 'sending', 'unknown') THEN at END,
       CASE WHEN kind <> 'browse' AND state = 'done' THEN 'r' || n END,
       CASE WHEN state = 'done' THEN jsonb_build_object('text', 'Well seen, number ' || n) END,
       CASE WHEN state = 'dead' THEN {_REASON} END, CASE WHEN state = 'dead' THEN 'the surface said no' END,
       at, at + interval '24 h',
       CASE WHEN state IN ('done', 'skipped', 'cancelled', 'dead') THEN at + interval '2 s' END,
       kind IN ('like', 'comment'), kind = 'provision'
FROM (SELECT n, {_AGENT_ID} AS agent_id, {_KIND} AS kind, {_STATE} AS state,
             clock_timestamp() - interval '{DAYS} days' * (({{count}} - n)::float8 / {{count}}) AS at
      FROM generate_series(1, {{count}}) AS n) AS made, (SELECT clock_timestamp() AS now) AS clock
"""

ATTEMPTS = """
INSERT INTO job_attempts (job_id, lease_token, worker, started_at, ended_at, outcome)
SELECT id, 1, 'worker-7:4242', created_at, finished_at, CASE WHEN finished_at IS NOT NULL THEN state END
FROM jobs WHERE state NOT IN ('ready', 'cancelled')
"""

# Half of the events tell what an agent thought, half how a job ended. Transaction ids lie below zero: the server has
# not lived through ten million transactions, and readers wait for ids that it has yet to give.
_EVENTS = f"""
INSERT INTO events (txid, occurred_at, subject, agent_id, job_id, payload)
SELECT n - {{count}} - 1, {_AT},
       CASE WHEN n % 2 = 0 THEN 'agent.thought' WHEN n % 20000 = 1 THEN 'agent.paused'
            WHEN {_OTHER_DICE} < 0.965 THEN 'job.done' WHEN {_OTHER_DICE} < 0.98 THEN 'job.skipped'
            WHEN {_OTHER_DICE} < 0.99 THEN 'job.retrying' WHEN {_OTHER_DICE} < 0.999 THEN 'job.dead'
            ELSE 'job.recovered' END,
       {_AGENT_ID}, CASE WHEN n % 2 = 1 THEN md5('job' || (n + 1) / 2)::uuid END,
       CASE WHEN n % 2 = 0 THEN jsonb_build_object('agent', 'Agent ' || n % 1000, 'persona', 'ai_artist', 'tick_no', n,
                                'action', 'comment', 'thought', 'The light on that pier deserves a second look.')
            ELSE jsonb_build_object('agent', 'Agent ' || n % 1000, 'persona', 'ai_artist', 'kind', 'comment',
                                    'target', 'p' || n / 16, 'to', 'Guest 7', 'text', 'Well seen, number ' || n) END
{_ROWS}
"""


def add_agents(connection: psycopg.Connection, number: int, personas: Sequence[str]) -> None:
    """Add agents alone, to a ledger where nothing has happened yet."""
    connection.execute(sql.SQL(_AGENTS.format(agents=number, ticks=0, personas=",".join(personas))))
    connection.execute("ANALYZE agents")


def load(server: EmbeddedPostgres, database: str, size: Size, personas: Sequence[str]) -> None:
    """Fill an empty, migrated database."""
    values = {
        "agents": size.agents, "ticks": size.ticks, "jobs": size.jobs, "live": size.jobs // LIVE_SHARE,
        "personas": ",".join(personas),
    }  # fmt: skip
    counts = {"ticks": size.ticks, "jobs": size.jobs, "events": size.events}
    orders = {
        table: order.format(**values, count=counts.get(table, 0))
        for table, order in {
            "agents": _AGENTS, "ticks": _TICKS, "jobs": _JOBS, "job_attempts": ATTEMPTS, "events": _EVENTS,
        }.items()
    }  # fmt: skip
    with server.connect(database) as connection:
        keys = _take_off(connection)
    at_once = [("events",), ("agents", "jobs", "job_attempts", "ticks")]
    parts = [
        threading.Thread(target=_fill, args=(server, database, {t: orders[t] for t in tables}, keys))
        for tables in at_once
    ]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    with server.connect(database) as connection:
        for order in keys.foreign:
            connection.execute(sql.SQL(order))
        connection.execute("VACUUM (FREEZE, ANALYZE)")
        connection.execute("CHECKPOINT")


_FILLED = ("agents", "ticks", "jobs", "job_attempts", "events")


@dataclass(frozen=True, slots=True)
class _Keys:
    """What was taken off, as the orders that put it back: foreign keys, and by table the indexes."""

    foreign: list[str]
    indexes: dict[str, list[str]]


def _take_off(connection: psycopg.Connection) -> _Keys:
    constraints = connection.execute(
        "SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype IN ('p', 'u', 'f') AND connamespace = 'public'::regnamespace"
        # Other tables point to these, too: their foreign keys hold on to the keys that are to be taken off.
        " AND (conrelid::regclass::text = ANY(%(filled)s) OR confrelid::regclass::text = ANY(%(filled)s))"
        " ORDER BY contype = 'f' DESC",
        {"filled": list(_FILLED)},
    ).fetchall()
    keys = _Keys([], {})
    for table, name, kind, definition in constraints:
        order = f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
        keys.foreign.append(order) if kind == "f" else keys.indexes.setdefault(table, []).append(order)
        connection.execute(sql.SQL(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
    for table, name, order in connection.execute(
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename = ANY(%(filled)s)",
        {"filled": list(_FILLED)},
    ).fetchall():
        keys.indexes.setdefault(table, []).append(order)
        connection.execute(sql.SQL(f"DROP INDEX {name}"))
    return keys


def _fill(server: EmbeddedPostgres, database: str, orders: dict[str, str], keys: _Keys) -> None:
    with server.connect(database) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("SET synchronous_commit = off")
        for table, order in orders.items():
            with connection.transaction():
                # In the transaction that empties a table, rows need no log (wal_level is minimal here).
                connection.execute(sql.SQL(f"TRUNCATE {table}"))
                connection.execute(sql.SQL(order))
            for index in keys.indexes.get(table, []):
                connection.execute(sql.SQL(index))
