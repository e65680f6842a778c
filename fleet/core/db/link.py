"""Time limits of connections to Postgres: they end a wait for a server that does not answer.

Used by `fleet.core.db` alone. One connection carries all batches of a process (`fleet.core.group_commit`), so a wait
without end on it would block every thread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event

from fleet.core.workarounds.psycopg import WatchedConnection

# After a machine died, or a firewall dropped the connection, the kernel would notice after a quarter of an hour. In
# seconds, except the last, in milliseconds.
_LINK = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}
# The same for the server's end: the locks of a machine that died would stay for two hours.
SERVER_LINK = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4"
LONGEST_TRANSACTION = "120s"
"""A client that is suspended in the middle of a message is neither idle nor does its statement run: Postgres ends it by
no other limit, and its locks would stay as long as it does (measured with PostgreSQL 18.6).
"""
_TRANSACTION_LIMIT_SINCE = 170_000


def watch(engine: sa.Engine) -> None:
    """Have an engine make connections that are given up."""

    @event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, arguments: list[Any], named: dict[str, Any]) -> WatchedConnection:
        connection = WatchedConnection.connect(*arguments, **named)
        _limit_transactions(connection, LONGEST_TRANSACTION)
        return connection


def limits(url: sa.URL) -> Mapping[str, int]:
    """Return after how long the kernel gives up a connection that does not answer, unless the address sets limits of
    its own.
    """
    return {name: value for name, value in _LINK.items() if name not in url.query}


def wait_without_end(connection: sa.Connection) -> None:
    """Remove the time limits of a connection's statements and transactions: migrations of big tables take time."""
    connection.execute(sa.text("SET statement_timeout = 0"))
    connection.commit()  # or a rollback takes it back
    driver: Any = connection.connection.driver_connection
    _limit_transactions(driver, "0")
    driver.longest_answer_s = math.inf


def _limit_transactions(connection: psycopg.Connection[Any], limit: str) -> None:
    """Set after how long the server ends a transaction, with its session; older servers have no such limit."""
    if connection.info.server_version >= _TRANSACTION_LIMIT_SINCE:
        connection.autocommit = True  # one round trip instead of three
        connection.execute("SELECT set_config('transaction_timeout', %s, false)", [limit])
        connection.autocommit = False
