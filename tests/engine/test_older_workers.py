"""Workers of the version before work on the new schema: their statements run beside the new code.

`tests/data/statements_0019/` has the SQL that those workers send, as their code compiled it. A trigger (migration 0022)
fills the new columns of their jobs; both versions must agree on which jobs are done once, paced, or still open.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from fleet.core import ids
from fleet.engine import sweep
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger, pacing
from fleet.engine.jobs.ledger import NewJob
from fleet.features.drafts.kinds import SCAN_FEED
from fleet.features.drafts.scanning import queue
from fleet.features.publishing import surroundings
from fleet.features.publishing.kinds import COMMENT, CONNECT, LIKE, POST, REACT
from fleet.features.webhooks.kinds import DELIVER
from tests import TESTS
from tests.factories import Fleet

STATEMENTS = TESTS / "data" / "statements_0019"
Add = Callable[..., uuid.UUID | None]
"""Adds a job of a kind; None if the ledger has refused it."""


class OlderWorker:
    """Sends the statements of the version before."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def run(self, name: str, **values: Any) -> list[Any]:
        """Run one of them, by the name of its file, and return its rows."""
        sql = (STATEMENTS / f"{name}.sql").read_text(encoding="utf-8")
        return self._connection.cursor(row_factory=namedtuple_row).execute(sql.encode(), values).fetchall()

    def call(self, name: str, **values: Any) -> list[Any]:
        """Run one that takes many calls at once with one call."""
        return self.run(name, calls=Jsonb([{"n": 0, **values}]), patience="0")

    def add(self, agent_id: uuid.UUID, kind: str, *, requested_by: str | None = None, target: str | None = None,
            payload: dict[str, Any] | None = None) -> uuid.UUID | None:  # fmt: skip
        job = {
            "id": str(ids.new()), "agent_id": str(agent_id), "tick_no": 1, "kind": kind, "priority": "normal",
            "surface": "floimg", "target": target, "payload": payload or {}, "requested_by": requested_by,
            "max_attempts": 5, "worth_doing_s": 3600.0, "due_in_s": 0.0,
        }  # fmt: skip
        rows = self.run("add", jobs=Jsonb([job]))
        return rows[0].id if rows else None

    def carry_out(self, job_id: uuid.UUID) -> None:
        """Claim a job and record that its write has succeeded."""
        (claim,) = self.call("claim", a_job=str(job_id), worker="older", lease_s=60)
        mine = {"a_job": str(job_id), "a_token": claim.token}
        assert self.call("enter_sending", **mine, lease_s=60)
        assert self.call(
            "finish_like", **mine, an_id="r1", a_result={}, subject="job.done", payload={"kind": claim.kind}
        )


@pytest.fixture
def older(fleet: Fleet) -> Iterator[OlderWorker]:
    url = fleet.deps.db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield OlderWorker(connection)


@pytest.fixture
def newer(fleet: Fleet) -> Add:
    def add(agent_id: uuid.UUID, kind: str, **more: Any) -> uuid.UUID | None:
        with fleet.deps.db.transaction() as tx:
            rings = ledger.add(tx, [NewJob(ids.new(), agent_id, kind, "floimg", **more)])
        return rings[0].job_id if rings else None

    return add


@pytest.mark.parametrize("kind", [LIKE, COMMENT, REACT, CONNECT])
def test_what_is_done_once_per_target_is_done_once_by_both_versions(
    fleet: Fleet, older: OlderWorker, newer: Add, kind: str
) -> None:
    agent, other = fleet.agent(), fleet.agent()
    assert older.add(agent, kind, target="p1")
    assert newer(agent, kind, target="p1") is None
    assert newer(agent, kind, target="p2")
    assert older.add(agent, kind, target="p2") is None
    assert older.add(other, kind, target="p1")
    assert newer(other, kind, target="p2")
    assert len(fleet.jobs(kind=kind, once=True)) == 4


def test_a_second_like_is_refused_while_the_first_is_being_added(fleet: Fleet, older: OlderWorker, newer: Add) -> None:
    agent = fleet.agent()
    found: list[uuid.UUID | None] = []
    late = threading.Thread(target=lambda: found.append(newer(agent, LIKE, target="p1")))
    with older._connection.transaction():
        first = older.add(agent, LIKE, target="p1")
        late.start()
        with fleet.deps.db.transaction() as tx:
            while not tx.scalar(
                sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
            ):
                pass
    late.join(60)
    assert found == [None]
    assert [job.id for job in fleet.jobs()] == [first]


def test_jobs_of_an_older_worker_are_ended_by_a_newer_one_and_the_other_way_round(
    fleet: Fleet, older: OlderWorker, newer: Add
) -> None:
    agent = fleet.agent()
    liked, posted, like = older.add(agent, LIKE, target="p1"), older.add(agent, POST), newer(agent, LIKE, target="p2")
    assert liked and posted and like
    for job in (liked, posted):
        perform(fleet.deps, job)
    older.carry_out(like)
    assert {job.state for job in fleet.jobs()} == {"done"}
    assert newer(agent, LIKE, target="p1") is None
    assert older.add(agent, LIKE, target="p2") is None
    fleet.sql("UPDATE jobs SET finished_at = finished_at - interval '365 days'")
    sweep.prune(fleet.deps)
    assert {job.id for job in fleet.jobs()} == {liked, like}  # what must not be done twice is kept


def test_both_versions_count_the_same_comments_on_a_post(fleet: Fleet, older: OlderWorker, newer: Add) -> None:
    for add in (older.add, newer):
        job = add(fleet.agent(), COMMENT, target="p1")
        assert job
        older.carry_out(job)
    with fleet.deps.db.transaction() as tx:
        assert surroundings.comments_on(tx, "p1") == 2
    assert older.run("comments_on", target="p1")[0].number == 2


def test_deliveries_of_an_older_worker_are_paced(fleet: Fleet, older: OlderWorker, newer: Add) -> None:
    agent, lane = fleet.agent(), str(uuid.uuid4())
    payload = {"subscription": lane, "event": {}}
    older.add(agent, DELIVER, payload=payload)
    older.add(agent, DELIVER, payload=payload, requested_by="somebody")
    assert newer(agent, DELIVER, payload=payload, lane=lane) is None  # it waits, and no message is sent
    with fleet.deps.db.transaction() as tx:
        assert pacing.is_anything_waiting(tx, DELIVER)
        waiting = pacing.candidates(tx, DELIVER, [lane, "another"], each=5)
        assert [one.lane for one in waiting] == [lane, lane]
        assert len(pacing.mark_published(tx, [one.job_id for one in waiting])) == 2
        assert pacing.published(tx, DELIVER) == pacing.live(tx, DELIVER) == {lane: 2}
    assert dict(older.run("published_deliveries")) == {lane: 2}


def test_scans_of_either_version_are_found_by_the_other(fleet: Fleet, older: OlderWorker, newer: Add) -> None:
    first, second = fleet.agent(), fleet.agent()
    assert not queue.has_open_scan(fleet.deps.db, first)
    older.add(first, SCAN_FEED)
    newer(second, SCAN_FEED)
    assert queue.has_open_scan(fleet.deps.db, first)
    assert older.run("open_scan", agent_id=second)
    assert queue.scans_waiting(fleet.deps.db) == older.run("scans_waiting")[0].number == 2
    assert len(fleet.jobs(kind=SCAN_FEED, rare=True)) == 2


def test_indexes_that_older_workers_need_are_still_there(older: OlderWorker) -> None:
    """Symptom: each decision of an older worker about comments would read the whole table."""
    older.run("add", jobs=Jsonb([]))
    plans = {}
    older._connection.execute("SET enable_seqscan = off")
    for name, values in {"comments_on": {"target": "p1"}, "published_deliveries": {}}.items():
        sql = (STATEMENTS / f"{name}.sql").read_text(encoding="utf-8")
        rows = older._connection.execute(b"EXPLAIN " + sql.encode(), values).fetchall()
        plans[name] = "\n".join(row[0] for row in rows)
    assert "ix_jobs_comments" in plans["comments_on"]
    assert "ix_jobs_paced_out" in plans["published_deliveries"]
