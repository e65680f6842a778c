"""Every route, asked as every role and as nobody: what comes back is what the table of permissions says.

The routes are walked, so this holds for those that are added later too. Path parameters are filled with values that
nothing has; what a route then says of them (404, 409, 422) comes from behind the gate and counts as let in.
"""

from __future__ import annotations

import enum
import inspect
import itertools
import uuid
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.testclient import TestClient

from fleet.access import Permission, Role, allows
from fleet.core.settings import Settings
from fleet.web import auth
from fleet.web.auth import Needs, anybody
from tests.factories import make_fleet
from tests.web_client import Web

OPEN = ("/health", "/ready", "/login", "/join/{key}", "/hooks/in/", "/l/{code}")
"""What anybody may ask. Whoever adds to it has thought about it."""


@pytest.fixture
def web(database_url: str) -> Iterator[Web]:
    """The dashboard, with limits that so many questions do not meet."""
    limits = [name for name in Settings.model_fields if name.startswith("web_") and name.endswith("_per_minute")]
    fleet = make_fleet(database_url, **dict.fromkeys(limits, 1_000_000))
    yield Web(fleet)
    fleet.deps.close()


def routes(web: Web) -> Iterator[tuple[str, RouteContext]]:
    """Return every route of ours with each of its methods."""
    for route in iter_route_contexts(web.app.routes):
        if isinstance(route.original_route, APIRoute):
            yield from ((method, route) for method in sorted(route.methods or ()))


def permission_of(route: RouteContext) -> Permission | None:
    """Return what a route asks for; None for an open one."""
    (guard,) = [one.call for one in route.dependant.dependencies if isinstance(one.call, Needs) or one.call is anybody]
    return guard.permission if isinstance(guard, Needs) else None


def filled(route: RouteContext) -> str:
    """Return a route's path with values that nothing has."""
    path = str(route.path)
    for field in route.dependant.path_params:
        path = path.replace(f"{{{field.alias}}}", plausible(field.field_info.annotation))
        path = path.replace(f"{{{field.alias}:path}}", "nothing")
    return path


def plausible(kind: object) -> str:
    if kind is uuid.UUID:
        return str(uuid.UUID(int=7, version=4))
    if inspect.isclass(kind) and issubclass(kind, enum.Enum):
        return str(next(iter(kind)).value)
    return "999999999" if kind in (int, float) else "nobody_7"


def is_stream(path: str) -> bool:
    """Say whether an answer would not end."""
    return path.startswith(auth.STREAMS) or path.endswith(("/live", "/stream"))


def ask(client: TestClient, method: str, path: str) -> int:
    """Ask with an empty body, as a form for a page."""
    if method in auth.SAFE or method == "DELETE":
        return client.request(method, path).status_code
    return client.request(method, path, **({"json": {}} if path.startswith("/api/") else {"data": {}})).status_code


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_let_through_where_the_table_says_so_and_nowhere_else(web: Web, role: Role) -> None:
    program = web.program(role)
    quiet = TestClient(web.app, base_url="http://127.0.0.1", follow_redirects=False, raise_server_exceptions=False)
    quiet.headers.update(program.headers)
    wrong, asked = [], 0
    for method, route in routes(web):
        permission, path = permission_of(route), filled(route)
        if permission is None:
            continue
        allowed = allows(role, permission)
        if allowed and is_stream(path):
            continue
        code, asked = ask(quiet, method, path), asked + 1
        if (allowed and code in (401, 403, 500)) or (not allowed and code != 403):
            wrong.append(f"{method} {path} ({permission}): {code}")
    assert wrong == []
    assert asked > 20


def test_anonymous_requests_pass_at_open_routes_only(web: Web) -> None:
    nobody, wrong = web.anonymous(), []
    for method, route in routes(web):
        if permission_of(route) is None:
            continue
        path = filled(route)
        answer = nobody.request(method, path)
        is_page = not path.startswith(("/api/", auth.STREAMS, "/hooks/in/"))
        led_to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login?next=/")
        if not (answer.status_code == 401 or (is_page and led_to_login)):
            wrong.append(f"{method} {path}: {answer.status_code}")
    assert wrong == []


def test_open_routes_are_few_and_named_here(web: Web) -> None:
    found = {str(route.path) for _, route in routes(web) if permission_of(route) is None}
    assert {path for path in found if not path.startswith(OPEN)} == set()
    assert {"/login", "/join/{key}", "/health", "/ready"} <= found


def test_a_session_changes_nothing_without_the_csrf_token_of_its_own_forms(web: Web) -> None:
    """Each route is asked without a token, and in one of the other wrong ways in turn: one guard refuses them all."""
    owner, wrong, asked = web.browser(), [], 0
    word = owner.csrf
    others = itertools.cycle([
        ({}, "0" * 40), ({"sec-fetch-site": "cross-site"}, word), ({"origin": "null"}, word),
        ({"origin": "https://evil.example"}, word),
    ])  # fmt: skip
    for method, route in routes(web):
        if method in auth.SAFE or permission_of(route) is None:
            continue
        path, asked = filled(route), asked + 1
        for headers, csrf in (({}, ""), next(others)):
            body = {"json": {}} if path.startswith("/api/") else {"data": {"csrf": csrf}}
            sent = {**headers, **({"x-csrf-token": csrf} if path.startswith("/api/") else {})}
            code = owner.client.request(method, path, headers=sent, **body).status_code  # type: ignore[arg-type]
            if code != 403:
                wrong.append(f"{method} {path} {headers} {csrf[:4]}: {code}")
    assert wrong == []
    assert asked > 40
    assert owner.get("/").status_code == 200


def test_the_words_of_a_form_are_taken_from_the_form_or_the_header_and_from_no_address(web: Web) -> None:
    owner = web.browser()
    word = owner.csrf
    assert owner.client.post(f"/agents/nobody_7/pause?csrf={word}").status_code == 403
    assert owner.client.post("/agents/nobody_7/pause", headers={"x-csrf-token": word}).status_code == 404
    assert owner.post("/agents/nobody_7/pause").status_code == 404
