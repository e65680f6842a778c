"""Accounts connected by OAuth 2: from the page, the API and the terminal, and revoked at their end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from fleet.engine.deps import Outside
from fleet.features.accounts import callback
from tests.adapters.mastodon.contract_server import Server, log_in, served
from tests.factories import Fleet, Surface, make_fleet
from tests.web_client import Web


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as found:
        yield found


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"second": Surface(), "brand": None, "far": None})
    in_memory, real = made.deps.outside.connect, Outside().connect
    made.deps.outside.connect = (  # type: ignore[method-assign]
        lambda account: (real if account.adapter == "mastodon" else in_memory)(account)
    )
    yield made
    made.deps.close()


@pytest.fixture
def api(web: Web) -> httpx.Client:
    return web.program("admin")


@pytest.fixture
def account(api: httpx.Client, server: Server) -> str:
    new = {"name": "brand", "adapter": "mastodon", "address": server.url}
    assert api.post("/api/v1/accounts", json=new).status_code == 201
    return "/api/v1/accounts/brand"


def test_an_account_is_connected_used_and_revoked(web: Web, api: httpx.Client, server: Server, account: str) -> None:
    assert "fleet accounts connect brand" in api.get(account).json()["attention"]
    begun = api.post(f"{account}/login", json={}).json()
    log_in(server, begun["url"], "code-1")
    shown = api.post(f"{account}/code", json={"state": begun["state"], "code": "code-1"}).json()
    assert (shown["attention"], shown["has_credentials"]) == ("", True) and shown["connected_at"]
    web.deps.refresh()
    gateway = web.deps.gateway(UUID(shown["id"]))
    gateway.adapter.check(timeout_s=5)  # type: ignore[attr-defined]
    assert server.headers[-1]["Authorization"] == "Bearer access-of-code-1"
    said = " ".join(api.get(path).text for path in ("/api/v1/accounts", account, "/api/v1/activity", "/api/v1/audit"))
    assert "account.connected" in said
    assert not re.search("access-of|secret-of-the-app|code-1", said)
    assert api.delete(account).status_code == 204
    assert server.tokens == set()
    assert "account.revoked" in api.get("/api/v1/activity").text


def test_a_login_ends_once_for_who_began_it(web: Web, api: httpx.Client, server: Server, account: str) -> None:
    other = web.program("owner")
    begun = api.post(f"{account}/login", json={}).json()
    log_in(server, begun["url"], "code-1")
    given = {"state": begun["state"], "code": "code-1"}
    assert other.post(f"{account}/code", json=given).status_code == 422
    assert api.post(f"{account}/code", json={**given, "state": "x" * 43}).status_code == 422
    assert api.post(f"{account}/code", json=given).status_code == 200
    assert api.post(f"{account}/code", json=given).status_code == 422
    older, newer = (api.post(f"{account}/login", json={}).json() for _ in range(2))
    assert api.post(f"{account}/code", json={"state": older["state"], "code": "c"}).status_code == 422
    with web.fleet.deps.db.transaction() as tx:
        tx.execute(sa.text("UPDATE account_logins SET expires_at = clock_timestamp()"))
    assert api.post(f"{account}/code", json={"state": newer["state"], "code": "c"}).status_code == 422


def test_a_wrong_code_leaves_the_account_as_it_was(web: Web, api: httpx.Client, server: Server, account: str) -> None:
    begun = api.post(f"{account}/login", json={}).json()
    answer = api.post(f"{account}/code", json={"state": begun["state"], "code": "guessed"})
    assert answer.status_code >= 400
    assert api.get(account).json()["connected_at"] is None


@pytest.mark.parametrize("uri", ["https://evil.example/", "http://127.0.0.1@evil.example:80/", "http://localhost/"])
def test_a_login_returns_to_no_other_machine(api: httpx.Client, account: str, uri: str) -> None:
    assert api.post(f"{account}/login", json={"redirect_uri": uri}).status_code == 422


def test_hosts_that_are_not_allowed_are_not_called(api: httpx.Client, account: str) -> None:
    far = {"name": "far", "adapter": "mastodon", "address": "http://203.0.113.7"}
    api.post("/api/v1/accounts", json=far)
    answer = api.post("/api/v1/accounts/far/login", json={})
    assert answer.status_code >= 400 and "FLEET_ALLOWED_HOSTS" in answer.text
    assert api.post("/api/v1/accounts/gallery/login", json={}).status_code == 409


def test_an_account_is_connected_from_its_page(web: Web, api: httpx.Client, server: Server, account: str) -> None:
    page = web.browser("admin")
    answer = page.post("/accounts/brand/connect")
    url = unescape(re.search(r'class="button main" href="([^"]+)"', answer.text)[1])  # type: ignore[index]
    back = log_in(server, url, "code-1")
    assert urlsplit(back).path == "/oauth/callback"
    web.browser("owner").get(f"/oauth/callback?{urlsplit(back).query}")
    assert server.tokens == set(), "the login of somebody else"
    done = page.get(f"/oauth/callback?{urlsplit(back).query}", follow_redirects=False)
    assert (done.status_code, done.headers["location"], server.tokens) == (303, "/accounts/brand", {"access-of-code-1"})
    refused = page.get("/oauth/callback?error=access_denied&state=x", follow_redirects=False)
    assert refused.headers["location"] == "/accounts"


def test_the_terminal_takes_the_code_of_its_own_login_alone() -> None:
    with callback.listening() as listener:
        found: list[str] = []
        waiting = threading.Thread(target=lambda: found.append(listener.code("right", wait_s=30)))
        waiting.start()
        for query in ("", "?code=evil&state=wrong", "?code=good&state=right"):
            assert httpx.get(f"{listener.url}{query}").status_code == 200
        waiting.join(30)
    assert found == ["good"]


def test_a_removal_says_that_tokens_live_on(web: Web, api: httpx.Client, server: Server, account: str) -> None:
    begun = api.post(f"{account}/login", json={}).json()
    log_in(server, begun["url"], "code-1")
    api.post(f"{account}/code", json={"state": begun["state"], "code": "code-1"})
    server.answers.append((503, {}, {}))
    assert api.delete(account).status_code == 204
    assert "account.not_revoked" in api.get("/api/v1/activity").text


def test_credentials_that_are_old_are_named(web: Web, api: httpx.Client) -> None:
    new = {
        "name": "second",
        "adapter": "floimg",
        "address": "http://127.0.0.1:8641",
        "credentials": "fst_something_long",
    }
    api.post("/api/v1/accounts", json=new)
    assert api.get("/api/v1/accounts/second").json()["attention"] == ""
    with web.fleet.deps.db.transaction() as tx:
        tx.execute(
            sa.text("UPDATE accounts SET credentials_at = credentials_at - interval '91 days' WHERE name = 'second'")
        )
    assert "91 days old" in api.get("/api/v1/accounts/second").json()["attention"]
