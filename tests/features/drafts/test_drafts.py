"""From draft to published: approved, rejected, edited, revised, expired, in bulk, by two at once, and after crashes."""

from __future__ import annotations

import base64
import dataclasses
import threading
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import base
from fleet.core import failpoints, ids
from fleet.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from fleet.core.failpoints import Point
from fleet.engine.agents import lookup
from fleet.engine.attempts.perform import perform
from fleet.engine.deps import Deps
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ledger
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import prune, sweep
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals import service as approving
from fleet.features.approvals.queries import RequestFilter
from fleet.features.approvals.request import AlreadySettled
from fleet.features.approvals.rule_file import shipped
from fleet.features.approvals.rules import Person
from fleet.features.approvals.states import RequestState
from fleet.features.controls import commands as fleetwide
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.models import DraftRow, LessonRow
from fleet.features.drafts.pictures import commands as pictures
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.states import DraftStatus
from fleet.features.media import service as media
from fleet.images.placeholder import render_jpeg
from fleet.llm.scan_request import Idea, ScanAnswer
from tests.factories import Fleet, make_fleet, raises, reply_lost
from tests.features.drafts.test_scan import (
    ASK,
    COMMENT,
    LOVE,
    POST,
    Killed,
    drafts,
    post,
    proposing,
    scan,
    supervised,
    told,
)

ANN, BEN = Person("ann", frozenset({"owner"})), Person("ben", frozenset({"owner"}))


def proposed(fleet: Fleet, *ideas: Idea, agent: uuid.UUID | None = None) -> list[DraftRow]:
    """Have an agent propose these ideas about a new post; return the drafts in their order."""
    fleet.surface.posts = [post(uuid.uuid4().hex[:6])]
    fleet.words.proposals = proposing(*ideas)
    before = {draft.id for draft in drafts(fleet)}
    scan(fleet, agent or supervised(fleet))
    made = {draft.kind: draft for draft in drafts(fleet) if draft.id not in before}
    return [made[idea.kind] for idea in ideas]


def approve(fleet: Fleet, *made: DraftRow, by: Person = ANN) -> list[approving.DecisionResult]:
    return drafting.approve(fleet.deps, [str(draft.id) for draft in made], by)


def row(fleet: Fleet, draft: DraftRow) -> DraftRow:
    return drafting.show(fleet.deps, str(draft.id))[0].row


def job_of(fleet: Fleet, draft: DraftRow) -> JobRow:
    return fleet.job(ids.derived("publish", draft.id))


def publish(fleet: Fleet, draft: DraftRow) -> JobRow:
    """Do the job of an approved draft until it is done with."""
    perform(fleet.deps, ids.derived("publish", draft.id))
    return job_of(fleet, draft)


def test_an_approved_comment_is_published_in_the_words_that_were_approved(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    calls = fleet.words.calls
    (answer,) = approve(fleet, draft)
    assert answer.decided is not None and answer.decided.settled
    assert publish(fleet, draft).state == JobState.DONE
    (effect,) = fleet.surface.effects
    assert (effect.action, effect.target, effect.text) == ("comment", draft.target, COMMENT.text)
    assert fleet.words.calls == calls
    assert drafting.show(fleet.deps, str(draft.id))[0].outcome == "published"


def test_every_kind_of_draft_is_published_as_what_it_is(fleet: Fleet) -> None:
    made = proposed(fleet, dataclasses.replace(POST, visibility="friends"), LOVE, ASK)
    approve(fleet, *made)
    assert [publish(fleet, draft).state for draft in made] == [JobState.DONE] * 3
    (shown,) = fleet.surface.effects
    assert (shown.action, shown.text) == ("post", POST.text)
    agent = fleet.row(made[0].agent_id).username
    assert fleet.surface.social == {("react", agent, made[1].target): "love", ("connect", agent, "id-zoe"): ASK.text}
    assert fleet.surface.images_paid == [f"{made[0].scan_id}:image:0"]


def test_a_reaction_that_is_a_like_is_a_like(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, Idea("reaction", "p1", type="like"))
    approve(fleet, draft)
    assert (publish(fleet, draft).kind, len(fleet.surface.liked)) == ("like", 1)


def test_a_rejected_draft_is_never_published_and_teaches(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    drafting.reject(fleet.deps, [str(draft.id)], ANN, "too clever")
    assert (row(fleet, draft).status, row(fleet, draft).decided_by) == ("rejected", "ann")
    assert [job.kind for job in fleet.jobs()] == ["scan_feed"]
    (lesson,) = drafting.learned(fleet.deps, str(draft.agent_id))
    assert (lesson.decision, lesson.reward, lesson.why) == ("rejected", -1.0, "too clever")
    assert lesson.weight_after < lesson.weight_before == 0.0


def test_two_who_approve_at_once_publish_once(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    barrier, answers = threading.Barrier(2), []

    def decide(by: Person) -> None:
        barrier.wait()
        answers.extend(approve(fleet, draft, by=by))

    threads = [threading.Thread(target=decide, args=(by,)) for by in (ANN, BEN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.decided.settled for answer in answers if answer.decided) == [False, True]
    approve(fleet, draft)
    for _ in range(2):
        perform(fleet.deps, ids.derived("publish", draft.id))
    assert len(fleet.surface.effects) == 1
    assert len(fleet.jobs(kind="comment")) == 1


def test_of_a_yes_and_a_no_at_once_the_first_counts(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    drafting.reject(fleet.deps, [str(draft.id)], BEN, "no")
    (answer,) = approve(fleet, draft)
    assert isinstance(answer.error, AlreadySettled)
    assert fleet.jobs(kind="comment") == []


def test_many_are_decided_at_once_and_each_has_its_own_answer(fleet: Fleet) -> None:
    made = proposed(fleet, COMMENT, POST, LOVE)
    drafting.reject(fleet.deps, [str(made[1].id)], BEN, "dull")
    answers = approve(fleet, *made)
    assert sorted(answer.error is None for answer in answers) == [False, True, True]
    assert drafting.page(fleet.deps, DraftFilter(status=DraftStatus.PENDING)) == []
    assert sorted(job.kind for job in fleet.jobs() if job.kind != "scan_feed") == ["comment", "react"]


def test_an_undecided_draft_expires_with_its_request(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    fleet.sql("UPDATE approval_requests SET expires_at = clock_timestamp(), next_step_at = clock_timestamp()")
    assert staff(fleet.deps.db) == [
        "fleet_health", "fleet_approvals", "fleet_metrics", "fleet_leader", "fleet_reconciler", "fleet_forecast",
        "fleet_pricing", "fleet_tuning", "fleet_hooks",
    ]  # fmt: skip
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE kind = 'approval'")
    dispatch(fleet.deps)
    approver = lookup.agent(fleet.deps.db, "fleet_approvals")
    tick(fleet.deps, TickKey(approver.id, approver.tick_no))
    assert row(fleet, draft).status == "expired"
    assert drafting.learned(fleet.deps, str(draft.agent_id)) == []
    (answer,) = approve(fleet, draft)
    assert answer.error is not None
    assert fleet.jobs(kind="comment") == []


def test_a_draft_waits_as_long_as_its_agent_says(fleet: Fleet) -> None:
    agent = supervised(fleet)
    fleet.sql("UPDATE agents SET config = config || '{\"draft_days\": 2}'")
    (draft,) = proposed(fleet, COMMENT, agent=agent)
    (expires,) = fleet.sql("SELECT expires_at - created_at FROM approval_requests").one()
    assert expires == timedelta(days=2)
    assert draft.expires_at - draft.created_at < timedelta(days=2, minutes=1)


def test_a_draft_that_went_stale_before_its_turn_ends_as_a_skipped_job_that_says_so(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    approve(fleet, draft)
    fleet.sql("UPDATE drafts SET expires_at = clock_timestamp()")
    job = publish(fleet, draft)
    assert job.state == JobState.SKIPPED
    assert "stale" in (job.error or "")
    assert "stale" in drafting.show(fleet.deps, str(draft.id))[0].outcome


def test_an_approval_that_comes_after_the_post_vanished_ends_as_a_skipped_job(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    approve(fleet, draft)
    fleet.surface.faults = [raises(base.Vanished("404"))]
    job = publish(fleet, draft)
    assert (job.state, job.error) == (JobState.SKIPPED, "gone: 404")


def test_an_approved_draft_waits_for_the_kill_switch_and_is_not_lost(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    approve(fleet, draft)
    fleetwide.throw_kill_switch(fleet.deps, by="ada", reason="wait")
    assert publish(fleet, draft).state == JobState.READY
    assert fleet.surface.effects == []
    fleetwide.lift_kill_switch(fleet.deps, by="ada")
    fleet.time_passes()
    assert publish(fleet, draft).state == JobState.DONE


def test_an_approved_draft_is_worth_doing_as_long_as_it_would_have_waited(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    approve(fleet, draft)
    assert job_of(fleet, draft).expires_at - job_of(fleet, draft).created_at > timedelta(days=6)


def test_an_edited_draft_is_published_in_the_persons_words_and_both_are_kept(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    drafting.edit(fleet.deps, str(draft.id), {"text": "The slate is wet, and glad of it."}, ANN)
    approve(fleet, draft)
    publish(fleet, draft)
    assert fleet.surface.effects[0].text == "The slate is wet, and glad of it."
    _, revisions = drafting.show(fleet.deps, str(draft.id))
    assert [(one.revision, one.made_by) for one in revisions] == [
        (1, f"agent:{fleet.row(draft.agent_id).username}"), (2, "ann")
    ]  # fmt: skip
    assert revisions[0].content["text"] == COMMENT.text
    (lesson,) = drafting.learned(fleet.deps, str(draft.agent_id))
    assert (lesson.decision, lesson.text) == ("edited", "The slate is wet, and glad of it.")


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"target": "elsewhere"}, "cannot be edited"), ({"text": ""}, "no text left"), ({"mood": "glad"}, "has no mood"),
     ({"text": "x" * 1_001}, "is the most")],
)  # fmt: skip
def test_an_edit_that_makes_no_sense_is_refused(fleet: Fleet, changes: dict[str, Any], words: str) -> None:
    (draft,) = proposed(fleet, COMMENT)
    with pytest.raises(InvalidInput, match=words):
        drafting.edit(fleet.deps, str(draft.id), changes, ANN)
    assert row(fleet, draft).revision == 1


def test_a_draft_that_is_sent_back_comes_again_in_other_words(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    fleet.words.proposals = proposing(Idea("comment", "p1", "Wet slate, warm lamp."))
    drafting.revise(fleet.deps, str(draft.id), "shorter, please", ANN)
    (job,) = fleet.jobs(kind="revise_draft")
    perform(fleet.deps, job.id)
    asked = fleet.words.asked[-1].revise
    assert asked is not None
    assert (asked.kind, asked.ref, asked.text, asked.instructions) == ("comment", "p1", COMMENT.text, "shorter, please")
    now = row(fleet, draft)
    assert (now.status, now.revision, now.content["text"]) == ("pending", 2, "Wet slate, warm lamp.")
    (payload, revision) = fleet.sql("SELECT payload, revision FROM approval_requests").one()
    assert (payload["text"], revision) == ("Wet slate, warm lamp.", 2)
    approve(fleet, draft)
    publish(fleet, draft)
    assert fleet.surface.effects[0].text == "Wet slate, warm lamp."
    _, revisions = drafting.show(fleet.deps, str(draft.id))
    assert revisions[1].instructions == "shorter, please"


def test_a_draft_is_sent_back_with_the_same_words_once(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    drafting.revise(fleet.deps, str(draft.id), "shorter", ANN)
    with pytest.raises(Conflict, match="these very words"):
        drafting.revise(fleet.deps, str(draft.id), "shorter", BEN)


def test_a_draft_and_its_request_have_one_revision_and_tell_the_same_words(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    for words in (COMMENT.text, "Wet slate, warm lamp."):
        fleet.words.proposals = proposing(Idea("comment", "p1", words))
        drafting.revise(fleet.deps, str(draft.id), f"like this: {words}", ANN)
        perform(fleet.deps, fleet.jobs(kind="revise_draft")[-1].id)
    seen, _ = drafting.show(fleet.deps, str(draft.id))
    assert seen.request is not None
    assert seen.row.revision == seen.request.revision == 2
    assert seen.request.summary == "Say to Zoe: Wet slate, warm lamp."


def test_a_revision_that_comes_after_the_decision_changes_nothing(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    drafting.revise(fleet.deps, str(draft.id), "shorter", ANN)
    (job,) = fleet.jobs(kind="revise_draft")
    approve(fleet, draft)
    perform(fleet.deps, job.id)
    assert (fleet.job(job.id).state, row(fleet, draft).revision) == (JobState.SKIPPED, 1)


def test_the_decision_itself_can_come_while_the_model_writes(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    drafting.revise(fleet.deps, str(draft.id), "shorter", ANN)

    def and_meanwhile(_: Any) -> ScanAnswer:
        approve(fleet, draft)
        return ScanAnswer((Idea("comment", "p1", "Wet slate."),))

    fleet.words.proposals = and_meanwhile
    (job,) = fleet.jobs(kind="revise_draft")
    perform(fleet.deps, job.id)
    assert fleet.job(job.id).state == JobState.SKIPPED
    publish(fleet, draft)
    assert fleet.surface.effects[0].text == COMMENT.text


def test_what_a_person_writes_while_the_model_writes_too_stays(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    drafting.revise(fleet.deps, str(draft.id), "shorter", ANN)

    def and_meanwhile(_: Any) -> ScanAnswer:
        drafting.edit(fleet.deps, str(draft.id), {"text": "In my own words."}, BEN)
        return ScanAnswer((Idea("comment", "p1", "Wet slate."),))

    fleet.words.proposals = and_meanwhile
    (job,) = fleet.jobs(kind="revise_draft")
    perform(fleet.deps, job.id)
    assert fleet.job(job.id).state == JobState.SKIPPED
    assert (row(fleet, draft).revision, row(fleet, draft).content["text"]) == (2, "In my own words.")
    (payload, revision) = fleet.sql("SELECT payload, revision FROM approval_requests").one()
    assert (payload["text"], revision) == ("In my own words.", 2)


def test_who_dies_with_a_revision_written_says_later_that_it_is_written(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    fleet.words.proposals = proposing(Idea("comment", "p1", "Wet slate."))
    drafting.revise(fleet.deps, str(draft.id), "shorter", ANN)
    (job,) = fleet.jobs(kind="revise_draft")

    def die(at: Point) -> None:
        if at is Point.JOB_STEP_SAVED and row(fleet, draft).revision == 2:
            raise Killed

    failpoints.arm(die)
    try:
        with pytest.raises(Killed):
            perform(fleet.deps, job.id)
    finally:
        failpoints.arm(None)
    fleet.lease_runs_out()
    sweep(fleet.deps)
    perform(fleet.deps, job.id)
    assert (fleet.job(job.id).state, row(fleet, draft).content["text"]) == (JobState.DONE, "Wet slate.")


def test_drafts_of_a_deleted_agent_wait_for_no_reviewer(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    agent_commands.delete(fleet.deps, str(draft.agent_id), by="cli:ann")
    assert (row(fleet, draft).status, row(fleet, draft).reason) == ("withdrawn", "its agent was deleted")
    assert drafting.page(fleet.deps, DraftFilter(DraftStatus.PENDING)) == []
    assert approving.page(fleet.deps, RequestFilter((RequestState.PENDING,))) == []
    assert drafting.learned(fleet.deps, str(draft.agent_id)) == []


def test_what_a_rule_approves_by_itself_is_published_and_teaches_nothing(fleet: Fleet) -> None:
    from fleet.features.approvals.rules import Condition, Op, Rule

    sure = Rule("sure", "draft", "publish", ("role:owner",), auto_approve=(Condition("confidence", Op.GE, 0.6),))
    fleet.deps.parts["approval_rules"] = (sure, *shipped())
    (draft,) = proposed(fleet, COMMENT)
    assert (draft.status, draft.decided_by) == ("approved", "rule:sure")
    assert publish(fleet, draft).state == JobState.DONE
    assert drafting.learned(fleet.deps, str(draft.agent_id)) == []


def test_a_second_comment_on_a_post_cannot_be_approved(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    fleet.sql("INSERT INTO jobs (id, agent_id, kind, priority, target, state, max_attempts, expires_at, finished_at)"
              " VALUES (gen_random_uuid(), :agent, 'comment', 'low', :target, 'done', 5, now(), now())",
              agent=draft.agent_id, target=draft.target)  # fmt: skip
    (answer,) = approve(fleet, draft)
    assert isinstance(answer.error, Conflict)
    assert row(fleet, draft).status == "pending"


def test_decisions_reach_the_next_scan_as_leanings_and_examples_until_they_are_undone(fleet: Fleet) -> None:
    agent = supervised(fleet, interests=("brass lamps",))
    liked, refused = proposed(fleet, LOVE, COMMENT, agent=agent)
    approve(fleet, liked)
    drafting.reject(fleet.deps, [str(refused.id)], ANN, "too clever")
    proposed(fleet, agent=agent)
    asked = fleet.words.asked[-1]
    weights = {(one.kind, one.topic): one.weight for one in asked.leanings}
    assert weights["reaction", "brass lamps"] > 0.2
    assert weights["comment", "brass lamps"] < -0.2
    assert [(one.text, one.why) for one in asked.refused] == [(COMMENT.text, "too clever")]
    assert [one.text for one in asked.accepted] == ["love"]
    newest, oldest = drafting.learned(fleet.deps, str(agent))
    assert newest.decision == "rejected"
    drafting.unlearn(fleet.deps, newest.id, by="ann")
    proposed(fleet, agent=agent)
    asked = fleet.words.asked[-1]
    assert {one.kind for one in asked.leanings} == {"reaction"}
    assert asked.refused == ()
    with pytest.raises(Conflict):
        drafting.unlearn(fleet.deps, newest.id, by="ann")
    with pytest.raises(NotFound):
        drafting.unlearn(fleet.deps, 99_999, by="ann")
    assert oldest.decision == "approved"


@pytest.mark.parametrize("idea", [COMMENT, POST, LOVE, ASK], ids=lambda idea: idea.kind)
@pytest.mark.parametrize(
    "point", [Point.JOB_CLAIMED, Point.JOB_STEP_PAID, Point.JOB_PREPARED, Point.JOB_ANNOUNCED, Point.JOB_CLEARED,
              Point.JOB_SENT, Point.JOB_RECORDING, Point.JOB_FINISHED]
)  # fmt: skip
def test_publishing_that_dies_anywhere_loses_and_doubles_nothing(fleet: Fleet, point: Point, idea: Idea) -> None:
    (draft,) = proposed(fleet, idea)
    approve(fleet, draft)
    armed = [point]

    def die(at: Point) -> None:
        if at in armed:
            armed.clear()
            raise Killed

    failpoints.arm(die)
    try:
        perform(fleet.deps, ids.derived("publish", draft.id))
    except Killed:
        pass
    finally:
        failpoints.arm(None)
    for _ in range(3):
        fleet.lease_runs_out()
        sweep(fleet.deps)
        fleet.time_passes()
        perform(fleet.deps, ids.derived("publish", draft.id))
    assert job_of(fleet, draft).state == JobState.DONE
    assert len(fleet.surface.effects) + len(fleet.surface.social) == 1


def test_a_lost_reply_doubles_nothing(fleet: Fleet) -> None:
    made = proposed(fleet, COMMENT, LOVE)
    approve(fleet, *made)
    for draft in made:
        fleet.surface.faults = [reply_lost]
        for _ in range(3):
            publish(fleet, draft)
            fleet.time_passes()
        assert job_of(fleet, draft).state == JobState.DONE
    assert (len(fleet.surface.effects), len(fleet.surface.social)) == (1, 1)


def test_a_decision_that_dies_before_its_commit_leaves_nothing_behind(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    from fleet.features.drafts import effect

    original = effect._learn
    effect._learn = lambda *_: (_ for _ in ()).throw(Killed())  # type: ignore[assignment]
    try:
        with pytest.raises(Killed):
            approve(fleet, draft)
    finally:
        effect._learn = original
    assert (row(fleet, draft).status, fleet.jobs(kind="comment")) == ("pending", [])
    approve(fleet, draft)
    assert publish(fleet, draft).state == JobState.DONE


def test_a_picture_from_a_public_address_is_kept_when_proposed_and_shown_when_published(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(_: Deps, url: str, *, within_s: float | None = None) -> media.KeptPicture:
        if "private" in url:
            raise InvalidInput("no")
        return media.KeptPicture(f"key-{url[-5:]}", "", "image/jpeg", 1, 1, 1, url)

    monkeypatch.setattr(media, "keep_picture", keep)
    monkeypatch.setattr(media, "picture_bytes", lambda *_: render_jpeg("a lamp", "ai_artist"))
    addresses = ("http://private.example/x.jpg", "https://pictures.example.org/1.jpg")
    (draft,) = proposed(fleet, dataclasses.replace(POST, media=addresses))
    assert draft.content["media"] == [{"key": "key-1.jpg", "source": addresses[1]}]
    (event,) = told(fleet, "agent.draft.post.created")
    assert (event["mediaIds"], event["mediaUrls"]) == (["key-1.jpg"], [addresses[1]])
    approve(fleet, draft)
    assert publish(fleet, draft).state == JobState.DONE
    assert fleet.surface.images_paid == []


def test_drafts_that_were_decided_long_ago_are_pruned_and_lessons_stay(fleet: Fleet) -> None:
    (draft, waiting) = proposed(fleet, COMMENT, LOVE)
    drafting.reject(fleet.deps, [str(draft.id)], ANN, "no")
    fleet.sql("UPDATE drafts SET decided_at = decided_at - interval '40 days' WHERE status <> 'pending'")
    prune(fleet.deps)
    assert [left.id for left in drafts(fleet)] == [waiting.id]
    with fleet.deps.db.transaction() as tx:
        assert tx.scalar(sa.select(sa.func.count()).select_from(LessonRow)) == 1


def test_events_tell_of_every_decision(fleet: Fleet) -> None:
    yes, no = proposed(fleet, COMMENT, LOVE)
    approve(fleet, yes)
    drafting.reject(fleet.deps, [str(no.id)], ANN, "no")
    assert [one["draft"] for one in told(fleet, "agent.draft.approved")] == [str(yes.id)]
    assert [one["reason"] for one in told(fleet, "agent.draft.rejected")] == ["no"]
    assert len(told(fleet, "agent.lesson.learned")) == 2


def test_what_follows_from_an_approval_follows_once_however_often_it_is_called(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    (answer,) = approve(fleet, draft)
    assert answer.decided is not None
    for _ in range(2):
        with fleet.deps.db.transaction() as tx:
            approving.follow(fleet.deps, tx, answer.decided.request)
    assert len(fleet.jobs(kind="comment")) == 1
    assert len(told(fleet, "agent.draft.approved")) == 1
    assert len(drafting.learned(fleet.deps, str(draft.agent_id))) == 1


def test_a_post_is_published_with_the_picture_that_people_saw_which_was_paid_once(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, POST)
    (kept,) = draft.content["media"]
    assert (kept["prompt"], draft.revision) == (POST.image_prompt, 1)
    assert fleet.surface.images_paid == [f"{draft.scan_id}:image:0"]
    shown, _ = drafting.picture(fleet.deps, str(draft.id), 0)
    approve(fleet, draft)
    sent: list[Any] = []
    fleet.surface.faults = [sent.append]
    assert publish(fleet, draft).state == JobState.DONE
    assert base64.b64decode(sent[0].payload.image_url.partition(",")[2]) == shown
    assert len(fleet.surface.images_paid) == 1


def proposed_at_the_second_attempt(fleet: Fleet) -> DraftRow:
    """Return the draft of a post by a scan whose first attempt opens none."""
    fleet.surface.posts, fleet.words.proposals = [post("a")], proposing(POST)
    job = scan(fleet, supervised(fleet))
    assert drafts(fleet) == []
    fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() WHERE id = :id", id=job)
    perform(fleet.deps, job)
    (draft,) = drafts(fleet)
    return draft


def test_a_scan_that_dies_after_the_picture_was_ordered_does_not_pay_again(fleet: Fleet) -> None:
    fleet.surface.fetch_faults = [base.Unreachable("no answer")]
    draft = proposed_at_the_second_attempt(fleet)
    assert (len(fleet.surface.images_paid), len(draft.content["media"])) == (1, 1)


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_lost_commit_of_a_paid_picture_does_not_have_the_post_pay_again(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, is_saved: bool
) -> None:
    save, lost = ledger.save_step, []

    def lose_the_first(db: Any, claim: Any, name: str, value: Any, **more: Any) -> bool:
        if name != "image:0" or lost:
            return save(db, claim, name, value, **more)
        lost.append(is_saved and save(db, claim, name, value, **more))
        raise Unavailable("The server closed the connection.")

    monkeypatch.setattr(ledger, "save_step", lose_the_first)
    draft = proposed_at_the_second_attempt(fleet)
    approve(fleet, draft)
    assert publish(fleet, draft).state == JobState.DONE
    assert set(fleet.surface.images_paid) == {f"{draft.scan_id}:image:0"}


def test_a_picture_that_cannot_be_had_now_keeps_no_draft_back(fleet: Fleet) -> None:
    fleet.surface.image_faults = [base.Throttled("busy", retry_after_s=60.0)]
    (draft,) = proposed(fleet, POST)
    assert draft.content["media"] == []
    approve(fleet, draft)
    assert publish(fleet, draft).state == JobState.DONE
    assert fleet.surface.images_paid == [f"{job_of(fleet, draft).id}:image"]


def test_another_draft_of_the_model_has_another_picture_only_for_another_subject(fleet: Fleet) -> None:
    (draft,) = proposed(fleet, POST)
    for words, prompt, paid in (("Shorter.", POST.image_prompt, 1), ("Shortest.", "A red boat.", 2)):
        drafting.revise(fleet.deps, str(draft.id), f"make it {words}", ANN)
        fleet.words.proposals = proposing(dataclasses.replace(POST, text=words, image_prompt=prompt))
        for job in fleet.jobs(kind="revise_draft"):
            perform(fleet.deps, job.id)
        (kept,) = row(fleet, draft).content["media"]
        assert (row(fleet, draft).content["text"], kept["prompt"], len(fleet.surface.images_paid)) == (
            words,
            prompt,
            paid,
        )


def test_pictures_of_drafts_are_deleted_with_them_unless_another_draft_shows_them(fleet: Fleet) -> None:
    first, second = (proposed(fleet, POST)[0] for _ in range(2))
    keys = [one.content["media"][0]["key"] for one in (first, second)]
    store = media.objects_of(fleet.deps)
    file = store.get(keys[1])

    def there() -> list[bool]:
        return [(store._folder / key).is_file() for key in keys]

    assert there() == [True, True]
    drafting.reject(fleet.deps, [str(first.id)], ANN, "no")
    fleet.sql("UPDATE drafts SET decided_at = decided_at - interval '400 days' WHERE status <> 'pending'")
    prune(fleet.deps)
    an_hour_passes(fleet)
    assert there() == [keys[0] == keys[1], True]
    drafting.reject(fleet.deps, [str(second.id)], ANN, "no")
    fleet.sql("UPDATE drafts SET decided_at = decided_at - interval '400 days' WHERE status <> 'pending'")
    prune(fleet.deps)
    media.store(fleet.deps, file)  # by a job whose draft comes later: equal files have one key
    an_hour_passes(fleet)
    assert there()[1]
    pictures.drop(fleet.deps, {"media": [{"key": keys[1]}]})
    sweep(fleet.deps)
    assert there()[1], "another job may have stored it, whose draft comes within the hour"
    an_hour_passes(fleet)
    assert there() == [False, False]


def test_a_picture_that_is_dropped_elsewhere_before_the_draft_shows_it_stays(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = media.store

    def and_meanwhile(deps: Deps, data: bytes) -> str:
        key = store(deps, data)
        pictures.drop(deps, {"media": [{"key": key}]})
        return key

    monkeypatch.setattr(media, "store", and_meanwhile)
    (draft,) = proposed(fleet, POST)
    an_hour_passes(fleet)
    assert media.picture_bytes(fleet.deps, draft.content["media"][0]["key"])


def an_hour_passes(fleet: Fleet) -> None:
    fleet.sql("UPDATE discarded_pictures SET due_at = due_at - interval '1 hour'")
    sweep(fleet.deps)


@pytest.mark.parametrize("kind", ["revise_draft", "illustrate_draft"])
def test_a_picture_that_comes_after_the_decision_is_deleted_and_that_of_the_draft_stays(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Symptom: no revision named the file, so that it stayed in the store for ever."""
    fleet = make_fleet(database_url, objects=str(tmp_path))
    (draft,) = proposed(fleet, POST)
    drafting.edit(fleet.deps, str(draft.id), {"image_prompt": "A red boat."}, ANN)
    if kind == "revise_draft":
        drafting.revise(fleet.deps, str(draft.id), "shorter", ANN)
        fleet.words.proposals = proposing(dataclasses.replace(POST, text="Shorter.", image_prompt="A blue boat."))
    else:
        pictures.request(fleet.deps, str(draft.id), ANN)
    make = fleet.surface.make

    def and_meanwhile(*given: Any, **more: Any) -> str:
        drafting.reject(fleet.deps, [str(draft.id)], BEN, "no")
        return make(*given, **more)

    monkeypatch.setattr(fleet.surface, "make", and_meanwhile)
    fleet.surface.picture = render_jpeg("a red boat", "ai_artist")
    (job,) = fleet.jobs(kind=kind)
    perform(fleet.deps, job.id)
    assert (fleet.job(job.id).state, len(fleet.surface.images_paid)) == (JobState.SKIPPED, 2)
    folder = media.objects_of(fleet.deps)._folder
    assert len([file for file in folder.rglob("*.*") if file.is_file()]) == 2
    an_hour_passes(fleet)
    (left,) = (file for file in folder.rglob("*.*") if file.is_file())
    assert str(left.relative_to(folder)) == draft.content["media"][0]["key"]
    fleet.deps.close()
