"""Databases that tests use one after another. Called by `conftest` alone.

Copying the template costs the server more than deleting the rows of a test. The app's role may change rows and
sequences only, so a reset restores these. The pool drops a database that a test used as the owner of the tables, a
database with open sessions, and a database with large tables.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg

from tests.database_roles import used_by_owner

_USES = 60
"""After so many tests a database is dropped: deleted rows keep their place in the files."""
_LARGE_BYTES = 64 * 1024
"""Up to this size the planner takes all tables without statistics for equally large."""
_SESSIONS_END_WITHIN_S = 0.5

_WRITTEN = """
    SELECT oid::regclass::text, pg_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0 ORDER BY 1"""
_SEQUENCES = "SELECT seqrelid::bigint, pg_sequence_last_value(seqrelid), seqstart FROM pg_sequence ORDER BY 1"
_RESTART = """
    SELECT setval(id::oid::regclass, coalesce(last, start), last IS NOT NULL)
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS template (id, last, start)
    WHERE pg_sequence_last_value(id::oid) IS DISTINCT FROM last"""
_GUARDS = """
    SELECT tgrelid::regclass::text, quote_ident(tgname) FROM pg_trigger WHERE tgenabled = 'A' AND NOT tgisinternal"""
_SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""


class Server(Protocol):
    """The part of `PostgresForTests` that makes databases."""

    def create_database(self, *, template: str) -> str: ...
    def drop_database(self, name_or_url: str) -> None: ...
    def connect(self, database: str) -> psycopg.Connection: ...
    def name_of(self, url: str) -> str: ...


@dataclass
class _Pooled:
    """A database, the administrator's connection to it, and the tests that have used it."""

    name: str
    connection: psycopg.Connection
    uses: int = 0


class DatabasePool:
    """Copies of a template. At most one of them waits for its next test."""

    def __init__(self, server: Server, template: str) -> None:
        self._server = server
        self._template = template
        with server.connect(template) as connection:
            self._rows = {table: _copied(connection, table) for table, _ in connection.execute(_WRITTEN)}
            self._guards = connection.execute(_GUARDS).fetchall()
            self._sequences = connection.execute(_SEQUENCES).fetchall()
        self._spare: _Pooled | None = None
        self._lent: dict[str, _Pooled] = {}

    def take(self) -> str:
        """Return the name of a database that equals the template."""
        pooled, self._spare = self._spare or self._make(), None
        pooled.uses += 1
        self._lent[pooled.name] = pooled
        return pooled.name

    def give_back(self, name: str) -> None:
        """Make a database equal to the template again, or drop it."""
        pooled = self._lent.pop(name)
        if (
            self._spare is None
            and name not in used_by_owner
            and pooled.uses < _USES
            and self._is_reset(pooled.connection)
        ):
            self._spare = pooled
        else:
            used_by_owner.discard(name)
            self._drop(pooled)

    def close(self) -> None:
        """Drop the spare database."""
        if self._spare is not None:
            self._drop(self._spare)

    def _make(self) -> _Pooled:
        name = self._server.name_of(self._server.create_database(template=self._template))
        return _Pooled(name, self._server.connect(name))

    def _drop(self, pooled: _Pooled) -> None:
        pooled.connection.close()
        self._server.drop_database(pooled.name)

    def _is_reset(self, connection: psycopg.Connection) -> bool:
        """Delete the rows that the template lacks, and restart the sequences. Return False where that is not enough."""
        if not _is_alone(connection):
            return False
        sizes: Mapping[str, int] = dict(connection.execute(_WRITTEN).fetchall())
        if max(sizes.values()) > _LARGE_BYTES:
            return False
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no foreign keys
            guards = [one for one in self._guards if _first(connection, f"SELECT EXISTS (SELECT FROM {one[0]})")]
            kept = self._rows.keys() | ({table for table, _ in self._guards} - {table for table, _ in guards})
            for table, trigger in guards:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}".encode())
            connection.execute("; ".join(f"DELETE FROM {table}" for table in sizes if table not in kept).encode())
            for table, trigger in guards:
                connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}".encode())
            for table, rows in self._rows.items():
                if _copied(connection, table) != rows:
                    _replace(connection, table, rows)
            connection.execute(_RESTART, list(map(list, zip(*self._sequences, strict=True))))
        return True


def _is_alone(connection: psycopg.Connection) -> bool:
    """Wait until the test's sessions have ended; return False when one stays, whose program may still write."""
    until = time.monotonic() + _SESSIONS_END_WITHIN_S
    while _first(connection, _SESSIONS) > 0:
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def _first(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def _copied(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
        return b"".join(bytes(part) for part in copy)


def _replace(connection: psycopg.Connection, table: str, rows: bytes) -> None:
    connection.execute(f"DELETE FROM {table}".encode())
    with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
        copy.write(rows)
