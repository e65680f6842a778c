"""Fleets to measure on: embedded Postgres and Valkey in a temporary folder, and any number of agents by one INSERT.

For benchmarks of dispatch. The servers run with the settings that `fleet up` gives them (durable: every commit and
the append-only file reach the disk). A fleet has a database of its own, so that several sizes stand side by side.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redis
import sqlalchemy as sa

from fleet.core import db, logs
from fleet.core.db import link
from fleet.core.settings import Settings
from fleet.engine import deps as runtime_deps
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.personas.service import personas_of
from fleet.sandbox.servers.postgres import EmbeddedPostgres
from fleet.sandbox.servers.valkey import EmbeddedValkey

MIN_INTERVAL_S, MAX_INTERVAL_S = 1_800, 14_400

_POPULATE = """
INSERT INTO agents (id, name, username, status, persona_id, personality, vibe, interests, weights, min_interval_s,
                    max_interval_s, remote_account, next_tick_at, tick_no)
SELECT gen_random_uuid(), 'Agent ' || n, 'agent_' || n, 'running',
       (CAST(:personas AS text[]))[1 + n % array_length(CAST(:personas AS text[]), 1)],
       'Follows mistakes on purpose and keeps the seeds that went wrong.', 'experimental',
       ARRAY['latent space walks', 'failed seeds'],
       jsonb_build_object('post', 0.9, 'comment', 0.7, 'like', 0.9, 'browse', 0.5), :min_s, :max_s, 'u-' || n,
       clock_timestamp() + CASE WHEN random() < :late THEN -1 ELSE 1 END
           * (interval '5 min' + random() * interval '2 h'), 1
FROM generate_series(1, :agents) AS n
"""
_LATE_AGAIN = "UPDATE agents SET next_tick_at = clock_timestamp() - interval '5 min' - random() * interval '2 h'"
# Those too whose time comes while one measures: of a million agents, dozens wake every second.
_ON_TIME = """
UPDATE agents SET next_tick_at = next_tick_at + interval '6 h'
WHERE next_tick_at < clock_timestamp() + interval '15 min'
"""
_CONSUME = "UPDATE ticks SET state = 'decided', decided_at = clock_timestamp() WHERE state = 'due'"


@dataclass
class BenchFleet:
    """A fleet of one size, with the loop's connections to it."""

    agents: int
    deps: Deps
    broker_url: str
    messages: redis.Redis = field(repr=False)

    def sql(self, statement: str, **parameters: object) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        """Run SQL of the benchmark's own, commit, and return the rows if there are any."""
        with self.deps.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            link.wait_without_end(connection)  # a million rows take longer to write than any of the loop's may
            done = connection.execute(sa.text(statement), parameters)
            rows = done.all() if done.returns_rows else []
            connection.execute(sa.text("RESET statement_timeout"))
            return rows

    def backends(self) -> list[int]:
        """Return the process ids of the server's ends of the connections that the pool has."""
        query = """SELECT pid FROM pg_stat_activity
                   WHERE datname = current_database() AND backend_type = 'client backend'"""
        return [int(row[0]) for row in self.sql(query)]

    def due(self) -> int:
        """Return how many agents wait for their tick."""
        return int(self.sql("SELECT count(*) FROM agents WHERE next_tick_at <= clock_timestamp()")[0][0])

    def consume(self, *, late: int) -> None:
        """Do the workers' part (ticks decided, messages taken), and see that `late` agents are due."""
        self.sql(_CONSUME)
        self.messages.flushdb()
        if self.due() < late:
            self.sql(_LATE_AGAIN)

    def all_on_time(self) -> None:
        """Let nobody be due for a quarter of an hour."""
        self.sql(_CONSUME)
        self.sql(_ON_TIME)
        self.sql("VACUUM agents, ticks")


@dataclass(frozen=True)
class Servers:
    """Both servers, and the fleets that live on them."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey

    @contextmanager
    def fleet(self, agents: int, *, late: float) -> Iterator[BenchFleet]:
        """Make a fleet, the given share of which is due; the others wake within two hours."""
        deps = runtime_deps.build(self.settings(agents))
        fleet = BenchFleet(agents, deps, self.valkey.url(), redis.Redis.from_url(self.valkey.url()))
        fleet.sql(
            _POPULATE, personas=list(personas_of(deps).ids), agents=agents, late=late, min_s=MIN_INTERVAL_S,
            max_s=MAX_INTERVAL_S,
        )  # fmt: skip
        fleet.sql("VACUUM ANALYZE agents")
        fleet.sql("CHECKPOINT")
        try:
            yield fleet
        finally:
            fleet.messages.close()
            deps.close()

    def settings(self, agents: int) -> Settings:
        """Return the settings of the fleet of this size, and make its database if need be."""
        url = self.postgres.ensure_database(f"fleet_{agents}")
        db.migrate(url)
        return registry.load_settings(database_url=url, broker_url=self.valkey.url())


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU time that processes have had, with threads that have ended."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(one.user + one.system for one in times)


@contextmanager
def servers() -> Iterator[Servers]:
    """Start both servers in a temporary folder; they and it are gone afterwards."""
    logs.configure("warning")
    folder = Path(tempfile.mkdtemp(prefix="fleet-bench-"))
    postgres, valkey = EmbeddedPostgres(folder / "postgres"), EmbeddedValkey(folder / "valkey")
    try:
        postgres.start()
        valkey.start()
        yield Servers(postgres, valkey)
    finally:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
