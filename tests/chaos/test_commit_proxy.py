"""The proxy cuts connections during COMMIT: the client cannot tell what became of it, and the test can."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from fleet.chaos.world.proxy import CommitProxy, Cut
from fleet.core.db import Database
from fleet.core.errors import Unavailable


@pytest.fixture
def proxy(fresh_database: str) -> Iterator[CommitProxy]:
    """A proxy before the server of the tests."""
    url = sa.make_url(fresh_database)
    made = CommitProxy(str(url.host), int(url.port or 5432))
    made.start()
    yield made
    made.close()


@pytest.fixture
def through(proxy: CommitProxy, fresh_database: str) -> Iterator[Database]:
    """A pool of connections that run through the proxy, over a table with nothing in it."""
    with psycopg.connect(_plain(fresh_database), autocommit=True) as connection:
        connection.execute("CREATE TABLE facts (fact text)")
    database = Database(sa.make_url(fresh_database).set(port=proxy.port).render_as_string(hide_password=False))
    yield database
    database.close()


def _plain(url: str) -> str:
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _write(database: Database, fact: str) -> None:
    with database.transaction() as tx:
        tx.execute(sa.text("INSERT INTO facts VALUES (:fact)"), {"fact": fact})


def _standing(url: str) -> list[str]:
    with psycopg.connect(_plain(url)) as connection:
        return [row[0] for row in connection.execute("SELECT fact FROM facts ORDER BY fact")]


def test_it_passes_everything_on_until_it_is_armed(through: Database, proxy: CommitProxy, fresh_database: str) -> None:
    for number in range(3):
        _write(through, f"fact {number}")
    assert _standing(fresh_database) == ["fact 0", "fact 1", "fact 2"]
    assert proxy.cuts == 0


def test_an_answer_that_is_cut_off_leaves_the_row_and_an_error(
    through: Database, proxy: CommitProxy, fresh_database: str
) -> None:
    proxy.arm(Cut.ANSWER, 1)
    with pytest.raises(Unavailable):
        _write(through, "it stands")
    assert _standing(fresh_database) == ["it stands"]
    assert proxy.cuts == 1


def test_a_commit_that_never_arrives_leaves_nothing(through: Database, proxy: CommitProxy, fresh_database: str) -> None:
    proxy.arm(Cut.REQUEST, 1)
    with pytest.raises(Unavailable):
        _write(through, "it does not stand")
    assert _standing(fresh_database) == []


def test_a_blind_cut_leaves_an_error_and_one_of_both(
    through: Database, proxy: CommitProxy, fresh_database: str
) -> None:
    proxy.arm(Cut.BLIND, 1)
    with pytest.raises(Unavailable):
        _write(through, "who knows")
    assert _standing(fresh_database) in ([], ["who knows"])


def test_only_as_many_are_cut_as_were_asked_for(through: Database, proxy: CommitProxy, fresh_database: str) -> None:
    proxy.arm(Cut.ANSWER, 2)
    for _ in range(2):
        with pytest.raises(Unavailable):
            _write(through, "cut")
    _write(through, "whole")
    proxy.arm(Cut.ANSWER, 2)
    proxy.disarm()
    _write(through, "whole")
    assert _standing(fresh_database) == ["cut", "cut", "whole", "whole"]
    assert proxy.cuts == 2


def test_long_messages_pass_whole(through: Database, fresh_database: str) -> None:
    _write(through, "commit" * 200_000)
    assert len(_standing(fresh_database)[0]) == 1_200_000


def test_the_session_of_a_killed_client_ends_at_once(proxy: CommitProxy, fresh_database: str) -> None:
    """Symptom: the locks of a killed worker stayed for five seconds, and its sessions forever."""
    url = sa.make_url(fresh_database).set(drivername="postgresql", port=proxy.port)
    killed = psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)
    killed.execute("SELECT pg_advisory_lock(1)")
    with socket.socket(fileno=os.dup(killed.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)  # as the kernel does, with no word of goodbye
    with psycopg.connect(_plain(fresh_database), autocommit=True) as other:
        other.execute("SET lock_timeout = '20s'")
        other.execute("SELECT pg_advisory_lock(1)")
    killed.close()
