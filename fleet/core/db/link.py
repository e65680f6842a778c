"""The link to Postgres: what ends a wait for a server that says nothing.

Used by `fleet.core.db` alone. One connection carries all of a process's turns (`fleet.core.group_commit`), so
whoever waits for it for ever has everybody wait.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from fleet.core.workarounds.psycopg import WatchedConnection

# Of a machine that died, or a firewall that forgot us, the kernel would tell after a quarter of an hour. In seconds,
# but the last in milliseconds.
_LINK = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}


def watch(engine: sa.Engine) -> None:
    """Have an engine make connections that are given up."""

    @event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, arguments: list[Any], named: dict[str, Any]) -> WatchedConnection:
        return WatchedConnection.connect(*arguments, **named)


def limits(url: sa.URL) -> Mapping[str, int]:
    """Return after how long the kernel gives a link up that answers nothing, where the address does not say so."""
    return {name: value for name, value in _LINK.items() if name not in url.query}


def wait_without_end(connection: sa.Connection) -> None:
    """Let the statements of a connection take as long as they take: others' migrations and big tables take time."""
    connection.execute(sa.text("SET statement_timeout = 0"))
    connection.commit()  # or a rollback takes it back
    driver: Any = connection.connection.driver_connection
    driver.longest_answer_s = math.inf
