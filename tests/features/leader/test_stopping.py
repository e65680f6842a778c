"""The emergency stop: no write of what it covers begins after its COMMIT, whatever workers are doing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.access import organisations
from fleet.adapters import registry
from fleet.adapters.base import AnyAction, Receipt
from fleet.core import ids
from fleet.core.db import visibility
from fleet.core.failpoints import Point
from fleet.engine import publish
from fleet.engine.attempts import perform as performing
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.ledger import NewJob
from fleet.features.controls import commands as controls
from fleet.features.leader import stopping
from fleet.features.leader.stopping import StopScope
from tests.factories import Fleet, Surface, make_fleet
from tests.features.platforms.test_agent import PLATFORM


class Watched(Surface):
    """A network that notes when each write begins."""

    name = "mastodon"

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.is_stopped = False
        self.late: list[str] = []
        self.enough = threading.Event()

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        (self.late if self.is_stopped else self.begun).append(action.key)
        if len(self.begun) >= 12:
            self.enough.set()
        return super().write(action, timeout_s=timeout_s)


@pytest.fixture
def network() -> Watched:
    return Watched()


@pytest.fixture
def fleet(database_url: str, network: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    known, names = registry.get, registry.names
    monkeypatch.setattr(registry, "get", lambda name: PLATFORM if name == "mastodon" else known(name))
    monkeypatch.setattr(registry, "names", lambda: list(dict.fromkeys([*names(), "mastodon"])))
    made = make_fleet(database_url, systems={"masto": network}, caps={"like": {"gap_s": 0, "per_day": 10_000}})
    made.account("masto", adapter="mastodon")
    yield made
    made.deps.close()


def member(fleet: Fleet, **changes: Any) -> uuid.UUID:
    values = {"weights": {"browse": 1.0}, "persona_id": "ai_artist", "account_id": fleet.accounts["masto"], **changes}
    return fleet.agent(kind="mastodon", surface="mastodon", **values)


def likes(fleet: Fleet, agent_id: uuid.UUID, number: int) -> list[uuid.UUID]:
    jobs = [
        NewJob(ids.new(), agent_id, "like", "mastodon", target=f"{agent_id}-{one}",
               account_id=fleet.accounts["masto"])
        for one in range(number)
    ]  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        publish.add_jobs(tx, fleet.deps.publisher, jobs)
    return [one.id for one in jobs]


SCOPES = {
    StopScope.FLEET: "", StopScope.ORGANISATION: "default", StopScope.NETWORK: "mastodon", StopScope.ACCOUNT: "masto",
    StopScope.AGENT: "ann_1",
}  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES)
def test_a_stop_forbids_a_write_that_has_passed_every_check_but_the_last(
    fleet: Fleet, network: Watched, monkeypatch: pytest.MonkeyPatch, scope: StopScope
) -> None:
    agent = member(fleet, username="ann_1")
    (job,) = likes(fleet, agent, 1)
    reach = performing.reach

    def stop_there(point: Point) -> None:
        if point is Point.JOB_ANNOUNCED:  # committed to the write, which has not begun
            done = stopping.stop(fleet.deps, scope, SCOPES[scope], by="ann", reason="a wrong link")
            assert (done.changed, done.agents, done.in_flight) == (True, 1, 1)
        reach(point)

    monkeypatch.setattr(performing, "reach", stop_there)
    perform(fleet.deps, job)
    assert network.begun == []
    row = fleet.job(job)
    assert row.state == "ready" and "a wrong link" in (row.held or "")
    assert row.sending_at is None  # it counts for no cap
    (message,) = fleet.jobs(kind="emergency_stop")
    assert message.priority == "critical"
    perform(fleet.deps, message.id)
    assert "I write nothing" in str(fleet.job(message.id).result)


def test_no_write_begins_after_a_stop_amid_running_workers_but_those_in_flight(fleet: Fleet, network: Watched) -> None:
    agents = [member(fleet) for _ in range(4)]
    waiting = [job for one in zip(*(likes(fleet, agent, 15) for agent in agents), strict=True) for job in one]
    lock, threads = threading.Lock(), []

    def run() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                job = waiting.pop(0)
            perform(fleet.deps, job)

    for _ in range(4):
        threads.append(threading.Thread(target=run))
        threads[-1].start()
    assert network.enough.wait(60)
    done = stopping.stop(fleet.deps, StopScope.NETWORK, "mastodon", by="ann", reason="now")
    network.is_stopped = True  # after the COMMIT: what begins from here on was in flight, or is a fault
    sending = {str(row.id) for row in fleet.jobs() if row.sending_at is not None}
    for thread in threads:
        thread.join(60)
    assert set(network.late) <= sending and len(network.late) <= 4
    states = [row.state for row in fleet.jobs(kind="like")]
    assert states.count("done") == len(network.begun) + len(network.late) < 60
    assert states.count("ready") == 60 - states.count("done")  # the rest waits, nothing is lost
    assert done.resume == ("fleet resume surface mastodon",)
    controls.resume(fleet.deps, "surface", "mastodon", by="ann")
    for row in fleet.jobs(state="ready", kind="like"):
        perform(fleet.deps, row.id)
    assert len({*network.begun, *network.late}) == len([*network.begun, *network.late]) == 60


def test_a_stop_leaves_others_alone_and_members_stop_their_own_agents(fleet: Fleet, network: Watched) -> None:
    with fleet.deps.db.transaction() as tx:
        other = organisations.create(tx, "Other").id
    fleet.sql("UPDATE accounts SET organisation_id = NULL WHERE name = 'masto'")
    ann, eve = member(fleet), member(fleet, organisation_id=other)
    with visibility.restricted(frozenset({other})):
        done = stopping.stop(fleet.deps, StopScope.NETWORK, "mastodon", by="eve", reason="ours")
    assert done.agents == 1
    for job in [*likes(fleet, ann, 1), *likes(fleet, eve, 1)]:
        perform(fleet.deps, job)
    assert {row.agent_id: row.state for row in fleet.jobs(kind="like")} == {ann: "done", eve: "ready"}
