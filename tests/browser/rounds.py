"""Every page there is: the GET routes of the app, with something real for each parameter. New ones are met unasked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from tests.browser.inhabited import Inhabited

NO_PAGES = ("/api/", "/health", "/ready", "/live", "/static", "/hooks/in/")
# What stands for a parameter: by the first word of the path, or by that and the parameter's name.
_OF_PLACE: Mapping[str, str] = {
    "agents": "agent", "jobs": "job", "dead": "dead", "drafts": "draft", "approvals": "request", "hooks": "hook",
    "personas": "persona", "users": "user", "experiments": "experiment", "costs": "agent",
}  # fmt: skip
_OF_PARAMETER: Mapping[str, str] = {"tick_no": "tick", "number": "tick", "tick": "tick"}


@dataclass(frozen=True, slots=True)
class Stop:
    """One page: where it is, and by what route it is served."""

    path: str
    route: str


def stops(app: FastAPI, world: Inhabited) -> list[Stop]:
    """Return every page, in the order of the routes. Raises AssertionError for a parameter that nothing stands for."""
    return [Stop(_filled(route, world), route) for route in _routes(app)]


def _routes(app: FastAPI) -> Iterator[str]:
    for one in iter_route_contexts(app.routes):
        is_ours = isinstance(one.original_route, APIRoute) and "GET" in (one.methods or ())
        if is_ours and not one.path.startswith(NO_PAGES):
            yield one.path


def _filled(route: str, world: Inhabited) -> str:
    first = route.split("/")[1]

    def value(found: re.Match[str]) -> str:
        parameter = found[1].partition(":")[0]
        what = _OF_PARAMETER.get(parameter) or _OF_PLACE.get(first, "")
        assert what in world.names, (
            f"{route}: nothing stands for {{{parameter}}}. Fix: say in tests/browser/rounds.py what it is, and have "
            "tests/browser/inhabited.py make one."
        )
        return world.names[what]

    return re.sub(r"\{([^}]+)\}", value, route)
