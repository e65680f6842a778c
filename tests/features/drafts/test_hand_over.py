"""A doubtful text of an autonomous agent waits for a person and is published once, or never; on a real ledger."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest

from fleet.core import events, failpoints, ids
from fleet.core.failpoints import Point
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.sweep import sweep
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals.rule_file import shipped
from fleet.features.approvals.rules import Condition, Op, Person
from fleet.features.content import review
from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.models import DraftRow
from tests.factories import Fleet
from tests.features.drafts.test_scan import COMMENT, POST, Killed, drafts, post, proposing, scan, supervised
from tests.features.publishing.test_moderated import Moderator
from tests.features.publishing.test_quality import POEMS, add, says, shown

ANN = Person("ann", frozenset({"owner"}))
ODD = "Fog over the odd harbour."
ABOUT = "weather"


@pytest.fixture
def moderator(fleet: Fleet) -> Moderator:
    made = Moderator()
    made.odd = {"odd": ABOUT}
    fleet.deps.models_override.moderator = made
    return made


def doubted(fleet: Fleet, kind: str = "post", *texts: str) -> tuple[JobRow, DraftRow]:
    """Have an agent write a doubtful text; return its job and the draft."""
    says(fleet, *(texts or (ODD,)))
    job = add(fleet, fleet.agent(), kind)
    perform(fleet.deps, job)
    (draft,) = drafts(fleet)
    return fleet.job(job), draft


def decide(fleet: Fleet, draft: DraftRow, *, yes: bool = True) -> None:
    (answer,) = (
        drafting.approve(fleet.deps, [str(draft.id)], ANN)
        if yes
        else drafting.reject(fleet.deps, [str(draft.id)], ANN, "no")
    )
    assert answer.error is None


def publish(fleet: Fleet, draft: DraftRow) -> JobRow:
    perform(fleet.deps, ids.derived("publish", draft.id))
    return fleet.job(ids.derived("publish", draft.id))


def told(fleet: Fleet) -> list[str]:
    with fleet.deps.db.transaction() as tx:
        return [event.subject for event in reversed(events.latest(tx))]


@pytest.mark.parametrize("kind", ["post", "comment"])
def test_a_doubtful_text_waits_and_is_published_once_when_a_person_approves(
    fleet: Fleet, moderator: Moderator, kind: str
) -> None:
    job, draft = doubted(fleet, kind)
    assert job.state == JobState.SKIPPED
    assert f"draft {str(draft.id)[:8]}" in str(job.error)
    assert f"moderation.{ABOUT}" in str(job.error)
    assert (draft.kind, draft.status, draft.content["text"], draft.scan_id) == (str(kind), "pending", ODD, job.id)
    assert not shown(fleet)
    assert fleet.surface.images_paid == ([f"{job.id}:image:draft"] if kind == "post" else [])
    decide(fleet, draft)
    for _ in range(2):
        assert publish(fleet, draft).state == JobState.DONE
    assert shown(fleet) == [ODD]
    assert len(fleet.jobs(kind=str(kind))) == 2, "the job that wrote it, and the one that published it"


def test_the_words_are_paid_once(fleet: Fleet, moderator: Moderator) -> None:
    script = says(fleet, ODD, POEMS[1])
    perform(fleet.deps, add(fleet, fleet.agent()))
    (draft,) = drafts(fleet)
    decide(fleet, draft)
    publish(fleet, draft)
    assert len(script.dice) == 1
    assert draft.content["image_prompt"] == script.prompt


def test_a_rejected_one_is_never_published(fleet: Fleet, moderator: Moderator) -> None:
    _, draft = doubted(fleet)
    decide(fleet, draft, yes=False)
    assert [job.state for job in fleet.jobs()] == [JobState.SKIPPED]
    assert not shown(fleet)


def test_the_event_of_a_doubtful_text_names_the_rule_and_the_draft(fleet: Fleet, moderator: Moderator) -> None:
    doubted(fleet, "comment")
    subjects = told(fleet)
    assert subjects.count("content.doubtful") == 1
    assert subjects.index("agent.draft.comment.created") < subjects.index("job.skipped")
    with fleet.deps.db.transaction() as tx:
        (event,) = [event for event in events.latest(tx) if event.subject == "content.doubtful"]
    assert event.payload["rules"] == [f"moderation.{ABOUT}"]
    assert ODD not in str(event.payload)


@pytest.mark.parametrize("where", ["caption", "image_prompt", "alt_text"])
def test_local_rules_can_doubt_any_text_and_no_second_draft_is_asked_for(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(review.privacy, "private_data", _odd)
    texts: dict[str, Any] = {} if where == "caption" else {"prompt" if where == "image_prompt" else where: ODD}
    script = says(fleet, ODD if where == "caption" else POEMS[0], POEMS[1], **texts)
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    (draft,) = drafts(fleet)
    assert fleet.job(job).state == JobState.SKIPPED
    assert len(script.dice) == 1
    decide(fleet, draft)
    assert publish(fleet, draft).state == JobState.DONE


def _odd(words: str) -> list[Finding]:
    return [Finding("odd", "an odd word", Severity.APPROVE)] if "odd" in words else []


def test_a_text_that_is_refused_too_does_not_go_to_people(fleet: Fleet, moderator: Moderator) -> None:
    moderator.bad = {"odd": "hate"}
    says(fleet, ODD, ODD.replace("Fog", "Rain"))
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.SKIPPED
    assert not drafts(fleet)


def test_what_a_person_approved_and_the_moderator_refuses_is_not_published(fleet: Fleet, moderator: Moderator) -> None:
    _, draft = doubted(fleet)
    decide(fleet, draft)
    moderator.bad = {"odd": "hate"}
    assert publish(fleet, draft).state == JobState.SKIPPED
    assert not shown(fleet)


@pytest.mark.parametrize("point", [Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED, Point.JOB_RECORDING, Point.JOB_FINISHED])
def test_a_crash_anywhere_opens_one_draft(fleet: Fleet, moderator: Moderator, point: Point) -> None:
    script = says(fleet, ODD, ODD)
    job = add(fleet, fleet.agent())
    armed = [point]

    def die(at: Point) -> None:
        if at in armed:
            armed.clear()
            raise Killed

    failpoints.arm(die)
    try:
        with pytest.raises(Killed):
            perform(fleet.deps, job)
    finally:
        failpoints.arm(None)
    for _ in range(2):
        fleet.lease_runs_out()
        sweep(fleet.deps)
        fleet.time_passes()
        perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.SKIPPED
    assert len(drafts(fleet)) == 1
    assert len(script.dice) == (2 if point is Point.JOB_STEP_PAID else 1)
    assert told(fleet).count("approval.requested") == 1


def test_no_rule_approves_a_doubtful_text_by_itself(fleet: Fleet, moderator: Moderator) -> None:
    fleet.deps.parts["approval_rules"] = _all_by_themselves()
    _, draft = doubted(fleet)
    assert draft.status == "pending"
    assert not fleet.jobs(state="ready")


def test_no_rule_approves_a_doubtful_draft_of_a_supervised_agent(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.deps.parts["approval_rules"] = _all_by_themselves()
    monkeypatch.setattr(review.privacy, "private_data", _odd)
    fleet.surface.posts = [post("p1")]
    fleet.words.proposals = proposing(dataclasses.replace(COMMENT, text="An odd light on the water."), POST)
    scan(fleet, supervised(fleet))
    assert {draft.kind: draft.status for draft in drafts(fleet)} == {"comment": "pending", "post": "approved"}


def test_what_a_rule_approved_is_refused_when_it_is_doubtful_by_then(fleet: Fleet, moderator: Moderator) -> None:
    fleet.deps.parts["approval_rules"] = _all_by_themselves()
    fleet.surface.posts = [post("p1")]
    fleet.words.proposals = proposing(dataclasses.replace(POST, text=ODD))
    scan(fleet, supervised(fleet))
    (draft,) = drafts(fleet)
    assert draft.status == "approved"
    assert publish(fleet, draft).state == JobState.SKIPPED
    assert not shown(fleet)


def _all_by_themselves() -> tuple[Any, ...]:
    always = (Condition("kind", Op.EXISTS, True),)
    return tuple(dataclasses.replace(rule, auto_approve=always) for rule in shipped())


def test_an_agent_says_nothing_else_about_a_post_while_its_draft_waits(fleet: Fleet, moderator: Moderator) -> None:
    says(fleet, ODD)
    agent = fleet.agent()
    perform(fleet.deps, add(fleet, agent, "comment"))
    says(fleet, POEMS[1])
    second = _again(fleet, agent)
    perform(fleet.deps, second)
    assert fleet.job(second).state == JobState.SKIPPED
    assert not shown(fleet)
    assert len(drafts(fleet)) == 1


def _again(fleet: Fleet, agent: uuid.UUID) -> uuid.UUID:
    job = add(fleet, agent, "comment", tick_no=2)
    fleet.sql("UPDATE jobs SET target = 'p1' WHERE tick_no = 2")
    return job


def test_it_can_be_edited_and_is_published_as_edited(fleet: Fleet, moderator: Moderator) -> None:
    _, draft = doubted(fleet, "comment")
    drafting.edit(fleet.deps, str(draft.id), {"text": POEMS[2]}, ANN)
    decide(fleet, draft)
    assert publish(fleet, draft).state == JobState.DONE
    assert shown(fleet) == [POEMS[2]]


def test_with_its_agent_the_draft_goes(fleet: Fleet, moderator: Moderator) -> None:
    _, draft = doubted(fleet)
    agent_commands.delete(fleet.deps, str(draft.agent_id), by="ann")
    assert drafts(fleet)[0].status == "withdrawn"
