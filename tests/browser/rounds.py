"""Every page there is: the GET routes of the app, with something real for each parameter. New ones are met unasked.

Called by the tests that look at all pages, and by `bench.bench_web`, which times them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

API = "/api/v1"
_NO_PAGES = (
    API,
    "/health",
    "/ready",
    "/live",
    "/static",
    "/hooks/in/",
    "/media/",
    "/l/",
    "/product-pictures/",
    "/products/export",
)
# What stands for a parameter: by its own name, or by the first word of the path.
_BY_NAME: Mapping[str, str] = {
    "tick_no": "tick", "number": "tick", "tick": "tick", "received": "received", "received_id": "received",
    "shelf": "shelf", "file": "file", "account": "account",
    "variant_id": "variant", "import_id": "import", "tuning_id": "tuning",
}  # fmt: skip
_BY_PLACE: Mapping[str, str] = {
    "agents": "agent", "jobs": "job", "dead": "dead", "drafts": "draft", "approvals": "request",
    "review": "request", "hooks": "hook",
    "personas": "persona", "users": "user", "experiments": "experiment", "costs": "agent", "sources": "source",
    "join": "invitation", "accounts": "account", "settings": "setting", "organisations": "organisation",
    "inbox": "notification", "team": "message", "campaigns": "campaign", "content-items": "item", "brands": "brand",
    "calendar": "job", "engagement": "job", "reports": "report", "links": "link", "l": "link",
    "products": "product", "product-pictures": "product", "orders": "order", "product-imports": "import",
    "stores": "store", "store-budgets": "store", "listings": "listing", "sync-runs": "run",
    "sync-conflicts": "conflict",
    "reconciliation": "discrepancy", "discrepancies": "discrepancy", "reconciliations": "comparison",
    "forecast": "forecast", "forecasts": "forecast", "reorder-proposals": "reorder", "price-proposals": "price",
}  # fmt: skip
THINGS = frozenset({*_BY_NAME.values(), *_BY_PLACE.values()})
"""What `names` has something for."""
_FIXED: Mapping[str, str] = {
    "act": "replay", "form": "edit", "place": "0", "subscriber": "ledger", "adapter": "floimg",
    "operation": "like", "origin": "jobs", "kind": "actions", "period": "day",
}  # whatever there is  # fmt: skip
_QUERY: Mapping[str, str] = {
    "/agents/bulk": "?do=pause&all=1",
    "/agents/assign": "?all=1",
}  # what a page cannot do without


@dataclass(frozen=True, slots=True)
class Stop:
    """One page: where it is, and by what route it is served."""

    path: str
    route: str


def stops(app: FastAPI, names: Mapping[str, str]) -> list[Stop]:
    """Return every page. Raises AssertionError for a parameter that nothing in `names` stands for."""
    return [Stop(filled(route, names), route) for route in _routes(app) if not route.startswith(_NO_PAGES)]


def answers(app: FastAPI, names: Mapping[str, str]) -> list[Stop]:
    """Return everything that the API can be asked. Raises AssertionError as `stops` does."""
    return [Stop(filled(route, names), route) for route in _routes(app) if route.startswith(f"{API}/")]


def _routes(app: FastAPI) -> Iterator[str]:
    for one in iter_route_contexts(app.routes):
        if isinstance(one.original_route, APIRoute) and one.path and "GET" in (one.methods or ()):
            yield one.path


def filled(route: str, names: Mapping[str, str]) -> str:
    """Return a route's path with something for each parameter."""
    place = "sources" if "/hooks/sources/" in route else route.removeprefix(API).split("/")[1]

    def value(found: re.Match[str]) -> str:
        parameter = found[1].partition(":")[0]
        if parameter in _FIXED:
            return _FIXED[parameter]
        what = _BY_NAME.get(parameter) or _BY_PLACE.get(place, "")
        assert what in names, (
            f"{route}: nothing stands for {{{parameter}}}. Fix: say in tests/browser/rounds.py what it is, and have "
            "tests/browser/inhabited.py make one."
        )
        return names[what]

    return re.sub(r"\{([^}]+)\}", value, route) + _QUERY.get(route, "")
