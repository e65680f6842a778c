"""psycopg: give up a connection when the server is silent for too long, and end a batch with its Sync.

Incident: every thread of a process waited for a suspended server process. Incident: a worker that was killed after
`executemany` kept its locks: psycopg sends a Flush after the Sync, and then no limit of idle transactions applies.
Private parts: `Connection.wait` and the protocol of the generators that it drives (yields what it waits for, receives
what is ready, 0 ten times a second), `Connection._pipeline_nolock`, `Pipeline._exit_gen`. Used by `fleet.core.db.link`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
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

    @contextmanager
    def _pipeline_nolock(self) -> Iterator[Any]:
        """Have `executemany` end its batch with a Sync and nothing after it."""
        with super()._pipeline_nolock() as pipeline:
            pipeline._exit_gen = lambda: _end_batch(pipeline)  # type: ignore[method-assign]
            yield pipeline


def _end_batch(pipeline: Any) -> Generator[Any, Any, None]:
    try:
        pipeline._enqueue_sync()
        yield from pipeline._communicate_gen()
    finally:
        yield from pipeline._fetch_gen(flush=False)  # the Sync has the server send all results


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
