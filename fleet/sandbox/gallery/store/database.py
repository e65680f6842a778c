"""The database of a server of the sandbox: created with its tables if missing, and a connection pool.

Called when the app is built, of the gallery and of the shop. Safe when several start on one database at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg
import sqlalchemy as sa
from psycopg import sql

from fleet.core import logs
from fleet.core.errors import InvalidInput, Unavailable
from fleet.sandbox.gallery.store.tables import metadata

_SETUP_LOCK = 0x67616C6C657279  # any constant that all servers share
_DATABASE_MISSING = "3D000"
# What galleries that were made by an earlier version lack.
_GROWN = (
    "ALTER TABLE posts ADD COLUMN IF NOT EXISTS visibility text NOT NULL DEFAULT 'public'",
    "CREATE INDEX IF NOT EXISTS ix_users_guests ON users (created_at) WHERE guest_key IS NOT NULL",
)
_KEPT = 3
"""Connections that stay open: each is a process of Postgres with 4 MB. More are opened when they are needed."""


class Storage:
    """A pool of connections to the database of one server: the gallery, or the shop."""

    def __init__(self, url: str, *, pool_size: int, server: str = "gallery") -> None:
        kept = min(_KEPT, pool_size)
        self.engine = sa.create_engine(
            url, pool_size=kept, max_overflow=2 * pool_size - kept, pool_pre_ping=True, pool_timeout=15,
            connect_args={"connect_timeout": 5, "application_name": f"fleet-{server}"},
        )  # fmt: skip

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction that commits when the block ends and rolls back when it raises."""
        with self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_storage(url: str, *, pool_size: int, server: str = "gallery", tables: sa.MetaData = metadata,
                 grown: Sequence[str] = _GROWN) -> Storage:  # fmt: skip
    """Create the database and its tables where missing, run the statements `grown`, and return a pool.

    `server` is for messages. Raises Unavailable when the database server cannot be reached, InvalidInput when it
    refuses.
    """
    _ensure_database(sa.make_url(url), server)
    storage = Storage(url, pool_size=pool_size, server=server)
    try:
        with storage.transaction() as tx:
            tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETUP_LOCK})
            tables.create_all(tx)
            for statement in grown:
                tx.execute(sa.text(statement))
    except sa.exc.DBAPIError as error:
        storage.close()
        first_line = _first_line(error.orig)
        raise InvalidInput(f"The {server}'s database cannot be set up: {first_line}.", fix=_fix(server)) from error
    return storage


def _ensure_database(url: sa.URL, server: str) -> None:
    try:
        with _connect(url):
            return
    except psycopg.OperationalError as error:
        # The driver gives a failed connection no SQLSTATE of its own.
        if _DATABASE_MISSING not in (error.sqlstate or "") and "does not exist" not in str(error):
            raise _explained(error, server) from error
    try:
        quicker = (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)  # somebody else was
        with _connect(url.set(database="postgres")) as connection, suppress(*quicker):
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(url.database))))
    except psycopg.errors.InsufficientPrivilege as error:
        raise InvalidInput(
            f"The database {url.database!r} of the {server} is missing and this user may not create it.",
            fix=f'Create it by hand: CREATE DATABASE "{url.database}";',
        ) from error
    except psycopg.OperationalError as error:
        raise _explained(error, server) from error


def _connect(url: sa.URL) -> psycopg.Connection:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True, connect_timeout=5)


def _explained(error: psycopg.OperationalError, server: str) -> InvalidInput | Unavailable:
    words = _first_line(error)
    if "authentication failed" in words or "role" in words:
        return InvalidInput(f"The {server}'s database refuses the connection: {words}.", fix=_fix(server))
    return Unavailable(f"The {server}'s database cannot be reached: {words}.", fix=_fix(server))


def _fix(server: str) -> str:
    return f"Check FLEET_{server.upper()}_DATABASE_URL, and that the server is up."


def _first_line(error: BaseException | None) -> str:
    return logs.mask(str(error).strip().split("\n", maxsplit=1)[0].rstrip("."))
