"""The stand on which workers are measured: embedded servers, a fleet of agents on the stub surface, worker processes.

Messages are laid out while the workers are suspended, so that a round measures the work and not who came first; the
clock runs from the moment they go on until the last effect is shown.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis
import sqlalchemy as sa

from bench import plain_fleet
from bench.stub_surface import EFFECTS, NAME, Effects
from fleet.core import clock, db, queue
from fleet.core.settings import CapSetting, mapping_as_json
from fleet.engine import deps as runtime_deps
from fleet.engine import publish, registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger as service
from fleet.engine.jobs import ticks
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.ticks import TickKey
from fleet.features.publishing.kinds import LIKE
from fleet.sandbox.servers.postgres import EmbeddedPostgres
from fleet.sandbox.servers.valkey import EmbeddedValkey

ROOT = Path(__file__).resolve().parents[1]
FLEET_WORKER = "bench.stub_worker"
PLAIN_WORKER = "bench.plain_fleet"
_NO_CAPS = {
    "caps": mapping_as_json(dict.fromkeys(("post", "comment", "like"), CapSetting(gap_s=0, per_day=1_000_000))),
    "ai_comment_lead": "1000000", "surface_writes_per_minute": "0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pool:
    """How the workers of a round look. A prefork pool is one worker with that many children."""

    kind: str
    processes: int
    concurrency: int

    def __str__(self) -> str:
        return f"{self.kind} {self.processes}x{self.concurrency}"


# How long after the last effect its record may take to be written.
_LAST_RECORDS_S = 0.5
THREADS = Pool("threads", 2, 16)
PREFORK = Pool("prefork", 1, 2)


@dataclass(frozen=True, slots=True)
class Meter:
    """What has been used up so far. Differences of two are what a round cost."""

    worker_cpu_s: float
    postgres_cpu_s: float
    valkey_cpu_s: float

    def since(self, before: Meter) -> Meter:
        return Meter(
            self.worker_cpu_s - before.worker_cpu_s, self.postgres_cpu_s - before.postgres_cpu_s,
            self.valkey_cpu_s - before.valkey_cpu_s,
        )  # fmt: skip

    @property
    def all_s(self) -> float:
        return self.worker_cpu_s + self.postgres_cpu_s + self.valkey_cpu_s


@dataclass(frozen=True, slots=True)
class Ledger:
    """The database's own counters."""

    wal_bytes: int
    transactions: int
    inserted: int
    updated: int
    updated_in_place: int

    def since(self, before: Ledger) -> Ledger:
        return Ledger(*(getattr(self, name) - getattr(before, name) for name in self.__slots__))


class Stand:
    """Servers and workers of one run of a benchmark."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
        self.folder, self.postgres, self.valkey = folder, postgres, valkey
        self.effects = Effects(folder / "effects")
        self.effects.path.touch()
        self.workers: dict[str, psutil.Popen] = {}
        self.database_url = postgres.ensure_database("fleet")
        db.migrate(self.database_url)
        self.settings = {"database_url": self.database_url, "broker_url": valkey.url(), **_NO_CAPS}
        self.deps: Deps = runtime_deps.build(registry.load_settings(_env_file=None, **self.settings))
        self.plain = queue.Publisher(plain_fleet.app)
        plain_fleet.app.conf.update(broker_url=valkey.url())
        self.engine = sa.create_engine(self.database_url)
        plain_fleet.Base.metadata.create_all(self.engine)

    def environment(self, **more: str) -> dict[str, str]:
        ours = {f"FLEET_{name.upper()}": value for name, value in self.settings.items()}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("FLEET_")},
            "PYTHONPATH": str(ROOT), "FLEET_LOG_LEVEL": "WARNING", "FLEET_LOG_JSON": "true",
            EFFECTS: str(self.effects.path), **ours, **more,
        }  # fmt: skip

    # Agents and messages

    def fleet_of(self, count: int, *, supervised: bool = False, **weights: float) -> list[uuid.UUID]:
        """Make agents on the stub surface, with those weights and an account."""
        made, autonomy = [uuid.uuid4() for _ in range(count)], "supervised" if supervised else "autonomous"
        actions = dict.fromkeys(registry.current().weights("gallery", {}), 0.0)
        rows = [
            {"id": one, "name": f"Agent {one.hex[:6]}", "username": f"a_{one.hex[:20]}", "status": AgentStatus.RUNNING,
             "persona_id": "ai_artist", "personality": "Looks twice.", "interests": ["harbour", "light"],
             "autonomy": autonomy, "min_interval_s": 60, "max_interval_s": 300, "surface": NAME,
             "remote_account": f"u-{one.hex[:8]}",
             "weights": {**actions, **weights}}
            for one in made
        ]  # fmt: skip
        with self.deps.db.transaction() as tx:
            tx.execute(sa.insert(AgentRow), rows)
        return made

    def plain_agents_of(self, count: int) -> list[uuid.UUID]:
        """Make agents of the plain implementation."""
        made = [uuid.uuid4() for _ in range(count)]
        rows = [{"id": one, "name": "Agent", "username": f"a_{one.hex[:20]}"} for one in made]
        with self.engine.begin() as connection:
            connection.execute(sa.insert(plain_fleet.PlainAgent), rows)
        return made

    def ring_ticks(self, agents: Sequence[uuid.UUID], tick_no: int) -> int:
        """Open a tick for each agent and publish it, as dispatch does."""
        now = clock.now()
        with self.deps.db.transaction() as tx:
            opened = ticks.open_ticks(tx, [(TickKey(agent, tick_no), now) for agent in agents])
        publish.ring_ticks(self.deps.publisher, opened)
        return len(opened)

    def ring_jobs(self, agents: Sequence[uuid.UUID]) -> int:
        """Add one like for each agent, of a post of its own, and publish it."""
        jobs = [NewJob(uuid.uuid4(), agent, LIKE, NAME, target=agent.hex) for agent in agents]
        with self.deps.db.transaction() as tx:
            rings = service.add(tx, jobs)
        publish.ring_jobs(self.deps.publisher, rings)
        return len(rings)

    def ring_plain(self, agents: Sequence[uuid.UUID]) -> int:
        self.plain.publish([queue.Message("plain.tick", (str(agent),), "plain") for agent in agents])
        return len(agents)

    def ring_nothing(self, count: int, *, plain: bool) -> int:
        """Publish tasks that do nothing."""
        message = queue.Message("plain.nothing", (), "plain") if plain else queue.Message("bench.nothing", (), "normal")
        (self.plain if plain else self.deps.publisher).publish([message] * count)
        return count

    # Workers

    @contextmanager
    def running(self, module: str, pool: Pool, **environment: str) -> Iterator[None]:
        """Run workers inside the block."""
        try:
            for number in range(pool.processes):
                self.start_worker(f"w{number}", module, pool, **environment)
            for name in self.workers:
                self.wait_ready(name)
            yield
        finally:
            self.stop_workers()

    def start_worker(self, name: str, module: str, pool: Pool, **environment: str) -> None:
        """Start a worker process; `wait_ready` waits for it."""
        queues = ["--queues", ",".join(queue.QUEUES)] if module == FLEET_WORKER else []
        argv = [
            sys.executable, "-m", module, "--pool", pool.kind, "--concurrency", str(pool.concurrency), *queues,
            "--hostname", f"{name}@%h", "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        with (self.folder / f"{name}.log").open("wb") as log:
            self.workers[name] = psutil.Popen(
                argv, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env=self.environment(**environment),
            )  # fmt: skip

    def wait_ready(self, name: str, timeout_s: float = 60.0) -> None:
        """Wait until a worker answers. Raises with its log when it ends instead."""
        control = (self.deps.publisher._app if self.is_fleet(name) else plain_fleet.app).control
        deadline = time.monotonic() + timeout_s
        while not control.ping(destination=[f"{name}@{os.uname().nodename}"], timeout=0.5, limit=1):
            if self.workers[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start: {(self.folder / f'{name}.log').read_text()[-2000:]}")

    def is_fleet(self, name: str) -> bool:
        return FLEET_WORKER in self.workers[name].cmdline()

    def stop_workers(self) -> None:
        """Let every worker end as at a deploy, so that the database has all its counters."""
        for worker in self.workers.values():
            self.send(worker, signal.SIGCONT)
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers.values():
            try:
                worker.wait(20)
            except psutil.TimeoutExpired:
                self.send(worker, signal.SIGKILL)
                worker.wait(10)
        self.workers.clear()

    def kill(self, name: str) -> None:
        """Kill a worker and its children at once."""
        self.send(self.workers[name], signal.SIGKILL)
        self.workers.pop(name).wait(10)

    @staticmethod
    def send(worker: psutil.Popen, which: signal.Signals) -> None:
        try:
            os.killpg(worker.pid, which)
        except ProcessLookupError:
            return

    def hold(self, on: bool) -> None:
        """Suspend all workers, or let them go on."""
        which = signal.SIGSTOP if on else signal.SIGCONT
        for worker in self.workers.values():
            self.send(worker, which)

    # Measuring

    def round(self, ring: Callable[[], int], *, timeout_s: float = 120.0) -> tuple[float, int, Meter]:
        """Lay out messages, let the workers go, wait for as many effects; return seconds, effects and the cost."""
        self.effects.clear()
        self.hold(True)
        expected = ring()
        before = self.meter()
        self.hold(False)
        since = time.perf_counter()
        self.wait_for_effects(expected, timeout_s=timeout_s)
        seconds = time.perf_counter() - since
        time.sleep(_LAST_RECORDS_S)
        return seconds, expected, self.meter().since(before)

    def wait_for_effects(self, expected: int, *, timeout_s: float = 120.0) -> None:
        """Wait until that many effects are shown. Raises with the workers' logs if they do not come."""
        deadline = time.perf_counter() + timeout_s
        while (shown := self.effects.count()) < expected:
            if time.perf_counter() > deadline:
                raise RuntimeError(f"only {shown} of {expected} effects came: {self.logs()}")
            time.sleep(0.01)

    def logs(self) -> str:
        """Return the ends of the workers' logs."""
        return "\n".join((self.folder / f"{name}.log").read_text()[-1500:] for name in self.workers)

    def meter(self) -> Meter:
        return Meter(
            sum(_cpu_s(worker.pid) for worker in self.workers.values()),
            _cpu_s(self.postgres.child.pid), _cpu_s(self.valkey.child.pid),
        )  # fmt: skip

    def in_flight(self) -> tuple[int, int]:
        """Return how many outside calls the ledger knows to be under way, and how many connections workers hold."""
        with self.engine.connect() as connection:
            row = connection.execute(sa.text(
                "SELECT (SELECT count(*) FROM jobs WHERE state = 'sending'),"
                " (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fleet')"
            )).one()  # fmt: skip
        ours: Any = self.deps.db.engine.pool
        return int(row[0]), int(row[1]) - ours.checkedin() - ours.checkedout()

    def ledger(self) -> Ledger:
        """Read the database's counters. A session reports its share when it ends, so this process's are ended."""
        self.deps.db.close()
        self.engine.dispose()
        time.sleep(_LAST_RECORDS_S)
        with self.postgres.connect("fleet") as connection:
            (wal,) = connection.execute("SELECT (pg_current_wal_lsn() - '0/0')::bigint").fetchone() or (0,)
            row = connection.execute(
                "SELECT xact_commit, tup_inserted, tup_updated, (SELECT sum(n_tup_hot_upd) FROM pg_stat_user_tables)"
                " FROM pg_stat_database WHERE datname = 'fleet'"
            ).fetchone() or (0, 0, 0, 0)
        return Ledger(int(wal), *(int(value or 0) for value in row))

    def settle(self) -> None:
        """Bring the servers to rest between setups: no messages, no old rows to step over."""
        with redis.Redis.from_url(self.valkey.url()) as client:
            client.flushdb()
        with psycopg.connect(self._libpq(), autocommit=True) as connection:
            connection.execute("TRUNCATE agents, events, plain_activity, plain_agents CASCADE")
            connection.execute("CHECKPOINT")

    def _libpq(self) -> str:
        return self.database_url.replace("postgresql+psycopg", "postgresql")

    def close(self) -> None:
        self.stop_workers()
        self.deps.close()
        self.engine.dispose()


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process and all below it, dead children included."""
    process = psutil.Process(pid)
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += sum(one.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


@contextmanager
def stand() -> Iterator[Stand]:
    """Start the servers, durable as in production, and stop everything afterwards."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as name:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "postgres" / "data")
        valkey = EmbeddedValkey(folder / "valkey" / "data")
        postgres.start()
        try:
            valkey.start()
            try:
                made = Stand(folder, postgres, valkey)
                try:
                    yield made
                finally:
                    made.close()
            finally:
                valkey.stop()
        finally:
            postgres.stop()
