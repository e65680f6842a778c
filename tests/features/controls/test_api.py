"""The fleet as a whole by the API: status, controls, money, personas, experiments, settings."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from fleet.core.errors import Unavailable
from fleet.features.overview import status as fleet_status
from fleet.llm.base import Usage
from fleet.spending import ledger
from fleet.spending.budgets import Spender
from tests.factories import Fleet
from tests.features.jobs.test_cli import dead
from tests.web_client import Web


@pytest.fixture
def api(web: Web) -> TestClient:
    return web.program()


def test_status_counts_agents_jobs_and_dead_letters(api: TestClient, fleet: Fleet) -> None:
    dead(fleet, fleet.agent(persona_id="ai_artist"))
    fleet.agent(running=False)
    seen = api.get("/api/v1/status").json()
    assert seen["agents"] == {"idle": 1, "running": 1, "paused": 0, "error": 0}
    assert seen["agents_by_persona"] == {"-": {"idle": 1}, "ai_artist": {"running": 1}}
    assert (seen["jobs"], seen["dead"], seen["holds"]) == ({"post": {"dead": 1}}, {"exhausted": 1}, [])


def test_a_server_that_is_away_is_a_503_that_says_when_to_ask_again(
    api: TestClient, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("The database is away.", fix="Start it.")

    monkeypatch.setattr(fleet_status, "read", away)
    answer = api.get("/api/v1/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json() == {
        "type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "The database is away.",
        "fix": "Start it.",
    }  # fmt: skip


def test_a_scope_is_held_back_for_a_while_and_let_go(api: TestClient, fleet: Fleet) -> None:
    fleet.agent(username="ada_1")
    held = {"scope": "agent", "key": "ada_1"}
    assert api.post("/api/v1/controls/pause", json=held | {"reason": "rest", "for_s": 60}).json() == {"changed": True}
    (hold,) = api.get("/api/v1/controls").json()["items"]
    assert (hold["scope"], hold["name"], hold["set_by"], bool(hold["until"])) == (
        "agent",
        "ada_1",
        "api:owner-api",
        True,
    )
    assert hold["words"] == "agent ada_1 is paused: rest"
    assert api.post("/api/v1/controls/resume", json=held).json() == {"changed": True}
    assert api.post("/api/v1/controls/pause", json={"scope": "fleet"}).json() == {"changed": True}
    assert api.post("/api/v1/controls/pause", json={"scope": "kind", "key": "dance"}).status_code == 422
    assert api.post("/api/v1/controls/pause", json={"scope": "agent", "key": "nobody"}).status_code == 404


def test_an_operator_throws_the_kill_switch_and_an_admin_lifts_it(web: Web) -> None:
    operator, admin = web.program("operator"), web.program("admin")
    assert operator.post("/api/v1/controls/kill", json={}).status_code == 422, "without a reason"
    assert operator.post("/api/v1/controls/kill", json={"reason": "smoke"}).json() == {"changed": True, "in_flight": 0}
    assert operator.post("/api/v1/controls/lift").status_code == 403
    assert operator.get("/api/v1/controls").json()["items"][0]["hold"] == "kill"
    assert admin.post("/api/v1/controls/lift").json() == {"changed": True}
    assert admin.post("/api/v1/controls/lift").json() == {"changed": False}


def test_costs_are_summed_and_budgets_set_allowed_and_removed(api: TestClient, fleet: Fleet) -> None:
    ada = fleet.agent(username="ada_1")
    with fleet.deps.db.transaction() as tx:
        ledger.record(tx, Spender(ada, None, None, "post"), [Usage("anthropic", "haiku", input_tokens=5, microusd=70)])
    costs = api.get("/api/v1/costs?by=model&days=1").json()
    assert [(one["key"], one["calls"], one["microusd"]) for one in costs["sums"]] == [("haiku", 1, 70)]
    assert (costs["total_microusd"], costs["today_microusd"]) == (70, 70)
    at = "/api/v1/budgets/agent/ada_1/day"
    made = api.put(at, json={"microusd": 100})
    assert (made.json()["key"], made.json()["spent_microusd"], made.json()["left_microusd"]) == (str(ada), 70, 30)
    assert api.post(f"{at}/allow", json={"microusd": 50, "reason": "a feast"}).json()["left_microusd"] == 80
    assert api.put("/api/v1/budgets/fleet/*/month", json={"microusd": 5}).json()["key"] == "*"
    assert len(api.get("/api/v1/budgets").json()["items"]) == 2
    assert api.delete(at).status_code == 204
    assert api.delete(at).status_code == 404
    for wrong in (-1, 10**13, "5", 0.5, True):
        assert api.put(at, json={"microusd": wrong}).status_code == 422
    assert api.put("/api/v1/budgets/persona/nobody/day", json={"microusd": 5}).status_code == 404


def test_amounts_may_be_dollars_and_are_taken_exactly(api: TestClient) -> None:
    at = "/api/v1/budgets/fleet/*/day"
    assert api.put(at, json={"limit_usd": "0.29"}).json()["limit_microusd"] == 290_000
    assert api.post(f"{at}/allow", json={"more_usd": "2.000001"}).json()["allowance_microusd"] == 2_000_001
    wrong = (
        {},
        {"limit_usd": 2.5},
        {"limit_usd": "2.5", "microusd": 5},
        {"limit_usd": "-1"},
        {"limit_usd": "0.0000001"},
    )
    assert [api.put(at, json=one).status_code for one in wrong] == [422] * 5
    assert api.post(f"{at}/allow", json={"microusd": 0}).status_code == 422


def test_personas_are_shown_with_their_week(api: TestClient) -> None:
    first = api.get("/api/v1/personas?limit=4").json()
    rest = api.get("/api/v1/personas", params={"limit": 4, "cursor": first["next"]}).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (4, 2, None)
    one = api.get("/api/v1/personas/ai_artist").json()
    assert [len(day) for day in one["schedule"]["rates"]] == [24] * 7
    assert max(max(day) for day in one["schedule"]["rates"]) > 1
    missing = api.get("/api/v1/personas/ai_artisan")
    assert (missing.status_code, "Did you mean 'ai_artist'" in missing.json()["fix"]) == (404, True)


def test_experiments_are_shown_with_their_results(api: TestClient) -> None:
    names = [one["name"] for one in api.get("/api/v1/experiments").json()["items"]]
    assert "caption_question" in names
    found = api.get("/api/v1/experiments/caption_question?age_h=24").json()
    assert next(one["verdict"] for one in found["variants"]) == "reference"
    page = api.get("/api/v1/experiments?limit=1").json()
    rest = api.get("/api/v1/experiments", params={"limit": 200, "cursor": page["next"]}).json()
    assert [one["name"] for one in (*page["items"], *rest["items"])] == names
    assert api.get("/api/v1/experiments/nothing").status_code == 404


def test_settings_are_shown_with_their_source_and_no_secret(web: Web, api: TestClient) -> None:
    told = {one["name"]: one for one in api.get("/api/v1/settings").json()["items"]}
    assert (told["settle_s"]["value"], told["settle_s"]["source"]) == (0.0, "environment")
    assert (told["tempo"]["source"], told["tempo"]["variable"]) == ("default", "FLEET_TEMPO")
    assert ":***@" in told["database_url"]["value"]
    assert web.program("viewer").get("/api/v1/settings").status_code == 403
