"""SQL for the hot path: statements that are compiled once, and values passed as one table.

A statement is a named `.sql` file (`read`) or an expression of SQLAlchemy Core. `fleet.core.db` alone runs them; this
module has no connection of its own. A step of the loop (T1, T3, J1, J5) is one GroupStatement in one file
(`fleet.engine.sql`). Each statement may use the parameter `now`: see `NOW`.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
import uuid
import weakref
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb
from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy.dialects.postgresql import JSONB

from fleet.core.group_commit import NO_END_MS
from fleet.core.workarounds.sqlalchemy import LiteralDialect

_UNSTORABLE = re.compile(r"(\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\u0000|\\ud[89a-f][0-9a-f]{2}")
"""In JSON: NUL and lone surrogates. An escaped backslash comes first, since it looks like their beginning."""


def as_json(value: Any) -> str:
    """Return a value as JSON that Postgres accepts, without NUL and lone surrogates, which it refuses.

    Both are valid JSON, so any server may send them, and one such post would break every reader of its feed.
    """
    try:
        written = to_json(value).decode()  # three times as fast, but it refuses halves of characters
    except PydanticSerializationError:
        written = json.dumps(value)
    if "\\u0000" in written or "\\ud" in written:
        return _UNSTORABLE.sub(lambda found: found[1] or "", written)
    return written


_MADE: weakref.WeakSet[Statement] = weakref.WeakSet()


def compile_all() -> None:
    """Compile every statement that there is: before a fork, or each child does it again."""
    for statement in tuple(_MADE):
        _ = statement._compiled


NOW = sa.func.coalesce(sa.bindparam("now", type_=sa.DateTime(timezone=True)), sa.func.clock_timestamp())
"""The time in a Statement of SQLAlchemy Core: the database's, or that of a virtual clock (`fleet.core.clock`)."""
NOW_FOR_INDEX = sa.func.coalesce(sa.bindparam("now", type_=sa.DateTime(timezone=True)), sa.func.statement_timestamp())
"""As NOW, but the same for all rows of a statement: only such a value can use an index."""


@dataclass(frozen=True, slots=True)
class SqlFile:
    """The text of a named statement, and its parsed header.

    The first lines of a file are comments: its name and a sentence; `calls by KEY:` with the columns of a
    GroupStatement's calls and their types, or `parameters:` with those of a single one; `returns:` with the columns.
    """

    name: str
    sentence: str
    sql: str
    parameters: Mapping[str, str]
    order: str | None
    """The column by which calls are sorted; None for a statement that takes one call."""
    returns: tuple[str, ...]


_HEADER = re.compile(r"(?:--[^\n]*\n)+")
_FIELD = re.compile(r"(calls by (?P<order>\w+)|parameters|returns):(?P<value>.*)", re.DOTALL)
_FRAGMENT = re.compile(r"\{(\w+)\}")
_PARAMETER = re.compile(r"(?<!:):([a-z]\w*)")
# The planner estimates a hundred rows for a function, and would scan whole tables rather than look up as many keys. For
# a condition that it cannot estimate, such as `n % 1`, it assumes one matching row. `lock_timeout` holds for this
# statement alone, and is set before its first row is read or locked.
_CALLS = (
    "SELECT call.* FROM (SELECT set_config('lock_timeout', :patience::text, true)) AS patience,"
    " jsonb_to_recordset(:calls::jsonb) AS call(n integer, {columns}) WHERE call.n % 1 = 0"
)


def read(package: str, name: str) -> SqlFile:
    """Read a statement from the file `name`.sql of a package.

    In its text `:name` is a parameter, `{calls}` the table of calls with the number of each as `n`, and `{name}` the
    text of the file `_name.sql` beside it.
    """
    folder = importlib.resources.files(package)
    text = (folder / f"{name}.sql").read_text("utf-8")
    header = _HEADER.match(text)
    if header is None:
        raise ValueError(f"{name}.sql does not begin with a comment that says what it does")
    title, *fields = re.split(r"\n-- (?=calls by|parameters:|returns:)", header[0].strip())
    order, parameters, returns = None, "", ""
    for found in map(_FIELD.match, fields):
        assert found is not None
        value = " ".join(found["value"].replace("\n--", " ").split())
        if found[1] == "returns":
            returns = value
        else:
            order, parameters = found["order"], value
    parts = {"calls": _CALLS.format(columns=parameters)}

    def part(found: re.Match[str]) -> str:
        return parts.get(found[1]) or _stripped((folder / f"_{found[1]}.sql").read_text("utf-8"))

    sql = _FRAGMENT.sub(part, _stripped(text))
    named = dict(one.split(" ", 1) for one in parameters.split(", ") if one)
    sentence = title.replace("\n--", "").removeprefix("-- ")
    return SqlFile(name, sentence, f"/* {name} */ {sql}", named, order, tuple(filter(None, returns.split(", "))))


def _stripped(text: str) -> str:
    return re.sub(r"--[^\n]*\n", "", text).strip()


class Statement:
    """A statement of the hot path: a named file or an expression of Core, compiled once and run by the driver directly.

    Running it through SQLAlchemy costs three times as much as the driver alone (measured), and building it anew as much
    again. Values that change are `sa.bindparam(name, type_=...)`; lists are arrays (`= ANY(...)`), never IN.

    The server caches the plan of a `prepared` statement. Others are planned for the values of each call: where some
    values are common and others rare, a generic plan suits the common ones, and scans whole tables for a rare one.
    """

    def __init__(self, statement: sa.ClauseElement | SqlFile, *, prepared: bool = True) -> None:
        self._statement, self._prepared = statement, prepared
        _MADE.add(self)

    @functools.cached_property
    def _compiled(self) -> tuple[bytes, Sequence[str]]:
        """Return the SQL, and the names of the values that are JSON."""
        if isinstance(self._statement, SqlFile):
            sql = _PARAMETER.sub(r"%(\1)s", self._statement.sql.replace("%", "%%")).encode()
            if self._statement.order is not None:
                return sql, ["calls"]
            return sql, [name for name, kind in self._statement.parameters.items() if kind == "jsonb"]
        compiled: Any = self._statement.compile(dialect=LiteralDialect())  # type: ignore[no-untyped-call]
        documents = [name for bind, name in compiled.bind_names.items() if isinstance(bind.type, sa.JSON)]
        return str(compiled).encode(), documents

    def run(
        self, connection: psycopg.Connection[Any], values: dict[str, Any], *, now: datetime | None = None
    ) -> psycopg.Cursor[Any]:
        """Run it and return the driver's cursor; rows have their columns as attributes. `now` None: the database's."""
        sql, documents = self._compiled
        for name in documents:
            if values.get(name) is not None:
                values[name] = Jsonb(values[name], dumps=as_json)
        values["now"] = now
        return connection.cursor(row_factory=namedtuple_row).execute(sql, values, prepare=self._prepared)


class GroupStatement(Statement):
    """A statement that runs many calls at once: its values are the rows of `given`, each with its number `n`.

    The column `n` of its result says to which call a row belongs. `order` names the value by which calls are sorted, so
    that two groups take locks in the same order. A file names it in its header.
    """

    def __init__(self, statement: sa.ClauseElement | SqlFile, *, order: str = "") -> None:
        super().__init__(statement)
        self._order = order
        self._columns: Set[str] | None = None
        if isinstance(statement, SqlFile):
            if statement.order is None:
                raise ValueError(f"{statement.name}.sql does not say by what its calls are put in order")
            self._order, self._columns = statement.order, statement.parameters.keys()

    def run(
        self, connection: psycopg.Connection[Any], values: dict[str, Any], *, now: datetime | None = None
    ) -> psycopg.Cursor[Any]:
        """Carry out one call, however long it waits for locks."""
        return super().run(connection, {"calls": [self._numbered(0, values)], "patience": str(NO_END_MS)}, now=now)

    def run_all(
        self, connection: psycopg.Connection[Any], calls: Sequence[Mapping[str, Any]], *, patience_ms: int,
        now: datetime | None = None,
    ) -> list[list[Any]]:  # fmt: skip
        """Run several calls; return the rows of each. `patience_ms` limits the wait for locks; 0 means no limit."""
        places = sorted(range(len(calls)), key=lambda place: str(calls[place][self._order]))
        numbered = [self._numbered(place, calls[place]) for place in places]
        found: list[list[Any]] = [[] for _ in calls]
        for row in super().run(connection, {"calls": numbered, "patience": str(patience_ms)}, now=now):
            found[row.n].append(row)
        return found

    def _numbered(self, number: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of a call. A missing value is an error; SQL would silently use NULL."""
        if self._columns is not None and self._columns != values.keys():
            raise TypeError(f"a call has {sorted(values)}; the statement takes {sorted(self._columns)}")
        plain = {name: str(value) if isinstance(value, _AS_TEXT) else value for name, value in values.items()}
        return {"n": number, **plain}


_AS_TEXT = (uuid.UUID, datetime)


def given(**columns: sa.types.TypeEngine[Any]) -> sa.CTE:
    """Return the values of all calls of a GroupStatement as a table, with the number of the call as `n`.

    For statements in SQLAlchemy Core; a file says `{calls}`. Values are JSON values, uuids and instants as text;
    documents are columns of type JSONB.
    """
    call = (
        sa.func.jsonb_to_recordset(sa.bindparam("calls", type_=JSONB))
        .table_valued(sa.column("n", sa.Integer()), *(sa.column(name, kind) for name, kind in columns.items()))
        .render_derived(name="call", with_types=True)
    )
    set_patience = sa.func.set_config("lock_timeout", sa.bindparam("patience", type_=sa.String), True)
    patience = sa.select(set_patience.label("patience")).subquery("patience")
    always = call.c.n % 1 == 0
    return sa.select(*call.c).select_from(patience.join(call, sa.true())).where(always).cte("given")


def array(values: Iterable[object]) -> str:
    """Return uuids, numbers, instants or plain words as the text of a Postgres array.

    The driver takes ten times as long to write one, and a uuid takes four times as long with its dashes as without.
    """
    return "{" + ",".join([one.hex if type(one) is uuid.UUID else str(one) for one in values]) + "}"
