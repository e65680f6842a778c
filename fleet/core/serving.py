"""A web server as a process or a thread: a port taken, served, and given back cleanly.

Called by the dashboard and by the sandbox's gallery, each with its own app. Uvicorn does the serving; added are plain
words for a taken port, a line once it listens, an end to requests that never come in whole, and live streams that do
not hold up the end.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fleet.core.errors import FleetError, InvalidInput

_STOP_S = 2
_START_S = 30.0
_BACKLOG = 512
_ASK_S = 60.0
"""How long a request may take to come in, its body too."""


def bound(what: str, host: str, port: int, *, setting: str) -> socket.socket:
    """Take a port, 0 for any free one; `setting` begins the names of the settings that choose another.

    Raises InvalidInput that names the port when it cannot be had.
    """
    fix = f"Choose another with {setting}_PORT (0 takes any free one)."
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio lets what is written leave at once (TCP_NODELAY) only where the protocol is named. Elsewhere the body of
    # an answer waits for the ACK of its headers, 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InvalidInput(f"Port {port} on {host} is taken by another program.", fix=fix) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise InvalidInput(f"Port {port} may not be used by this user.", fix=fix) from error
        raise InvalidInput(f"The {what} cannot listen on {host} ({error.strerror or error}).",
                           fix=f"Set {setting}_HOST to an address of this machine.") from error  # fmt: skip
    return listener


class Protocol(H11Protocol):
    """Hangs up on who leaves a request half sent, which Uvicorn waits for without end: a thousand of those, sent by
    anybody from one machine, are all the connections that a process may have."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._wait_no_more()
        elif self._patience is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._patience = self.loop.call_later(_ASK_S, self._hang_up)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _hang_up(self) -> None:
        if self.flow.read_paused:  # by us: the app has yet to read what came
            self._wait()
        else:
            self.transport.abort()


class Server(uvicorn.Server):
    """An app on a port that was taken for it. `close` ends the live streams, which would keep it from ending."""

    def __init__(self, app: Any, listener: socket.socket, what: str, *, close: Callable[[], None],
                 http: type[H11Protocol] = Protocol, **options: Any) -> None:  # fmt: skip
        super().__init__(uvicorn.Config(
            app, http=http, loop="asyncio", ws="none", lifespan="on", log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=_STOP_S, backlog=_BACKLOG, **options,
        ))  # fmt: skip
        host, port = listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._listener, self._what, self._close = listener, what, close
        self._is_announced = False
        self._listens = threading.Event()

    def serve_until_told(self) -> None:
        """Serve until SIGTERM or SIGINT. Says `<what> listening on <address>` once it does."""
        self._is_announced = True
        gc.freeze()  # what was loaded stays; a look through all of it would hold up every answer

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        # Uvicorn raises the signal again once it has stopped; with these in place that ends nothing any more.
        in_main_thread = threading.current_thread() is threading.main_thread()
        signals = (signal.SIGTERM, signal.SIGINT) if in_main_thread else ()
        before = {number: signal.signal(number, stop) for number in signals}
        try:
            self.run(sockets=[self._listener])
        finally:
            self._listener.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def in_a_thread(self) -> Iterator[str]:
        """Serve for as long as the block runs; gives the address. Raises FleetError when it does not start."""
        thread = threading.Thread(target=self.run, kwargs={"sockets": [self._listener]}, name=self._what, daemon=True)
        thread.start()
        try:
            if not self._listens.wait(_START_S):
                raise FleetError(f"The {self._what} did not start in time.")
            yield self.url
        finally:
            self.should_exit = True
            thread.join(_STOP_S + 10)
            self._listener.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._listens.set()
            if self._is_announced:
                sys.stdout.write(f"{self._what} listening on {self.url}\n")
                sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live streams, then all else."""
        self._close()
        await super().shutdown(sockets)
