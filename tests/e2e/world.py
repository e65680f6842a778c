"""A whole fleet in real processes: embedded servers, the gallery, Celery workers, beat. Tests hold the switches."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import redis
import sqlalchemy as sa

from fleet.adapters.base import Account
from fleet.adapters.social import PROVISION
from fleet.chaos.judge import evidence
from fleet.chaos.judge.evidence import Evidence
from fleet.chaos.surfaces.gallery import witnessed
from fleet.chaos.world.writes import SurfaceEvidence
from fleet.core import ids
from fleet.engine import deps as runtime_deps
from fleet.engine import publish, registry
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.agents import commands as agent_commands
from tests.e2e.forked import Forked
from tests.factories import act

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "fst_for_tests_only"


def wait_until(what: str, true: Callable[[], Any], timeout_s: float = 180.0) -> Any:
    """Return what `true` returns as soon as it is truthy; fail with `what` after the time."""
    deadline = time.monotonic() + timeout_s
    while not (value := true()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.05)
    return value


class World:
    """Everything of one test. Processes run in sessions of their own and are killed at its end."""

    def __init__(self, folder: Path, database_url: str, gallery_database_url: str, broker_url: str) -> None:
        self.folder = folder
        self.database_url, self.gallery_database_url, self.broker_url = database_url, gallery_database_url, broker_url
        self.processes: dict[str, Forked] = {}
        self.gallery_url = ""
        self._deps: Deps | None = None

    def environment(self, **more: str) -> dict[str, str]:
        """Return the settings of every process: short leases, so that tests need not wait."""
        return {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "FLEET_DATABASE_URL": self.database_url,
            "FLEET_BROKER_URL": self.broker_url,
            "FLEET_GALLERY_URL": self.gallery_url,
            "FLEET_SERVICE_TOKEN": TOKEN,
            "FLEET_LEASE_S": "10",
            "FLEET_SETTLE_S": "1",
            "FLEET_REPUBLISH_S": "2",
            "FLEET_CAPS": '{"post": {"gap_s": 0}, "comment": {"gap_s": 0}}',
            "FLEET_SURFACE_WRITES_PER_MINUTE": "100000",
            "FLEET_HTTP_TIMEOUT_S": "10",
            "FLEET_POOL_SIZE": "8",
            "FLEET_LOG_JSON": "true",
            **more,
        }

    @property
    def deps(self) -> Deps:
        """The loop's dependencies, in this process."""
        if self._deps is None:
            names = {name.removeprefix("FLEET_").lower(): value for name, value in self.environment().items()
                     if name.startswith("FLEET_") and not name.startswith("FLEET_TEST_")}  # fmt: skip
            self._deps = runtime_deps.build(registry.load_settings(**names))
        return self._deps

    def start(self, name: str, *argv: str, **environment: str) -> Forked:
        """Run a module with arguments as a process; its output goes to a file of its name."""
        assert name not in self.processes or self.processes[name].poll() is not None, f"{name} runs already"
        process = Forked(argv, self.environment(**environment), ROOT, self.folder / f"{name}.log")
        self.processes[name] = process
        return process

    def start_gallery(self, **environment: str) -> None:
        """Start the gallery on a free port and wait for it."""
        process = self.start(
            "gallery", "fleet.sandbox.gallery",
            FLEET_GALLERY_DATABASE_URL=self.gallery_database_url, FLEET_GALLERY_PORT="0",
            FLEET_GALLERY_IMAGES_DIR=str(self.folder / "images"), **environment,
        )  # fmt: skip

        def address() -> str | None:
            assert process.poll() is None, self.log("gallery")
            lines = [line for line in self.log("gallery").splitlines() if "gallery listening on" in line]
            return lines[0].rpartition(" ")[2] if lines else None

        self.gallery_url = wait_until("the gallery listens", address)

    def start_worker(self, name: str = "worker", *, concurrency: int = 8, pool: str = "threads",
                     launcher: tuple[str, ...] = ("celery",), **environment: str) -> None:  # fmt: skip
        """Start a Celery worker and wait until it takes messages. `launcher` is a module that becomes Celery."""
        self.start(
            name, *launcher, "-A", "workers.app", "worker", "--pool", pool, "--concurrency", str(concurrency),
            "--hostname", f"{name}@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle", **environment,
        )  # fmt: skip
        wait_until(f"{name} is ready", lambda: self._ready(name))

    def _ready(self, name: str) -> bool:
        assert self.processes[name].poll() is None, self.log(name)
        return "ready." in self.log(name)

    def start_beat(self, name: str = "beat") -> None:
        """Start beat."""
        self.start(name, "celery", "-A", "workers.app", "beat", "--loglevel", "INFO")

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process and all that it forked; wait for its end after SIGKILL."""
        process = self.processes[name]
        if process.poll() is None:  # one that was struck down at a failpoint is gone already
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
        if how == signal.SIGKILL:
            process.wait(timeout=60)
            del self.processes[name]

    def log(self, name: str) -> str:
        """Return what a process has said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """Kill everything."""
        for name in list(self.processes):
            if self.processes[name].poll() is None:
                self.kill(name)
        if self._deps is not None:
            self._deps.close()

    # What tests do

    def gallery(self, method: str, path: str, **request: Any) -> Any:
        """Call the gallery's API and return its answer."""
        headers = {"Authorization": f"Bearer {TOKEN}", **request.pop("headers", {})}
        response = httpx.request(method, self.gallery_url + path, headers=headers, timeout=60, **request)
        response.raise_for_status()
        return response.json() if response.content else None

    def faults(self, **rates: Any) -> None:
        """Switch faults on at the gallery, latency for every request; none for none."""
        rules = [{"latency_rate": 1.0 if rates.get("latency_ms") else 0.0, **rates}] if rates else []
        self.gallery("PUT", "/api/sandbox/faults", json=rules)

    def agents(self, count: int, *, accounts: bool = True) -> list[uuid.UUID]:
        """Create agents, idle; with accounts on the gallery unless told otherwise."""
        agent_commands.seed(self.deps, count=count, by="tests")
        rows = self.rows("SELECT id, username, name FROM agents ORDER BY created_at")
        if accounts:
            door = self.deps.gateway().adapter
            for row in rows:
                account = Account(str(row.id), row.username, row.name, None)
                receipt = door.write(act(PROVISION, account), timeout_s=5)
                self.sql("UPDATE agents SET remote_account = :r WHERE id = :id", r=receipt.remote_id, id=row.id)
        return [row.id for row in rows]

    def post_as_guest(self, username: str = "visitor") -> str:
        """Have somebody who is no agent of this fleet post a picture; return the post's id."""
        self.gallery("POST", "/api/admin/users/invite", json={
            "agentId": str(uuid.uuid4()), "name": username.title(), "username": username, "isAgent": True,
            "agentPersonaId": "ai_artist"})  # fmt: skip
        body = self.gallery(
            "POST", "/api/showcase", headers={"X-Agent-Id": username},
            json={"imageUrl": "https://example.org/1.png", "title": "A harbour", "description": "A harbour at dawn"},
        )  # fmt: skip
        return str(body["showcaseItem"]["id"])

    def add_jobs(self, agents: list[uuid.UUID], kind: str, *, target: str | None = None, tick_no: int = 1) -> None:
        """Add one job for each agent, without ringing: the sweep finds them."""
        payload = {"author": "visitor", "author_name": "Visitor", "caption": "A harbour at dawn", "comments": 1000}
        jobs = [
            NewJob(
                ids.job(agent, tick_no, sorted(registry.current().jobs).index(kind)),
                agent,
                kind,
                "floimg",
                tick_no,
                target,
                payload,
            )
            for agent in agents
        ]
        with self.deps.db.transaction() as tx:
            rings = ledger.add(tx, jobs)
            tx.afterwards(lambda: publish.ring_jobs(self.deps.publisher, rings))

    def rows(self, statement: str, *, gallery: bool = False, **parameters: Any) -> list[Any]:
        """Run a query on the ledger, or on the gallery's own tables."""
        if not gallery:
            with self.deps.db.transaction() as tx:
                return list(tx.execute(sa.text(statement), parameters))
        engine = sa.create_engine(self.gallery_database_url)
        try:
            with engine.connect() as connection:
                return list(connection.execute(sa.text(statement), parameters))
        finally:
            engine.dispose()

    def evidence(self) -> Evidence:
        """Return what ledger and gallery say."""
        return evidence.read(self.database_url, lambda _: SurfaceEvidence(witnessed(self.gallery_database_url)))

    def sql(self, statement: str, **parameters: Any) -> None:
        """Run a statement on the ledger."""
        with self.deps.db.transaction() as tx:
            tx.execute(sa.text(statement), parameters)

    def count(self, state: str) -> int:
        """Return how many jobs are in a state."""
        return int(self.rows("SELECT count(*) FROM jobs WHERE state = :s", s=state)[0][0])

    def all_ended(self) -> bool:
        """Say whether every job has ended."""
        live = "SELECT count(*) FROM jobs WHERE state NOT IN ('done', 'dead', 'skipped', 'cancelled')"
        return int(self.rows(live)[0][0]) == 0

    def wait_all_ended(self, timeout_s: float = 240.0) -> None:
        """Wait until every job has ended; say which has not."""
        try:
            wait_until("every job has ended", self.all_ended, timeout_s)
        except AssertionError:
            columns = "id, kind, state, attempts, claims, publishes, held, error, lease_until, next_attempt_at"
            live = self.rows(f"SELECT {columns} FROM jobs WHERE state NOT IN ('done', 'dead', 'skipped', 'cancelled')")
            raise AssertionError(f"left: {live[:5]}\n{self.log('worker')[-3000:]}") from None

    def flush_broker(self) -> None:
        """Wipe the broker."""
        with redis.Redis.from_url(self.broker_url) as client:
            client.flushall()


@contextmanager
def make_world(folder: Path, database_url: str, gallery_database_url: str, broker_url: str) -> Iterator[World]:
    """Give a world and take it down afterwards, whatever happened."""
    world = World(folder, database_url, gallery_database_url, broker_url)
    try:
        yield world
    finally:
        world.stop()
