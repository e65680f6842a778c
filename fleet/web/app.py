"""The ASGI app: routers, errors, headers, files. Called by `server` and by tests."""

from __future__ import annotations

import functools
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from fleet.core.net.hosts import Hosts, hosts_of
from fleet.engine.deps import Deps
from fleet.features.activity.feed import Scribe
from fleet.features.monitoring import api as health
from fleet.features.overview import pages as overview
from fleet.features.webhooks.inbound import route
from fleet.web import etags, fields, headers, idempotency, middleware, openapi, problems
from fleet.web.api_routers import ROUTERS as API
from fleet.web.cached_stats import Glance
from fleet.web.hub import Hub
from fleet.web.page_routers import ROUTERS as PAGES
from fleet.web.rendering import frame

_NOT_OURS = (
    "This dashboard does not answer to that name.\n"
    "Its operator sets FLEET_WEB_URL to the address under which people reach it.\n"
)


def create_app(deps: Deps) -> FastAPI:
    """Build the dashboard and the API over a process's connections."""
    app = openapi.Described(
        title="Fleet", version="1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json",
        generate_unique_id_function=openapi.operation_id, routes=list(_routes()),
    )  # fmt: skip
    app.state.deps = deps
    app.state.glance = glance = Glance(deps)
    app.state.scribe = Scribe(deps)
    app.state.hub = Hub(deps, frame=lambda: frame(glance.pulse()), cards=lambda: overview.cards(glance.overview()))
    problems.install(app)
    # The last one added is the first that a request meets.
    app.add_middleware(idempotency.Once)
    app.add_middleware(etags.Etags)
    app.add_middleware(middleware.Intake, settings=deps.settings)
    app.add_middleware(Hosts, names=hosts_of(deps.settings.web_url), refusal=_NOT_OURS)
    app.add_middleware(headers.Headers, is_secure=deps.settings.web_url.startswith("https://"))
    return app


@functools.cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return what every app serves. FastAPI reads all signatures at the first request, once for all apps of a process:
    routes know no connections, and find those of their app in its state."""
    root = APIRouter(generate_unique_id_function=openapi.operation_id)
    root.include_router(health.router)
    root.include_router(route.router)
    for router in API:
        root.include_router(router, prefix="/api/v1", dependencies=[Depends(fields.once_each)])
    for router in PAGES:
        root.include_router(router, include_in_schema=False)
    root.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")
    return tuple(root.routes)
