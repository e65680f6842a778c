"""The gallery as a process or a thread, with connections that its faults can cut.

Called by `__main__`, `fleet up` and tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from fleet.core import logs
from fleet.core.net import serving
from fleet.core.workarounds.uvicorn import LimitedProtocol
from fleet.sandbox.gallery.app import create_app
from fleet.sandbox.gallery.config import GalleryConfig
from fleet.sandbox.gallery.faults import TRANSPORT

log = logs.get(__name__)


def serve(config: GalleryConfig) -> None:
    """Serve until SIGTERM or SIGINT. Prints `gallery listening on <address>` when ready.

    Raises FleetErrors with the fix for a taken port, an unreachable database, a read-only folder.
    """
    server = _prepared(config)
    server.serve_until_told()
    log.info("gallery_stopped", url=server.url)


@contextmanager
def running(config: GalleryConfig) -> Iterator[str]:
    """Serve in a thread during the `with` block; yield the address. For tests and short demos."""
    with _prepared(config).in_a_thread() as url:
        yield url


class CuttableProtocol(LimitedProtocol):
    """Stores each connection for the fault middleware."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


def _prepared(config: GalleryConfig) -> serving.Server:
    listener = serving.bound("gallery", config.host, config.port, setting="FLEET_GALLERY")
    try:
        app = create_app(replace(config, port=listener.getsockname()[1]))
    except BaseException:
        listener.close()
        raise
    return serving.Server(
        app, listener, "gallery", close=app.state.gallery.hub.close, http=CuttableProtocol, proxy_headers=False
    )  # fmt: skip
