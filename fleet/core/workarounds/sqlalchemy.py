"""SQLAlchemy: compile constants into the text of a statement, and wrap errors of a driver that is called directly.

Incident: a constant that is sent as a parameter hides partial indexes from the planner, which then walks whole tables;
and SQLAlchemy's own way through a statement costs three times the driver's (measured). Private parts:
`PGCompiler_psycopg.visit_bindparam`, `BindParameter.required`, `DBAPIError.instance`. Used by `fleet.core.db`.
"""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect


class _LiteralCompiler(psycopg_dialect.PGCompiler_psycopg):
    """Write constants into the text, where the planner sees them; only `sa.bindparam` stays a parameter."""

    def visit_bindparam(self, bindparam: Any, *_: Any, **options: Any) -> Any:
        options["literal_binds"] = options.get("literal_binds") or not bindparam.required
        return super().visit_bindparam(bindparam, **options)  # type: ignore[no-untyped-call]


class LiteralDialect(psycopg_dialect.PGDialect_psycopg):
    """The dialect of psycopg, with constants in the text of statements."""

    statement_compiler = _LiteralCompiler
    supports_statement_cache = True


def wrapped(error: psycopg.Error) -> Exception:
    """Return the driver's error as SQLAlchemy would have raised it."""
    return exc.DBAPIError.instance(None, None, error, psycopg.Error)
