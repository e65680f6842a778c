"""The gallery as an ASGI app: its routes in the frame of the sandbox's servers.

Called by `server` and by tests. `create_app` opens the database and the folder, so that their errors are reported
before the server listens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from fleet.sandbox.gallery.api import controls as controls_api
from fleet.sandbox.gallery.api import fsc as api
from fleet.sandbox.gallery.api import social as social_api
from fleet.sandbox.gallery.auth import ServiceTokens
from fleet.sandbox.gallery.config import GalleryConfig
from fleet.sandbox.gallery.faults import Faults
from fleet.sandbox.gallery.frame import Frame
from fleet.sandbox.gallery.limits import VisitorLimits
from fleet.sandbox.gallery.live import ChangeHub
from fleet.sandbox.gallery.pages import routes as pages
from fleet.sandbox.gallery.pictures import MAX_UPLOAD_BYTES, Pictures
from fleet.sandbox.gallery.state import Gallery
from fleet.sandbox.gallery.store import controls
from fleet.sandbox.gallery.store.database import open_storage

_MAX_BODY_BYTES = MAX_UPLOAD_BYTES * 4 // 3 + 64 * 1024  # a data URL and its JSON


def create_app(config: GalleryConfig) -> FastAPI:
    """Build the gallery. Raises InvalidInput or Unavailable when database or folder cannot be used."""
    gallery = _open(config)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        gallery.hub.start()
        try:
            yield
        finally:
            gallery.hub.close()
            gallery.storage.close()

    app = FastAPI(
        title="FloImg sandbox gallery", lifespan=lifespan, max_body_size=_MAX_BODY_BYTES,
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.state.gallery = gallery
    app.include_router(api.router)
    app.include_router(social_api.router)
    app.include_router(controls_api.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "pages" / "static"), name="static")
    frame = Frame("gallery", pages.error_page)
    frame.install(app, faults=gallery.faults, base_url=config.base_url, names=config.names)
    return app


def _open(config: GalleryConfig) -> Gallery:
    pictures = Pictures(config.images_dir.absolute(), config.base_url)
    storage = open_storage(config.database_url, pool_size=config.pool_size)
    if config.budgets is not None:
        with storage.transaction() as tx:
            controls.set_budgets(tx, config.budgets)
    return Gallery(config, storage, pictures, ServiceTokens(config.service_tokens), Faults(config.faults),
                   ChangeHub(storage, config.most_streams, config.streams_per_address),
                   VisitorLimits(config))  # fmt: skip
