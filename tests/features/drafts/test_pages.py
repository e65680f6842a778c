"""The pages of drafts: every button, two people at once, time that runs out, hostile words, and who sees no button."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import uuid
from html.parser import HTMLParser
from typing import Any

import pytest

from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.states import JobState
from fleet.features.approvals.rules import Person
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.models import DraftRow
from fleet.features.drafts.states import DraftKind
from fleet.features.media.service import objects_of
from fleet.images.placeholder import render_jpeg
from fleet.llm.scan_request import Idea
from tests.features.drafts.test_drafts import proposed
from tests.features.drafts.test_scan import ASK, COMMENT, LOVE, POST, proposing
from tests.web_client import Browser, Web

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><a href=javascript:alert(3)>"
BEN = Person("ben", frozenset({"owner"}))


def row(web: Web, draft: DraftRow) -> DraftRow:
    return drafting.show(web.deps, str(draft.id))[0].row


def asked(web: Web, draft: DraftRow) -> tuple[uuid.UUID, int]:
    """Return the request of a draft and the revision that a page shows."""
    found = drafting.show(web.deps, str(draft.id))[0].request
    assert found is not None
    return found.id, found.revision


def pick(web: Web, draft: DraftRow) -> str:
    request_id, revision = asked(web, draft)
    return f"{request_id}:{revision}"


def at(web: Web, draft: DraftRow, verb: str = "") -> str:
    """Return the address of a draft in the review queue, or of a form about it."""
    return f"/review/{asked(web, draft)[0]}{f'/{verb}' if verb else ''}"


def said(browser: Browser, answer: Any) -> str:
    """Follow what a form led to, and return what the page says was done, or why not."""
    page = browser.get(answer.headers["location"]).text if answer.status_code == 303 else answer.text
    found = re.search(r'<p class="said[^"]*"(?: role="alert")?>(.*?)</p>', page, re.DOTALL)
    return html.unescape(found[1]) if found else ""


@pytest.mark.parametrize("role", ["owner", "admin", "operator", "reviewer"])
def test_a_reviewer_approves_a_draft_beside_the_post_that_it_answers(web: Web, role: str) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser(role, "ana")
    page = ana.get("/review").text
    assert COMMENT.text in page
    assert "Picture" in page and "brass lamp on wet slate" in page  # the post that it answers
    assert "70 % sure" in page and "it is about light" in page
    assert f'action="{at(web, draft, "approve")}"' in page
    answer = ana.post(f"{at(web, draft, 'approve')}?kind=comment", revision=1)
    assert answer.headers["location"] == "/review?kind=comment"  # nothing follows
    assert "Approved" in said(ana, answer)
    assert (row(web, draft).status, row(web, draft).decided_by) == ("approved", "web:ana")
    assert len(web.fleet.jobs(kind="comment")) == 1
    assert at(web, draft) in ana.get("/review?state=approved").text


def test_a_draft_is_rejected_for_a_reason_and_never_without(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    assert "needs a reason" in said(ana, ana.post(at(web, draft, "reject"), revision=1, reason=" "))
    assert row(web, draft).status == "pending"
    assert "Rejected" in said(ana, ana.post(at(web, draft, "reject"), revision=1, reason="too clever"))
    assert (row(web, draft).status, row(web, draft).reason) == ("rejected", "too clever")
    assert "too clever" in ana.get("/review?state=rejected").text
    name = web.fleet.row(draft.agent_id).username
    page = ana.get(f"/agents/{name}?tab=drafts").text
    (lesson,) = drafting.learned(web.deps, name)
    assert "What it has learned" in page and "was rejected" in page
    assert "counts no more" in said(ana, ana.post(f"/drafts/lessons/{lesson.id}/undo"))
    assert "undone already" in said(ana, ana.post(f"/drafts/lessons/{lesson.id}/undo"))


def test_a_draft_is_taken_back_and_teaches_nothing(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("operator", "ana")
    assert "Withdrawn" in said(ana, ana.post(at(web, draft, "withdraw")))
    assert row(web, draft).status == "withdrawn"
    assert drafting.learned(web.deps, web.fleet.row(draft.agent_id).username) == []


def test_an_edit_is_a_new_revision_with_a_diff(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    told = said(ana, ana.post(at(web, draft, "edit"), revision=1, text="The slate holds the dusk well."))
    assert told == "Revision 2 waits for a decision."
    page = ana.get(at(web, draft)).text
    assert "<del>light</del><ins>dusk</ins>" in page
    assert "web:ana" in page


def test_what_was_typed_is_kept_when_an_edit_is_refused(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    answer = ana.post(at(web, draft, "edit"), revision=1, text="x" * 1_200, reason="longer is better")
    assert answer.status_code == 422
    assert "1000 is the most" in answer.text
    assert "x" * 1_200 in answer.text and "longer is better" in answer.text
    empty = ana.post(at(web, draft, "edit"), revision=1, text="")
    assert empty.status_code == 422 and "no text left" in empty.text
    assert row(web, draft).revision == 1
    assert ana.get(at(web, draft, "edit")).headers["location"] == at(web, draft)


def test_every_kind_of_draft_is_edited_by_its_own_fields(web: Web) -> None:
    post, love, ask = proposed(web.fleet, POST, LOVE, ASK)
    ana = web.browser("reviewer", "ana")
    assert ana.post(at(web, post, "edit"), revision=1, text="A lamp.", image_prompt="A lamp.", alt_text="",
                    visibility="friends").status_code == 303  # fmt: skip
    made = row(web, post).content
    assert (made["text"], made["alt_text"], made["visibility"]) == ("A lamp.", "", "friends")
    assert ana.post(at(web, love, "edit"), revision=1, type="haha").status_code == 303
    assert row(web, love).content["type"] == "haha"
    assert ana.post(at(web, love, "edit"), revision=2, type="rage").status_code == 422
    assert ana.post(at(web, ask, "edit"), revision=1, text="").status_code == 303
    assert row(web, ask).content["text"] == ""
    for draft in (post, love, ask):
        assert ana.get(at(web, draft)).status_code == 200


def test_an_edit_of_an_outdated_version_is_a_conflict_and_keeps_the_input(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    drafting.edit(web.deps, str(draft.id), {"text": "Ben was here first."}, BEN)
    answer = ana.post(at(web, draft, "edit"), revision=1, text="Ana came second.")
    assert answer.status_code == 409
    assert "Somebody changed it meanwhile" in answer.text
    assert "Ben was here first." in answer.text and "Ana came second." in answer.text
    assert row(web, draft).content["text"] == "Ben was here first."
    assert 'name="revision" value="2"' in answer.text
    ana.post(at(web, draft, "edit"), revision=2, text="Ana came second.")
    assert row(web, draft).content["text"] == "Ana came second."


def test_an_approval_of_an_unseen_revision_is_refused(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    drafting.edit(web.deps, str(draft.id), {"text": "Other words."}, BEN)
    assert "was amended" in said(ana, ana.post(at(web, draft, "approve"), revision=1))
    assert row(web, draft).status == "pending"


def test_the_second_of_two_deciders_gets_the_name_of_the_first(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana, eve = web.browser("reviewer", "ana"), web.browser("operator", "eve")
    ana.post(at(web, draft, "reject"), revision=1, reason="no")
    assert "rejected already by web:ana" in said(eve, eve.post(at(web, draft, "approve"), revision=1))
    assert web.fleet.jobs(kind="comment") == []


def test_a_draft_that_expires_between_look_and_click_is_not_published(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    assert at(web, draft, "approve") in ana.get("/review").text
    web.fleet.sql("UPDATE approval_requests SET expires_at = clock_timestamp()")
    web.fleet.sql("UPDATE drafts SET expires_at = clock_timestamp()")
    assert "is over" in said(ana, ana.post(at(web, draft, "approve"), revision=1))
    page = ana.get("/review").text
    assert at(web, draft, "approve") not in page and "The time to decide is over" in page
    assert web.fleet.jobs(kind="comment") == []


def test_how_near_the_end_is_can_be_seen(web: Web) -> None:
    proposed(web.fleet, COMMENT)
    ana = web.browser("viewer", "ana")
    for left, kind in (("3 days", "idle"), ("20 hours", "expiring"), ("1 hour", "bad")):
        web.fleet.sql(f"UPDATE approval_requests SET expires_at = clock_timestamp() + interval '{left}'")
        assert f'<span class="badge {kind}">expires' in ana.get("/review").text


def test_a_draft_that_is_sent_back_says_so_until_it_comes_again(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    assert ana.post(at(web, draft, "revise"), instructions=" ").status_code == 422
    assert "Sent back" in said(ana, ana.post(at(web, draft, "revise"), instructions="shorter, please"))
    again = ana.post(at(web, draft, "revise"), instructions="shorter, please")
    assert again.status_code == 409 and "these very words" in again.text
    assert "being revised" in ana.get("/review").text
    page = ana.get(at(web, draft)).text
    assert "being revised" in page and "shorter, please" in page
    web.fleet.words.proposals = proposing(Idea("comment", "p1", "The slate holds it."))
    (job,) = web.fleet.jobs(kind="revise_draft")
    perform(web.deps, job.id)
    page = ana.get(at(web, draft)).text
    assert "being revised" not in page and "The slate holds it." in page
    assert "asked for: shorter, please" in page and "<ins>it</ins>" in page


def test_a_failed_rewrite_is_reported(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    ana.post(at(web, draft, "revise"), instructions="shorter")
    web.fleet.words.proposals = proposing()
    (job,) = web.fleet.jobs(kind="revise_draft")
    perform(web.deps, job.id)
    assert "It was not written anew: the writer had nothing" in ana.get(at(web, draft)).text


def test_what_became_of_an_approved_draft_is_shown_with_its_job(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("reviewer", "ana")
    ana.post(at(web, draft, "approve"), revision=1, reason="well said")
    (job,) = web.fleet.jobs(kind="comment")
    assert "ready" in ana.get(at(web, draft)).text
    perform(web.deps, job.id)
    assert web.fleet.job(job.id).state == JobState.DONE
    page = ana.get(at(web, draft)).text
    assert 'class="badge published"' in page and f"/jobs/{job.id}" in page and "e1" in page
    assert "well said" in page  # the record


def test_many_are_decided_at_once_and_each_has_an_answer(web: Web) -> None:
    comment, post, love = proposed(web.fleet, COMMENT, POST, LOVE)
    ana = web.browser("reviewer", "ana")
    page = ana.get("/review").text
    picks = [pick(web, draft) for draft in (comment, post, love)]
    assert all(f'value="{one}"' in page for one in picks)
    drafting.reject(web.deps, [str(comment.id)], BEN, "no")
    drafting.edit(web.deps, str(post.id), {"text": "Other words."}, BEN)
    answer = ana.post("/review/decide", decision="approve", pick=picks)
    assert answer.status_code == 200
    assert "1 of 3 went through, 2 did not." in answer.text
    for words in ("rejected already by ben", "was amended", "Approved: React with love"):
        assert words in html.unescape(answer.text)
    assert [row(web, draft).status for draft in (comment, post, love)] == ["rejected", "pending", "approved"]
    assert ana.get("/review/decide").headers["location"] == "/review"


def test_many_are_rejected_for_one_reason(web: Web) -> None:
    made = proposed(web.fleet, COMMENT, LOVE)
    ana = web.browser("reviewer", "ana")
    picks = [pick(web, draft) for draft in made]
    assert "needs a reason" in said(ana, ana.post("/review/decide", decision="reject", pick=picks))
    told = said(ana, ana.post("/review/decide", decision="reject", pick=picks, reason="off topic"))
    assert told == "2 of 2 went through."
    assert {row(web, draft).reason for draft in made} == {"off topic"}
    assert "Nothing is selected" in said(ana, ana.post("/review/decide", decision="approve"))
    assert "no request" in said(ana, ana.post("/review/decide", decision="approve", pick="1; DROP TABLE drafts"))


def test_a_viewer_sees_the_drafts_and_no_button_and_is_refused(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    vera = web.browser("viewer", "vera")
    for page in (vera.get("/review").text, vera.get(at(web, draft)).text):
        assert COMMENT.text in page
        posts = re.findall(r'<form method="post" action="([^"]+)"', page)
        assert posts == ["/logout"]
        assert 'name="pick"' not in page
    for verb in ("approve", "reject", "withdraw", "edit", "revise"):
        answer = vera.post(at(web, draft, verb), revision=1, reason="x", text="x", instructions="x")
        assert answer.status_code == 403
    assert vera.post("/review/decide", decision="approve", pick=pick(web, draft)).status_code == 403
    assert vera.post("/drafts/lessons/1/undo").status_code == 403
    assert row(web, draft).status == "pending"


def test_a_user_that_the_rule_does_not_name_gets_the_names_that_it_does(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    web.fleet.sql("UPDATE approval_requests SET approvers = ARRAY['role:owner', 'user:zoe']")
    ana = web.browser("reviewer", "ana")
    for page in (ana.get("/review").text, ana.get(at(web, draft)).text):
        assert "leaves this to others: owner, zoe" in page
        assert "/approve" not in page
    assert "may not decide" in said(ana, ana.post(at(web, draft, "approve"), revision=1))
    zoe = web.browser("reviewer", "zoe")
    assert "Approved" in said(zoe, zoe.post(at(web, draft, "approve"), revision=1))


def test_the_first_of_two_required_approvals_is_reported_as_such(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    web.fleet.sql("UPDATE approval_requests SET min_approvals = 2")
    ana, eve = web.browser("reviewer", "ana"), web.browser("operator", "eve")
    assert "1 of 2 have approved" in said(ana, ana.post(at(web, draft, "approve"), revision=1))
    page = ana.get("/review").text
    assert "You have approved it; 1 more has to." in page
    assert at(web, draft, "approve") not in page and at(web, draft, "reject") in page
    eve.post(at(web, draft, "approve"), revision=1)
    assert row(web, draft).status == "approved"


@pytest.mark.parametrize("kind", DraftKind)
def test_hostile_words_are_only_words(web: Web, kind: DraftKind) -> None:
    idea = {DraftKind.POST: POST, DraftKind.COMMENT: COMMENT, DraftKind.REACTION: LOVE, DraftKind.CONNECTION: ASK}[kind]
    (draft,) = proposed(web.fleet, idea)
    who = {"author": HOSTILE, "author_name": HOSTILE, "text": HOSTILE}
    about = json.dumps({**who, "comments": [who]})
    hostile = {name: HOSTILE for name in ("text", "image_prompt", "alt_text") if name in draft.content}
    content = json.dumps({**draft.content, **hostile})
    web.fleet.sql("UPDATE drafts SET about = CAST(:about AS jsonb), content = CAST(:content AS jsonb),"
                  " context = left(:word, 200), topic = left(:word, 60)",
                  about=about, content=content, word=HOSTILE)  # fmt: skip
    web.fleet.sql("UPDATE approval_requests SET payload = CAST(:content AS jsonb),"
                  " summary = left(:word, 300), rule = left(:word, 60)", content=content, word=HOSTILE)  # fmt: skip
    web.fleet.sql("UPDATE agents SET name = left(:word, 60)", word=HOSTILE)
    ana = web.browser("owner", "ana")
    ana.post(at(web, draft, "revise"), instructions=HOSTILE)
    refused = ana.post(at(web, draft, "edit"), revision=9, text=HOSTILE, reason=HOSTILE)
    name = web.fleet.row(draft.agent_id).username
    pages = [refused.text, ana.get("/review").text, ana.get(at(web, draft)).text]
    ana.post(at(web, draft, "reject"), revision=1, reason=HOSTILE)
    pages += [ana.get(f"/review?state=rejected&agent={name}").text, ana.get(at(web, draft)).text]
    for page in pages:
        assert "&lt;script&gt;" in page
        assert_inert(page)


class Tags(HTMLParser):
    """The tags of a page, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_inert(page: str) -> None:
    """Hold that a page runs no script but ours, and that no word of strangers became a tag, a link or an address."""
    tags = Tags(page).found
    assert [str(attrs.get("src")).partition("?")[0] for tag, attrs in tags if tag == "script"] == [
        "/static/app.js",
        "/static/times.js",
        "/static/desk.js",
        "/static/calendar.js",
    ]
    for tag, attrs in tags:
        assert tag not in ("style", "iframe", "object", "embed", "base")
        assert not [name for name in attrs if name.startswith("on") or name in ("style", "srcdoc")]
        for name in ("href", "src", "action", "formaction"):
            address = attrs.get(name) or "/"
            assert address.startswith(("/", "#")) and not address.startswith("//"), address


def test_a_picture_is_our_own_copy_and_its_source_only_words(web: Web) -> None:
    (draft,) = proposed(web.fleet, dataclasses.replace(POST, image_prompt=""))
    picture = render_jpeg("a lamp", "ai_artist")
    key = objects_of(web.deps).put(picture, "image/jpeg")
    media = [{"key": key, "source": "https://evil.example/track.png?who=ana"}]
    web.fleet.sql("UPDATE drafts SET content = content || CAST(:media AS jsonb)", media=json.dumps({"media": media}))
    ana = web.browser("viewer", "ana")
    page = ana.get(at(web, draft)).text
    assert_inert(page)
    assert "https://evil.example/track.png?who=ana" in page
    assert f'<img src="/drafts/{draft.id}/pictures/0?1"' in page
    shown = ana.get(f"/drafts/{draft.id}/pictures/0")
    assert (shown.content, shown.headers["content-type"]) == (picture, "image/jpeg")
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert ana.get(f"/drafts/{draft.id}/pictures/1").status_code == 404
    assert web.anonymous().get(f"/drafts/{draft.id}/pictures/0").status_code == 303


def test_what_is_no_draft_is_not_found(web: Web) -> None:
    ana = web.browser("reviewer", "ana")
    assert ana.get(f"/drafts/{uuid.uuid4()}").status_code == 404
    assert ana.get("/drafts/zzzz").status_code == 422
    assert ana.post(f"/drafts/{uuid.uuid4()}/picture").status_code == 404


def test_old_addresses_lead_to_the_queue(web: Web) -> None:
    (draft,) = proposed(web.fleet, COMMENT)
    ana = web.browser("viewer", "ana")
    for old, new in (
        ("/drafts", "/review?resource=draft"),
        ("/drafts?status=rejected&kind=comment&agent=ann_1",
         "/review?state=rejected&resource=draft&kind=comment&agent=ann_1"),
        (f"/drafts/{draft.id}", at(web, draft)),
        ("/approvals?state=expired", "/review?state=expired"), ("/approvals/abcd", "/review/abcd"),
    ):  # fmt: skip
        answer = ana.get(old)
        assert (answer.status_code, answer.headers["location"]) == (308, new)


def test_the_same_picture_again_is_no_revision(web: Web) -> None:
    (draft,) = proposed(web.fleet, POST)
    ana = web.browser("reviewer", "ana")
    assert "is being made" in said(ana, ana.post(f"/drafts/{draft.id}/picture", revision=1))
    (job,) = web.fleet.jobs(kind="illustrate_draft")
    perform(web.deps, job.id)
    assert web.fleet.job(job.id).state == "skipped"
    assert "Approved" in said(ana, ana.post(at(web, draft, "approve"), revision=1))


def test_a_post_is_shown_with_its_picture_and_another_is_made_only_on_request(web: Web) -> None:
    (draft,) = proposed(web.fleet, POST)
    ana = web.browser("reviewer", "ana")
    page = ana.get(at(web, draft)).text
    assert f'<img src="/drafts/{draft.id}/pictures/0?1"' in page and "this picture is published" in page
    first = ana.get(f"/drafts/{draft.id}/pictures/0").content
    assert len(web.fleet.surface.images_paid) == 1
    ana.post(at(web, draft, "edit"), revision=1, text=POST.text, image_prompt="A red boat.", alt_text="")
    assert "It was made from other words" in ana.get(at(web, draft)).text
    assert ana.get(f"/drafts/{draft.id}/pictures/0").content == first
    assert "at revision 2" in said(ana, ana.post(f"/drafts/{draft.id}/picture", revision=1))
    assert "is being made" in said(ana, ana.post(f"/drafts/{draft.id}/picture", revision=2))
    assert "asked for already" in said(ana, ana.post(f"/drafts/{draft.id}/picture", revision=2))
    assert "its picture is being made" in ana.get(at(web, draft)).text
    (job,) = web.fleet.jobs(kind="illustrate_draft")
    perform(web.deps, job.id)
    page = ana.get(at(web, draft)).text
    assert "It was made from other words" not in page and "Another picture." in page
    assert len(web.fleet.surface.images_paid) == 2
    assert "was amended" in said(ana, ana.post(at(web, draft, "approve"), revision=2))  # its picture was another
    assert "Approved" in said(ana, ana.post(at(web, draft, "approve"), revision=3))
    assert ana.post(f"/drafts/{draft.id}/picture", revision=3).status_code == 303
    assert len(web.fleet.jobs(kind="illustrate_draft")) == 1
