"""The link to Postgres: what ends a wait for a server that says nothing.

Used by `fleet.core.db` alone. One connection carries all of a process's turns (`fleet.core.db.group_commit`), so
whoever waits for it for ever has everybody wait.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event

from fleet.core import clock

LONGEST_ANSWER_S = 75.0
"""Longer than any statement may take: the server itself ends those after a minute (`statement_timeout`), if it can."""

# Of a machine that died, or a firewall that forgot us, the kernel would tell after a quarter of an hour. In seconds,
# but the last in milliseconds.
_LINK = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}


class Link(psycopg.Connection[Any]):
    """A connection that is given up when nothing has come of it for too long.

    A server process that is suspended (or its machine, by whoever sells it) ends no statement after its time, and its
    kernel goes on saying that all is well.
    """

    longest_answer_s = LONGEST_ANSWER_S

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **how: Any) -> Any:
        """Return what came of a question. Raises OperationalError, and is closed, when nothing does in time."""
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


def watch(engine: sa.Engine) -> None:
    """Have an engine make connections that are given up."""

    @event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, arguments: list[Any], named: dict[str, Any]) -> Link:
        return Link.connect(*arguments, **named)


def limits(url: sa.URL) -> Mapping[str, int]:
    """Return after how long the kernel gives a link up that answers nothing, where the address does not say so."""
    return {name: value for name, value in _LINK.items() if name not in url.query}


def wait_without_end(connection: sa.Connection) -> None:
    """Let the statements of a connection take as long as they take: others' migrations and big tables take time."""
    connection.execute(sa.text("SET statement_timeout = 0"))
    connection.commit()  # or a rollback takes it back
    driver: Any = connection.connection.driver_connection
    driver.longest_answer_s = math.inf
