"""Postgres: the engine, transactions and migrations.

Entry points and `fleet.engine` open transactions; other packages get one as an argument. No network call is made inside
a transaction: a call that must follow COMMIT is registered with `Tx.afterwards` and runs when COMMIT has returned.
(SQLAlchemy's own after_commit event would fire at the release of a savepoint.)
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from pydantic_core import from_json
from sqlalchemy import event, exc
from sqlalchemy.orm import DeclarativeBase, Session

from fleet.core import clock, logs
from fleet.core.clock import Clock
from fleet.core.db import link as db_link
from fleet.core.db import roles, visibility
from fleet.core.db.errors import explained, separating
from fleet.core.db.sql import NOW, GroupStatement, Statement, as_json
from fleet.core.db.visibility import Organisations
from fleet.core.errors import FleetError, InvalidInput
from fleet.core.group_commit import NO_END_MS, CarryOut, GroupCommit, Item, Result
from fleet.core.workarounds.sqlalchemy import wrapped

if TYPE_CHECKING:
    import alembic.config

log = logs.get(__name__)

_MIGRATION_LOCK = 0x666C656574  # "fleet": any constant works, as long as all migrators use the same

# A process that is suspended inside a transaction keeps its locks, and all transactions that need them wait. No
# transaction of ours idles (no network call is made inside one), so the server may end such a session soon.  The
# planner's own price of a random page is that of a turning disk: it would read a young table from end to end, by a plan
# that is kept while the table grows, rather than look up one key.
_SESSION = (
    "-c idle_in_transaction_session_timeout=5s -c statement_timeout=60s -c random_page_cost=1.1 " + db_link.SERVER_LINK
)

_CONNECT_S = 5


class Base(DeclarativeBase):
    """Metadata of all of Fleet's tables. Foreign keys cross rooms by table name; relationships do not."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def one_of(column: str, values: type[StrEnum]) -> str:
    """Return the SQL of a CHECK that a column holds one of an enum's values."""
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


class Tx:
    """One transaction: SQL through `execute` or `run`, and calls to make once it has committed."""

    def __init__(self, connection: sa.Connection, clock: Clock, organisations: Organisations | None = None) -> None:
        self.organisations = organisations
        """The organisations to which it is restricted; None: it sees everything."""
        self._connection = connection
        self._clock = clock
        self._afterwards: list[Callable[[], None]] = []

    @functools.cached_property
    def session(self) -> Session:
        """SQLAlchemy's session over this transaction, made when first asked for."""
        return Session(self._connection, expire_on_commit=False)

    @functools.cached_property
    def _driver(self) -> psycopg.Connection[Any]:
        return self._connection.connection.driver_connection  # type: ignore[return-value]

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run one statement; `parameters` may be a list for many rows."""
        return self.session.execute(statement, parameters)  # type: ignore[return-value]

    def run(self, statement: Statement, **values: Any) -> psycopg.Cursor[Any]:
        """Run a statement of the hot path. Rows that the ORM session has loaded do not see its changes."""
        with self._as_ours():
            return statement.run(self._driver, values, now=self._clock.statement_time())

    def run_all(
        self, statement: GroupStatement, calls: Sequence[dict[str, Any]], *, patience_ms: int
    ) -> list[list[Any]]:
        """Carry out several calls of a statement at once; return the rows of each. For `Database.together`."""
        if not calls:
            return []
        with self._as_ours():
            now = self._clock.statement_time()
            return statement.run_all(self._driver, calls, patience_ms=patience_ms, now=now)

    @contextmanager
    def _as_ours(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            if self._driver.closed:
                self._connection.invalidate()
            raise wrapped(error) from error

    def scalar(self, statement: sa.Executable) -> Any:
        """Run one statement and return the first column of its first row, or None."""
        return self.session.scalar(statement)

    def now(self) -> datetime:
        """Return the database's time, by which leases and due times are compared; workers' clocks may be wrong."""
        value: datetime = self.run(_NOW).fetchone()[0]  # type: ignore[index]
        return value

    @property
    def sql_now(self) -> sa.ColumnElement[datetime]:
        """The time in an ordinary statement: the database's, or that of a virtual clock."""
        virtual = self._clock.statement_time()
        return sa.func.clock_timestamp() if virtual is None else sa.literal(virtual, sa.DateTime(timezone=True))

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call `call` after this transaction has committed; never if it rolls back.

        The data is committed by then, so an error that such a call raises is logged, and the sweep repairs it.
        """
        self._afterwards.append(call)

    def end(self) -> None:
        """Flush the session and detach its rows. For `Database.transaction` only."""
        if "session" in self.__dict__:
            self.session.flush()
            self.session.close()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the block if it raises, with its calls for after the commit. For `Database.transaction` only."""
        calls = len(self._afterwards)
        try:
            with self.session.begin_nested():
                yield
        except BaseException:
            del self._afterwards[calls:]
            raise

    def run_afterwards(self) -> None:
        """Make the registered calls, in order. For `Database.transaction` only."""
        for call in self._afterwards:
            try:
                call()
            except Exception:
                log.warning("after_commit_failed", exc_info=True)


Also = Callable[[Tx], None]
"""Work for the caller's transaction, always passed as `also`: called with the transaction after the statement that
it belongs to has found its row, and before COMMIT. An exception undoes both.
"""

_NOW = Statement(sa.select(NOW))
_outer: ContextVar[tuple[Database, Tx] | None] = ContextVar("fleet_outer_transaction", default=None)


class Database:
    """A pool of connections. Build it after fork; one a process. `clock` gives the time of its statements."""

    def __init__(self, url: str, *, pool_size: int = 10, clock: Clock = clock.SYSTEM) -> None:
        self.clock = clock
        if not url:
            raise InvalidInput(
                "No database is set.",
                fix="Set FLEET_DATABASE_URL, or start the embedded one with `fleet up`.",
            )
        try:
            link = db_link.limits(sa.make_url(url))
            self.engine = sa.create_engine(
                url,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=30,
                json_serializer=as_json,
                json_deserializer=from_json,  # ten times as fast as Python's, and each claim has several documents
                hide_parameters=True,  # errors are logged and shown, and parameter values may be users' texts
                pool_use_lifo=True,  # last in, first out: that connection has prepared statements
                connect_args={"connect_timeout": _CONNECT_S, "application_name": "fleet", "options": _SESSION, **link},
            )
        # A port that is no number is a ValueError, a missing driver a ModuleNotFoundError.
        except (exc.ArgumentError, exc.NoSuchModuleError, ValueError, ModuleNotFoundError) as error:
            raise InvalidInput(
                f"FLEET_DATABASE_URL is not a database address ({logs.mask(str(error))}).",
                fix="Write it as postgresql+psycopg://user:password@host:5432/name.",
            ) from None
        db_link.watch(self.engine)
        _ask_whether_alive(self.engine)
        # A call that waits for a lock holds a connection; the turns of all other calls need one, too.
        self._group = GroupCommit(most_separate=max(1, pool_size - 2))
        # Cached, since group commit groups calls by the identity of their function.
        self._separating = functools.cache(separating)
        self._carrying_out = functools.cache(lambda statement: functools.partial(self._carry_out, statement))

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Open a transaction that commits when the block ends, and rolls back when it raises.

        Raises Unavailable when the server cannot be reached or cuts the connection, InvalidInput when its tables are
        missing. After an Unavailable from COMMIT itself the writes may be in force: callers read again (every change is
        guarded, so a repetition is harmless). Within `joined` it is a savepoint of the transaction given there, unless
        that sees other rows than this context.
        """
        outer = _outer.get()
        if outer is not None and outer[0] is self and outer[1].organisations == visibility.current():
            with outer[1].savepoint():
                yield outer[1]
            return
        with self._own_transaction() as tx:
            yield tx

    @contextmanager
    def _own_transaction(self) -> Iterator[Tx]:
        """Open a transaction that joins no other. It sees what this context may see (`fleet.core.db.visibility`)."""
        own = visibility.current()
        with explained(), self.engine.connect() as connection, connection.begin():
            if own is not None:
                visibility.apply(connection, own)
            tx = Tx(connection, self.clock, own)
            yield tx
            tx.end()
        tx.run_afterwards()

    @contextmanager
    def joined(self, tx: Tx) -> Iterator[None]:
        """Have `transaction` yield `tx` within this block, in this context: an approved verb and its approval commit
        together, and the verb has the same code as one that runs by itself. `run` and `together` do not join.
        """
        token = _outer.set((self, tx))
        try:
            yield
        finally:
            _outer.reset(token)

    def run(self, statement: Statement, also: Also | None = None, **values: Any) -> list[Any]:
        """Run one statement as a transaction of its own, in one round trip, and return its rows.

        A GroupStatement runs together with the calls of other threads at this moment. `also` is called in the same
        transaction if there are any rows. Raises as `transaction` does.
        """
        if also is not None:
            with self.transaction() as tx:
                rows = tx.run(statement, **values).fetchall()
                if rows:
                    also(tx)
            return rows
        if visibility.current() is not None:
            return self._run_alone(statement, values)
        if isinstance(statement, GroupStatement):
            return self.together(self._carrying_out(statement), values)
        with self._committing_each() as driver:
            cursor = statement.run(driver, values, now=self.clock.statement_time())
            return cursor.fetchall() if cursor.description else []

    def _run_alone(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        """Run a statement of a restricted caller, which shares its transaction with no other."""
        with self._own_transaction() as tx:
            if isinstance(statement, GroupStatement):
                return tx.run_all(statement, [values], patience_ms=NO_END_MS)[0]
            cursor = tx.run(statement, **values)
            return cursor.fetchall() if cursor.description else []

    def together(self, carry_out: CarryOut[Item, Result], item: Item, *, apart: Sequence[Hashable] = ()) -> Result:
        """Return the result of `carry_out` for an item, which runs together with items of other threads (GroupCommit).

        All of them share one transaction. If one item fails it, or a lock is not free soon, each item is tried by
        itself. An item of a restricted caller runs alone, in its own transactions.
        """
        if visibility.current() is not None:
            return carry_out([item], NO_END_MS)[0]
        result: Result = self._group.run(self._separating(carry_out), item, apart=apart)
        return result

    def _carry_out(self, statement: GroupStatement, calls: list[dict[str, Any]], patience_ms: int) -> list[list[Any]]:
        with self._committing_each() as driver:
            now = self.clock.statement_time()
            return statement.run_all(driver, calls, patience_ms=patience_ms, now=now)

    @contextmanager
    def _committing_each(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield a connection on which each statement is a transaction of its own."""
        with explained():
            try:
                pooled = self.engine.raw_connection()
            except psycopg.Error as error:  # SQLAlchemy passes on a refused connection as it is
                raise wrapped(error) from error
            driver: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
            try:
                driver.autocommit = True
                yield driver
            except psycopg.Error as error:
                raise wrapped(error) from error
            finally:
                if driver.pgconn.transaction_status == TransactionStatus.IDLE:
                    driver.autocommit = False
                else:  # the connection is lost, or the thread was interrupted during the query
                    pooled.invalidate()
                pooled.close()

    def close(self) -> None:
        """Close all connections of the pool."""
        self.engine.dispose()


_FRESH_S = 5.0


def _ask_whether_alive(engine: sa.Engine) -> None:
    """Make the pool check a connection before use, unless it was used a moment ago.

    SQLAlchemy's pre-ping checks every time, a round trip for each transaction. A connection that was lost within the
    moment fails like one lost during use: Unavailable; and the pool then distrusts all others of its age.
    """
    lost_at_s = float("-inf")

    @event.listens_for(engine, "invalidate")
    def _lost(*_: Any) -> None:
        nonlocal lost_at_s
        lost_at_s = clock.monotonic_s()

    @event.listens_for(engine, "checkin")
    def _used(_: Any, record: Any) -> None:
        record.info["used_at_s"] = clock.monotonic_s()

    @event.listens_for(engine, "checkout")
    def _ask(driver: Any, record: Any, _: Any) -> None:
        used_at_s = record.info.get("used_at_s")
        if used_at_s is None or used_at_s > max(lost_at_s, clock.monotonic_s() - _FRESH_S):
            return
        try:
            engine.dialect.do_ping(driver)
        except psycopg.Error as error:
            raise exc.InvalidatePoolError from error  # the pool makes a new one and hands that out


def migrate(url: str, *, app_role: str = "", folders: Sequence[Path] = ()) -> None:
    """Bring the database at `url` to this version's tables. Safe to run from several places at once.

    `url` is the owner's; `app_role` is the role that gets the grants of an app, if it differs. `folders` hold the
    revisions of other packages, each on a branch of its own. Raises FleetError for a database of a later version,
    without changing it.
    """
    import alembic.command  # 10 MB that no other process needs

    database = Database(url, pool_size=1)
    try:
        with explained(), database.engine.connect() as connection:
            db_link.wait_without_end(connection)
            _wait_for_turn(connection)
            _lacking(connection, folders)  # refuses a database that is newer than we are
            connection.rollback()
            config = _alembic_config(folders)
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "heads")
            roles.grant(connection, app_role)
            connection.commit()
            visibility.put_in_force(connection, app_role, Base.metadata, roles.LIMITED)
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()
    finally:
        database.close()


def _wait_for_turn(connection: sa.Connection) -> None:
    """Take the migration lock by polling: a wait inside a statement would block CREATE INDEX CONCURRENTLY, which
    waits for all statements that began before it.
    """
    while not connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": _MIGRATION_LOCK}):
        connection.rollback()
        time.sleep(0.2)
    connection.commit()


def pending_migrations(database: Database, folders: Sequence[Path] = ()) -> list[str]:
    """Return the revisions that the database still lacks, oldest first; empty when it is up to date."""
    with explained(), database.engine.connect() as connection:
        return _lacking(connection, folders)


def _lacking(connection: sa.Connection, folders: Sequence[Path]) -> list[str]:
    """Return the revisions that a database still lacks. Raises FleetError for one of a later version."""
    import alembic.script
    from alembic.migration import MigrationContext

    script = alembic.script.ScriptDirectory.from_config(_alembic_config(folders))
    have = MigrationContext.configure(connection).get_current_heads()
    known = {revision.revision for revision in script.walk_revisions()}
    if set(have) - known:
        raise FleetError(
            f"The database is newer than this version of Fleet and its features (revision {', '.join(have)}).",
            fix="Upgrade Fleet, or install the package of the feature whose tables it has.",
        )
    applied = {revision.revision for head in have for revision in script.iterate_revisions(head, "base")}
    return [r.revision for r in reversed(list(script.walk_revisions())) if r.revision not in applied]


def _alembic_config(folders: Sequence[Path] = ()) -> alembic.config.Config:
    import alembic.config

    import migrations

    own = Path(migrations.__file__).parent
    config = alembic.config.Config()
    config.set_main_option("script_location", str(own).replace("%", "%%"))
    if folders:
        config.set_main_option("path_separator", "os")
        places = os.pathsep.join(str(folder) for folder in (own / "versions", *folders))
        config.set_main_option("version_locations", places.replace("%", "%%"))
    return config
