"""The ASGI app: routes of the features, errors, headers, files. Called by `server` and by tests."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from fleet.web.live.hub import Hub, Hubs
from fleet.web.middleware import compression, etags, headers, idempotency
from fleet.web.middleware import request_limits as middleware
from fleet.web.pulse import Pulse
from fleet.web.rendering import frame
from fleet.web.requests import fields

_NOT_OURS = (
    "This dashboard does not answer to that name.\n"
    "Its operator sets FLEET_WEB_URL to the address under which people reach it.\n"
)
_CHOICES = 4  # of features in one process; only tests have more than one


def create_app(deps: Deps) -> FastAPI:
    """Build the dashboard and the API of the loaded features over a process's connections."""
    features = registry.current()
    app = openapi.DescribedApp(
        title="Fleet", version="1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json",
        generate_unique_id_function=openapi.operation_id, routes=list(_routes(*_refs(features))),
    )  # fmt: skip
    app.state.deps = deps
    app.state.seen, app.state.steps_done = {}, set()
    app.state.feed = feed = _built(features.live_feed, deps)
    cards = registry.load(features.live_cards) if features.live_cards else None
    app.state.stats = stats = CachedStats(deps, cards)
    app.state.hubs = Hubs(lambda: _hub(deps, stats, feed))
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


def _hub(deps: Deps, stats: CachedStats, feed: Any) -> Hub:
    """Build a hub; what it shows is read in the context of its threads."""
    return Hub(
        deps, feed=feed, frame=lambda: frame(stats.pulse()),
        cards=lambda: "" if stats.cards is None else stats.cards.html(),
        ages=lambda: {} if stats.cards is None else stats.cards.ages(), away=lambda why: frame(Pulse(problem=why)),
    )  # fmt: skip


def _refs(features: Registry) -> tuple[tuple[Ref, ...], tuple[Ref, ...], tuple[Ref, ...]]:
    """Return the references to the features' routers: open routes, API, pages."""
    open_routes = tuple(ref for one in features for ref in one.routes)
    api = tuple(ref for one in features for ref in one.api)
    return open_routes, api, tuple(ref for one in features for ref in one.pages)


@functools.lru_cache(maxsize=_CHOICES)
def _routes(open_routes: tuple[Ref, ...], api: tuple[Ref, ...], pages: tuple[Ref, ...]) -> tuple[BaseRoute, ...]:
    """Return the routes of every app with these routers.

    FastAPI reads all signatures at the first request, once for all apps of a process: routes keep no connections, and
    find those of their app in its state.
    """
    root = APIRouter(generate_unique_id_function=openapi.operation_id)
    for ref in open_routes:
        root.include_router(registry.load(ref))
    for ref in api:
        root.include_router(registry.load(ref), prefix="/api/v1", dependencies=[Depends(fields.once_each)])
    root.include_router(live.router, include_in_schema=False)
    for ref in pages:
        root.include_router(registry.load(ref), include_in_schema=False)
    root.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")
    return tuple(root.routes)


def _for_programs(features: Registry) -> Iterator[str]:
    """Yield the path prefixes of open routes for programs: their errors are JSON."""
    for ref in _refs(features)[0]:
        for route in registry.load(ref).routes:
            if isinstance(route, APIRoute):
                yield route.path.partition("{")[0]


def _built(ref: Ref | None, deps: Deps) -> Any:
    """Build the part that one feature brings for the whole app; None if no feature does."""
    return None if ref is None else registry.load(ref)(deps)
