"""The gallery as a process or a thread: a port taken, served, and given back cleanly.

Called by `__main__`, `fleet up` and tests. Uvicorn does the serving; added are plain words for a taken port, a line
once it listens, live streams that do not hold up the end, and connections that faults can cut.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fleet.core import logs
from fleet.core.errors import FleetError, InvalidInput
from fleet.sandbox.gallery.app import create_app
from fleet.sandbox.gallery.config import GalleryConfig
from fleet.sandbox.gallery.faults import TRANSPORT
from fleet.sandbox.gallery.state import Gallery

_STOP_S = 2
_START_S = 30.0

log = logs.get(__name__)


def serve(config: GalleryConfig) -> None:
    """Serve until SIGTERM or SIGINT; returns then. Says `gallery listening on <address>` once it does.

    Raises FleetErrors with the fix for a taken port, a database out of reach, a folder that cannot be written.
    """
    server, listener, url = _prepared(config, announce=True)
    in_main_thread = threading.current_thread() is threading.main_thread()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # Uvicorn raises the signal again once it has stopped; with these in place that ends nothing any more.
    signals = (signal.SIGTERM, signal.SIGINT) if in_main_thread else ()
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    log.info("gallery_stopped", url=url)


@contextmanager
def running(config: GalleryConfig) -> Iterator[str]:
    """Serve in a thread for as long as the block runs; gives its address. For tests and short demonstrations."""
    server, listener, url = _prepared(config, announce=False)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="gallery", daemon=True)
    thread.start()
    try:
        if not server.listening.wait(_START_S):
            raise FleetError("The gallery did not start in time.")
        yield url
    finally:
        server.should_exit = True
        thread.join(_STOP_S + 10)
        listener.close()


class _Protocol(H11Protocol):
    """Leaves each connection where the layer of faults finds it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, gallery: Gallery, announcement: str) -> None:
        super().__init__(config)
        self._gallery = gallery
        self._announcement = announcement
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.listening.set()
            if self._announcement:
                sys.stdout.write(self._announcement + "\n")
                sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gallery.hub.close()  # pages that listen would keep it from ending
        await super().shutdown(sockets)


def _prepared(config: GalleryConfig, *, announce: bool) -> tuple[_Server, socket.socket, str]:
    listener = _bound(config.host, config.port)
    try:
        port = listener.getsockname()[1]
        app = create_app(replace(config, port=port))
    except BaseException:
        listener.close()
        raise
    host = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{host}:{port}"
    options: dict[str, Any] = {
        "http": _Protocol, "loop": "asyncio", "ws": "none", "lifespan": "on", "log_config": None, "access_log": False,
        "proxy_headers": False, "server_header": False, "timeout_graceful_shutdown": _STOP_S, "backlog": 512,
    }  # fmt: skip
    server = _Server(uvicorn.Config(app, **options), app.state.gallery,
                     f"gallery listening on {url}" if announce else "")  # fmt: skip
    return server, listener, url


def _bound(host: str, port: int) -> socket.socket:
    """Take the port. Raises InvalidInput that names it when it cannot be had."""
    fix = "Choose another with FLEET_GALLERY_PORT (0 takes any free one)."
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InvalidInput(f"Port {port} on {host} is taken by another program.", fix=fix) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise InvalidInput(f"Port {port} may not be used by this user.", fix=fix) from error
        raise InvalidInput(f"The gallery cannot listen on {host} ({error.strerror or error}).",
                           fix="Set FLEET_GALLERY_HOST to an address of this machine.") from error  # fmt: skip
    return listener
