"""Agents by the API: lists, settings, what they do, what they decided."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from fleet.access import Permission
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from tests.factories import Fleet
from tests.web_client import Web

ADA = {"username": "ada_1", "name": "Ada", "weights": {"post": 1}}


@pytest.fixture
def api(web: Web) -> TestClient:
    return web.program()


def usernames(api: TestClient, query: str = "") -> list[str]:
    answer = api.get(f"/api/v1/agents{query}")
    assert answer.status_code == 200, answer.text
    return [one["username"] for one in answer.json()["items"]]


def test_an_agent_is_made_with_a_personas_character_and_ones_own_words(api: TestClient) -> None:
    made = api.post("/api/v1/agents", json=ADA | {"persona": "ai_artist", "vibe": "quiet", "interval_s": {"min": 30}})
    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/agents/ada_1"
    ada = made.json()
    assert (ada["persona"], ada["vibe"], ada["status"], ada["owner"]) == ("ai_artist", "quiet", "idle", "owner-api")
    assert (ada["weights"], ada["interval_s"]) == (
        {"post": 1.0, "comment": 0.0, "like": 0.0, "browse": 0.0, "repost": 0.0, "follow": 0.0},
        {"min": 30, "max": 300},
    )  # fmt: skip
    assert ada["interests"]
    again = api.post("/api/v1/agents", json=ADA)
    assert (again.status_code, again.json()["detail"]) == (409, "The username ada_1 is taken.")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (ADA | {"colour": "red"}, "body.colour"),
        (ADA | {"name": "A\0da"}, "body.name"),
        (ADA | {"name": "\ud800"}, "body.name"),
        (ADA | {"username": "Ada!"}, "body.username"),
        (ADA | {"weights": {}}, "Weights"),
        (ADA | {"weights": {"post": 1e999}}, "body.weights.post"),
        (ADA | {"interval_s": {"min": 2**70}}, "body.interval_s.min"),
        (ADA | {"interval_s": {"min": 9, "max": 2}}, "interval"),
        (ADA | {"interval_s": {"min": True}}, "body.interval_s.min"),
        (ADA | {"interval_s": {"max": 604_801}}, "body.interval_s.max"),
        (ADA | {"autonomy": "feral"}, "body.autonomy"),
        (ADA | {"scan_interval_s": 7}, "body.scan_interval_s"),
        (ADA | {"start": "yes"}, "body.start"),
    ],
)
def test_a_wrong_agent_is_refused_in_words(api: TestClient, body: dict[str, object], words: str) -> None:
    import json

    answer = api.post("/api/v1/agents", content=json.dumps(body), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert words in answer.json()["detail"]
    assert usernames(api) == []


def test_an_agent_is_created_in_a_mode_and_started_at_once(web: Web, api: TestClient) -> None:
    body = ADA | {"autonomy": "supervised", "scan_interval_s": 900, "config": {"audience": "friends"}, "start": True}
    ada = api.post("/api/v1/agents", json=body).json()
    assert (ada["status"], ada["autonomy"], ada["scan_interval_s"]) == ("running", "supervised", 900)
    assert (ada["audience"], ada["drafts"]["undecided"]) == ("friends", 0)
    editor = web.program("admin", (Permission.AGENTS_VIEW, Permission.AGENTS_EDIT))
    refused = editor.post("/api/v1/agents", json=body | {"username": "bob_1"})
    assert (refused.status_code, "agents.control" in refused.json()["detail"]) == (403, True)
    assert editor.post("/api/v1/agents", json=body | {"username": "bob_1", "start": False}).status_code == 201
    assert editor.get("/api/v1/agents/bob_1").json()["drafts"] is None  # its scopes do not show drafts
    assert api.get("/api/v1/agents/bob_1").json()["drafts"] is not None


def test_an_unknown_persona_is_not_found(api: TestClient) -> None:
    answer = api.post("/api/v1/agents", json=ADA | {"persona": "nobody"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no persona 'nobody'.")
    assert usernames(api) == []


def test_an_agent_is_made_for_a_surface_that_is_known(api: TestClient) -> None:
    answer = api.post("/api/v1/agents", json=ADA | {"surface": "nowhere"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no surface 'nowhere'.")
    assert usernames(api) == []
    assert api.post("/api/v1/agents", json=ADA | {"surface": "floimg"}).json()["surface"] == "floimg"


def test_agents_are_listed_page_by_page_with_filters(api: TestClient, fleet: Fleet) -> None:
    for number in range(5):
        fleet.agent(username=f"eve_{number}", running=number % 2 == 0, persona_id="ai_artist" if number < 4 else None)
    first = api.get("/api/v1/agents?limit=2").json()
    second = api.get("/api/v1/agents", params={"limit": 2, "cursor": first["next"]}).json()
    third = api.get("/api/v1/agents", params={"limit": 2, "cursor": second["next"]}).json()
    pages = [[one["username"] for one in page["items"]] for page in (first, second, third)]
    assert pages == [["eve_0", "eve_1"], ["eve_2", "eve_3"], ["eve_4"]]
    assert third["next"] is None
    assert usernames(api, "?status=idle") == ["eve_1", "eve_3"]
    assert usernames(api, "?persona=ai_artist&status=running") == ["eve_0", "eve_2"]
    assert usernames(api, "?text=_4") == ["eve_4"]
    assert usernames(api, "?autonomy=supervised") == []
    assert api.get("/api/v1/agents?kind=galery").status_code == 422


def test_an_agent_that_came_or_went_between_two_pages_moves_no_other(api: TestClient, fleet: Fleet) -> None:
    for name in ("bea_1", "cid_1", "dan_1"):
        fleet.agent(username=name)
    first = api.get("/api/v1/agents?limit=2").json()
    fleet.agent(username="ada_1")
    agent_commands.delete(fleet.deps, "cid_1", by="test")
    assert usernames(api, f"?limit=2&cursor={first['next']}") == ["dan_1"]


def test_settings_are_changed_one_by_one_and_null_takes_a_persona_away(api: TestClient, fleet: Fleet) -> None:
    fleet.agent(username="ada_1", persona_id="ai_artist", vibe="loud")
    changed = api.patch(
        "/api/v1/agents/ada_1", json={"weights": {"like": 0}, "persona": None, "autonomy": "supervised"}
    )
    assert changed.status_code == 200
    ada = changed.json()
    assert (ada["persona"], ada["vibe"], ada["autonomy"]) == (None, "loud", "supervised")
    assert ada["weights"] == {"post": 1.0, "comment": 1.0, "like": 0.0, "browse": 1.0, "repost": 0.0, "follow": 0.0}
    assert api.patch("/api/v1/agents/ada_1", json={"name": None}).status_code == 422
    assert api.patch("/api/v1/agents/ada_1", json={"scan_interval_s": 7}).status_code == 422


def test_a_change_of_an_outdated_version_is_a_conflict(api: TestClient, fleet: Fleet) -> None:
    ada = fleet.agent(username="ada_1")
    seen = api.get("/api/v1/agents/ada_1").headers["etag"]
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(ada, 1))  # its own life is no change of its settings
    mine = api.patch("/api/v1/agents/ada_1", json={"vibe": "calm"}, headers={"if-match": seen})
    assert mine.status_code == 200
    late = api.patch("/api/v1/agents/ada_1", json={"vibe": "loud"}, headers={"if-match": seen})
    assert (late.status_code, late.json()["title"]) == (412, "Precondition Failed")
    assert api.get("/api/v1/agents/ada_1").json()["vibe"] == "calm"
    for tag in (mine.headers["etag"], "*", f'"other", {mine.headers["etag"]}'):
        assert api.patch("/api/v1/agents/ada_1", json={"vibe": "calm"}, headers={"if-match": tag}).status_code == 200


def test_an_agent_lives_by_the_api(api: TestClient, fleet: Fleet) -> None:
    fleet.agent(username="ada_1", running=False)
    at = "/api/v1/agents/ada_1"
    assert api.post(f"{at}/start").json() == {"changed": True}
    assert api.post(f"{at}/start").json() == {"changed": False}
    assert api.post(f"{at}/pause", json={"reason": "lunch"}).json() == {"changed": True}
    assert api.get(at).json()["pause_reason"] == "lunch"
    assert api.post(f"{at}/start").status_code == 409
    assert api.post(f"{at}/resume").json() == {"changed": True}
    woken = api.post(f"{at}/trigger", json={"action": "like"})
    assert (woken.status_code, woken.json()["tick_no"]) == (202, 1)
    assert api.post(f"{at}/trigger", json={"action": "dance"}).status_code == 422
    assert api.post(f"{at}/stop").json() == {"changed": True}
    assert api.delete(at).status_code == 204
    assert api.get(at).status_code == 404
    assert api.get(f"{at}?deleted=true").json()["deleted_at"]


def test_all_agents_or_those_of_a_persona_are_changed_at_once(api: TestClient, fleet: Fleet) -> None:
    for number in range(3):
        fleet.agent(username=f"eve_{number}", running=False, persona_id="ai_artist" if number else None)
    assert api.post("/api/v1/agents/start", json={"persona": "ai_artist"}).json() == {"count": 2}
    assert api.post("/api/v1/agents/start", json={}).json() == {"count": 1}
    assert api.post("/api/v1/agents/pause", json={"reason": "night"}).json() == {"count": 3}
    assert api.post("/api/v1/agents/resume", json={"persona": "ai_artist"}).json() == {"count": 2}
    assert api.post("/api/v1/agents/stop", json={}).json() == {"count": 3}
    assert api.post("/api/v1/agents/stop", json={"persona": "nobody"}).status_code == 404


def test_decisions_are_shown_with_inputs_and_replayed_without_a_trace(api: TestClient, fleet: Fleet) -> None:
    ada = fleet.agent(username="ada_1", persona_id="ai_artist")
    for number in (1, 2, 3):
        fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
        dispatch(fleet.deps)
        tick(fleet.deps, TickKey(ada, number))
    first = api.get("/api/v1/agents/ada_1/decisions?limit=2").json()
    second = api.get("/api/v1/agents/ada_1/decisions", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["tick_no"] for page in (first, second) for one in page["items"]] == [3, 2, 1]
    assert "inputs" not in first["items"][0]
    whole = api.get("/api/v1/agents/ada_1/decisions/2").json()
    assert whole["inputs"]
    assert whole["outcome"]
    again = api.get("/api/v1/agents/ada_1/decisions/2/replay").json()
    assert again["same"] is True
    assert again["then"] == whole["outcome"]
    assert api.get("/api/v1/agents/ada_1/decisions/9").status_code == 404


def test_a_decision_that_another_version_recorded_is_shown_and_not_repeated(
    web: Web, api: TestClient, fleet: Fleet
) -> None:
    ada = fleet.agent(username="ada_1")
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(ada, 1))
    fleet.sql("""UPDATE ticks SET inputs = '{"weather": "wet"}'""")
    refused = api.get("/api/v1/agents/ada_1/decisions/1/replay")
    assert (refused.status_code, "another version" in refused.json()["detail"]) == (409, True)
    assert api.get("/api/v1/agents/ada_1/decisions/1").json()["inputs"] == {"weather": "wet"}
    page = web.browser("viewer").get("/agents/ada_1/decisions/1")
    assert (page.status_code, "another version" in page.text) == (200, True)


def test_a_page_of_one_agents_decisions_is_none_of_anothers(api: TestClient, fleet: Fleet) -> None:
    for name in ("ada_1", "bob_1"):
        agent = fleet.agent(username=name)
        for number in (1, 2):
            fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
            dispatch(fleet.deps)
            tick(fleet.deps, TickKey(agent, number))
    following = api.get("/api/v1/agents/ada_1/decisions?limit=1").json()["next"]
    assert api.get(f"/api/v1/agents/ada_1/decisions?limit=1&cursor={following}").status_code == 200
    assert api.get(f"/api/v1/agents/bob_1/decisions?limit=1&cursor={following}").status_code == 422


def test_who_may_only_look_changes_nothing(web: Web, fleet: Fleet) -> None:
    fleet.agent(username="ada_1")
    looker = web.program("owner", (Permission.AGENTS_VIEW,))
    operator = web.program("operator")
    assert looker.get("/api/v1/agents").status_code == 200
    assert looker.post("/api/v1/agents/ada_1/stop").status_code == 403
    assert operator.delete("/api/v1/agents/ada_1").status_code == 403
    assert operator.post("/api/v1/agents", json=ADA).status_code == 403
    assert web.anonymous().get("/api/v1/agents").status_code == 401


def test_agents_get_another_owner_by_name_persona_or_the_owner_before(api: TestClient, web: Web) -> None:
    web.user("reviewer", "ben")
    for name, persona in (("ada_1", "ai_artist"), ("bob_1", "ai_artist"), ("cleo_1", "data_viz")):
        api.post("/api/v1/agents", json={"username": name, "name": name, "persona": persona})

    def assign(**body: object) -> object:
        answer = api.post("/api/v1/agents/assign", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["count"]

    assert assign(owner="ben", agents=["ada_1", "nobody_1"]) == 1
    assert assign(owner="ben", agents=["ada_1"]) == 0
    assert usernames(api, "?owner=ben") == ["ada_1"]
    assert assign(owner="ben", persona="ai_artist") == 1
    assert assign(owner="", previous_owner="ben") == 2
    assert usernames(api, "?owner=") == ["ada_1", "bob_1"]
    events = api.get("/api/v1/activity?subject=agent.owned").json()["items"]
    assert [one["payload"]["owner"] for one in events] == ["", "", "ben", "ben"]
    for body, status in (({"owner": "ben"}, 422), ({"owner": "nobody", "agents": ["ada_1"]}, 404)):
        assert api.post("/api/v1/agents/assign", json=body).status_code == status
    operator = web.program("operator")
    assert operator.post("/api/v1/agents/assign", json={"owner": "ben", "agents": ["ada_1"]}).status_code == 403
