"""Requests that are made to cost much: the headers, queries and bodies of outsiders, and of viewers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from http import cookies
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Message

from fleet.access import Role
from fleet.web import problems
from fleet.web.requests import fields
from tests.browser import rounds
from tests.browser.inhabited import lived
from tests.factories import Fleet
from tests.web_client import PASSWORD, Web

FORM = "multipart/form-data; boundary=xx"


def test_cookies_of_other_apps_are_not_unescaped_and_change_no_session(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: one request of 60 kB, of anybody, held every page up for eight seconds."""
    browser = web.browser(Role.VIEWER)
    unescape, seen = cookies._unquote, list[str]()
    monkeypatch.setattr(cookies, "_unquote", lambda text: seen.append(text) or unescape(text))
    ours = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    browser.client.cookies.clear()
    for others in ('a="' + r"\"" * 9 + '"', r"\\", 'fleet_said="\\054"'):
        headers = {"cookie": f"{others}; {ours}; {others}"}
        assert browser.client.get("/agents", headers=headers).status_code == 200, others
    assert seen
    assert not [text for text in seen if "\\" in text]


def form(charset: str = "") -> tuple[bytes, str]:
    parts = "".join(
        f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("name", "ana"), ("password", PASSWORD))
    )
    return f"{parts}--xx--\r\n".encode(), FORM + charset


@pytest.mark.parametrize(
    "charset", ["punycode", "PunyCode", '"punycode"', "idna", "undefined", "utf-16", "utf-8; charset=punycode"]
)
def test_a_form_in_an_odd_encoding_is_not_read(web: Web, charset: str) -> None:
    """Symptom: a form in punycode took a minute for a megabyte, before anybody had looked at who sends it."""
    body, kind = form(f"; charset={charset}")
    answer = web.anonymous().post("/login", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["detail"]) == (415, "A form is written in UTF-8.")


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", '; charset="UTF-8"'])
def test_a_form_in_utf_8_is_read(web: Web, charset: str) -> None:
    web.user(Role.VIEWER, "ana")
    body, kind = form(charset)
    assert web.anonymous().post("/login", content=body, headers={"content-type": kind}).status_code == 303


@pytest.mark.parametrize("limit", [0, 120])
@pytest.mark.parametrize("path", ["/api/v1/agents", "/api/v1/drafts/approve", "/api/v1/nothing"])
def test_bodies_of_anonymous_requests_are_not_read(web: Web, path: str, limit: int) -> None:
    """Symptom: bodies were parsed before it was known who sends them; a megabyte held all others up for a second."""
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"idempotency-key", b"k")],
    }  # fmt: skip
    said: list[Message] = []

    async def body() -> Message:
        raise AssertionError("a body was read")

    async def hear(message: Message) -> None:
        said.append(message)

    object.__setattr__(web.deps.settings, "web_writes_per_minute", limit)
    asyncio.run(web.app(scope, body, hear))
    assert said[0]["status"] == 401
    assert (b"www-authenticate", b"Bearer") in said[0]["headers"]


class Name(str):
    """The name of a parameter, which counts how often it is compared."""

    compared = 0
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)


def test_a_query_of_thousands_of_names_takes_no_time_of_their_square() -> None:
    """Symptom: 60 kB of query took four seconds of processor time, of anybody."""
    given = [(Name(f"{number:x}"), "") for number in range(4000)]
    request: Any = SimpleNamespace(
        scope={"route": SimpleNamespace(dependant=SimpleNamespace(query_params=[]))},
        query_params=SimpleNamespace(multi_items=lambda: given),
    )
    fields.once_each(request)
    assert Name.compared < 3 * len(given)


def test_a_request_with_thousands_of_errors_reports_some_of_them(web: Web) -> None:
    """Symptom: a megabyte of fields that nobody knows was answered with nine."""
    viewer = web.program(Role.VIEWER)
    answer = viewer.post("/api/v1/tokens", json={f"{number}" * 100: 1 for number in range(2000)})
    errors = answer.json()["errors"]
    assert (answer.status_code, len(errors)) == (422, problems._MOST_WRONG)
    assert max(len(one["path"]) for one in errors) <= 200
    many = "&".join(f"{number}=1&{number}=1" for number in range(1000))
    assert len(viewer.get(f"/api/v1/agents?{many}").json()["errors"]) <= problems._MOST_WRONG


NULS = ("a%00b", "%ed%a0%80")
CALL = re.compile(r"\{[^}]+\}")


def filled(path: str, names: Mapping[str, str]) -> str:
    is_known = "{scope}" not in path and "{shelf}" not in path
    return rounds.filled(path, names).partition("?")[0] if is_known else CALL.sub("x", path)


def query_names(dependant: Any) -> list[str]:
    below = [name for one in dependant.dependencies for name in query_names(one)]
    return [*(one.alias for one in dependant.query_params), *below]


def test_no_route_breaks_on_what_no_database_keeps(web: Web, fleet: Fleet) -> None:
    """Every route, with NUL and broken UTF-8 in each parameter of its path and query."""
    names = lived(fleet).names
    client = web.anonymous()
    assert client.post("/login", data={"name": "owner", "password": PASSWORD}).status_code == 303
    asked = []
    for context in iter_route_contexts(web.app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not context.path or "GET" not in (context.methods or ()):
            continue
        if context.path.endswith("/live"):
            continue
        whole = filled(context.path, names)
        asked += [CALL.sub(lambda _, nul=nul: nul, context.path) for nul in NULS if "{" in context.path]
        queries = query_names(route.dependant)
        asked += [f"{whole}?{name}={nul}" for name in (*queries, "x") for nul in NULS]
    assert len(asked) > 250
    broken = [path for path in dict.fromkeys(asked) if client.get(path).status_code >= 500]
    assert not broken


def test_no_field_of_a_body_breaks_on_what_no_database_keeps(web: Web, fleet: Fleet) -> None:
    names = lived(fleet).names
    api = web.program(Role.OWNER, name="fuzz")
    schema = web.app.openapi()
    sent = 0
    broken = []
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body is None:
                continue
            fields_ = schema["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], {})
            for nul in ("a\x00b", "\ud800", "\x00"):
                told = json.dumps(dict.fromkeys(fields_.get("properties", {"x": 0}), nul))
                target = filled(path, names)
                key = {"content-type": "application/json", "idempotency-key": f"k{sent}"}
                answer = api.request(method.upper(), target, content=told, headers=key)
                sent += 1
                broken += [(path, nul, answer.text)] if answer.status_code >= 500 else []
    assert sent > 50
    assert not broken
