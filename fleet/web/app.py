"""The ASGI app: routes of the features, errors, headers, files. Called by `server` and by tests."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from fleet.core.net.hosts import Hosts, hosts_of
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.registry import Ref, Registry
from fleet.web import openapi, problems
from fleet.web.cached_stats import CachedStats
from fleet.web.live import stream as live
from fleet.web.live.hub import Hub
from fleet.web.middleware import compression, etags, headers, idempotency
from fleet.web.middleware import request_limits as middleware
from fleet.web.pulse import Pulse
from fleet.web.rendering import frame
from fleet.web.requests import fields

_NOT_OURS = (
    "This dashboard does not answer to that name.\n"
    "Its operator sets FLEET_WEB_URL to the address under which people reach it.\n"
)
_REGISTRIES = 4  # of one process; only tests have more than one


def create_app(deps: Deps) -> FastAPI:
    """Build the dashboard and the API of the loaded features over a process's connections."""
    features = registry.current()
    app = openapi.DescribedApp(
        title="Fleet", version="1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json",
        generate_unique_id_function=openapi.operation_id, routes=list(_routes(features)),
    )  # fmt: skip
    app.state.deps = deps
    app.state.seen, app.state.steps_done = {}, set()
    app.state.feed = feed = _built(features.live_feed, deps)
    app.state.cards = cards = _built(features.live_cards, deps)
    app.state.stats = stats = CachedStats(deps, cards)
    app.state.hub = Hub(
        deps, feed=feed, frame=lambda: frame(stats.pulse()), cards=str if cards is None else cards.html,
        ages=dict if cards is None else cards.ages, away=lambda why: frame(Pulse(problem=why)),
    )  # fmt: skip
    app.state.for_programs = ("/api/", "/live", *_for_programs(features))
    problems.install(app)
    # The last one added is the first that a request meets.
    app.add_middleware(idempotency.Once)
    app.add_middleware(etags.Etags)
    app.add_middleware(compression.Compression, is_secure=deps.settings.web_url.startswith("https://"))
    app.add_middleware(middleware.Intake, settings=lambda: deps.settings)
    app.add_middleware(Hosts, names=hosts_of(deps.settings.web_url), refusal=_NOT_OURS)
    app.add_middleware(headers.Headers, is_secure=deps.settings.web_url.startswith("https://"))
    return app


@functools.lru_cache(maxsize=_REGISTRIES)
def _routes(features: Registry) -> tuple[BaseRoute, ...]:
    """Return the routes of every app with these features.

    FastAPI reads all signatures at the first request, once for all apps of a process: routes keep no connections, and
    find those of their app in its state.
    """
    root = APIRouter(generate_unique_id_function=openapi.operation_id)
    for router in _routers(features, "routes"):
        root.include_router(router)
    for router in _routers(features, "api"):
        root.include_router(router, prefix="/api/v1", dependencies=[Depends(fields.once_each)])
    root.include_router(live.router, include_in_schema=False)
    for router in _routers(features, "pages"):
        root.include_router(router, include_in_schema=False)
    root.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")
    return tuple(root.routes)


def _routers(features: Registry, which: Literal["routes", "api", "pages"]) -> Iterator[APIRouter]:
    for one in features:
        for ref in getattr(one, which):
            yield registry.load(ref)


def _for_programs(features: Registry) -> Iterator[str]:
    """Yield the path prefixes of open routes for programs: their errors are JSON."""
    for router in _routers(features, "routes"):
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route.path.partition("{")[0]


def _built(ref: Ref | None, deps: Deps) -> Any:
    """Build the part that one feature brings for the whole app; None if no feature does."""
    return None if ref is None else registry.load(ref)(deps)
