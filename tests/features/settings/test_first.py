"""The hours that an agent has from its creation on: set before it starts, or refused, and then there is no agent."""

from __future__ import annotations

from tests.factories import Fleet
from tests.web_client import Web

AGENTS = "/api/v1/agents"


def test_an_agent_is_created_with_hours_that_it_has_before_it_starts(web: Web, fleet: Fleet) -> None:
    api = web.program()
    body = {"username": "ana_1", "name": "Ana", "hours": "9-10", "timezone": "Asia/Tokyo", "start": True}
    made = api.post(AGENTS, json=body)
    assert (made.status_code, made.json()["status"]) == (201, "running"), made.text
    assert {one["name"]: one["value"] for one in api.get(f"{AGENTS}/ana_1").json()["settings"]["items"]} == {
        "agent_hours": ["9-10"], "agent_timezone": "Asia/Tokyo",
    }  # fmt: skip


def test_hours_in_which_it_would_never_wake_make_no_agent(web: Web, fleet: Fleet) -> None:
    api, body = web.program(), {"username": "ana_1", "name": "Ana"}
    slow = {"interval_s": {"min": 60, "max": 5 * 86_400}}
    for wrong, said in (
        ({"hours": "9-10", **slow}, "ana_1 would never wake"), ({"hours": "25-26"}, "agent_hours"),
        ({"hours": "9-17", "timezone": "Moon/Base"}, "Moon/Base"), ({"timezone": "Moon/Base"}, "Moon/Base"),
    ):  # fmt: skip
        refused = api.post(AGENTS, json={**body, **wrong})
        assert (refused.status_code, said in refused.text) == (422, True), (wrong, refused.text)
        assert api.get(f"{AGENTS}/ana_1").status_code == 404
    narrow = web.program("admin", scopes=("agents.view", "agents.edit"), name="narrow")  # type: ignore[arg-type]
    assert narrow.post(AGENTS, json={**body, "hours": "9-17"}).status_code == 403
    assert narrow.post(AGENTS, json=body).status_code == 201
