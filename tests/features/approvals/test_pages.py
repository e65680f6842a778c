"""The pages of requests for approval: every kind, every button, whose they are, and what is refused."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from fleet.features.approvals import service as approving
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import Person
from tests.features.approvals.test_cli import propose
from tests.features.drafts.test_pages import HOSTILE, assert_inert, said
from tests.web_client import Web

BEN = Person("ben", frozenset({"owner"}))
BUDGET: dict[str, Any] = {
    "resource": "budget", "action": "override", "resource_id": "fleet:day", "requested_by": "fleet:spending",
    "payload": {"usd": 12, "note": "the campaign goes on"}, "before": {"usd": 5, "note": "the campaign goes well"},
    "summary": "Spend 12 dollars today", "facts": {"usd": 12},
}  # fmt: skip
PAGE: dict[str, Any] = {"resource": "page", "summary": "Publish a page"}


def now(web: Web, request: Request) -> Request:
    return approving.show(web.deps, str(request.id))[0]


def test_a_request_of_any_kind_is_shown_with_what_would_change_and_who_decides(web: Web) -> None:
    request = propose(web.fleet, **BUDGET)
    ana = web.browser("admin", "ana")
    for page in (ana.get("/review").text, ana.get(f"/review/{request.id}").text):
        assert "Spend 12 dollars today" in page
        assert "<del>5</del><ins>12</ins>" in page
        assert "goes <del>well</del><ins>on</ins>" in page
        assert "owner, admin, says the rule “budgets”." in page
        assert "Escalates" in page and "to operator" in page
        assert "0 of 1 approval" in page
    told = said(ana, ana.post(f"/review/{request.id}/approve", revision=1, reason="go on"))
    assert told == "Approved: Spend 12 dollars today"
    page = ana.get(f"/review/{request.id}").text
    assert "go on" in page and "web:ana" in page and "/approve" not in page
    assert "Spend 12 dollars today" in ana.get("/review?state=approved").text


def test_requests_are_filtered_by_state_resource_and_agent(web: Web) -> None:
    agent = web.fleet.agent(username="ann_1", name="Ann")
    drafted, money = propose(web.fleet, agent_id=agent, summary="Ann says"), propose(web.fleet, **BUDGET)
    ana = web.browser("viewer", "ana")
    assert {one in ana.get("/review?resource=&agent=").text for one in (drafted.summary, money.summary)} == {True}
    only = ana.get("/review?resource=budget").text
    assert money.summary in only and drafted.summary not in only
    hers = ana.get("/review?agent=ann_1").text
    assert drafted.summary in hers and money.summary not in hers
    assert "No requests match" in ana.get("/review?state=rejected").text
    assert ana.get("/review?agent=nobody").status_code == 404


def test_a_request_is_rejected_for_a_reason_or_taken_back(web: Web) -> None:
    first, second = propose(web.fleet, **PAGE), propose(web.fleet, **PAGE)
    ana = web.browser("owner", "ana")
    assert "needs a reason" in said(ana, ana.post(f"/review/{first.id}/reject", revision=1))
    assert "Rejected" in said(ana, ana.post(f"/review/{first.id}/reject", revision=1, reason="no"))
    assert "Withdrawn" in said(ana, ana.post(f"/review/{second.id}/withdraw"))
    assert [now(web, one).state for one in (first, second)] == ["rejected", "withdrawn"]


def test_what_somebody_asked_for_themselves_they_only_take_back(web: Web) -> None:
    request = propose(web.fleet, **PAGE, requested_by="api:ana")
    ana = web.browser("owner", "ana")
    for page in (ana.get("/review").text, ana.get(f"/review/{request.id}").text):
        assert "This is your own request" in page
        assert "/approve" not in page and f"/review/{request.id}/withdraw" in page
    assert "own request" in said(ana, ana.post(f"/review/{request.id}/approve", revision=1))
    assert "Withdrawn" in said(ana, ana.post(f"/review/{request.id}/withdraw"))


def test_a_user_without_the_role_gets_the_roles_that_may(web: Web) -> None:
    request = propose(web.fleet, **BUDGET)
    eve = web.browser("reviewer", "eve")
    page = eve.get(f"/review/{request.id}").text
    assert "leaves this to others: owner, admin" in page
    assert f"/review/{request.id}/" not in page
    for verb in ("approve", "reject", "withdraw"):
        refused = said(eve, eve.post(f"/review/{request.id}/{verb}", revision=1, reason="x"))
        assert "may not decide" in refused
    assert eve.post(f"/review/{request.id}/edit", revision=1, payload='{"usd": 1}').status_code == 409
    assert now(web, request).state == "pending"


def test_a_viewer_sees_no_button_and_is_refused(web: Web) -> None:
    request = propose(web.fleet, **PAGE)
    vera = web.browser("viewer", "vera")
    for page in (vera.get("/review").text, vera.get(f"/review/{request.id}").text):
        assert "Publish a page" in page
        assert f"/review/{request.id}/" not in page and 'name="pick"' not in page
    for verb in ("approve", "reject", "withdraw", "edit", "revise"):
        assert vera.post(f"/review/{request.id}/{verb}", revision=1, reason="x").status_code == 403
    assert vera.post("/review/decide", decision="approve", pick=f"{request.id}:1").status_code == 403


def test_a_payload_is_edited_as_data_and_kept_when_it_is_wrong(web: Web) -> None:
    request = propose(web.fleet, **PAGE)
    ana = web.browser("owner", "ana")
    wrong = ana.post(f"/review/{request.id}/edit", revision=1, payload='{"text": "New", }', reason="shorter")
    assert wrong.status_code == 422
    assert "is no JSON, line 1" in wrong.text and "&#34;New&#34;, }" in wrong.text and "shorter" in wrong.text
    assert ana.post(f"/review/{request.id}/edit", revision=1, payload="[1]").status_code == 422
    assert ana.post(f"/review/{request.id}/edit", revision=1, payload="[" * 90_000).status_code == 422
    done = ana.post(f"/review/{request.id}/edit", revision=1, payload=json.dumps({"text": "New"}), reason="shorter")
    assert said(ana, done) == "Revision 2 waits for a decision."
    assert now(web, request).payload == {"text": "New"}
    late = ana.post(f"/review/{request.id}/edit", revision=1, payload='{"text": "Older"}')
    assert late.status_code == 409 and "Somebody changed it meanwhile" in late.text and "Older" in late.text
    assert ana.get(f"/review/{request.id}/edit").headers["location"] == f"/review/{request.id}"


def test_what_was_typed_is_shown_when_somebody_decided_meanwhile(web: Web) -> None:
    request = propose(web.fleet, **BUDGET)
    approving.approve(web.deps, [request.id], BEN)
    ana = web.browser("owner", "ana")
    page = ana.post(f"/review/{request.id}/edit", revision=1, payload='{"usd": 7}', reason="<b>less</b>").text
    assert "is approved already" in page and "What you typed was not saved" in page
    assert (
        "{&#34;usd&#34;: 7}" in page and "&lt;b&gt;less" in page and ana.csrf not in page.split('id="unsaved"')[1][:600]
    )


def test_what_would_be_done_as_it_was_is_not_edited(web: Web) -> None:
    request = propose(web.fleet, resource="job", action="retry", summary="Try it again")
    ana = web.browser("owner", "ana")
    page = ana.get(f"/review/{request.id}").text
    assert f"/review/{request.id}/reject" in page and not re.search(r"/(edit|revise)[\"?]", page)
    refused = ana.post(f"/review/{request.id}/edit", revision=1, payload="{}")
    assert refused.status_code == 409 and "cannot be edited" in refused.text
    assert ana.post(f"/review/{request.id}/revise", instructions="otherwise").status_code == 409


def test_many_are_decided_at_once_and_each_has_an_answer(web: Web) -> None:
    good, gone, own, late = (
        propose(web.fleet, **{**PAGE, "summary": word, "requested_by": by})
        for word, by in (("good", "agent:x"), ("gone", "agent:x"), ("own", "web:ana"), ("late", "agent:x"))
    )
    ana = web.browser("owner", "ana")
    approving.reject(web.deps, [gone.id], BEN, "no")
    web.fleet.sql("UPDATE approval_requests SET expires_at = clock_timestamp() WHERE id = :id", id=late.id)
    picks = [f"{one.id}:1" for one in (good, gone, own, late)]
    answer = ana.post("/review/decide", decision="approve", pick=picks)
    assert "1 of 4 went through, 3 did not." in answer.text
    for words in ("Approved: good", "rejected already by ben", "own request", "is over since"):
        assert words in answer.text
    assert [now(web, one).state for one in (good, gone, own, late)] == ["approved", "rejected", "pending", "pending"]
    more = [propose(web.fleet, **PAGE) for _ in range(2)]
    picks = [f"{one.id}:1" for one in more]
    told = said(ana, ana.post("/review/decide", decision="reject", pick=picks, reason="not now"))
    assert told == "2 of 2 went through."
    assert ana.get("/review/decide").headers["location"] == "/review"


def test_hostile_words_are_only_words(web: Web) -> None:
    data = {HOSTILE: HOSTILE, "list": [HOSTILE]}
    request = propose(
        web.fleet, resource="page", summary=HOSTILE, requested_by=HOSTILE, payload=data, before={HOSTILE: "x"},
        facts=data, resource_id=HOSTILE,
    )  # fmt: skip
    ana = web.browser("owner", "ana")
    refused = ana.post(f"/review/{request.id}/edit", revision=7, payload=json.dumps(data), reason=HOSTILE)
    mixed = ana.post("/review/decide", decision="approve", pick=[f"{request.id}:7"])
    pages = [ana.get("/review").text, ana.get(f"/review/{request.id}").text, refused.text, mixed.text]
    ana.post(f"/review/{request.id}/reject", revision=1, reason=HOSTILE)
    pages += [ana.get("/review?state=rejected").text, ana.get(f"/review/{request.id}").text]
    for page in pages:
        assert_inert(page)
    assert all("&lt;script&gt;" in page for page in (*pages[:3], *pages[4:]))


@pytest.mark.parametrize("name", [str(uuid.UUID(int=1)), "ffff"])
def test_what_is_no_request_is_not_found(web: Web, name: str) -> None:
    ana = web.browser("owner", "ana")
    assert ana.get(f"/review/{name}").status_code == 404
    assert ana.post(f"/review/{name}/approve").status_code == 404
    assert ana.post(f"/review/{name}/revise", instructions="x").status_code == 404


def test_an_empty_page_says_what_comes_here(web: Web) -> None:
    page = web.browser("viewer", "ana").get("/review").text
    assert "Nothing waits for a decision" in page and "fleet scan NAME" in page


def rows_of(page: str) -> list[str]:
    return re.findall(r'data-row="([0-9a-f-]{36})"', page)


def test_the_queue_has_the_soonest_to_expire_first_and_counts_as_the_sidebar_and_the_terminal_do(web: Web) -> None:
    agent = web.fleet.agent(username="ann_1", name="Ann")
    late, soon, other = (
        propose(web.fleet, **{**PAGE, "summary": word, "facts": {"kind": kind}}, agent_id=agent_id)
        for word, kind, agent_id in (
            ("a late one", "blog", agent),
            ("a soon one", "blog", None),
            ("other", "news", None),
        )
    )
    for one, left in ((late, "3 days"), (soon, "1 hour"), (other, "2 days")):
        web.fleet.sql(f"UPDATE approval_requests SET expires_at = clock_timestamp() + interval '{left}' WHERE id = :id",
                      id=one.id)  # fmt: skip
    ana = web.browser("owner", "ana")

    def shown(query: str) -> list[str]:
        return rows_of(ana.get(f"/review?{query}").text)

    ids = [str(one.id) for one in (soon, other, late)]
    assert shown("") == ids
    assert shown("order=oldest") == [str(one.id) for one in (late, soon, other)]
    assert (shown("kind=blog"), shown("agent=ann_1"), shown("q=SOON")) == ([ids[0], ids[2]], [ids[2]], [ids[0]])
    assert shown(f"after={soon.id}") == ids[1:]
    page = ana.get("/review").text
    assert 'Waiting <span class="soft">3</span>' in page and "Page: blog <b>2</b>" in page
    assert re.search(r'href="/review" aria-current="page">.*?<span[^>]*>3</span>', page, re.DOTALL)
    waiting = web.program("owner").get("/api/v1/approvals/waiting").json()
    assert waiting["total"] == 3
    assert [(one["kind"], one["waiting"]) for one in waiting["items"]] == [("blog", 2), ("news", 1)]


def test_after_a_decision_the_next_one_opens_and_what_others_decided_is_skipped(web: Web) -> None:
    first, second, third = (propose(web.fleet, **{**PAGE, "summary": word}) for word in ("one", "two", "three"))
    ana = web.browser("owner", "ana")
    answer = ana.post(f"/review/{first.id}/approve?order=oldest", revision=1)
    assert answer.headers["location"] == f"/review/{second.id}?order=oldest"
    approving.reject(web.deps, [second.id], BEN, "no")
    answer = ana.post(f"/review/{second.id}/approve?order=oldest", revision=1)
    assert answer.headers["location"] == f"/review/{third.id}?order=oldest"
    assert "rejected already by ben" in said(ana, answer)
    answer = ana.post(f"/review/{third.id}/reject", revision=1, reason="  ")
    assert answer.status_code == 422 and "needs a reason" in said(ana, answer)
    assert ana.post(f"/review/{third.id}/reject", revision=1, reason="no").headers["location"] == "/review"
