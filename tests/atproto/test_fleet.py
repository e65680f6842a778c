"""Jobs of agents on the network, killed at every line: the repositories hold what the ledger says, each thing once."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fleet.adapters.atproto import keys
from fleet.core import failpoints, ids
from fleet.core.failpoints import Point
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.sweep import sweep
from fleet.features.adapters import commands as adapter_commands
from fleet.features.publishing.kinds import COMMENT, LIKE, POST, PROVISION
from tests.atproto.conftest import MakePerson, Person
from tests.atproto.lossy import LossyProxy
from tests.atproto.network import Network
from tests.factories import Fleet, make_fleet

pytestmark = pytest.mark.network
_LINES = [Point.JOB_CLAIMED, Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED, Point.JOB_PREPARED, Point.JOB_ANNOUNCED,
          Point.JOB_CLEARED, Point.JOB_SENT, Point.JOB_RECORDING, Point.JOB_FINISHED]  # fmt: skip
_COLLECTIONS = {POST: keys.POST, COMMENT: keys.POST, LIKE: keys.LIKE}


class Killed(BaseException):
    """The process is gone."""


class Crew:
    """A fleet with one agent at an account of the network."""

    def __init__(self, database_url: str, who: Person) -> None:
        self.who = who
        self.fleet: Fleet = make_fleet(database_url, systems={"net": who.surface})
        self.account = self.fleet.account("net", adapter="atproto")
        self.agent = self.fleet.agent(account=False, account_id=self.account)
        adapter_commands.allow(self.fleet.deps, "net", LIKE, "they tagged it", by="tests")
        assert self.run(self.add(PROVISION)) == "done"

    def add(self, kind: str, target: str | None = None) -> uuid.UUID:
        job = NewJob(ids.new(), self.agent, kind, "atproto", target=target, account_id=self.account)
        with self.fleet.deps.db.transaction() as tx:
            ledger.add(tx, [job])
        return job.id

    def run(self, job_id: uuid.UUID, *, kill_at: Point | None = None) -> str:
        """Perform until the job has ended; the first process that reaches the point dies there."""
        points = [kill_at] if kill_at is not None else []

        def strike(point: Point) -> None:
            if point in points:
                points.remove(point)
                raise Killed

        failpoints.arm(strike)
        try:
            for _ in range(20):
                if self.fleet.job(job_id).finished_at is not None:
                    break
                try:
                    perform(self.fleet.deps, job_id)
                except Killed:
                    self.fleet.lease_runs_out()
                    sweep(self.fleet.deps)
                self.fleet.time_passes()
        finally:
            failpoints.arm(None)
        return str(self.fleet.job(job_id).state)

    def compare(self, network: Network) -> tuple[list[str], list[str]]:
        """Return what the repository holds twice or beyond the ledger, and what the ledger has and it lacks."""
        told = Counter(str(job.remote_id) for job in self.fleet.jobs(state="done") if job.kind in _COLLECTIONS)
        there = Counter(
            one["uri"] for name in set(_COLLECTIONS.values()) for one in network.records(self.who.did, name)
        )
        return sorted((there - told).elements()), sorted((told - there).elements())


@pytest.fixture
def crew(database_url: str, person: MakePerson, proxy: LossyProxy) -> Iterator[Crew]:
    made = Crew(database_url, person(through=proxy.url))
    yield made
    made.fleet.deps.close()


def test_a_kill_at_every_line_doubles_nothing_and_loses_nothing(
    network: Network, person: MakePerson, crew: Crew
) -> None:
    bea = person("bea")
    targets = []
    for number in range(len(_LINES)):
        record = {"$type": keys.POST, "text": f"Lamp {number}", "createdAt": "2026-11-23T10:00:00Z"}
        body = {"repo": bea.did, "collection": keys.POST, "record": record}
        targets.append(network.call("com.atproto.repo.createRecord", body, token=bea.token)["uri"])
    network.indexed()
    ended = Counter[str]()
    for line, target in zip(_LINES, targets, strict=True):
        for kind in (POST, COMMENT, LIKE):
            ended[crew.run(crew.add(kind, None if kind == POST else target), kill_at=line)] += 1
    assert ended == {"done": 3 * len(_LINES)}
    assert crew.compare(network) == ([], [])
    assert len(network.records(crew.who.did, keys.POST)) == 2 * len(_LINES)


def test_lost_answers_and_many_workers_write_each_thing_once(network: Network, crew: Crew, proxy: LossyProxy) -> None:
    jobs = [crew.add(POST) for _ in range(8)]
    proxy.lost["putRecord"] = 4
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: perform(crew.fleet.deps, job), [job for job in jobs for _ in range(2)]))
    assert {crew.run(job) for job in jobs} == {"done"}
    assert proxy.lost["putRecord"] == 0
    assert crew.compare(network) == ([], [])
    assert len(network.records(crew.who.did, keys.POST)) == 8


def test_the_checker_finds_what_is_doubled_and_what_is_lost(network: Network, crew: Crew) -> None:
    kept, lost = crew.add(POST), crew.add(POST)
    assert {crew.run(kept), crew.run(lost)} == {"done"}
    uri = str(crew.fleet.job(lost).remote_id)
    gone: dict[str, Any] = {"repo": crew.who.did, "collection": keys.POST, "rkey": keys.parse(uri).key}
    network.call("com.atproto.repo.deleteRecord", gone, token=crew.who.token)
    again = {**gone, "rkey": keys.of_job("another", crew.fleet.job(kept).created_at),
             "record": {"$type": keys.POST, "text": "again", "createdAt": "2026-11-23T10:00:00Z"}}  # fmt: skip
    doubled = network.call("com.atproto.repo.putRecord", again, token=crew.who.token)["uri"]
    assert crew.compare(network) == ([doubled], [uri])
