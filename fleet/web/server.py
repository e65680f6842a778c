"""The dashboard as a process or a thread: a port taken, served, and given back cleanly.

Called by `fleet web` and tests. Uvicorn does the serving; added are plain words for a taken port and a line once it
listens.
"""

from __future__ import annotations

import errno
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from fleet.core import logs
from fleet.core.errors import FleetError, InvalidInput
from fleet.runtime.deps import Deps
from fleet.web.app import create_app
from fleet.web.hub import Hub

_STOP_S = 2
_START_S = 30.0

log = logs.get(__name__)


def serve(deps: Deps, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Says `dashboard listening on <address>` once it does.

    Raises InvalidInput for a port that cannot be had.
    """
    server, listener, url = _prepared(deps, host, port, announce=True)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # Uvicorn raises the signal again once it has stopped; with these in place that ends nothing any more.
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    log.info("dashboard_stopped", url=url)


@contextmanager
def running(deps: Deps, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a thread for as long as the block runs; gives its address."""
    server, listener, url = _prepared(deps, host, port, announce=False)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True)
    thread.start()
    try:
        if not server.listening.wait(_START_S):
            raise FleetError("The dashboard did not start in time.")
        yield url
    finally:
        server.should_exit = True
        thread.join(_STOP_S + 10)
        listener.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announcement: str, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub
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
        self._hub.close()  # pages that listen would keep it from ending
        await super().shutdown(sockets)


def _prepared(deps: Deps, host: str, port: int, *, announce: bool) -> tuple[_Server, socket.socket, str]:
    app = create_app(deps)  # before the port is taken, which nobody would give back
    listener = _bound(host, port)
    taken = listener.getsockname()[1]
    url = f"http://[{host}]:{taken}" if ":" in host else f"http://{host}:{taken}"
    proxies = list(deps.settings.web_proxies)
    options: dict[str, Any] = {
        "loop": "asyncio", "ws": "none", "lifespan": "on", "log_config": None, "access_log": False,
        "proxy_headers": bool(proxies), "forwarded_allow_ips": proxies, "server_header": False,
        "timeout_graceful_shutdown": _STOP_S, "backlog": 512,
    }  # fmt: skip
    said = f"dashboard listening on {url}" if announce else ""
    return _Server(uvicorn.Config(app, **options), said, app.state.hub), listener, url


def _bound(host: str, port: int) -> socket.socket:
    fix = "Choose another with FLEET_WEB_PORT (0 takes any free one)."
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
        said = error.strerror or str(error)
        raise InvalidInput(f"The dashboard cannot listen on {host} ({said}).", fix="Set FLEET_WEB_HOST.") from error
    return listener
