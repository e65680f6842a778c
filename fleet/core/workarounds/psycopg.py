"""psycopg: give up a connection when the server is silent for too long. psycopg waits without end.

Incident: a server process that was suspended ended no statement, and its kernel went on acknowledging; every thread of
the process waited. Private parts: `Connection.wait` and the protocol of the generators that it drives (yields what it
waits for, receives what is ready, 0 ten times a second). Used by `fleet.core.db.link`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg

from fleet.core import clock

LONGEST_ANSWER_S = 75.0
"""Longer than any statement may take: the server itself ends those after a minute (`statement_timeout`), if it can."""


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server has been silent for too long.

    A suspended server process (or its suspended virtual machine) does not end statements after their time limit, while
    its kernel still acknowledges packets.
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
    """Relay between the driver and its socket; ten times a second the driver gets 0, "nothing is ready"."""
    try:
        wish = next(gen)
        while True:
            ready = yield wish
            if not ready and clock.monotonic_s() > until_s:
                raise _Silence
            wish = gen.send(ready)
    except StopIteration as end:
        return end.value
