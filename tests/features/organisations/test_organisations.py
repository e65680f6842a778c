"""Organisations by API, page and command: made, filled, left and removed; and no word of them while there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from fleet.access import Role
from fleet.accounts.sealing import new_key
from fleet.core.db import visibility
from fleet.features.organisations import service
from fleet.features.publishing.words.voice import speaker_of
from tests.factories import Fleet, make_fleet
from tests.web_client import PASSWORD, Web

AT = "/api/v1/organisations"


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """A fleet with a key store, which accounts need."""
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


def made(program: TestClient, name: str = "Client Two", **more: str) -> dict[str, object]:
    answer = program.post(AT, json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_an_organisation_is_made_changed_and_removed(web: Web) -> None:
    owner = web.program()
    assert [one["name"] for one in owner.get(AT).json()["items"]] == ["default"]
    assert made(owner, voice="Calm.") | {"id": 0, "created_at": 0} == {
        "id": 0, "name": "Client Two", "voice": "Calm.", "is_default": False, "agents": 0, "accounts": 0,
        "members": [], "created_at": 0,
    }  # fmt: skip
    assert owner.post(AT, json={"name": "client TWO"}).status_code == 409
    assert owner.post(AT, json={"name": " "}).status_code == 422
    assert owner.patch(f"{AT}/Client Two", json={"name": "Client 2"}).json()["name"] == "Client 2"
    assert owner.get(f"{AT}/Client Two").status_code == 404
    assert owner.delete(f"{AT}/default").status_code == 409
    assert owner.delete(f"{AT}/client 2").status_code == 204
    made(owner, "Client 2")  # a removed one's name is free


def test_what_belongs_to_an_organisation_keeps_it_and_moves_by_a_word(web: Web, fleet: Fleet) -> None:
    owner = web.program()
    made(owner)
    body = {"username": "cleo", "name": "Cleo", "organisation": "Client Two"}
    assert owner.post("/api/v1/agents", json=body).status_code == 201
    shop = fleet.account("shop")
    refused = owner.post("/api/v1/agents", json={**body, "username": "dan_1", "account": "shop"})
    assert (refused.status_code, "another organisation" in refused.text) == (409, True)
    assert owner.put(f"{AT}/Client Two/accounts/shop").json() == {"changed": True}
    assert owner.post("/api/v1/agents", json={**body, "username": "dan_1", "account": "shop"}).status_code == 201
    one = owner.get(f"{AT}/Client Two").json()
    assert (one["agents"], one["accounts"]) == (2, 1)
    assert owner.put(f"{AT}/default/accounts/{shop}").status_code == 409  # dan_1 acts through it
    assert owner.put(f"{AT}/default/agents/dan_1").status_code == 409
    assert owner.put(f"{AT}/default/accounts/gallery").status_code == 409
    assert owner.delete(f"{AT}/Client Two").status_code == 409
    assert owner.put(f"{AT}/default/agents/cleo").json() == {"changed": True}
    assert owner.put(f"{AT}/default/agents/cleo").json() == {"changed": False}


def test_a_members_role_holds_in_the_own_organisation_and_does_not_spread_by_leaving(web: Web) -> None:
    owner = web.program()
    made(owner)
    web.user(Role.ADMIN, "mara")
    assert owner.put(f"{AT}/default/members/nobody").status_code == 404
    only = owner.put(f"{AT}/default/members/{Role.OWNER}-api")
    assert (only.status_code, "only owner" in only.text) == (409, True)
    assert owner.put(f"{AT}/Client Two/members/mara").json() == {"changed": True}
    assert owner.put(f"{AT}/default/members/mara").json() == {"changed": True}
    assert owner.delete(f"{AT}/default/members/mara").json() == {"changed": True}
    last = owner.delete(f"{AT}/Client Two/members/mara")
    assert (last.status_code, "everywhere" in last.text) == (409, True)
    assert owner.delete(f"{AT}/Client Two").status_code == 409  # it has a member
    assert owner.delete(f"{AT}/Client Two/members/mara?everywhere=true").json() == {"changed": True}
    assert owner.get(f"{AT}/Client Two").json()["members"] == []


def test_an_invitation_to_an_organisation_makes_a_member(web: Web) -> None:
    owner = web.program()
    made(owner)
    body = {"role": "admin", "organisation": "Client Two"}
    assert owner.post("/api/v1/invitations", json={**body, "organisation": "none"}).status_code == 404
    link = owner.post("/api/v1/invitations", json=body).json()["link"]
    answer = web.anonymous().post(
        f"/join/{link.rpartition('/')[2]}", data={"name": "mara", "password": PASSWORD, "again": PASSWORD}
    )
    assert answer.status_code == 303, answer.text
    assert owner.get(f"{AT}/Client Two").json()["members"] == ["mara"]


def test_a_member_works_as_in_a_fleet_of_their_own(web: Web, fleet: Fleet) -> None:
    owner = web.program()
    made(owner)
    fleet.agent(username="others", name="Others")
    admin = web.program(Role.ADMIN, name="mara")
    owner.put(f"{AT}/Client Two/members/mara")
    assert admin.get("/api/v1/agents").json()["items"] == []
    assert admin.post("/api/v1/agents", json={"username": "own_one", "name": "Own"}).status_code == 201
    assert [one["username"] for one in admin.get("/api/v1/agents").json()["items"]] == ["own_one"]
    assert admin.post("/api/v1/agents/own_one/start").status_code == 200
    assert admin.post("/api/v1/agents/own_one/trigger", json={"action": "browse"}).status_code == 202
    pause = {"scope": "agent", "key": "own_one", "reason": "tea"}
    assert admin.post("/api/v1/controls/pause", json=pause).status_code == 200
    assert admin.post("/api/v1/controls/pause", json={**pause, "key": "others"}).status_code == 404
    assert admin.post("/api/v1/controls/pause", json={"scope": "fleet"}).status_code == 404
    for fleetwide in ("/api/v1/users", "/api/v1/audit", "/api/v1/hooks", AT):
        assert admin.get(fleetwide).status_code == 403, fleetwide
    assert admin.post("/api/v1/controls/kill-switch", json={"on": True}).status_code in (403, 404, 405)
    assert owner.get("/api/v1/agents/own_one").status_code == 200


def test_pages_have_no_word_of_organisations_while_there_is_one(web: Web) -> None:
    browser = web.browser()
    for path in ("/", "/agents", "/agents/new", "/users", "/accounts", "/search?q=organ"):
        assert "rganisation" not in browser.get(path).text, path
    assert browser.post("/organisations", name="Client Two").status_code == 303
    for path in ("/", "/agents/new", "/search?q=organ"):
        assert "rganisation" in browser.get(path).text, path
    page = browser.get("/organisations").text
    assert "Client Two" in page and "default" in page
    refused = browser.post("/organisations", name="Client Two", voice="kept <b>")
    assert (refused.status_code, "kept &lt;b&gt;" in refused.text) == (409, True)


def test_the_voice_of_an_organisation_is_part_of_its_agents_prompts_alone(fleet: Fleet) -> None:
    service.create(fleet.deps, "Client Two", voice="Never shouts.")
    agents = {name: fleet.agent(username=name, name=name) for name in ("ours", "theirs")}
    service.move_agent(fleet.deps, "Client Two", "theirs")
    for name, is_there in (("ours", False), ("theirs", True)):
        spoken = speaker_of(fleet.deps, fleet.row(agents[name]))  # type: ignore[arg-type]
        assert ("Never shouts." in spoken.character.personality) is is_there


def test_an_account_of_another_organisation_is_no_choice(web: Web, fleet: Fleet) -> None:
    owner = web.program()
    made(owner)
    fleet.account("shop")
    operator = web.program(Role.ADMIN, name="mara")
    owner.put(f"{AT}/Client Two/members/mara")
    assert [one["name"] for one in operator.get("/api/v1/accounts").json()["items"]] == ["gallery"]
    assert operator.get("/api/v1/accounts/shop").status_code == 404
    assert operator.post("/api/v1/accounts/gallery/stop", json={}).status_code == 409
    with visibility.restricted(frozenset()):
        assert [one.key.name for one in fleet.deps.accounts.all()] == ["gallery"]
    assert {one.key.name for one in fleet.deps.accounts.all()} == {"gallery", "shop"}
