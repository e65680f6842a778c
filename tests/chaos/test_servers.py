"""The servers of a world: what is done to them hurts, and they come back with what they had promised to keep."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from fleet.chaos.world.broker import BrokerControl
from fleet.chaos.world.servers import Servers, limit_file_size


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Postgres and Valkey of this test's own."""
    made = Servers(tmp_path / "home", tmp_path / "logs", random.Random(1))
    made.start()
    yield made
    made.stop()


def _back(servers: Servers) -> None:
    """Wait until both are started again."""
    _until(lambda: servers.look_after() or servers.all_run())


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _facts(servers: Servers) -> list[str]:
    with servers.postgres.connect() as connection:
        return [row[0] for row in connection.execute("SELECT fact FROM facts ORDER BY fact")]


def _keep(servers: Servers, fact: str) -> None:
    with servers.postgres.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS facts (fact text)")
        connection.execute("INSERT INTO facts VALUES (%s)", [fact])


def test_a_full_disk_stops_postgres_and_loses_nothing_that_was_committed(servers: Servers) -> None:
    _keep(servers, "before")
    assert servers.fill_postgres_disk() > 3, "the postmaster and its helpers"
    with pytest.raises(psycopg.Error, match=r"could not write|terminat|closed"):
        _keep(servers, "during")
    _until(lambda: not servers.postgres.is_running())
    assert servers.look_after() == [], "not before there is space"
    servers.empty_postgres_disk()
    _back(servers)
    assert _facts(servers) == ["before"]
    _keep(servers, "after")
    assert _facts(servers) == ["after", "before"]


def test_a_killed_postgres_comes_back_with_what_was_committed(servers: Servers) -> None:
    _keep(servers, "before")
    port = servers.postgres.port
    servers.kill_postgres()
    _back(servers)
    assert servers.postgres.port == port
    assert _facts(servers) == ["before"]


def test_a_killed_broker_comes_back_empty_or_not_as_was_wished(servers: Servers) -> None:
    broker, dice = BrokerControl(servers.valkey.url()), random.Random(1)
    broker.put({"normal": [b"kept"]}, dice)
    _until(lambda: broker.waiting()["normal"])
    servers.kill_valkey(empty=False)
    _back(servers)
    assert broker.waiting()["normal"] == [b"kept"]
    servers.kill_valkey(empty=True)
    assert broker.waiting() == {}
    _back(servers)
    assert broker.waiting()["normal"] == []
    broker.close()


def test_messages_are_taken_and_come_back_in_another_order(servers: Servers) -> None:
    broker = BrokerControl(servers.valkey.url())
    bodies = [str(number).encode() for number in range(20)]
    broker.put({"low": bodies}, random.Random(1))
    taken = broker.take()
    assert sorted(taken["low"]) == sorted(bodies)
    assert broker.waiting()["low"] == []
    assert broker.put(taken, random.Random(2)) == 20
    assert broker.waiting()["low"] != taken["low"]
    assert sorted(broker.waiting()["low"]) == sorted(bodies)
    broker.close()


def test_a_suspended_broker_does_not_answer_until_it_may_go_on(servers: Servers) -> None:
    broker = BrokerControl(servers.valkey.url())
    servers.pause_valkey()
    assert not broker.answers()
    assert not broker.flush()
    servers.pause_valkey(resume=True)
    assert broker.answers()
    broker.close()


def test_sessions_can_be_ended_one_by_one(servers: Servers) -> None:
    with servers.postgres.connect() as victim:
        victims = [pid for pid in servers.sessions() if pid == victim.info.backend_pid]
        assert servers.terminate(victims) == 1
        with pytest.raises(psycopg.OperationalError):
            victim.execute("SELECT 1")


def test_a_file_size_limit_for_an_ended_process_returns_false() -> None:
    assert not limit_file_size(2**22 - 1, 0)
