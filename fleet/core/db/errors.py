"""The meaning of a failed statement or transaction: as an error for people, and for other calls of the same group.

Used by `fleet.core.db` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from sqlalchemy import exc

from fleet.core import logs
from fleet.core.db import visibility
from fleet.core.errors import InvalidInput, NotFound, Unavailable
from fleet.core.group_commit import CarryOut, Item, Result, Separate

_MIGRATE_FIX = "Run `fleet migrate`."
_GRANT_FIX = "Run `fleet migrate` with FLEET_DATABASE_OWNER_URL set; it grants the app's role what it needs."


@contextmanager
def explained() -> Iterator[None]:
    """Raise the driver's and the pool's errors as ours."""
    try:
        yield
    except exc.DBAPIError as error:
        ours = _translated(error)
        if ours is error:  # keep its cause
            raise
        raise ours from error
    except exc.TimeoutError as error:
        raise Unavailable(
            "All database connections of this process are in use.", fix="Raise FLEET_POOL_SIZE."
        ) from error


def _translated(error: exc.DBAPIError) -> Exception:
    """Turn a driver's error into one of ours where a person can do something about it."""
    code = getattr(error.orig, "sqlstate", None) or ""
    first_line = logs.mask(str(error.orig).strip().split("\n", maxsplit=1)[0])
    if code in ("42P01", "42703"):
        plain = "The database lacks Fleet's tables or is older than this version."
        return InvalidInput(f"{plain[:-1]} ({first_line}).", fix=_MIGRATE_FIX, plain=plain)
    if code == "42501" and visibility.current() is not None:
        return NotFound(
            "This belongs to the whole fleet or to another organisation.", fix="Ask an admin of the fleet to change it."
        )
    if code == "42501":
        plain = "The database role may not do this."
        return InvalidInput(f"{plain[:-1]} ({first_line}).", fix=_GRANT_FIX, plain=plain)
    if code in ("28P01", "28000", "3D000"):
        plain = "The database refuses the connection."
        return InvalidInput(f"{plain[:-1]}: {first_line}.", fix="Check FLEET_DATABASE_URL.", plain=plain)
    if code.startswith(("53", "58")):
        plain = "The database is out of resources."
        return Unavailable(f"{plain[:-1]}: {first_line}.", fix="Free disk space or connections.", plain=plain)
    cut = code == "25P03"  # for a transaction that rested too long: to the driver no error of the operation
    if cut or isinstance(error, exc.OperationalError) or error.connection_invalidated:
        return Unavailable(
            f"The database cannot be reached: {first_line}.", fix="Is the server up? `fleet check` shows it.",
            plain="The database cannot be reached.",
        )  # fmt: skip
    return error


def separating(carry_out: CarryOut[Item, Result]) -> CarryOut[Item, Result]:
    """Return the function changed so that items of a transaction that failed are tried one by one."""

    def separated(items: list[Item], patience_ms: int) -> Sequence[Result]:
        try:
            return carry_out(items, patience_ms)
        except Exception as error:
            cause = _cause(error)
            waited = isinstance(cause, psycopg.errors.LockNotAvailable) and patience_ms > 0
            if waited or (len(items) > 1 and _came_to_nothing(cause)):
                raise Separate from error
            raise

    return separated


def _cause(error: BaseException | None) -> psycopg.Error | None:
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    return error


def _came_to_nothing(cause: psycopg.Error | None) -> bool:
    """Return whether a failed transaction has certainly written nothing: its connection was not lost with it."""
    return cause is None or not (cause.sqlstate is None or cause.sqlstate.startswith(("08", "57P")))
