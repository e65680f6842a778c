"""psycopg: give a connection up when the server says nothing for too long. psycopg waits without end.

Incident: a server process that was suspended ended no statement, and its kernel went on acknowledging; every thread of
the process waited. Private parts: `Connection.wait` and the protocol of the generators that it drives (yields a wish,
is sent what is ready, 0 ten times a second). Used by `fleet.core.db.link`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg

from fleet.core import clock

LONGEST_ANSWER_S = 75.0
"""Longer than any statement may take: the server itself ends those after a minute (`statement_timeout`), if it can."""


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is given up when nothing has come of it for too long.

    A server process that is suspended (or its machine, by whoever sells it) ends no statement after its time, and its
    kernel goes on saying that all is well.
    """

    longest_answer_s = LONGEST_ANSWER_S

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **how: Any) -> Any:
        """Return the result of a command. Raises OperationalError, and closes, when nothing comes in time."""
        until_s = clock.monotonic_s() + self.longest_answer_s
        try:
            return super().wait(_asked_until(gen, until_s), *args, **how)
        except _Silence:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.longest_answer_s:.0f} s") from None


class _Silence(Exception):
    """Nothing has come in time."""


def _asked_until(gen: Generator[Any, Any, Any], until_s: float) -> Generator[Any, Any, Any]:
    """Pass on between the driver and its socket; ten times a second it is told that nothing has come."""
    try:
        wish = next(gen)
        while True:
            ready = yield wish
            if not ready and clock.monotonic_s() > until_s:
                raise _Silence
            wish = gen.send(ready)
    except StopIteration as end:
        return end.value
