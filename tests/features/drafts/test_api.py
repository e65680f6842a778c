"""Drafts and approvals by the API: what is proposed, what people decide, one and many."""

from __future__ import annotations

import uuid

import pytest
from starlette.testclient import TestClient

from fleet.engine.jobs.states import JobState
from fleet.features.approvals import service as approving
from fleet.features.approvals.request import Proposal
from fleet.features.drafts.models import DraftRow
from fleet.features.media.service import objects_of
from tests.factories import Fleet, a_picture
from tests.features.drafts.test_drafts import job_of, proposed
from tests.features.drafts.test_scan import COMMENT, LOVE, POST, supervised
from tests.web_client import Web


@pytest.fixture
def api(web: Web) -> TestClient:
    return web.program("owner", name="ana")


def draft(api: TestClient, made: DraftRow) -> dict:  # type: ignore[type-arg]
    return api.get(f"/api/v1/drafts/{made.id}").json()  # type: ignore[no-any-return]


def test_drafts_are_listed_and_shown_with_diff_and_record(api: TestClient, fleet: Fleet) -> None:
    comment, post = proposed(fleet, COMMENT, POST)
    page = api.get("/api/v1/drafts?limit=1").json()
    rest = api.get("/api/v1/drafts", params={"limit": 1, "cursor": page["next"]}).json()
    assert {one["id"] for one in (*page["items"], *rest["items"])} == {str(comment.id), str(post.id)}
    assert [one["kind"] for one in api.get("/api/v1/drafts?kind=post&status=pending").json()["items"]] == ["post"]
    edited = api.patch(f"/api/v1/drafts/{comment.id}", json={"text": "The slate glows.", "reason": "shorter"})
    assert edited.status_code == 200
    shown = draft(api, comment)
    assert (shown["content"]["text"], shown["revision"], shown["outcome"]) == ("The slate glows.", 2, "pending")
    assert [one["made_by"].partition(":")[0] for one in shown["revisions"]] == ["agent", "web"]
    assert [(one["verdict"], one["by"]) for one in shown["request"]["record"]] == [("amend", "web:ana")]
    assert ["text"] in [one["path"] for one in shown["request"]["diff"]]


def test_one_draft_is_approved_and_published_and_one_is_rejected_for_a_reason(api: TestClient, fleet: Fleet) -> None:
    comment, love = proposed(fleet, COMMENT, LOVE)
    done = api.post(f"/api/v1/drafts/{comment.id}/approve", json={"revision": 1})
    assert done.json() == {
        "request_id": draft(api, comment)["request_id"], "state": "approved", "settled": True, "voices": ["web:ana"],
        "min_approvals": 1, "summary": f"Say to Zoe: {COMMENT.text}",
    }  # fmt: skip
    assert job_of(fleet, comment).state == JobState.READY
    assert job_of(fleet, comment).requested_by == "web:ana"
    assert api.post(f"/api/v1/drafts/{love.id}/reject", json={}).status_code == 422
    assert api.post(f"/api/v1/drafts/{love.id}/reject", json={"reason": "not now"}).json()["state"] == "rejected"
    again = api.post(f"/api/v1/drafts/{love.id}/approve", json={})
    assert (again.status_code, "rejected already" in again.json()["detail"]) == (409, True)


def test_an_approval_needs_no_body(api: TestClient, fleet: Fleet) -> None:
    comment, love = proposed(fleet, COMMENT, LOVE)
    assert api.post(f"/api/v1/drafts/{comment.id}/approve").json()["state"] == "approved"
    assert api.post(f"/api/v1/approvals/{draft(api, love)['request_id']}/approve").json()["state"] == "approved"
    assert api.post(f"/api/v1/drafts/{love.id}/reject").status_code == 422


def test_remote_callers_cannot_decide_as_another_person(api: TestClient, fleet: Fleet) -> None:
    (comment,) = proposed(fleet, COMMENT)
    request = draft(api, comment)["request_id"]
    as_zoe = {"decided_by": "zoe", "reason": "good"}
    for path, body in (
        (f"/drafts/{comment.id}/approve", as_zoe), ("/drafts/reject", as_zoe | {"ids": [str(comment.id)]}),
        (f"/approvals/{request}/withdraw", as_zoe), ("/approvals/approve", as_zoe | {"ids": [request]}),
        (f"/approvals/{request}/revise", {"decided_by": "zoe", "instructions": "warmer"}),
    ):  # fmt: skip
        assert api.post(f"/api/v1{path}", json=body).status_code == 403, path
    for path in (f"/drafts/{comment.id}", f"/approvals/{request}"):
        edit = {"decided_by": "zoe", **({"text": "Mine."} if "drafts" in path else {"changes": {"text": "Mine."}})}
        assert api.patch(f"/api/v1{path}", json=edit).status_code == 403, path
    assert (draft(api, comment)["status"], draft(api, comment)["revision"]) == ("pending", 1)


def test_the_beginning_of_an_id_names_a_draft_in_paths_and_lists(api: TestClient, fleet: Fleet) -> None:
    comment, love = proposed(fleet, COMMENT, LOVE)
    short = str(comment.id)[:8]
    assert api.get(f"/api/v1/drafts/{short}").json()["id"] == str(comment.id)
    for wrong in ("abc", "no-id", "%00abcd", "a" * 61):
        assert api.get(f"/api/v1/drafts/{wrong}").status_code == 422, wrong
        assert api.post("/api/v1/drafts/approve", json={"ids": [short, wrong]}).status_code == 422, wrong
    seen = {"ids": [short, str(love.id).upper()], "revisions": {short: 2}}
    first, second = api.post("/api/v1/drafts/approve", json=seen).json()["items"]
    assert (first["id"], first["problem"]["status"]) == (str(comment.id), 409)
    assert (second["id"], second["decided"]["state"]) == (str(love.id), "approved")


def test_an_edit_of_one_field_leaves_the_others_as_they_are_stored(api: TestClient, fleet: Fleet) -> None:
    secret = "flt_" + "x" * 20
    with fleet.deps.db.transaction() as tx:
        request = approving.propose(fleet.deps, tx, Proposal(
            "page", "1", "publish", {"text": "Old.", "link": secret}, "agent:ann", "A page"))  # fmt: skip
    path = f"/api/v1/approvals/{request.id}"
    assert secret not in api.get(path).text
    assert api.patch(path, json={"changes": {"text": "New."}}).json()["revision"] == 2
    assert approving.show(fleet.deps, str(request.id))[0].payload == {"text": "New.", "link": secret}
    assert api.patch(path, json={"changes": {"text": "Late."}, "revision": 1}).status_code == 409
    assert api.patch(path, json={}).status_code == 422


def test_drafts_are_found_by_topic_confidence_and_time(api: TestClient, fleet: Fleet) -> None:
    comment, love = proposed(fleet, COMMENT, LOVE)
    fleet.sql("UPDATE drafts SET topic = 'lamps', confidence = 0.9 WHERE id = :id", id=comment.id)
    fleet.sql("UPDATE drafts SET topic = 'fog', confidence = 0.2 WHERE id = :id", id=love.id)
    for query, found in (
        ("topic=amp", [comment]), ("confidence=0.5", [comment]), ("confidence=0.1&topic=o", [love]),
        ("since=2100-01-01T00:00:00Z", []), ("until=2001-01-01T00:00:00Z", []),
    ):  # fmt: skip
        items = api.get(f"/api/v1/drafts?{query}").json()["items"]
        assert [one["id"] for one in items] == [str(one.id) for one in found], query


def test_who_saw_another_revision_does_not_decide(api: TestClient, fleet: Fleet) -> None:
    (comment,) = proposed(fleet, COMMENT)
    api.patch(f"/api/v1/drafts/{comment.id}", json={"text": "Other words."})
    assert api.post(f"/api/v1/drafts/{comment.id}/approve", json={"revision": 1}).status_code == 409
    assert draft(api, comment)["status"] == "pending"


def test_of_many_and_in_an_edit_a_revision_that_was_seen_is_checked(api: TestClient, fleet: Fleet) -> None:
    comment, love, post = proposed(fleet, COMMENT, LOVE, POST)
    api.patch(f"/api/v1/drafts/{comment.id}", json={"text": "Other words.", "revision": 1})
    late = api.patch(f"/api/v1/drafts/{comment.id}", json={"text": "Mine.", "revision": 1})
    assert (late.status_code, "revision 2, not 1" in late.json()["detail"]) == (409, True)
    ids = [str(comment.id), str(love.id), str(post.id)]
    seen = {"ids": ids, "revisions": {ids[0]: 1, ids[1]: 1}}
    first, second, third = api.post("/api/v1/drafts/approve", json=seen).json()["items"]
    assert (first["decided"], first["problem"]["status"]) == (None, 409)
    assert (second["decided"]["state"], third["decided"]["state"]) == ("approved", "approved")
    other = {"ids": ids[:1], "revisions": {ids[1]: 1}, "reason": "no"}
    assert api.post("/api/v1/drafts/reject", json=other).status_code == 422
    asked = draft(api, comment)["request_id"]
    payload = draft(api, comment)["request"]["payload"] | {"text": "Mine."}
    assert api.patch(f"/api/v1/approvals/{asked}", json={"payload": payload, "revision": 1}).status_code == 409
    (answer,) = api.post("/api/v1/approvals/approve", json={"ids": [asked], "revisions": {asked: 1}}).json()["items"]
    assert answer["problem"]["status"] == 409
    (answer,) = api.post("/api/v1/approvals/approve", json={"ids": [asked], "revisions": {asked: 2}}).json()["items"]
    assert (answer["decided"]["state"], job_of(fleet, comment).payload["content"]["text"]) == (
        "approved", "Other words."
    )  # fmt: skip


def test_of_many_each_has_its_own_answer(api: TestClient, fleet: Fleet) -> None:
    comment, love = proposed(fleet, COMMENT, LOVE)
    api.post(f"/api/v1/drafts/{love.id}/withdraw", json={"reason": "too late"})
    unknown = uuid.uuid4()
    answer = api.post("/api/v1/drafts/approve", json={"ids": [str(one) for one in (comment.id, love.id, unknown)]})
    first, second, third = answer.json()["items"]
    assert (first["id"], first["decided"]["state"], first["problem"]) == (str(comment.id), "approved", None)
    assert (second["decided"], second["problem"]["status"], second["problem"]["title"]) == (None, 409, "Conflict")
    assert (third["id"], third["problem"]["status"]) == (str(unknown), 404)


def test_a_draft_is_sent_back_and_its_lesson_undone(api: TestClient, fleet: Fleet) -> None:
    comment, love = proposed(fleet, COMMENT, LOVE)
    sent = api.post(f"/api/v1/drafts/{comment.id}/revise", json={"instructions": "warmer"})
    assert sent.status_code == 202
    assert [job.kind for job in fleet.jobs(kind="revise_draft")] == ["revise_draft"]
    api.post(f"/api/v1/drafts/{love.id}/reject", json={"reason": "not now"})
    name = draft(api, love)["agent"]
    (lesson,) = api.get(f"/api/v1/agents/{name}/lessons").json()["items"]
    assert (lesson["decision"], lesson["why"]) == ("rejected", "not now")
    undone = api.post(f"/api/v1/lessons/{lesson['id']}/undo").json()
    assert undone["undone_by"] == "api:ana"
    assert api.post(f"/api/v1/lessons/{lesson['id']}/undo").status_code == 409


def test_requests_are_decided_like_their_drafts(api: TestClient, fleet: Fleet) -> None:
    comment, love, post = proposed(fleet, COMMENT, LOVE, POST)
    ids = {one.id: draft(api, one)["request_id"] for one in (comment, love, post)}
    page = api.get("/api/v1/approvals?state=pending&resource=draft&limit=2").json()
    assert len(page["items"]) == 2
    assert page["next"]
    shown = api.get(f"/api/v1/approvals/{ids[comment.id]}").json()
    assert (shown["action"], shown["state"], shown["record"]) == ("publish", "pending", [])
    payload = shown["payload"] | {"text": "Rewritten."}
    assert api.patch(f"/api/v1/approvals/{ids[comment.id]}", json={"payload": payload}).json()["revision"] == 2
    for wrong in ('"a\\u0000b"', '"\\ud800"', '[[{"\\u0000": 1}]]', "1e999", "NaN", "[" * 30 + "]" * 30):
        strange = api.patch(
            f"/api/v1/approvals/{ids[post.id]}", content=f'{{"payload": {{"text": {wrong}}}}}',
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert (strange.status_code, "body.payload" in strange.json()["detail"]) == (422, True), wrong
    assert api.post(f"/api/v1/approvals/{ids[comment.id]}/approve", json={}).json()["settled"] is True
    many = api.post("/api/v1/approvals/reject", json={"ids": [ids[love.id], ids[comment.id]], "reason": "no"}).json()
    assert [bool(one["decided"]) for one in many["items"]] == [True, False]
    assert draft(api, love)["status"] == "rejected"


def test_a_viewer_looks_and_does_not_decide(web: Web, fleet: Fleet) -> None:
    (comment,) = proposed(fleet, COMMENT)
    viewer = web.program("viewer")
    assert viewer.get(f"/api/v1/drafts/{comment.id}").status_code == 200
    assert viewer.post(f"/api/v1/drafts/{comment.id}/approve", json={}).status_code == 403


def test_a_drafts_picture_is_handed_out_under_its_key(api: TestClient, fleet: Fleet, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    key = objects_of(fleet.deps).put(a_picture(), "image/jpeg")
    found = api.get(f"/api/v1/media/{key}")
    assert (found.status_code, found.headers["content-type"], found.content) == (200, "image/jpeg", a_picture())
    assert api.get(f"/api/v1/media/{key}", headers={"if-none-match": found.headers["etag"]}).status_code == 304
    assert api.get(f"/api/v1/media/{key[:3]}{'0' * 64}.png").status_code in (404, 422)
    assert api.get("/api/v1/media/../../etc/passwd").status_code == 404


def test_statistics_of_drafts_are_shown_for_all_agents_and_for_one(api: TestClient, fleet: Fleet) -> None:
    comment, _, _ = proposed(fleet, COMMENT, POST, LOVE, agent=supervised(fleet, username="ada_1"))
    proposed(fleet, LOVE, agent=supervised(fleet, username="bob_1"))
    api.post(f"/api/v1/drafts/{comment.id}/approve", json={})
    found = api.get("/api/v1/drafts/stats").json()
    assert [(one["name"], one["proposed"], one["agreed"]) for one in found["items"]] == [
        ("ada_1", 3, 1.0), ("bob_1", 1, None)
    ]  # fmt: skip
    assert (found["total"]["waiting"], found["total"]["key"], found["scans"]["done"]) == (3, None, 2)
    of_bob = api.get("/api/v1/drafts/stats?agent=bob_1&by=kind").json()
    assert [(one["name"], one["proposed"]) for one in of_bob["items"]] == [("reaction", 1)]
    assert api.get("/api/v1/drafts/stats", params={"since": "2100-01-01T00:00:00Z"}).json()["items"] == []
    assert api.get("/api/v1/drafts/stats?agent=nobody").status_code == 404
    assert api.get("/api/v1/drafts/stats?by=persona").status_code == 422


def test_a_draft_names_its_scan_and_whether_a_person_asked_for_it(api: TestClient, fleet: Fleet) -> None:
    (comment,) = proposed(fleet, COMMENT)
    told = draft(api, comment)
    assert (told["scan_id"], told["suggested_by"]) == (str(comment.scan_id), "activity_worker")
