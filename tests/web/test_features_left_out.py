"""A fleet without one of its optional features: its pages answer, and none leads to a page that is not there."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import urljoin

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Match

from fleet.engine import registry
from fleet.engine.registry import Registry
from tests.browser import rounds
from tests.browser.inhabited import lived
from tests.factories import Fleet
from tests.optional_features import OPTIONAL, gone_with, restarted, without
from tests.web.test_hostile_words import MAY_MISS
from tests.web_client import PASSWORD, Web

_every_api_path: set[str] = set()


def places(page: str, path: str, *attributes: str) -> set[str]:
    """Return the addresses of ours that a page names in these attributes, without the part after #."""
    found = re.findall(rf'\s(?:{"|".join(attributes)})="([^"]*)"', page)
    absolute = (urljoin(path, unescape(one)).partition("#")[0] for one in found)
    return {one for one in absolute if one.startswith("/") and not one.startswith("/static/")}


def api_paths(web: Web) -> set[str]:
    """Return the paths that the OpenAPI document lists, without making the document."""
    every = iter_route_contexts(web.app.routes)
    return {str(one.path) for one in every if isinstance(one.original_route, APIRoute) and one.include_in_schema}


def every_api_path(fleet: Fleet) -> set[str]:
    """Return the API paths of a fleet with all features. They are the same in all tests, and take a second to list."""
    if not _every_api_path:
        _every_api_path.update(api_paths(Web(fleet)))
    return _every_api_path


def is_served(web: Web, path: str) -> bool:
    """Tell whether a route takes a path, whatever the method."""
    scope = {"type": "http", "method": "OPTIONS", "path": path.partition("?")[0], "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is not Match.NONE for route in web.app.routes)


def own_paths(name: str) -> set[str]:
    """Return the API paths of a feature and of those that need it."""
    return {
        route.path if ref in one.routes else f"/api/v1{route.path}"
        for one in gone_with(name)
        for ref in (*one.api, *one.routes)
        for route in registry.load(ref).routes
    }


def test_some_features_are_optional() -> None:
    assert {"experiments", "webhooks"} <= set(OPTIONAL)


@pytest.mark.parametrize("name", OPTIONAL)
def test_without_a_feature_the_others_routes_answer_and_lead_nowhere_that_is_not_there(
    fleet: Fleet, features: Callable[..., Registry], name: str
) -> None:
    world = lived(fleet)
    gone = gone_with(name)
    own = [item.path for one in gone for item in one.nav]
    others = every_api_path(fleet) - own_paths(name)
    features(*without(name))
    web = Web(restarted(fleet))
    assert api_paths(web) == others
    client = web.anonymous()
    assert client.post("/login", data={"name": "owner", "password": PASSWORD}).status_code == 303
    answers, linked, sent_to = {}, dict[str, str](), dict[str, str]()
    waiting = [stop.path for stop in rounds.stops(web.app, world.names)]
    while waiting:
        here = waiting.pop()
        answers[here] = client.get(here)
        sent_to |= dict.fromkeys(places(answers[here].text, here, "action", "formaction"), here)
        # Every page is looked at with one set of filters.
        known = {one.partition("?")[0] for one in (*answers, *waiting)} | {here.partition("?")[0]}
        for link in sorted(places(answers[here].text, here, "href", "src")):
            linked.setdefault(link, here)
            if "?tab=" in link or link.partition("?")[0] not in known:
                known.add(link.partition("?")[0])
                waiting += [link] if link not in answers and link not in waiting else []
    dead = {
        path: f"{answer.status_code}, from {linked.get(path, 'its route')}"
        for path, answer in answers.items()
        if answer.status_code >= 400 and not MAY_MISS.search(path)
    }
    dead |= {path: page for path, page in sent_to.items() if not is_served(web, path)}
    assert not dead
    assert len(answers) > 50
    assert [client.get(path).status_code for path in own] == [404] * len(own)
    assert not [path for path in linked if path.startswith(tuple(own))]
    words = {f"fleet {command.name}" for one in gone for command in one.commands}
    words |= {f"FLEET_{setting.upper()}" for setting in registry.current().settings_left_out}
    named = re.compile(rf"\b(?:{'|'.join(words)})\b") if words else None
    assert not named or not {
        (path, *named.findall(page.text)) for path, page in answers.items() if named.search(page.text)
    }
