"""Row level security: which rows the transactions of somebody see whose role holds in some organisations alone.

Every table declares it in its `__table_args__` (`Rows(...).args`). A transaction of a restricted caller runs as a role
of its own, `member_role`, to which these policies apply; all others see every row, by the same plans as without them.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

Organisations = frozenset[uuid.UUID]
_INFO = "rows of organisations"
_OWN = "(SELECT string_to_array(current_setting('fleet.organisations', true), ',')::uuid[])"
_EVERYBODY, _MEMBER = "fleet_everybody", "fleet_member"
_AS_MEMBER = sa.text(
    "SELECT set_config('role', session_user || '_member', true), set_config('fleet.organisations', :ids, true)"
)
_restriction: ContextVar[Organisations | None] = ContextVar("fleet_organisations", default=None)


def current() -> Organisations | None:
    """Return the organisations to which this context is restricted; None: it sees everything.

    Values that several requests share are kept by this key. A new thread is not restricted.
    """
    return _restriction.get()


def restrict(organisations: Organisations | None) -> None:
    """Restrict all that follows in this context, such as a request; None lifts that."""
    _restriction.set(organisations)


@contextmanager
def restricted(organisations: Organisations | None) -> Iterator[None]:
    """Restrict the transactions that begin within the block; None: they see everything, as caches must."""
    before = _restriction.set(organisations)
    try:
        yield
    finally:
        _restriction.reset(before)


def shows(organisation_id: uuid.UUID | None) -> bool:
    """Say whether this context sees what belongs to an organisation. What belongs to none, everybody sees."""
    own = current()
    return own is None or organisation_id is None or organisation_id in own


def apply(connection: sa.Connection, organisations: Organisations) -> None:
    """Restrict the transaction that has begun on a connection. For `Database.transaction` only."""
    connection.execute(_AS_MEMBER, {"ids": ",".join(sorted(map(str, organisations)))})


def member_role(app: str) -> str:
    """Return the role as which restricted transactions of an app run."""
    return f"{app}_member"


def is_in_force(connection: Any) -> bool:
    """Say whether the connected role can be restricted: `fleet roles` has made its role, and `fleet migrate` the
    policies.
    """
    return bool(connection.execute(_IS_IN_FORCE).scalar())


_IS_IN_FORCE = sa.text(f"""
    SELECT EXISTS (SELECT FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)
        WHERE p.polname = '{_MEMBER}_select' AND p.polrelid = 'agents'::regclass
          AND r.rolname = session_user || '_member' AND pg_has_role(session_user, r.oid, 'MEMBER'))""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table that members see (`read`) and may write, as SQL conditions; `write` is `read` by default."""

    read: str
    write: str = ""

    @property
    def args(self) -> dict[str, Any]:
        """The last of a table's `__table_args__`, or a part of it."""
        return {"info": {_INFO: self}}

    def statements(self, table: str, member: str) -> Sequence[str]:
        """Return the statements that put the policies of a table in force."""
        write = self.write or self.read
        of = f"ON {table} AS RESTRICTIVE"
        return (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            *(f"DROP POLICY IF EXISTS {name} ON {table}" for name in _names()),
            f"CREATE POLICY {_EVERYBODY} ON {table} USING (true) WITH CHECK (true)",
            f"CREATE POLICY {_MEMBER}_select {of} FOR SELECT TO {member} USING ({self.read})",
            f"CREATE POLICY {_MEMBER}_insert {of} FOR INSERT TO {member} WITH CHECK ({write})",
            f"CREATE POLICY {_MEMBER}_update {of} FOR UPDATE TO {member} USING ({write}) WITH CHECK ({write})",
            f"CREATE POLICY {_MEMBER}_delete {of} FOR DELETE TO {member} USING ({write})",
        )


def _names() -> Sequence[str]:
    return (_EVERYBODY, *(f"{_MEMBER}_{verb}" for verb in ("select", "insert", "update", "delete")))


def own(column: str = "organisation_id") -> str:
    """Return the condition that a column holds an organisation of the member."""
    return f"{column} = ANY ({_OWN}::uuid[])"


def own_text(column: str) -> str:
    """Return the condition that a column of text holds the id of an organisation of the member."""
    return f"{column} = ANY ({_OWN}::text[])"


def seen(table: str, condition: str) -> str:
    """Return the condition that there is a row of another table that the member sees."""
    return f"EXISTS (SELECT FROM {table} seen WHERE {condition})"


def of_agent(table: str, column: str = "agent_id") -> Rows:
    """Return the rows of agents that a member sees."""
    return Rows(seen("agents", f"seen.id = {table}.{column}"))


ALL = Rows("true")
"""For tables that hold nothing of any organisation."""
NONE = Rows("false")
"""For tables of the whole fleet."""


def rows_of(table: sa.Table) -> Rows | None:
    """Return what a table declares; None if it does not: members have no privilege on it."""
    found: Rows | None = table.info.get(_INFO)
    return found


def put_in_force(connection: sa.Connection, app: str, metadata: sa.MetaData, limited: Any) -> None:
    """Create the policies of all tables that lack them, and grant the member's role the app's privileges on them.

    Each table is its own transaction: it is locked for a moment. Does nothing without the member's role, as on a server
    where `fleet roles` has not run.
    """
    member = member_role(app or str(connection.scalar(sa.text("SELECT current_user"))))
    if not connection.scalar(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": member}):
        return
    quote = connection.dialect.identifier_preparer.quote_identifier
    schema = quote(str(connection.scalar(sa.text("SELECT current_schema()"))))
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {quote(member)}")
    connection.exec_driver_sql(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {quote(member)}")
    connection.exec_driver_sql(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {quote(member)}")
    known = set(sa.inspect(connection).get_table_names())
    tables = [table for table in metadata.sorted_tables if table.name in known]
    for table in tables:
        rows = rows_of(table)
        if rows is not None:
            privileges = ", ".join(limited.get(table.name, ("SELECT", "INSERT", "UPDATE", "DELETE")))
            connection.exec_driver_sql(f"GRANT {privileges} ON {schema}.{quote(table.name)} TO {quote(member)}")
    connection.commit()
    for table in tables:
        rows = rows_of(table)
        if rows is not None and rows is not ALL:
            _put_in_force(
                connection, f"{schema}.{quote(table.name)}", rows.statements(quote(table.name), quote(member))
            )


def _put_in_force(connection: sa.Connection, table: str, statements: Sequence[str]) -> None:
    """Run the statements unless the table has their result: the policy's comment holds their digest."""
    digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    query = sa.text(
        "SELECT obj_description(oid, 'pg_policy') FROM pg_policy WHERE polrelid = CAST(:table AS regclass)"
        " AND polname = :name"
    )
    if connection.scalar(query, {"table": table, "name": _EVERYBODY}) == digest:
        connection.commit()
        return
    for statement in statements:
        connection.exec_driver_sql(statement.replace("%", "%%"))
    connection.exec_driver_sql(f"COMMENT ON POLICY {_EVERYBODY} ON {table} IS '{digest}'")
    connection.commit()
