"""The databases of the tests themselves: what one test leaves, the next one does not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
import sqlalchemy as sa

from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.core.db import Database
from fleet.sandbox.servers.postgres import APP
from tests.browser.inhabited import lived
from tests.conftest import PostgresForTests
from tests.database_pool import DatabasePool
from tests.database_roles import as_owner
from tests.factories import make_fleet


@pytest.fixture
def pool(postgres_server: PostgresForTests, migrated_template: str) -> Iterator[DatabasePool]:
    with closing(DatabasePool(postgres_server, migrated_template)) as made:
        yield made


def contents(postgres_server: PostgresForTests, name: str) -> dict[str, object]:
    """Return everything in a database that its app's role can change, and the triggers that a reset touches."""
    with postgres_server.connect(name) as connection:
        return {
            **{table: copied(connection, table) for table in names(connection, "r")},
            **{one: connection.execute(f"SELECT * FROM {one}").fetchall() for one in names(connection, "S")},
            "triggers": rows(connection, "SELECT tgname, tgenabled FROM pg_trigger ORDER BY oid"),
            "large objects": rows(connection, "SELECT count(*) FROM pg_largeobject_metadata"),
            "statistics": rows(connection, "SELECT count(*) FROM pg_statistic WHERE starelid >= 16384"),
        }


def names(connection: psycopg.Connection, kind: str) -> list[str]:
    """Return the relations of a kind, in whatever schema they are."""
    query = "SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind = %s AND relpersistence <> 't'"
    return [name for (name,) in connection.execute(query, [kind])]


def rows(connection: psycopg.Connection, query: str) -> list[tuple]:
    return connection.execute(query.encode()).fetchall()


def copied(connection: psycopg.Connection, table: str) -> list[bytes]:
    with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
        return sorted(b"".join(bytes(part) for part in copy).splitlines())


def test_a_used_database_equals_the_template_again(
    pool: DatabasePool, postgres_server: PostgresForTests, migrated_template: str
) -> None:
    before = contents(postgres_server, migrated_template)
    name = pool.take()
    fleet = make_fleet(postgres_server.url(name, role=APP))
    lived(fleet)
    with fleet.deps.db.transaction() as tx:
        tx.execute(sa.update(AccountRow).where(AccountRow.id == SETTINGS_ACCOUNT).values(name="changed"))
        tx.execute(sa.text("INSERT INTO accounts (id, name, adapter) VALUES (gen_random_uuid(), 'new', 'floimg')"))
    fleet.deps.close()
    used = contents(postgres_server, name)
    assert len([one for one in before if used[one] != before[one]]) > 15
    pool.give_back(name)
    assert pool.take() == name
    assert contents(postgres_server, name) == before
    pool.give_back(name)


def test_a_sequence_restarts_even_where_no_row_was_written(
    pool: DatabasePool, postgres_server: PostgresForTests, migrated_template: str
) -> None:
    name = pool.take()
    with closing(Database(postgres_server.url(name, role=APP))) as database, database.transaction() as tx:
        tx.execute(sa.text("SELECT nextval(seqrelid::regclass) FROM pg_sequence"))
    pool.give_back(name)
    assert pool.take() == name
    assert contents(postgres_server, name) == contents(postgres_server, migrated_template)
    pool.give_back(name)


def test_a_database_is_dropped_when_rows_are_not_all_that_may_have_changed(
    pool: DatabasePool, postgres_server: PostgresForTests
) -> None:
    owned, open_still = pool.take(), pool.take()
    as_owner(postgres_server.url(owned), "CREATE TABLE more (id int)")
    pool.give_back(owned)
    with closing(Database(postgres_server.url(open_still, role=APP))) as database:
        with database.transaction() as tx:
            tx.now()
        pool.give_back(open_still)
    with postgres_server.connect("postgres") as connection:
        query = "SELECT datname FROM pg_database WHERE datname = ANY(%s)"
        assert connection.execute(query, [[owned, open_still]]).fetchall() == []
