"""Names that the app answers to, and what every answer carries."""

from __future__ import annotations

import base64

import httpx2
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from fleet.core.net import hosts
from fleet.web import server
from fleet.web.app import create_app
from fleet.web.auth import Open
from fleet.web.live.hub import MOST_STREAMS
from tests.factories import make_fleet
from tests.web_client import Web

STRANGE = (
    "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.9", "",
    "fleet.example", "a b", "127.0.0.1@evil.example", "evil.example/127.0.0.1", "[::1", "127.0.0.1:x",
    "127.0.0.1:99999999", "0x7f.1",
)  # fmt: skip


def test_a_name_that_is_not_ours_is_refused_with_words(web: Web) -> None:
    client = web.anonymous()
    for host in STRANGE:
        for path in ("/", "/login", "/api/v1/me", "/static/app.css", "/nowhere"):
            answer = client.get(path, headers={"host": host})
            assert answer.status_code == 421, (host, path)
            assert "FLEET_WEB_URL" in answer.text and "evil" not in answer.text
            assert answer.headers["content-security-policy"]


def test_this_machines_own_names_are_ours(web: Web) -> None:
    for host in ("127.0.0.1", "127.0.0.1:8630", "localhost", "LOCALHOST:1", "[::1]:8630", "127.8.8.8"):
        assert web.anonymous().get("/login", headers={"host": host}).status_code == 200


def test_the_address_that_is_listened_on_is_ours(web: Web) -> None:
    client = TestClient(web.app, base_url="http://192.0.2.9:8630")
    assert client.get("/login").status_code == 200
    assert client.get("/login", headers={"host": "192.0.2.10:8630"}).status_code == 421


def test_the_name_in_the_settings_is_ours(database_url: str) -> None:
    fleet = make_fleet(database_url, web_url="https://Fleet.Example:8443")
    try:
        client = TestClient(create_app(fleet.deps), base_url="https://fleet.example:8443")
        assert client.get("/login").status_code == 200
        assert client.get("/login", headers={"host": "fleet.example"}).status_code == 200
        assert client.get("/login", headers={"host": "other.example"}).status_code == 421
    finally:
        fleet.deps.close()


def test_a_browser_leaves_out_the_port_that_goes_without_saying(database_url: str) -> None:
    fleet = make_fleet(database_url, web_url="https://Fleet.Example:443")
    try:
        client = TestClient(create_app(fleet.deps), base_url="https://fleet.example", follow_redirects=False)
        form = {"name": "ana", "password": "wrong horse battery"}
        codes = {
            origin: client.post("/login", data=form, headers={"origin": origin}).status_code
            for origin in ("https://fleet.example", "https://fleet.example:8443", "http://fleet.example", "http://[")
        }
    finally:
        fleet.deps.close()
    assert codes == {
        "https://fleet.example": 401, "https://fleet.example:8443": 403, "http://fleet.example": 403, "http://[": 403
    }  # fmt: skip


def test_headers_that_are_nonsense_break_nothing(web: Web) -> None:
    nested = base64.urlsafe_b64encode(b"[" * 5000).decode()
    assert web.anonymous().get("/login", headers={"cookie": f"fleet_said={nested}"}).status_code == 200
    owner = web.browser("owner")
    owner.client.headers["referer"] = "http://["
    assert owner.get("/agents/bulk?do=pause").headers["location"] == "/agents"


def test_probes_are_answered_under_any_name(web: Web) -> None:
    client = web.anonymous()
    assert client.get("/health", headers={"host": "web:8630"}).status_code == 200
    assert client.get("/ready", headers={"host": "10.1.2.3"}).status_code in (200, 503)


@given(st.text(max_size=40))
def test_no_text_is_taken_for_loopback_but_loopback(text: str) -> None:
    name = hosts.host_of(text)
    if name is not None and hosts.is_local(name, "192.0.2.9"):
        assert name == "localhost" or name == "192.0.2.9" or name == "::1" or name.startswith("127.") or "::" in name


PATHS = (
    "/", "/login", "/nowhere", "/static/app.css", "/static/nothing.css", "/api/v1/me", "/api/v1/nowhere", "/health",
    "/join/nothing", "/agents?page=x", "/broken",
)  # fmt: skip


def test_every_answer_carries_a_strict_policy(web: Web) -> None:
    router = APIRouter()

    @router.get("/broken", dependencies=[Open])
    def broken() -> None:
        raise RuntimeError("the inside")

    web.app.include_router(router)
    client = TestClient(web.app, base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False)
    with capture_logs():  # structlog's own way to show an error takes seconds
        for path in PATHS:
            _is_strict(path, client.get(path))


def _is_strict(path: str, answer: httpx2.Response) -> None:
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in str(policy)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-request-id"]
    assert answer.headers["referrer-policy"] == ("strict-origin" if path.startswith("/join/") else "same-origin")
    assert answer.headers.get("cache-control", "") == "no-store" or path.startswith("/static/")
    assert "the inside" not in answer.text and "strict-transport-security" not in answer.headers


def test_a_proxy_is_not_held_to_the_limit_of_one_address(database_url: str) -> None:
    fleet = make_fleet(database_url, web_proxies="10.0.0.0/8")
    prepared = server._prepared(fleet.deps, "127.0.0.1", 0)
    try:
        assert prepared.connections._is_proxy("10.1.2.3")
        assert not prepared.connections._is_proxy("127.0.0.1")
        assert prepared.connections.most > MOST_STREAMS
    finally:
        prepared._listener.close()
        fleet.deps.close()
