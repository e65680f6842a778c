"""SQL for the hot path: statements that are compiled once, and values that come as one table.

Written by the rooms in SQLAlchemy Core, run by `fleet.core.db` alone. Knows no connection of its own.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect

_UNSTORABLE = re.compile(r"(\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\u0000|\\ud[89a-f][0-9a-f]{2}")
"""In JSON as Python writes it: NUL and halves of characters. What must not be taken for them comes first."""


def as_json(value: Any) -> str:
    """Return a value as JSON that Postgres takes. NUL and halves of characters, which it refuses, are left out:
    both are valid JSON, so any server may send them, and one post of a feed would end everything that reads it."""
    written = json.dumps(value)
    if "\\u0000" in written or "\\ud" in written:
        return _UNSTORABLE.sub(lambda found: found[1] or "", written)
    return written


class _Compiler(psycopg_dialect.PGCompiler_psycopg):
    """Writes what never changes into the text, where the planner sees it; only `sa.bindparam` stays open."""

    def visit_bindparam(self, bindparam: Any, *_: Any, **how: Any) -> Any:
        how["literal_binds"] = how.get("literal_binds") or not bindparam.required
        return super().visit_bindparam(bindparam, **how)  # type: ignore[no-untyped-call]


class _Dialect(psycopg_dialect.PGDialect_psycopg):
    statement_compiler = _Compiler
    supports_statement_cache = True


class Statement:
    """A statement of the hot path: written in Core, compiled once, run by the driver itself.

    SQLAlchemy's own way through a statement costs three times the driver's (measured), and building one anew costs as
    much again. Values that change are `sa.bindparam(name, type_=...)`; lists are arrays (`= ANY(...)`), never IN.

    The server keeps what it made of it. One that is not `prepared` is planned for the values of each call: where some
    are common and others rare, a plan for any of them serves the common ones, and for a rare one walks whole tables.
    """

    def __init__(self, statement: sa.ClauseElement, *, prepared: bool = True) -> None:
        self._statement, self._prepared = statement, prepared

    @functools.cached_property
    def _compiled(self) -> tuple[bytes, Sequence[str]]:
        """Return the SQL, and the names of the values that are JSON."""
        compiled: Any = self._statement.compile(dialect=_Dialect())  # type: ignore[no-untyped-call]
        documents = [name for bind, name in compiled.bind_names.items() if isinstance(bind.type, sa.JSON)]
        return str(compiled).encode(), documents

    def run(self, connection: psycopg.Connection[Any], values: dict[str, Any]) -> psycopg.Cursor[Any]:
        """Run it and return the driver's cursor; rows have their columns as attributes."""
        sql, documents = self._compiled
        for name in documents:
            if values.get(name) is not None:
                values[name] = Jsonb(values[name], dumps=as_json)
        return connection.cursor(row_factory=namedtuple_row).execute(sql, values, prepare=self._prepared)


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
