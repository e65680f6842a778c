"""The dashboard as a process or a thread. Called by `fleet web` and tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fleet.core import logs
from fleet.core.net import serving
from fleet.core.net.connections import ConnectionLimits
from fleet.engine.deps import Deps
from fleet.web.app import create_app
from fleet.web.live.hub import MOST_STREAMS

log = logs.get(__name__)


def serve(deps: Deps, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Says `dashboard listening on <address>` once it does.

    Raises InvalidInput for a port that cannot be had.
    """
    server = _prepared(deps, host, port)
    server.serve_until_told()
    log.info("dashboard_stopped", url=server.url)


@contextmanager
def running(deps: Deps, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a thread for as long as the block runs; gives its address."""
    with _prepared(deps, host, port).in_a_thread() as url:
        yield url


def _prepared(deps: Deps, host: str, port: int) -> serving.Server:
    app = create_app(deps)  # before the port is taken, which an error would not release
    listener = serving.bound("dashboard", host, port, setting="FLEET_WEB")
    proxies = list(deps.settings.web_proxies)
    # Half of the connections may be live streams, and half of all those of one address.
    limits = ConnectionLimits(connections=2 * MOST_STREAMS, per_address=MOST_STREAMS, proxies=proxies)
    return serving.Server(
        app, listener, "dashboard", close=app.state.hubs.close, limits=limits,
        proxy_headers=bool(proxies), forwarded_allow_ips=proxies,
    )  # fmt: skip
