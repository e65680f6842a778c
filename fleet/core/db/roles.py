"""Database roles: the owner changes tables, the app reads and writes rows, and neither is a superuser.

`set_up` runs as an administrator of the server (the embedded one's superuser, or `fleet roles`). `grant` runs as the
owner after each migration. `excess` is what `fleet check` reports. No role here gets more than its work needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from fleet.core.db import visibility
from fleet.core.errors import InvalidInput

ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
LIMITED: Mapping[str, tuple[str, ...]] = {
    "audit": ("SELECT", "INSERT"),
    "approval_decisions": ("SELECT", "INSERT", "DELETE"),  # old ones are pruned
    "documents": ("SELECT", "INSERT"),  # each version stays
    "alembic_version": ("SELECT",),
}
"""Tables on which the app may do less than on the others."""

_SETUP_LOCK = 0x726F6C6573  # "roles": any constant works, as long as every set-up uses the same
_ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
_GRANTS_SAY_INHERIT = 160000

Connect = Callable[[str], psycopg.Connection[Any]]
"""Opens an autocommit connection of an administrator to a database of the server."""


@dataclass(frozen=True, slots=True)
class Login:
    """A role and its password."""

    name: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Login:
        """Return the login of a database URL. Raises InvalidInput when the URL lacks a user or a password."""
        parts = sa.make_url(url)
        if not parts.username or not parts.password:
            raise InvalidInput(
                "A database address lacks a user or a password.",
                fix="Write it as postgresql://user:password@host:5432/name.",
            )
        return cls(parts.username, str(parts.password))


def set_up(connect: Connect, database: str, *, owner: Login, app: Login | None = None) -> None:
    """Create roles and database where they are missing, and give the database with its contents to the owner.

    Only `owner` and `app` may connect to the database afterwards. The tables of an older version, which a superuser
    owned, keep their rows. Safe to repeat. Raises InvalidInput when a role is a superuser already.
    """
    with connect("postgres") as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [_SETUP_LOCK])
        for login in filter(None, (owner, app)):
            _ensure_role(admin, login)
        with _membership(admin, owner.name):
            _ensure_database(admin, database, owner.name)
            with connect(database) as inside:
                _give_contents(inside, owner.name)
            if app is not None:
                _ensure_member(admin, app.name)
                admin.execute(_sql("REVOKE {} FROM {}", owner.name, app.name))
                admin.execute(_sql("GRANT CONNECT ON DATABASE {} TO {}", database, app.name))


def _ensure_role(admin: psycopg.Connection[Any], login: Login) -> None:
    row = admin.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [login.name]).fetchone()
    if row is not None and row[0]:
        raise InvalidInput(
            f"The database role {login.name} is a superuser.",
            fix="Name another role in FLEET_DATABASE_URL and FLEET_DATABASE_OWNER_URL; `fleet roles` creates it.",
        )
    if row is None:
        admin.execute(_sql(f"CREATE ROLE {{}} {_ATTRIBUTES}", login.name))
    # Hashed here: the server's log of statements must not get the password.
    hashed = admin.pgconn.encrypt_password(login.password.encode(), login.name.encode(), b"scram-sha-256")
    order = _sql("ALTER ROLE {} LOGIN PASSWORD ", login.name) + sql.Literal(hashed.decode())
    admin.execute(order)


def _ensure_member(admin: psycopg.Connection[Any], app: str) -> None:
    """Create the role as which the app's restricted transactions run. The app may take it, and does not inherit it:
    otherwise the policies for that role would apply to the app.
    """
    member = visibility.member_role(app)
    if admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [member]).fetchone() is None:
        admin.execute(_sql(f"CREATE ROLE {{}} NO{_ATTRIBUTES}", member))
    if admin.info.server_version >= _GRANTS_SAY_INHERIT:
        admin.execute(_sql("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE", member, app))
    else:
        admin.execute(_sql("ALTER ROLE {} NOINHERIT", app))
        admin.execute(_sql("GRANT {} TO {}", member, app))


@contextmanager
def _membership(admin: psycopg.Connection[Any], owner: str) -> Iterator[None]:
    """Let an administrator without superuser rights act for the owner, as CREATE DATABASE ... OWNER demands."""
    query = "SELECT rolsuper OR pg_has_role(%s, 'USAGE') FROM pg_roles WHERE rolname = current_user"
    row = admin.execute(query, [owner]).fetchone()
    if row is not None and row[0]:
        yield
        return
    admin.execute(_sql("GRANT {} TO CURRENT_USER", owner))
    try:
        yield
    finally:
        admin.execute(_sql("REVOKE {} FROM CURRENT_USER", owner))


def _ensure_database(admin: psycopg.Connection[Any], name: str, owner: str) -> None:
    query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
    row = admin.execute(query, [name]).fetchone()
    if row is None:
        admin.execute(_sql("CREATE DATABASE {} OWNER {}", name, owner))
    elif row[0] != owner:
        admin.execute(_sql("ALTER DATABASE {} OWNER TO {}", name, owner))
    admin.execute(_sql("REVOKE ALL ON DATABASE {} FROM PUBLIC", name))


# Indexes, TOAST tables and sequences of columns change owner with their tables, row types with theirs; objects of an
# extension keep their owner.
_FOREIGN = """
    WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
         owner AS (SELECT oid FROM pg_roles WHERE rolname = %s),
         bound AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
                   UNION SELECT classid, objid FROM pg_depend
                   WHERE deptype IN ('a', 'i') AND classid = 'pg_class'::regclass AND refobjsubid > 0)
    SELECT 'SCHEMA', quote_ident(nspname) FROM pg_namespace WHERE oid IN (SELECT oid FROM ours)
        AND nspowner <> (SELECT oid FROM owner)
        AND ('pg_namespace'::regclass, oid) NOT IN (SELECT * FROM bound)
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
           WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, oid::regclass::text
    FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relnamespace IN (SELECT oid FROM ours)
        AND relowner <> (SELECT oid FROM owner)
        AND ('pg_class'::regclass, oid) NOT IN (SELECT * FROM bound)
    UNION ALL
    SELECT 'ROUTINE', oid::regprocedure::text FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)
        AND proowner <> (SELECT oid FROM owner) AND prokind <> 'a'
        AND ('pg_proc'::regclass, oid) NOT IN (SELECT * FROM bound)
    UNION ALL
    SELECT CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, oid::regtype::text
    FROM pg_type WHERE typtype IN ('d', 'e', 'r') AND typnamespace IN (SELECT oid FROM ours)
        AND typowner <> (SELECT oid FROM owner)
        AND ('pg_type'::regclass, oid) NOT IN (SELECT * FROM bound)"""


def _give_contents(inside: psycopg.Connection[Any], owner: str) -> None:
    """Make the owner own everything in a database, as one transaction. The names come quoted from the catalog."""
    with inside.transaction():
        for kind, name in inside.execute(_FOREIGN, [owner]).fetchall():
            inside.execute(sql.SQL(f"ALTER {kind} {name} OWNER TO {{}}").format(sql.Identifier(owner)))
        inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


def grant(connection: sa.Connection, app: str) -> None:
    """Grant the app's role access to the tables of the connected owner, and to those of later migrations.

    Does nothing where both are one role. Raises InvalidInput when the role does not exist.
    """
    if not app or app == connection.scalar(sa.text("SELECT current_user")):
        return
    if not connection.scalar(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": app}):
        raise InvalidInput(
            f"The database has no role {app}, which FLEET_DATABASE_URL names.",
            fix="`fleet roles` creates it (docs/operations.md).",
        )
    schema = str(connection.scalar(sa.text("SELECT current_schema()")))
    quoted = connection.dialect.identifier_preparer.quote_identifier
    for statement in _grants(quoted(schema), quoted(app)):
        connection.exec_driver_sql(statement)


def _grants(schema: str, app: str) -> Sequence[str]:
    rows = ", ".join(ROWS)
    return (
        f"GRANT USAGE ON SCHEMA {schema} TO {app}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM {app}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {app}",
        f"GRANT {rows} ON ALL TABLES IN SCHEMA {schema} TO {app}",
        *(
            statement
            for table, kept in LIMITED.items()
            for statement in (
                f"REVOKE ALL ON {schema}.{table} FROM {app}, PUBLIC",
                f"GRANT {', '.join(kept)} ON {schema}.{table} TO {app}",
            )
        ),
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {app}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {rows} ON TABLES TO {app}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {app}",
    )


# A member of the owner's role can do all that the owner can: disable the trigger, drop the table.
_EXCESS = """
    SELECT r.rolsuper, r.rolcreaterole, r.rolcreatedb,
           pg_has_role(c.relowner, 'MEMBER') AS is_owner,
           has_table_privilege(c.oid, 'DELETE, TRUNCATE, TRIGGER')
               OR has_any_column_privilege(c.oid, 'UPDATE') AS changes_audit,
           has_schema_privilege(c.relnamespace, 'CREATE') AS creates,
           EXISTS (SELECT 1 FROM pg_roles s WHERE s.rolname IN ('pg_execute_server_program', 'pg_write_server_files',
                   'pg_read_server_files') AND pg_has_role(s.oid, 'MEMBER')) AS is_on_the_server
    FROM pg_roles r, pg_class c WHERE r.rolname = current_user AND c.oid = 'audit'::regclass"""
_POWERS = {
    "rolsuper": "is a superuser",
    "rolcreaterole": "may create roles",
    "rolcreatedb": "may create databases",
    "is_owner": "owns the audit log and may switch off its trigger",
    "changes_audit": "may change the audit log",
    "creates": "may create tables and functions",
    "is_on_the_server": "may use files or programs of the database server",
}


def excess(connection: Any) -> list[str]:
    """Return the privileges of the connected role that the app does not need; a superuser has all of them."""
    row = connection.execute(sa.text(_EXCESS)).mappings().one()
    return ["is a superuser"] if row["rolsuper"] else [words for name, words in _POWERS.items() if row[name]]


def _sql(template: str, *names: str) -> sql.Composed:
    return sql.SQL(template).format(*map(sql.Identifier, names))
