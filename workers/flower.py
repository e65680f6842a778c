"""Flower with limits: `python -m workers.flower` is `celery -A workers.light flower`, which has no setting for them.

Run by `fleet flower` and `fleet up`. The class of Flower's HTTP server is replaced before Flower starts
(`fleet.core.workarounds.flower` says why).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from fleet.core.net.connections import ConnectionLimits, Connections
from fleet.core.workarounds import flower
from workers import command

LIMITS = ConnectionLimits(body_s=10.0, connections=200, per_address=200)
MOST_BODY_BYTES = 1_000_000


@dataclass(eq=False, slots=True)
class _Peer:
    stream: IOStream

    def close_now(self) -> None:
        self.stream.close()


class LimitedServer(HTTPServer):
    """Tornado's server with deadlines for requests. Above its limit it closes the connection that was idle longest."""

    def initialize(self, *args: Any, **options: Any) -> None:
        """Prepare; Tornado calls this in place of a constructor."""
        self._guard = Connections(LIMITS)
        self._peers: dict[IOStream, _Peer] = {}
        deadlines = {"idle_connection_timeout": LIMITS.head_s, "body_timeout": LIMITS.body_s}
        super().initialize(*args, **{**deadlines, "max_body_size": MOST_BODY_BYTES, **options})

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection."""
        peer = self._peers[stream] = _Peer(stream)
        if self._guard.admit(peer, str(address[0]) if address else ""):
            super().handle_stream(stream, address)
        else:
            del self._peers[stream]
            stream.close()

    def start_request(self, server_conn: Any, request_conn: Any) -> Any:
        """Start to wait for the next request of a connection."""
        peer = self._peers.get(server_conn.stream)
        if peer is not None:
            self._guard.works(peer)
            self._guard.waits(peer)
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: Any) -> None:
        """Forget a connection."""
        peer = self._peers.pop(server_conn.stream, None)
        if peer is not None:
            self._guard.forget(peer)
        super().on_close(server_conn)


if __name__ == "__main__":
    flower.set_http_server(LimitedServer)
    command.main(["-A", "workers.light", "flower", *sys.argv[1:]], prog_name="celery")
