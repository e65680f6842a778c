"""A value made of a table's rows, and made anew within seconds of a change. Held by `live.LiveSettings`.

Every change of the table raises its revision. The value is immutable: whoever holds one sees no change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from fleet.core import logs
from fleet.core.db import Database, Tx, visibility
from fleet.core.db.sql import Statement
from fleet.core.errors import InvalidInput, Unavailable

T = TypeVar("T")

log = logs.get(__name__)


class LiveRows(Generic[T]):
    """The last known value of a table's rows: `first` until they have been read, and while the database is away."""

    def __init__(
        self, db: Database, about: str, *, revision: Statement, read: Callable[[Tx], tuple[int, T]], first: T
    ) -> None:
        self._db, self._about, self._revision, self._read = db, about, revision, read
        self._known = -1
        self.value = first

    @property
    def is_read(self) -> bool:
        """Whether the rows have been read."""
        return self._known >= 0

    def expire(self) -> None:
        """Make the next `look` read the rows, though none has changed."""
        self._known = -1

    def look(self) -> bool:
        """Read the rows if any has changed; return whether. `read` is one statement: two could see half a change."""
        with visibility.restricted(None):  # all requests share what is read
            return self._look()

    def _look(self) -> bool:
        try:
            if self._db.run(self._revision)[0][0] == self._known:
                return False
            with self._db.transaction() as tx:
                self._known, self.value = self._read(tx)
        except Unavailable:
            return False
        except InvalidInput as error:  # a new version over old tables, while it is rolled out; rows of a newer version
            log.warning("rows_not_in_force", about=self._about, reason=str(error))
            return False
        return True
