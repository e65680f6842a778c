"""SQL for the hot path: statements that are compiled once, and values that come as one table.

Written by the rooms in SQLAlchemy Core, run by `fleet.core.db` alone. Knows no connection of its own. A step of the
loop (T1, T3, J1, J5) is one GroupStatement, which `fleet.engine` joins from parts of several rooms. To each part
belong the columns that it reads of `given` (as `CLAIM`), what fills them (`claim_parameters`) and itself (`claiming`).
"""

from __future__ import annotations

import functools
import json
import re
import uuid
import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import JSONB

from fleet.core.db.group_commit import NO_END_MS
from fleet.core.workarounds.sqlalchemy import LiteralDialect

_UNSTORABLE = re.compile(r"(\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\u0000|\\ud[89a-f][0-9a-f]{2}")
"""In JSON as Python writes it: NUL and halves of characters. What must not be taken for them comes first."""


def as_json(value: Any) -> str:
    """Return a value as JSON that Postgres takes. NUL and halves of characters, which it refuses, are left out:
    both are valid JSON, so any server may send them, and one post of a feed would end everything that reads it."""
    written = json.dumps(value)
    if "\\u0000" in written or "\\ud" in written:
        return _UNSTORABLE.sub(lambda found: found[1] or "", written)
    return written


_MADE: weakref.WeakSet[Statement] = weakref.WeakSet()


def compile_all() -> None:
    """Compile every statement that there is: before a fork, or each child does it again."""
    for statement in tuple(_MADE):
        _ = statement._compiled


class Statement:
    """A statement of the hot path: written in Core, compiled once, run by the driver itself.

    SQLAlchemy's own way through a statement costs three times the driver's (measured), and building one anew costs as
    much again. Values that change are `sa.bindparam(name, type_=...)`; lists are arrays (`= ANY(...)`), never IN.

    The server keeps what it made of it. One that is not `prepared` is planned for the values of each call: where some
    are common and others rare, a plan for any of them serves the common ones, and for a rare one walks whole tables.
    """

    def __init__(self, statement: sa.ClauseElement, *, prepared: bool = True) -> None:
        self._statement, self._prepared = statement, prepared
        _MADE.add(self)

    @functools.cached_property
    def _compiled(self) -> tuple[bytes, Sequence[str]]:
        """Return the SQL, and the names of the values that are JSON."""
        compiled: Any = self._statement.compile(dialect=LiteralDialect())  # type: ignore[no-untyped-call]
        documents = [name for bind, name in compiled.bind_names.items() if isinstance(bind.type, sa.JSON)]
        return str(compiled).encode(), documents

    def run(self, connection: psycopg.Connection[Any], values: dict[str, Any]) -> psycopg.Cursor[Any]:
        """Run it and return the driver's cursor; rows have their columns as attributes."""
        sql, documents = self._compiled
        for name in documents:
            if values.get(name) is not None:
                values[name] = Jsonb(values[name], dumps=as_json)
        return connection.cursor(row_factory=namedtuple_row).execute(sql, values, prepare=self._prepared)


class GroupStatement(Statement):
    """A statement that carries out many calls at once: its values are the rows of `given`, each with its number `n`.

    Its rows say by `n` whose they are. `order` names the value by which calls are put in order, so that two groups take
    locks in the same one.
    """

    def __init__(self, statement: sa.ClauseElement, *, order: str) -> None:
        super().__init__(statement)
        self._order = order

    def run(self, connection: psycopg.Connection[Any], values: dict[str, Any]) -> psycopg.Cursor[Any]:
        """Carry out one call, however long it waits for locks."""
        return super().run(connection, {"calls": [_numbered(0, values)], "patience": str(NO_END_MS)})

    def run_all(
        self, connection: psycopg.Connection[Any], calls: Sequence[Mapping[str, Any]], *, patience_ms: int
    ) -> list[list[Any]]:
        """Carry out several calls; return the rows of each. Locks are waited for so long, without an end if 0."""
        places = sorted(range(len(calls)), key=lambda place: str(calls[place][self._order]))
        numbered = [_numbered(place, calls[place]) for place in places]
        found: list[list[Any]] = [[] for _ in calls]
        for row in super().run(connection, {"calls": numbered, "patience": str(patience_ms)}):
            found[row.n].append(row)
        return found


def _numbered(number: int, values: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: str(value) if isinstance(value, _AS_TEXT) else value for name, value in values.items()}
    return {"n": number, **plain}


_AS_TEXT = (uuid.UUID, datetime)


def given(**columns: sa.types.TypeEngine[Any]) -> sa.CTE:
    """Return the values of all calls of a GroupStatement as a table, with the number of the call as `n`.

    Values are what JSON has, uuids and instants as text; documents are columns of type JSONB.
    """
    call = (
        sa.func.jsonb_to_recordset(sa.bindparam("calls", type_=JSONB))
        .table_valued(sa.column("n", sa.Integer()), *(sa.column(name, kind) for name, kind in columns.items()))
        .render_derived(name="call", with_types=True)
    )
    # Holds for this statement alone, and is set before its first row is seen, let alone locked.
    set_patience = sa.func.set_config("lock_timeout", sa.bindparam("patience", type_=sa.String), True)
    patience = sa.select(set_patience.label("patience")).subquery("patience")
    # The planner believes in a hundred rows of a function, and reads whole tables rather than look up as many keys. Of
    # what it cannot know, such as this, it believes that it holds for one row of them.
    always = call.c.n % 1 == 0
    return sa.select(*call.c).select_from(patience.join(call, sa.true())).where(always).cte("given")


def unindexed(state: sa.SQLColumnExpression[str]) -> sa.ColumnElement[str]:
    """Return a state to guard rows by that are named by their keys: as an expression of which no index knows.

    A plan is kept from when few rows were in that state, or none. By an index of those it would read all of a backlog
    for every call.
    """
    return state.concat("")


def table_of(**columns: sa.types.TypeEngine[Any]) -> sa.TableValuedAlias:
    """Return a table to join with, whose columns are given when the statement is run: each as `given_<name>`, an
    `array`. A parameter for each value makes a statement that takes longer to read than to run."""
    given = [array_of(kind, f"given_{name}") for name, kind in columns.items()]
    return sa.func.unnest(*given).table_valued(*columns, name="given").render_derived()


def array_of(kind: sa.types.TypeEngine[Any], name: str) -> sa.BindParameter[Any]:
    """Return an array that is given when the statement is run."""
    return sa.bindparam(name, type_=sa.ARRAY(kind))


def array(values: Iterable[object]) -> str:
    """Return uuids, numbers, instants or plain words as an array to run a statement with: its text. The driver takes
    ten times as long to write one."""
    return "{" + ",".join(map(str, values)) + "}"
