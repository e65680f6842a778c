"""Client calls to the embedded PostgreSQL: check that it answers, create roles and databases.

Called by `postgres`; `fleet up` calls it in a helper process, since it must not load the driver.
"""

from __future__ import annotations

from contextlib import suppress

import psycopg
import sqlalchemy as sa
from psycopg import sql

from fleet.core import logs
from fleet.core.db import roles
from fleet.core.db.roles import Login
from fleet.core.errors import InvalidInput, Unavailable
from fleet.sandbox import ports
from fleet.sandbox.servers.cluster import SUPERUSER

_CONNECT_TIMEOUT_S = 2  # the minimum of libpq


def connect(port: int, password: str, database: str = "postgres") -> psycopg.Connection:
    """Open an autocommit connection as the superuser, for administration."""
    return psycopg.connect(
        host=ports.LOOPBACK, port=port, user=SUPERUSER, password=password, dbname=database,
        autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S, application_name="fleet-sandbox",
    )  # fmt: skip


def refusal(port: int, password: str) -> str | None:
    """Return why the superuser cannot connect; None if it can."""
    try:
        connect(port, password).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None


def set_up(port: int, password: str, database: str, owner: tuple[str, str], app: tuple[str, str] | None = None) -> None:
    """Create a database and its roles (name and password each), or upgrade those of an older version.

    Only the superuser may connect to the databases of the server itself.
    """
    with connect(port, password) as connection:
        for name in ("postgres", "template1"):
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    roles.set_up(
        lambda name: connect(port, password, name), database,
        owner=Login(*owner), app=None if app is None else Login(*app),
    )  # fmt: skip


def ensure_database(port: int, password: str, name: str) -> None:
    """Create a database that the superuser owns unless it exists."""
    with connect(port, password) as connection:
        _create_unless_known(connection, name)


def ensure_sibling(url: str, name: str) -> str:
    """Create a database `<that of url>_<name>` on the user's own server, unless it exists; return its URL.

    Raises InvalidInput when the user may not create databases, Unavailable when the server is out of reach.
    """
    address = sa.make_url(url)
    sibling = address.set(database=f"{address.database}_{name}")
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(plain, autocommit=True, connect_timeout=10) as connection:
            _create_unless_known(connection, str(sibling.database))
    except psycopg.errors.InsufficientPrivilege as error:
        raise InvalidInput(
            f"The database user may not create the database {sibling.database}.",
            fix=f"Create it by hand: CREATE DATABASE {sibling.database};"
            + (" or name another with --gallery-database-url." if name == "gallery" else ""),
        ) from error
    except psycopg.OperationalError as error:
        first_line = logs.mask(str(error).strip().split("\n", maxsplit=1)[0])
        raise Unavailable(f"The database cannot be reached: {first_line}.", fix="Check FLEET_DATABASE_URL.") from error
    return sibling.render_as_string(hide_password=False)


def _create_unless_known(connection: psycopg.Connection, name: str) -> None:
    # Check first: a user without the right to create databases may still use an existing one.
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        with suppress(psycopg.errors.DuplicateDatabase):  # another process was first
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
