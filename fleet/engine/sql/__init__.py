"""The hot statements, one named file each: D (dispatch), T1 and T3 (ticks), J1, J2, J3, J4 and J5 (jobs).

`fleet.core.db.sql.read` describes their form. `tests/engine/test_sql_files.py` checks them against the tables.
"""

from __future__ import annotations

from fleet.core.db import sql
from fleet.core.db.sql import GroupStatement, Statement


def statement(name: str) -> Statement:
    """Return a statement that takes one call, from its file."""
    return Statement(sql.read(__name__, name))


def group_statement(name: str) -> GroupStatement:
    """Return a statement that takes many calls at once, from its file."""
    return GroupStatement(sql.read(__name__, name))
