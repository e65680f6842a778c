"""The logins of the test server's roles, and the way from the app's address of a database to its owner's."""

from __future__ import annotations

import psycopg
import sqlalchemy as sa

from fleet.core.db.roles import Login
from fleet.sandbox.servers.postgres import APP, OWNER

LOGINS = {role: Login(role, "of_the_tests") for role in (OWNER, APP)}
used_by_owner: set[str] = set()
"""The databases of which somebody asked for the owner's address: their tables may have changed."""


def url_of(database_url: str, role: str) -> str:
    """Return the address of the same database for another role."""
    login, url = LOGINS[role], sa.make_url(database_url)
    if role == OWNER:
        used_by_owner.add(str(url.database))
    return url.set(username=login.name, password=login.password).render_as_string(False)


def as_owner(database_url: str, *statements: str) -> None:
    """Run statements on a database as the owner of its tables, each as its own transaction."""
    plain = sa.make_url(url_of(database_url, OWNER)).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(plain, autocommit=True, connect_timeout=10) as connection:
        for statement in statements:
            connection.execute(statement.encode())
