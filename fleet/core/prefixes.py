"""Find rows by the beginning of their id, as people type them: the first few characters are enough.

Called by packages with such rows, each for its own table.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound

SHORTEST = 4
_WHOLE = 32
_DIGITS = frozenset("0123456789abcdef")


def is_prefix(written: str) -> bool:
    """Say whether a text may be an id or the beginning of one; dashes do not count."""
    digits = written.lower().replace("-", "")
    return SHORTEST <= len(digits) <= _WHOLE and _DIGITS.issuperset(digits)


def resolve(tx: Tx, column: InstrumentedAttribute[uuid.UUID], prefix: str, *where: sa.ColumnElement[bool], what: str,
            listed: str) -> uuid.UUID:  # fmt: skip
    """Return the one id in a column that begins with a prefix; dashes do not count. `where` narrows the rows.

    `what` is the noun for such a row in errors, `listed` the command that lists them. Raises InvalidInput, NotFound.
    """
    if not is_prefix(prefix):
        fix = f"Give the whole id or its first {SHORTEST} or more characters."
        raise InvalidInput(f"{prefix!r} is not a {what} id.", fix=fix)
    digits = prefix.lower().replace("-", "")
    lowest, highest = uuid.UUID(digits.ljust(_WHOLE, "0")), uuid.UUID(digits.ljust(_WHOLE, "f"))
    found = list(tx.session.scalars(sa.select(column).where(column.between(lowest, highest), *where).limit(2)))
    if not found:
        named = prefix if len(digits) == _WHOLE else f"whose id begins with {prefix}"
        raise NotFound(f"There is no {what} {named}.", fix=listed)
    if len(found) > 1:
        raise InvalidInput(f"Several {what}s begin with {prefix}.", fix="Give more of the id.")
    return found[0]
