"""The shop as a process or a thread, with connections that its faults can cut.

Called by `__main__`, `fleet up` and tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from fleet.core import logs
from fleet.core.net import serving
from fleet.sandbox.gallery.server import CuttableProtocol
from fleet.sandbox.shop.app import create_app
from fleet.sandbox.shop.config import ShopConfig
from fleet.sandbox.shop.state import Shop

log = logs.get(__name__)


def serve(config: ShopConfig) -> None:
    """Serve until SIGTERM or SIGINT. Prints `shop listening on <address>` when ready.

    Raises FleetErrors with the fix for a taken port and an unreachable database.
    """
    server, _ = _prepared(config)
    server.serve_until_told()
    log.info("shop_stopped", url=server.url)


@contextmanager
def running(config: ShopConfig) -> Iterator[Shop]:
    """Serve in a thread during the `with` block; yield the shop. For tests and short demos."""
    server, shop = _prepared(config)
    with server.in_a_thread():
        yield shop


def _prepared(config: ShopConfig) -> tuple[serving.Server, Shop]:
    listener = serving.bound("shop", config.host, config.port, setting="FLEET_SHOP")
    try:
        app = create_app(replace(config, port=listener.getsockname()[1]))
    except BaseException:
        listener.close()
        raise
    server = serving.Server(
        app, listener, "shop", close=lambda: None, http=CuttableProtocol, proxy_headers=False
    )  # fmt: skip
    return server, app.state.shop
