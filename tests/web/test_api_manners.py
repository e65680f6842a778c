"""What is the same on every route of the API: repeats, tags, limits, refusals, and what OpenAPI says of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from fleet.access import idempotency_keys
from fleet.access.idempotency_keys import RepeatRow
from fleet.core import clock
from fleet.core.net import rate_limit
from fleet.engine.sweep import prune
from fleet.features.agents import bulk
from fleet.features.agents import commands as agent_commands
from fleet.web.middleware import idempotency_keys as repeating
from fleet.web.problems import problem
from tests.factories import WITHIN_S, Fleet, make_fleet
from tests.web_client import Web

ADA = {"username": "ada_1", "name": "Ada", "weights": {"post": 1}}
KEY = {"idempotency-key": "order-66"}


@pytest.fixture
def api(web: Web) -> TestClient:
    return web.program()


@pytest.fixture
def hurried(database_url: str) -> Iterator[Web]:
    """A dashboard that lets nobody ask much."""
    made = make_fleet(database_url, web_reads_per_minute=3, web_writes_per_minute=1)
    yield Web(made)
    made.deps.close()


def test_a_write_that_is_sent_again_is_answered_as_before_and_done_once(api: TestClient, fleet: Fleet) -> None:
    first = api.post("/api/v1/agents", json=ADA, headers=KEY)
    again = api.post("/api/v1/agents", json=ADA, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert (again.headers["idempotent-replayed"], "idempotent-replayed" in first.headers) == ("true", False)
    assert again.headers["content-type"] == "application/json"
    assert api.delete("/api/v1/agents/ada_1", headers={"idempotency-key": "d"}).status_code == 204
    assert api.delete("/api/v1/agents/ada_1", headers={"idempotency-key": "d"}).status_code == 204
    assert api.delete("/api/v1/agents/ada_1", headers={"idempotency-key": "e"}).status_code == 404


def test_two_values_for_a_parameter_that_takes_one_are_refused(api: TestClient) -> None:
    refused = api.get("/api/v1/audit?actor=ana&limit=5&actor=eve")
    assert (refused.status_code, refused.json()["errors"]) == (
        422, [{"path": "query.actor", "message": "was given twice"}],
    )  # fmt: skip
    assert api.get("/api/v1/jobs?state=done&state=dead").status_code == 200, "a list"


def test_every_list_refuses_a_filter_that_it_does_not_know_and_a_cursor_that_is_none(web: Web, api: TestClient) -> None:
    paths = web.anonymous().get("/api/v1/openapi.json").json()["paths"]
    lists = [
        path
        for path, methods in paths.items()
        if "{" not in path and any(one["name"] == "cursor" for one in methods.get("get", {}).get("parameters", ()))
    ]
    assert {"/api/v1/agents", "/api/v1/jobs", "/api/v1/audit"} <= set(lists)
    for path in lists:
        for query in ("nobody_knows=1", "cursor=7"):
            assert (path, api.get(f"{path}?{query}").status_code) == (path, 422), query


def test_a_key_stands_for_one_request_of_one_program(web: Web, api: TestClient, fleet: Fleet) -> None:
    api.post("/api/v1/agents", json=ADA, headers=KEY)
    for path, body in (("/api/v1/agents", ADA | {"name": "Eve"}), ("/api/v1/agents/stop", {})):
        other = api.post(path, json=body, headers=KEY)
        assert (other.status_code, "another request" in other.json()["detail"]) == (422, True)
    elsewhere = web.program("admin").post("/api/v1/agents", json=ADA, headers=KEY)
    assert elsewhere.status_code == 409, "another program's key: the name is taken"
    assert api.post("/api/v1/agents/stop", json={}, headers={"idempotency-key": b"\xe4"}).status_code == 422


def test_after_a_refusal_the_same_key_may_try_again(api: TestClient, fleet: Fleet) -> None:
    fleet.agent(username="ada_1")
    agent_commands.pause(fleet.deps, "ada_1", by="test")
    assert api.post("/api/v1/agents/ada_1/start", headers=KEY).status_code == 409
    agent_commands.stop(fleet.deps, "ada_1")
    assert api.post("/api/v1/agents/ada_1/start", headers=KEY).json() == {"changed": True}
    assert api.post("/api/v1/agents/ada_1/start", headers=KEY).json() == {"changed": True}, "as it was answered"


def test_of_two_concurrent_requests_one_succeeds_and_the_other_may_retry(
    api: TestClient, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.agent(username="ada_1")
    begun, go, real = threading.Event(), threading.Event(), agent_commands.pause

    def slowly(*given: object, **more: object) -> bool:
        begun.set()
        assert go.wait(WITHIN_S)
        return real(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(agent_commands, "pause", slowly)
    answers = []
    first = threading.Thread(
        target=lambda: answers.append(api.post("/api/v1/agents/ada_1/pause", json={}, headers=KEY))
    )
    first.start()
    assert begun.wait(WITHIN_S)
    second = api.post("/api/v1/agents/ada_1/pause", json={}, headers=KEY)
    go.set()
    first.join()
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert answers[0].json() == {"changed": True}
    assert api.post("/api/v1/agents/ada_1/pause", json={}, headers=KEY).json() == {"changed": True}


def test_a_write_whose_process_died_before_it_answered_is_not_done_again(api: TestClient, fleet: Fleet) -> None:
    api.post("/api/v1/agents", json=ADA, headers=KEY)
    fleet.sql("UPDATE idempotency_keys SET status = NULL, body = NULL")
    assert api.post("/api/v1/agents", json=ADA, headers=KEY).headers["retry-after"] == "1"
    fleet.sql("UPDATE idempotency_keys SET claimed_at = claimed_at - interval '11 min'")
    told = api.post("/api/v1/agents", json=ADA, headers=KEY)
    assert (told.status_code, "executed, at least in part" in told.json()["detail"]) == (409, True)
    assert "retry-after" not in told.headers, "it stays so"


def test_a_key_whose_process_died_before_it_wrote_is_free_again_after_a_while(
    web: Web, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = web.program().headers["authorization"]
    client = TestClient(
        web.app, base_url="http://127.0.0.1", raise_server_exceptions=False, headers={"authorization": token}
    )
    with monkeypatch.context() as dying:
        dying.setattr(repeating, "release", lambda *_: None)
        dying.setattr(agent_commands, "create", lambda *_, **__: 1 / 0)
        assert client.post("/api/v1/agents", json=ADA, headers=KEY).status_code == 500
    assert client.post("/api/v1/agents", json=ADA, headers=KEY).status_code == 409
    fleet.sql("UPDATE idempotency_keys SET claimed_at = claimed_at - interval '11 min'")
    assert client.post("/api/v1/agents", json=ADA, headers=KEY).status_code == 201
    assert client.post("/api/v1/agents", json=ADA, headers=KEY).headers["idempotent-replayed"] == "true"


def test_what_broke_leaves_the_key_free(web: Web, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    token = web.program().headers["authorization"]
    client = TestClient(
        web.app, base_url="http://127.0.0.1", raise_server_exceptions=False, headers={"authorization": token}
    )
    monkeypatch.setattr(bulk, "act_on_all", lambda *_, **__: 1 / 0)
    broken = client.post("/api/v1/agents/stop", json={}, headers=KEY)
    assert (broken.status_code, broken.headers["content-type"]) == (500, "application/problem+json")
    monkeypatch.undo()
    assert client.post("/api/v1/agents/stop", json={}, headers=KEY).json() == {"count": 0}


def test_an_answer_with_a_secret_is_not_kept(api: TestClient, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    from fleet.web.middleware import idempotency

    monkeypatch.setattr(idempotency, "_SHOWN_ONCE", frozenset({"username"}))
    assert api.post("/api/v1/agents", json=ADA, headers=KEY).status_code == 201
    again = api.post("/api/v1/agents", json=ADA, headers=KEY)
    assert (again.status_code, "secret" in again.json()["detail"]) == (409, True)
    with fleet.deps.db.transaction() as tx:
        assert tx.execute(sa.select(RepeatRow.status, RepeatRow.body)).one() == (201, None)


def test_keys_are_forgotten_after_a_day(api: TestClient, fleet: Fleet) -> None:
    api.post("/api/v1/agents", json=ADA, headers=KEY)
    prune(fleet.deps)
    assert fleet.sql("SELECT count(*) FROM idempotency_keys").scalar() == 1
    fleet.sql("UPDATE idempotency_keys SET claimed_at = claimed_at - interval '25 h'")
    assert api.post("/api/v1/agents/stop", json={}, headers=KEY).status_code == 200, "another request may have it now"
    fleet.sql("UPDATE idempotency_keys SET claimed_at = claimed_at - interval '25 h'")
    prune(fleet.deps)
    assert fleet.sql("SELECT count(*) FROM idempotency_keys").scalar() == 0
    assert idempotency_keys.KEPT.total_seconds() == 24 * 3600


def test_a_request_with_the_current_etag_gets_not_modified(api: TestClient, fleet: Fleet) -> None:
    fleet.agent(username="ada_1")
    # A compressed response has a weak tag; If-None-Match compares without that mark.
    tag = api.get("/api/v1/agents").headers["etag"].removeprefix("W/")
    for asked in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        same = api.get("/api/v1/agents", headers={"if-none-match": asked})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag), asked
    agent_commands.pause(fleet.deps, "ada_1", by="test")
    other = api.get("/api/v1/agents", headers={"if-none-match": tag})
    assert (other.status_code, other.headers["cache-control"]) == (200, "private, no-cache")
    assert other.headers["etag"].removeprefix("W/") != tag
    assert "etag" not in api.get("/api/v1/agents/nobody").headers


def test_a_flood_is_held_back_for_a_moment(hurried: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(clock, "monotonic_s", lambda: now_s)
    ana, ben = hurried.program("viewer", name="ana"), hurried.program("viewer", name="ben")
    told = [ana.get("/api/v1/status").headers["ratelimit"] for _ in range(3)]
    assert told == ['"reads";r=2;t=20', '"reads";r=1;t=40', '"reads";r=0;t=60']
    flood = ana.get("/api/v1/status")
    assert (flood.status_code, flood.headers["retry-after"]) == (429, "20")
    assert (flood.headers["content-type"], flood.json()["title"]) == ("application/problem+json", "Too Many Requests")
    assert flood.headers["ratelimit-policy"] == '"reads";q=3;w=60'
    assert ben.get("/api/v1/status").status_code == 200, "everybody has a limit of their own"
    assert ana.post("/api/v1/agents/stop", json={}).status_code == 403, "writes are counted apart"
    assert ana.post("/api/v1/agents/stop", json={}).status_code == 429
    assert ana.get("/health").status_code == 200
    now_s += 20
    assert [ana.get("/api/v1/status").status_code for _ in range(2)] == [200, 429]


def test_strangers_are_counted_by_where_they_come_from(hurried: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "monotonic_s", lambda: 1000.0)
    nobody = hurried.anonymous()
    assert [nobody.get("/api/v1/status").status_code for _ in range(4)] == [401, 401, 401, 429]


def test_a_crowd_of_callers_takes_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_MOST_CALLERS", 2)
    limit = rate_limit.RateLimit(3, 60.0)
    for number in range(5):
        limit.use(f"caller {number}")
    assert list(limit._buckets) == [("caller 3",), ("caller 4",)]


def test_what_is_too_large_or_no_text_is_refused_before_anything_is_done(api: TestClient) -> None:
    large = api.post("/api/v1/agents", content=b"x" * 1_000_001)
    assert (large.status_code, large.headers["content-type"]) == (413, "application/problem+json")
    unsaid = api.post("/api/v1/agents", content=iter([b"x" * 600_000, b"x" * 600_000]))
    assert (unsaid.status_code, unsaid.headers["content-type"]) == (413, "application/problem+json")
    with_key = api.post("/api/v1/agents", content=iter([b"x" * 600_000, b"x" * 600_000]), headers=KEY)
    assert with_key.status_code == 413
    assert api.get("/api/v1/agents/a%00b").status_code == 422
    assert api.get("/api/v1/agents?text=a%00b").status_code == 422
    assert api.get("/agents?q=%00").status_code == 200  # pages tell people what matches, which is nothing


@pytest.mark.parametrize("body", ["{", "[]", '"x"', "null", "", "{'a': 1}", '{"n": ' + "9" * 5000 + "}", "[" * 3000])
def test_what_is_no_json_object_is_refused_in_words(api: TestClient, body: str) -> None:
    answer = api.post("/api/v1/agents/stop", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert set(answer.json()) <= {"type", "title", "status", "detail", "fix", "errors"}


def test_every_refusal_is_a_problem(api: TestClient, web: Web) -> None:
    for answer in (
        api.get("/api/v1/nothing"), api.put("/api/v1/status"), api.get("/api/v1/agents?limit=x"),
        web.anonymous().get("/api/v1/status"), api.post("/api/v1/agents", json={"🎨": "\x7f"}),
    ):  # fmt: skip
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
        assert answer.json()["detail"]
    assert web.anonymous().get("/api/v1/status").headers["www-authenticate"] == "Bearer"


def test_half_a_character_in_a_name_is_an_error_that_names_it(api: TestClient) -> None:
    for body in (b'{"\\ud800": 1}', b'{"\\u0000": 2}', b'{"persona": "\\ud800"}', b'"\\ud800"', b'{"persona": "\xff"}'):
        answer = api.post("/api/v1/agents/stop", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["status"]) in ((422, 422), (400, 400)), body
    told = problem(422, "half of \ud800").body
    assert json.loads(told)["detail"] == "half of ?"


def test_openapi_says_of_every_route_who_may_call_it_and_how_it_refuses(web: Web) -> None:
    document = web.anonymous().get("/api/v1/openapi.json").json()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["tags"], path
            assert operation["summary"], path
            if path.startswith("/api/"):
                assert "Permission: `" in operation["description"]
                assert operation["security"] == [{"token": []}]
                headers = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
                assert ("If-None-Match" if method == "get" else "Idempotency-Key") in headers
                assert {"401", "403", "404", "422", "429", "503"} <= operation["responses"].keys()
                problem = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/Problem"}
            else:
                assert operation["security"] == []
