"""A web server as a process or a thread: take a port, serve, and release it cleanly.

Called by the dashboard, the exporter of metrics and the sandbox's gallery, each with its own app. Uvicorn serves; this
adds a plain error for a taken port, a line once it listens, limits of connections (`connections`), and live streams
that do not delay the shutdown.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import gc
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import uvicorn

from fleet.core.errors import FleetError, InvalidInput
from fleet.core.net.connections import ConnectionLimits, Connections
from fleet.core.workarounds.uvicorn import LimitedProtocol

_STOP_S = 2
_START_S = 30.0
_TICK_S = 1.0
"""How often the date of responses is set. Uvicorn looks ten times a second, also whether it is to end."""
_BACKLOG = 512
_OTHER_FILES = 200
"""Files that a process may need besides its connections: of the database, of pictures, of logs."""
USUAL = ConnectionLimits()


def bound(what: str, host: str, port: int, *, setting: str) -> socket.socket:
    """Take a port, 0 for any free one; `setting` begins the names of the settings that choose another.

    Raises InvalidInput that names the port when it is taken.
    """
    fix = f"Choose another with {setting}_PORT (0 takes any free one)."
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends data at once (TCP_NODELAY) only if the protocol is named. Otherwise the body of a response waits for
    # the ACK of its headers, 40 ms.
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


class Server(uvicorn.Server):
    """An app on a port that was taken for it.

    `close` ends the live streams, which would otherwise delay the shutdown.
    """

    def __init__(self, app: Any, listener: socket.socket, what: str, *, close: Callable[[], None],
                 http: type[LimitedProtocol] = LimitedProtocol, limits: ConnectionLimits = USUAL,
                 **options: Any) -> None:  # fmt: skip
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends = asyncio.Event()
        self.connections = Connections(limits)
        protocol: Any = functools.partial(http, guard=self.connections, limits=limits)
        super().__init__(uvicorn.Config(
            app, http=protocol, loop="asyncio", ws="none", log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=_STOP_S, timeout_keep_alive=limits.idle_s, backlog=_BACKLOG,
            **{"lifespan": "on", **options},
        ))  # fmt: skip
        host, port = listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._listener, self._what, self._close = listener, what, close
        self._is_announced = False
        self._listens = threading.Event()

    @property
    def should_exit(self) -> bool:
        """Whether the server is to end. May be set by any thread, and by a signal's handler."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        if value and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ends.set)

    async def main_loop(self) -> None:
        """Wait until the server is to end."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ends.wait(), _TICK_S)

    def serve_until_told(self) -> None:
        """Serve until SIGTERM or SIGINT. Prints `<what> listening on <address>` once it does."""
        self._is_announced = True
        _allow_files(self.connections.most + _OTHER_FILES)
        gc.freeze()  # loaded modules stay; a full garbage collection would delay every response

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        # Uvicorn raises the signal again once it has stopped; with these handlers in place that has no effect
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
        self.connections.most = min(self.connections.most, max(1, _files() - _OTHER_FILES))
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


def _files() -> int:
    """Return how many files this process may open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if most == resource.RLIM_INFINITY else most


def _allow_files(wanted: int) -> None:
    """Raise the soft limit of open files as needed, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
