"""The shop as an ASGI app: routes, middleware, error responses, headers.

Called by `server` and by tests. `create_app` opens the database, so that its errors are reported before the server
listens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from fleet.sandbox.gallery.faults import Faults
from fleet.sandbox.gallery.frame import Frame
from fleet.sandbox.gallery.store.database import open_storage
from fleet.sandbox.shop import catalogue
from fleet.sandbox.shop.api import catalogue as catalogue_api
from fleet.sandbox.shop.api import controls
from fleet.sandbox.shop.api import orders as order_api
from fleet.sandbox.shop.api import stock as stock_api
from fleet.sandbox.shop.config import ShopConfig
from fleet.sandbox.shop.deliveries import HookSender
from fleet.sandbox.shop.pages import routes as pages
from fleet.sandbox.shop.state import Shop
from fleet.sandbox.shop.store import stock
from fleet.sandbox.shop.store.hooks import HookEvents
from fleet.sandbox.shop.store.tables import metadata
from fleet.sandbox.shop.traffic import CustomerTraffic

_MAX_BODY_BYTES = 2 * 1024 * 1024


def create_app(config: ShopConfig) -> FastAPI:
    """Build the shop. Raises InvalidInput or Unavailable when its database cannot be used."""
    shop = _open(config)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        customers = CustomerTraffic(shop)
        shop.sender.start()
        customers.start()
        try:
            yield
        finally:
            customers.close()
            shop.sender.close()
            shop.storage.close()

    app = FastAPI(
        title="Sandbox shop", lifespan=lifespan, max_body_size=_MAX_BODY_BYTES,
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.state.shop = shop
    for part in (catalogue_api, stock_api, order_api, controls, pages):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "pages" / "static"), name="static")
    frame = Frame("shop", pages.error_page)
    frame.install(app, faults=shop.faults, base_url=config.base_url, names=config.names)
    return app


def _open(config: ShopConfig) -> Shop:
    storage = open_storage(config.database_url, pool_size=config.pool_size, server="shop", tables=metadata, grown=())
    with storage.transaction() as tx:
        stock.make_locations(tx)
        if config.has_catalogue:
            catalogue.fill(tx, config.seed)
    return Shop(config, storage, Faults(config.faults), HookEvents(config.habits, config.seed), HookSender(storage))
