"""Jobs, dead letters and activity by the API."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from fleet.core import events
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.features.publishing.kinds import COMMENT, LIKE, POST
from tests.engine.test_perform import add
from tests.factories import Fleet
from tests.features.jobs.test_cli import dead
from tests.web_client import Web


@pytest.fixture
def api(web: Web) -> TestClient:
    return web.program()


def ids(api: TestClient, path: str, **query: object) -> list[str]:
    answer = api.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


def test_jobs_are_found_by_all_that_they_are_known_by(api: TestClient, fleet: Fleet) -> None:
    ann, bob = fleet.agent(username="ann_1"), fleet.agent(username="bob_1")
    post, like = str(add(fleet, ann, POST)), str(add(fleet, bob, LIKE, target="p1"))
    fleet.sql("UPDATE jobs SET created_at = created_at - interval '2 h', priority = 'high' WHERE id = :id", id=post)
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert ids(api, "jobs") == [like, post]
    assert ids(api, "jobs", agent="ann_1") == [post]
    assert ids(api, "jobs", kind=["like", "browse"]) == [like]
    assert ids(api, "jobs", state="ready", priority="high") == [post]
    assert ids(api, "jobs", since=hour_ago) == [like]
    assert ids(api, "jobs", until=hour_ago) == [post]
    assert ids(api, "jobs", state="done") == []
    assert api.get("/api/v1/jobs?agent=nobody").status_code == 404
    assert api.get("/api/v1/jobs?since=yesterday").status_code == 422


def test_every_job_is_on_one_page(api: TestClient, fleet: Fleet) -> None:
    made = {str(add(fleet, fleet.agent(), POST)) for _ in range(7)}
    found, cursor = [], None
    while True:
        page = api.get("/api/v1/jobs", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(found) == 7
    assert set(found) == made


def test_a_cursor_is_checked(api: TestClient, fleet: Fleet) -> None:
    for _ in range(3):
        add(fleet, fleet.agent(), POST)
    page = api.get("/api/v1/jobs?limit=1").json()
    cursor, last = page["next"], page["items"][0]["id"]
    for wrong in (cursor[:-2] + "AA", cursor[1:], "AAAA", "!", "x" * 500):
        assert api.get(f"/api/v1/jobs?limit=1&cursor={wrong}").status_code == 422
    assert api.get(f"/api/v1/jobs?limit=1&state=ready&cursor={cursor}").status_code == 422, "other filters"
    assert api.get(f"/api/v1/dead?limit=1&cursor={cursor}").status_code == 422, "another list"
    assert api.get(f"/api/v1/jobs?limit=2&cursor={cursor}").status_code == 200, "another length does no harm"
    fleet.sql("DELETE FROM jobs WHERE id = :id", id=last)
    gone = api.get(f"/api/v1/jobs?limit=1&cursor={cursor}")
    assert (gone.status_code, gone.json()["detail"]) == (422, "cursor: this is no cursor of this list.")
    assert [api.get(f"/api/v1/jobs?limit={limit}").status_code for limit in (0, 201, "ten")] == [422] * 3


def test_a_job_is_shown_with_its_attempts_and_without_secrets(api: TestClient, fleet: Fleet) -> None:
    job_id = dead(fleet, fleet.agent(username="ann_1"), error="refused fst_abcdefgh12345678")
    fleet.sql(
        "INSERT INTO job_attempts (job_id, lease_token, worker, outcome) VALUES (:id, 1, 'w:1', 'failed')", id=job_id
    )
    shown = api.get(f"/api/v1/jobs/{job_id}").json()
    assert (shown["agent"], shown["state"], shown["error"]) == ("ann_1", "dead", "refused fst_***")
    assert [(one["worker"], one["outcome"]) for one in shown["history"]] == [("w:1", "failed")]
    assert api.get(f"/api/v1/jobs/{uuid.uuid4()}").status_code == 404
    assert api.get(f"/api/v1/jobs/{str(job_id)[:8]}").json() == shown
    assert api.get("/api/v1/jobs/me").status_code == 422


def test_a_waiting_job_is_hurried_or_called_off_once(api: TestClient, fleet: Fleet) -> None:
    job_id = add(fleet, fleet.agent(), POST)
    fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() + interval '1 h'")
    assert api.post(f"/api/v1/jobs/{job_id}/retry").status_code == 200
    assert [message.args for message in fleet.bell.take()] == [(str(job_id),)]
    assert api.post(f"/api/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    late = api.post(f"/api/v1/jobs/{job_id}/cancel")
    assert (late.status_code, late.json()["title"]) == (409, "Conflict")


def test_dead_letters_are_counted_listed_replayed_and_discarded(api: TestClient, fleet: Fleet) -> None:
    ann, bob = fleet.agent(username="ann_1"), fleet.agent(username="bob_1")
    tired = dead(fleet, ann)
    old = dead(fleet, fleet.agent(), hours_ago=2)
    stale = dead(fleet, bob, stale=True, hours_ago=1)
    never = dead(fleet, fleet.agent(), kind=COMMENT, target="p1", reason=DeadReason.PERMANENT, hours_ago=3)
    assert api.get("/api/v1/dead/reasons").json() == {"total": 4, "reasons": {"exhausted": 3, "permanent": 1}}
    assert ids(api, "dead", reason="permanent") == [str(never)]
    assert ids(api, "dead", agent="ann_1") == [str(tired)]
    assert ids(api, "dead") == [str(one) for one in (tired, stale, old, never)], "the latest first"
    assert api.post("/api/v1/dead/replay", json={"ids": [str(tired), str(stale)]}).json() == {"count": 1, "total": 2}
    assert fleet.job(tired).state == JobState.READY
    assert api.post("/api/v1/dead/discard", json={"filter": {"reason": "permanent"}}).json() == {"count": 1, "total": 1}
    assert fleet.job(never).state == JobState.CANCELLED
    replay = {"filter": {}, "allow_stale": True, "limit": 1}
    assert api.post("/api/v1/dead/replay", json=replay).json() == {"count": 1, "total": 2}
    assert api.post("/api/v1/dead/replay", json={"filter": {}}).json() == {"count": 1, "total": 1}
    assert fleet.job(old).state == fleet.job(stale).state == JobState.READY
    assert api.get("/api/v1/dead/reasons").json() == {"total": 0, "reasons": {}}


def test_a_dry_run_counts_what_the_same_request_would_move_and_moves_nothing(api: TestClient, fleet: Fleet) -> None:
    stale = dead(fleet, fleet.agent(), stale=True)
    letters = [stale, *(dead(fleet, fleet.agent(), hours_ago=hours) for hours in (1, 2))]
    for body, expected in (
        ({"filter": {}}, 2), ({"filter": {}, "limit": 1}, 1), ({"filter": {}, "allow_stale": True}, 3),
        ({"filter": {"id": [str(stale)[:8]]}}, 0),
    ):  # fmt: skip
        assert api.post("/api/v1/dead/replay", json=body | {"dry_run": True}).json()["count"] == expected, body
    assert api.post("/api/v1/dead/discard", json={"filter": {}, "dry_run": True}).json() == {"count": 3, "total": 3}
    assert {fleet.job(one).state for one in letters} == {JobState.DEAD}


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"filter": {"id": []}}, {"ids": [str(uuid.UUID(int=1))], "filter": {}},
             {"filter": {"raeson": "x"}}],
    ids=["nothing", "none", "none-of-a-filter", "both", "misspelt"],
)  # fmt: skip
def test_many_dead_letters_are_never_meant_by_mistake(api: TestClient, fleet: Fleet, body: dict[str, object]) -> None:
    letter = dead(fleet, fleet.agent())
    assert api.post("/api/v1/dead/discard", json=body).status_code == 422
    assert fleet.job(letter).state == JobState.DEAD


def test_activity_is_listed_newest_first_and_in_order_after_a_position(api: TestClient, fleet: Fleet) -> None:
    ann = fleet.agent(username="ann_1")
    job = uuid.uuid4()
    before = api.get("/api/v1/activity/position").json()["position"]
    for number in range(5):
        with fleet.deps.db.transaction() as tx:
            events.emit(tx, f"test.{number}", agent_id=ann if number % 2 else None, job_id=job if number == 3 else None)
    feed = api.get("/api/v1/activity?subject=test.*&limit=2").json()
    assert [one["subject"] for one in feed["items"]] == ["test.4", "test.3"]
    below = api.get("/api/v1/activity", params={"subject": "test.*", "limit": 2, "cursor": feed["next"]}).json()
    assert [one["subject"] for one in below["items"]] == ["test.2", "test.1"]
    assert [one["subject"] for one in api.get("/api/v1/activity?agent=ann_1&limit=2").json()["items"]] == [
        "test.3",
        "test.1",
    ]
    assert [one["subject"] for one in api.get(f"/api/v1/activity?job={job}").json()["items"]] == ["test.3"]
    after = api.get(f"/api/v1/activity/after?after={before}&limit=3").json()
    assert [one["subject"] for one in after["items"]] == ["test.0", "test.1", "test.2"]
    rest = api.get(f"/api/v1/activity/after?after={after['next']}").json()
    assert [one["subject"] for one in rest["items"]] == ["test.3", "test.4"]
    some = api.get(f"/api/v1/activity/after?after={before}&agent=ann_1&subject=test.1&subject=other.*").json()
    assert ([one["subject"] for one in some["items"]], some["next"]) == (["test.1"], rest["next"])
    end = api.get(f"/api/v1/activity/after?after={rest['next']}").json()
    assert (end["items"], end["next"]) == ([], rest["next"])
    assert api.get(f"/api/v1/activity/after?after={2**64}-1").status_code == 422
