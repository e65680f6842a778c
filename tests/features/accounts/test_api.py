"""Accounts for programs: the whole life of one, wrong input, and no credentials in any answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fleet.features.accounts import commands
from tests.factories import Fleet, Surface, make_fleet
from tests.web_client import Web

SECRET = "fst_a_token_that_nobody_may_read_again"
NEW = {"name": "second", "adapter": "floimg", "address": "http://127.0.0.1:8641", "credentials": SECRET}


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """A fleet with a key for its key store."""
    made = make_fleet(database_url, systems={"second": Surface()})
    yield made
    made.deps.close()


def test_an_account_from_its_making_to_its_end(web: Web) -> None:
    api = web.program("admin")
    username = web.fleet.row(web.fleet.agent()).username
    made = api.post("/api/v1/accounts", json={**NEW, "limits": {"writes_per_minute": 5}})
    assert (made.status_code, made.headers["location"]) == (201, "/api/v1/accounts/second")
    assert [one["name"] for one in api.get("/api/v1/accounts").json()["items"]] == ["gallery", "second"]
    where = "/api/v1/accounts/second"
    assert api.put(f"{where}/agents/{username}").json() == {"changed": True}
    assert api.put(f"{where}/agents/{username}").json() == {"changed": False}
    shown = api.get(where).json()
    assert (shown["usernames"], shown["agents"], shown["limits"]) == ([username], 1, {"writes_per_minute": 5})
    assert (shown["state"], shown["has_credentials"], shown["is_from_settings"]) == ("active", True, False)
    assert api.post(f"{where}/stop", json={"reason": "audit"}).json() == {"changed": True}
    assert (api.get(where).json()["state"], api.get(where).json()["reason"]) == ("stopped", "audit")
    assert api.put(f"{where}/credentials", json={"credentials": SECRET + "2"}).json() == {"resumed": False}
    assert api.post(f"{where}/resume").json() == {"changed": True}
    assert api.patch(where, json={"address": "http://127.0.0.1:8641/second", "limits": {}}).json()["limits"] == {}
    assert api.delete(where).status_code == 409, "an agent acts through it"
    assert api.delete(f"{where}/agents/{username}").json() == {"changed": True}
    assert api.delete(where).status_code == 204
    assert api.get(where).status_code == 404
    said = " ".join(api.get(path).text for path in ("/api/v1/accounts", "/api/v1/activity", "/api/v1/audit"))
    assert "account.created" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "A B"}, 422), ({"name": ""}, 422), ({"name": "gallery"}, 409), ({"name": "x" * 41}, 422),
        ({"adapter": "nowhere"}, 404), ({"address": "gallery"}, 422), ({"address": "ftp://x"}, 422),
        ({"address": "https://user:pw@x"}, 422), ({"credentials": ""}, 422), ({"credentials": "  "}, 422),
        ({"limits": {"writes_per_minute": -1}}, 422), ({"limits": {"posts": 1}}, 422), ({"extra": 1}, 422),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_and_shows_no_credentials(web: Web, change: dict[str, Any], status: int) -> None:
    answer = web.program("admin").post("/api/v1/accounts", json={**NEW, **change})
    assert answer.status_code == status, answer.text
    assert SECRET not in answer.text
    assert len(web.program("admin", name="looks").get("/api/v1/accounts").json()["items"]) == 1


def test_stored_credentials_are_not_sent_to_another_host(web: Web) -> None:
    api, where = web.program("admin"), "/api/v1/accounts/second"
    api.post("/api/v1/accounts", json=NEW)
    moved = {"address": "http://127.0.0.1:8642"}
    for address in (moved["address"], "https://127.0.0.1:8641", "http://127.0.0.1:8641@example.org"):
        assert api.patch(where, json={"address": address}).status_code == 422
    assert api.get(where).json()["address"] == NEW["address"]
    near = f"{NEW['address']}/gallery"
    assert api.patch(where, json={"address": near}).json()["address"] == near
    assert api.patch(where, json={**moved, "credentials": SECRET + "2"}).json()["address"] == moved["address"]


def test_the_settings_account_is_changed_in_the_settings(web: Web) -> None:
    api, where = web.program("admin"), "/api/v1/accounts/gallery"
    assert api.put(f"{where}/credentials", json={"credentials": SECRET}).status_code == 409
    assert api.patch(where, json={"address": "http://127.0.0.1:1"}).status_code == 409
    assert api.delete(where).status_code == 409
    assert api.patch(where, json={"limits": {"writes_per_minute": 7}}).json()["limits"] == {"writes_per_minute": 7}


def test_an_agent_is_never_left_without_an_account(web: Web) -> None:
    api = web.program("admin")
    api.post("/api/v1/accounts", json=NEW)
    agent = web.fleet.agent()
    username = web.fleet.row(agent).username
    assert api.delete(f"/api/v1/accounts/gallery/agents/{username}").status_code == 409
    api.put(f"/api/v1/accounts/second/agents/{username}")
    assert api.delete(f"/api/v1/accounts/gallery/agents/{username}").json() == {"changed": True}
    row = web.fleet.row(agent)
    assert (str(row.account_id), row.remote_account) == (api.get("/api/v1/accounts/second").json()["id"], None)
    (removal,) = web.fleet.jobs(kind="deprovision")
    assert (removal.account_id, removal.agent_id) == (None, agent), "it is removed where it was known"


def test_an_agent_is_created_at_the_account_that_is_named(web: Web) -> None:
    api = web.program("admin")
    api.post("/api/v1/accounts", json=NEW)
    body = {"username": "mia_two", "name": "Mia", "weights": {"post": 1}}
    assert api.post("/api/v1/agents", json={**body, "account": "nowhere"}).status_code == 404
    assert api.post("/api/v1/agents", json={**body, "account": "second"}).status_code == 201
    assert api.get("/api/v1/accounts/second").json()["usernames"] == ["mia_two"]


@pytest.mark.parametrize(("role", "seen", "stopped", "made"), [
    ("viewer", 403, 403, 403), ("operator", 200, 200, 403), ("admin", 200, 200, 201),
])  # fmt: skip
def test_who_may_do_what(web: Web, role: str, seen: int, stopped: int, made: int) -> None:
    api = web.program(role)
    assert api.get("/api/v1/accounts").status_code == seen
    assert api.post("/api/v1/accounts/gallery/stop", json={}).status_code == stopped
    assert api.post("/api/v1/accounts", json=NEW).status_code == made


def test_a_removed_account_keeps_no_credentials_and_frees_its_name(web: Web, fleet: Fleet) -> None:
    api = web.program("admin")
    for _ in range(2):
        assert api.post("/api/v1/accounts", json=NEW).status_code == 201
        commands.remove(fleet.deps, "second", by="ada")
    assert fleet.sql("SELECT count(*) FROM accounts WHERE ciphertext IS NOT NULL").scalar() == 0
