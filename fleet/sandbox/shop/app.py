"""The shop as an ASGI app: routes, middleware, error responses, headers.

Called by `server` and by tests. `create_app` opens the database, so that its errors are reported before the server
listens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.faults import Faults
from fleet.sandbox.gallery.frame import Frame
from fleet.sandbox.gallery.store.database import open_storage
from fleet.sandbox.shop.api import catalogue, controls, orders
from fleet.sandbox.shop.api import stock as stock_api
from fleet.sandbox.shop.config import ShopConfig
from fleet.sandbox.shop.deliveries import HookSender
from fleet.sandbox.shop.state import Shop
from fleet.sandbox.shop.store import stock
from fleet.sandbox.shop.store.hooks import HookEvents
from fleet.sandbox.shop.store.tables import metadata

_MAX_BODY_BYTES = 2 * 1024 * 1024


def create_app(config: ShopConfig) -> FastAPI:
    """Build the shop. Raises InvalidInput or Unavailable when its database cannot be used."""
    shop = _open(config)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        shop.sender.start()
        try:
            yield
        finally:
            shop.sender.close()
            shop.storage.close()

    app = FastAPI(
        title="Sandbox shop", lifespan=lifespan, max_body_size=_MAX_BODY_BYTES,
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.state.shop = shop
    for part in (catalogue, stock_api, orders, controls):
        app.include_router(part.router)
    frame = Frame("shop", _error_page)
    frame.install(app, faults=shop.faults, base_url=config.base_url, names=config.names)
    return app


def _open(config: ShopConfig) -> Shop:
    storage = open_storage(config.database_url, pool_size=config.pool_size, server="shop", tables=metadata, grown=())
    with storage.transaction() as tx:
        stock.make_locations(tx)
    return Shop(config, storage, Faults(config.faults), HookEvents(config.habits, config.seed), HookSender(storage))


def _error_page(_request: Request, error: ApiError) -> Response:
    return JSONResponse(error.body(), error.status)
