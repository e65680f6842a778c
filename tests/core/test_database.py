"""Transactions, migrations, and a database that is wrong or away."""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa

from fleet.core import db
from fleet.core.db import Database, Tx
from fleet.core.db import link as db_link
from fleet.core.db.sql import GroupStatement, Statement, given
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.core.workarounds import psycopg as psycopg_workaround
from tests.database_roles import as_owner

_SESSION = db._SESSION
"""As it is shipped: tests have longer."""


@pytest.fixture
def database(database_url: str):  # type: ignore[no-untyped-def]
    made = Database(database_url, pool_size=2)
    yield made
    made.close()


def test_what_must_follow_a_commit_follows_the_outermost_one_only(database: Database) -> None:
    told: list[str] = []
    with database.transaction() as tx:
        with tx.session.begin_nested():
            tx.afterwards(lambda: told.append("after"))
        assert told == [], "the release of a savepoint is no commit"
    assert told == ["after"]


def test_nothing_follows_a_rollback(database: Database) -> None:
    told: list[str] = []
    with pytest.raises(ZeroDivisionError), database.transaction() as tx:
        tx.afterwards(lambda: told.append("after"))
        raise ZeroDivisionError
    assert told == []


def test_a_call_that_fails_after_the_commit_does_not_undo_it(database: Database) -> None:
    told: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError

    with database.transaction() as tx:
        tx.execute(sa.text("INSERT INTO events (subject) VALUES ('test')"))
        tx.afterwards(fail)
        tx.afterwards(lambda: told.append("next"))
    assert told == ["next"]
    with database.transaction() as tx:
        assert tx.scalar(sa.text("SELECT count(*) FROM events")) == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such limit")
def test_a_server_that_is_gone_without_a_word_is_not_waited_for_for_ever(database_url: str) -> None:
    """Symptom: with a link that swallowed everything all threads of a process waited for a quarter of an hour."""
    assert _link(database_url) == (1, 10, 30_000)
    assert _link(f"{database_url}?tcp_user_timeout=5000") == (1, 10, 5_000)


def _link(url: str) -> tuple[int, int, int]:
    """Return of a connection whether the kernel looks after it, after how many seconds, and how long it tries (ms)."""
    made = Database(url, pool_size=1)
    with made.transaction() as tx, socket.socket(fileno=os.dup(tx._driver.fileno())) as link:
        timeout_ms = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        idle_s = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        found = (link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), idle_s, timeout_ms)
    made.close()
    return found


def _now(database: Database) -> object:
    with database.transaction() as tx:
        return tx.now()


def _asking() -> GroupStatement:
    calls = given(asked=sa.Integer())
    return GroupStatement(sa.select(calls.c.n, calls.c.asked), order="asked")


_ASK = _asking()


@pytest.fixture
def suspended(database: Database) -> Iterator[Database]:
    """A database whose server's end of the one connection in use is suspended; its kernel goes on answering."""
    with database.transaction() as tx:
        pid = tx.scalar(sa.text("SELECT pg_backend_pid()"))
    os.kill(pid, signal.SIGSTOP)
    yield database
    os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "ask",
    [
        lambda database: database.run(_ASK, asked=1),
        lambda database: database.run(db._NOW),
        _now,
    ],
    ids=["with others", "alone", "in a transaction"],
)
def test_a_server_process_that_is_suspended_is_not_waited_for_for_ever(
    suspended: Database, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Database], object]
) -> None:
    """Symptom: limits of statements are the server's; all threads of a process waited until somebody resumed it."""
    monkeypatch.setattr(psycopg_workaround.WatchedConnection, "longest_answer_s", 0.3)
    other = ThreadPoolExecutor(1)
    with pytest.raises(Unavailable, match="no answer within"):
        other.submit(ask, suspended).result(10)
    monkeypatch.undo()
    assert other.submit(ask, suspended).result(10), "the next one has another connection"
    assert suspended.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_no_statement_that_the_server_would_let_run_is_given_up(database: Database) -> None:
    with database.transaction() as tx:
        longest = tx.scalar(sa.text("SELECT extract(epoch FROM current_setting('statement_timeout')::interval)"))
    assert longest < psycopg_workaround.LONGEST_ANSWER_S


class Away(BaseException):
    """What a time limit or the end of a greenlet raises in whoever waits."""


def test_who_is_called_away_from_a_statement_hears_that_and_leaves_no_connection_behind(database: Database) -> None:
    """Symptom: the driver refused to reset a connection in mid-statement, which is what everybody heard instead."""

    def leave(*_: object) -> None:
        raise Away

    def sleeps() -> bool:
        # A transaction of its own each time: within one, the server answers from the same snapshot of its activity.
        with database.transaction() as tx:
            return bool(tx.scalar(sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")))

    def call(main: int) -> None:
        while not sleeps():
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, leave)
    try:
        caller = threading.Thread(target=call, args=(threading.get_ident(),))
        caller.start()
        with pytest.raises(Away):
            database.run(Statement(sa.select(sa.func.pg_sleep(20))))
        caller.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert database.run(db._NOW)


def test_a_connection_that_is_cut_is_said_to_be_away_and_the_next_one_works(database: Database) -> None:
    with pytest.raises(Unavailable), database.transaction() as tx:
        pid = tx.scalar(sa.text("SELECT pg_backend_pid()"))
        with database.transaction() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        tx.scalar(sa.text("SELECT 1"))
    with database.transaction() as tx:
        assert tx.scalar(sa.text("SELECT 1")) == 1


@pytest.mark.parametrize("asked", [lambda tx: tx.now(), lambda tx: tx.execute(sa.text("SELECT 1"))])
def test_a_transaction_that_rested_too_long_is_said_to_be_cut(
    database: Database, asked: Callable[[Tx], object]
) -> None:
    with pytest.raises(Unavailable, match="idle-in-transaction"), database.transaction() as tx:
        pid = tx.scalar(sa.text("SELECT pg_backend_pid()"))
        tx.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = '50ms'"))
        while _lives(database, pid):
            time.sleep(0.01)
        asked(tx)


def test_the_locks_of_a_client_that_stopped_in_the_middle_of_a_message_are_freed(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: the last parts of a message never came, so neither limit of idle and running sessions applied."""
    monkeypatch.setattr(db_link, "LONGEST_TRANSACTION", "300ms")
    stopped = Database(database_url, pool_size=1)
    with stopped.engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(4711)"))
        protocol = connection.connection.driver_connection.pgconn  # type: ignore[union-attr]
        protocol.enter_pipeline_mode()
        protocol.send_query_params(b"SELECT 1", None)  # and no Sync, which ends a message
        protocol.flush()
        with database.transaction() as tx:
            tx.execute(sa.text("SET LOCAL lock_timeout = '20s'"))
            tx.execute(sa.text("SELECT pg_advisory_xact_lock(4711)"))
        protocol.finish()
        connection.invalidate()
    stopped.close()


def test_a_session_is_idle_after_a_batch_and_its_locks_are_freed_soon(database: Database) -> None:
    """Symptom: a sweep that was killed after it had written its events kept the jobs locked for good."""
    lock = sa.text("SELECT pg_advisory_xact_lock(:key)")
    with pytest.raises(Unavailable, match="idle-in-transaction"), database.transaction() as tx:
        tx.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = '50ms'"))
        tx.execute(lock, [{"key": 4711}, {"key": 4712}])
        with database.transaction() as other:
            other.execute(sa.text("SET LOCAL lock_timeout = '20s'"))
            other.execute(lock, {"key": 4711})
        tx.now()


def test_migrations_have_no_limit_of_transactions(database: Database) -> None:
    shown = sa.text("SELECT current_setting('transaction_timeout')")
    with database.engine.connect() as connection:
        assert connection.scalar(shown) == db_link.LONGEST_TRANSACTION
        connection.rollback()
        db_link.wait_without_end(connection)
        assert connection.scalar(shown) == "0"
        connection.invalidate()


def _lives(database: Database, pid: int) -> bool:
    """Say whether a session is still there; asked in a transaction of its own, which would see the same throughout."""
    with database.transaction() as tx:
        session = sa.text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid").bindparams(pid=pid)
        return bool(tx.scalar(session))


def test_an_error_does_not_repeat_the_values_that_it_is_about(database: Database) -> None:
    with pytest.raises(sa.exc.DataError) as caught, database.transaction() as tx:
        tx.execute(sa.text("SELECT CAST(:one AS int), :other").bindparams(one="no-number", other="whispered"))
    assert "whispered" not in str(caught.value)


def test_an_unmigrated_database_names_the_cure(fresh_database: str) -> None:
    database = Database(fresh_database)
    with pytest.raises(InvalidInput, match="fleet migrate"), database.transaction() as tx:
        tx.scalar(sa.text("SELECT count(*) FROM agents"))
    assert db.pending_migrations(database)[0] == "0001"
    database.close()


def test_many_migrators_at_once_migrate_once(fresh_database: str) -> None:
    errors: list[Exception] = []

    def run() -> None:
        try:
            db.migrate(fresh_database)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    database = Database(fresh_database)
    assert db.pending_migrations(database) == []
    database.close()


def test_a_migration_takes_as_long_as_it_takes_also_after_others(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: who waited for another migrator rolled the end of the limit back, and had a minute for each index."""
    limits, upgrade = [], alembic.command.upgrade

    def upgraded(config: Any, to: str) -> None:
        connection = config.attributes["connection"]
        driver = connection.connection.driver_connection
        limits.append((connection.scalar(sa.text("SHOW statement_timeout")), driver.longest_answer_s))
        connection.rollback()
        upgrade(config, to)

    monkeypatch.setattr(alembic.command, "upgrade", upgraded)
    first, waits = Database(fresh_database), threading.Event()
    monkeypatch.setattr(db.time, "sleep", lambda _: waits.set())
    with first.engine.connect() as connection, ThreadPoolExecutor(1) as other:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": db._MIGRATION_LOCK})
        migrated = other.submit(db.migrate, fresh_database)
        assert waits.wait(10)
        connection.invalidate()
        migrated.result(60)
    assert limits == [("0", math.inf)]
    first.close()


def test_a_database_from_the_future_is_not_touched(database: Database, owner_url: str) -> None:
    as_owner(owner_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(FleetError, match="newer"):
        db.pending_migrations(database)
    with pytest.raises(FleetError, match="newer"):  # `fleet up` does not ask before it migrates
        db.migrate(owner_url)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"port": "closed"}, Unavailable, "cannot be reached"),
        ({"password": "wrong-sesame"}, FleetError, "authentication"),
        ({"database": "nowhere"}, FleetError, "nowhere"),
    ],
)
def test_a_server_that_is_away_or_refuses_is_said_so_without_the_password(
    database_url: str, change: dict[str, str], error: type[FleetError], words: str
) -> None:
    with socket.socket() as closed:  # it is ours and nobody listens there, for as long as we ask
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        url = sa.make_url(database_url).set(**{**change, **({"port": port} if "port" in change else {})})  # type: ignore[arg-type]
        database = Database(url.render_as_string(hide_password=False))
        with pytest.raises(error, match=words) as caught, database.transaction() as tx:
            tx.scalar(sa.text("SELECT 1"))
    assert "sesame" not in str(caught.value)
    database.close()


@pytest.mark.parametrize(
    "url",
    ["", "not an address", "postgresql+nothing://x/y", "mysql+nothing://x", "mysql://x/y", "postgresql://x:port/y"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="FLEET_DATABASE_URL"):
        Database(url)


def test_a_process_suspended_in_a_transaction_does_not_stop_the_others_for_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_SESSION", _SESSION)
    database = Database(database_url)
    with database.transaction() as tx:
        timeout = tx.scalar(sa.text("SHOW idle_in_transaction_session_timeout"))
        assert tx.scalar(sa.text("SHOW statement_timeout")) == "1min"
    assert timeout == "5s"
    database.close()


def test_a_package_brings_revisions_on_a_branch_of_its_own(fresh_database: str, tmp_path: Path) -> None:
    (tmp_path / "0001_tides.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        "revision, down_revision, branch_labels, depends_on = 'tides_0001', None, ('tides',), '0001'\n"
        "def upgrade():\n    op.create_table('tides', sa.Column('id', sa.Integer, primary_key=True))\n"
        "def downgrade():\n    op.drop_table('tides')\n"
    )
    db.migrate(fresh_database)
    database = Database(fresh_database)
    assert db.pending_migrations(database, [tmp_path]) == ["tides_0001"]
    db.migrate(fresh_database, folders=[tmp_path])
    db.migrate(fresh_database, folders=[tmp_path])
    assert db.pending_migrations(database, [tmp_path]) == []
    with database.transaction() as tx:
        assert tx.scalar(sa.text("SELECT count(*) FROM tides")) == 0
    with pytest.raises(FleetError, match="install the package") as told:  # it was removed
        db.pending_migrations(database)
    assert "tides_0001" in str(told.value)
    database.close()
