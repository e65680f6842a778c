"""Writes that an outside system wants a person to approve one by one: asked, done once, or skipped with the reason."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from fleet.adapters import registry as adapters
from fleet.adapters.social import FeedItem
from fleet.core import failpoints, ids
from fleet.core.failpoints import Point
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.sweep import sweep
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals import service as approving
from fleet.features.approvals.asking import consent
from fleet.features.approvals.queries import RequestFilter
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import Person
from fleet.features.approvals.states import RequestState
from tests.factories import Fleet
from tests.features.approvals.test_agent import later, wake


class Killed(BaseException):
    """The process is gone at a failpoint."""


OWNER = Person("ann", frozenset({"owner"}))
RULE = "A person approves each comment (rules of 2026-04-20)."


@pytest.fixture(autouse=True)
def _comments_need_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = adapters.get("floimg")
    changed = [replace(one, needs_consent=True, rule=RULE) if one.name == "comment" else one for one in kind.operations]
    monkeypatch.setattr(adapters, "get", lambda _: replace(kind, operations=tuple(changed)))


def comment(fleet: Fleet) -> JobRow:
    """Let an agent decide to comment, and its job be tried."""
    staff(fleet.deps.db)
    agent = fleet.agent(username="ben_1", name="Ben")
    fleet.surface.posts = [FeedItem("p1", "zoe", "Zoe", "a harbour", 0, 0)]
    key = agent_commands.trigger(fleet.deps, "ben_1", action="comment", by="test")
    tick(fleet.deps, key)
    job_id = ids.job(agent, key.tick_no, 0)
    perform(fleet.deps, job_id)
    return fleet.job(job_id)


def asked(fleet: Fleet) -> list[Request]:
    """Return the requests for consent, newest first."""
    return approving.page(fleet.deps, RequestFilter(resource=consent.RESOURCE))


def go_on(fleet: Fleet, job_id: uuid.UUID) -> JobRow:
    """Let the sweep publish what is due, and deliver each message twice."""
    sweep(fleet.deps)
    for message in [one for one in fleet.bell.take() if one.args == (str(job_id),)]:
        perform(fleet.deps, job_id)
        perform(fleet.deps, uuid.UUID(str(message.args[0])))
    return fleet.job(job_id)


def test_the_request_shows_what_would_be_sent_and_its_approval_sends_exactly_that_once(fleet: Fleet) -> None:
    job = comment(fleet)
    assert job.state == JobState.READY and "approval" in str(job.held) and job.attempts == 0
    assert not fleet.surface.writes_begun
    (request,) = asked(fleet)
    assert (request.resource_id, request.requested_by) == (str(job.id), "agent:ben_1")
    assert (
        request.payload["verb"] == "comment" and request.payload["target"] == "p1" and request.payload["as"] == "ben_1"
    )
    assert request.facts["rule"] == RULE and "Comment of ben_1 on floimg" in request.summary
    assert job.expires_at > request.expires_at == job.next_attempt_at

    fleet.time_passes()  # as when a person lifts a pause: it is looked at early, and waits on
    perform(fleet.deps, job.id)
    assert fleet.job(job.id).next_attempt_at == request.expires_at and len(asked(fleet)) == 1

    approving.approve(fleet.deps, [request.id], OWNER)
    done = go_on(fleet, job.id)
    assert done.state == JobState.DONE
    (effect,) = fleet.surface.effects
    assert (effect.key, effect.text) == (str(job.id), request.payload["text"])


def test_what_is_refused_is_skipped_with_the_reason(fleet: Fleet) -> None:
    job = comment(fleet)
    approving.reject(fleet.deps, [asked(fleet)[0].id], OWNER, "not our tone")
    job = go_on(fleet, job.id)
    assert (job.state, job.error) == (JobState.SKIPPED, "refused by ann: not our tone")
    assert job.result and job.result["draft"]["text"] and not fleet.surface.writes_begun


def test_what_nobody_approves_in_time_is_skipped(fleet: Fleet) -> None:
    job = comment(fleet)
    (request,) = asked(fleet)
    later(fleet, request, days=8)
    wake(fleet)
    assert asked(fleet)[0].state is RequestState.EXPIRED
    job = go_on(fleet, job.id)
    assert job.state == JobState.SKIPPED and "in time" in str(job.error) and not fleet.surface.writes_begun


def test_an_approval_holds_for_the_content_that_was_shown(fleet: Fleet) -> None:
    job = comment(fleet)
    (request,) = asked(fleet)
    approving.approve(fleet.deps, [request.id], OWNER)
    fleet.sql("UPDATE jobs SET checkpoint = '{}', target = 'p1' WHERE id = :id", id=job.id)
    fleet.words.comment = lambda *_: "buy my coins"  # type: ignore[method-assign,assignment,return-value]
    fleet.sql(
        "UPDATE approval_requests SET facts = jsonb_set(facts, '{fingerprint}', '\"of other words\"') WHERE id = :id",
        id=request.id,
    )
    assert go_on(fleet, job.id).state == JobState.READY
    assert [one.state for one in asked(fleet)] == [RequestState.PENDING, RequestState.APPROVED]
    assert not fleet.surface.writes_begun


def test_a_request_whose_job_a_person_cancelled_is_withdrawn(fleet: Fleet) -> None:
    job = comment(fleet)
    fleet.sql("UPDATE jobs SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = :id", id=job.id)
    (request,) = asked(fleet)
    (answer,) = approving.approve(fleet.deps, [request.id], OWNER)
    assert answer.error is not None
    assert asked(fleet)[0].state is RequestState.WITHDRAWN and fleet.job(job.id).state == JobState.CANCELLED


def test_a_full_queue_of_questions_asks_no_more(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "MOST_OPEN", 0)
    job = comment(fleet)
    assert job.state == JobState.SKIPPED and not asked(fleet)


POINTS = [
    Point.JOB_CLAIMED, Point.JOB_STEP_SAVED, Point.JOB_PREPARED, Point.JOB_RECORDING, Point.JOB_FINISHED,
    Point.JOB_ANNOUNCED, Point.JOB_SENT,
]  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("is_approved", [True, False])
def test_a_kill_at_any_line_asks_once_and_sends_once(fleet: Fleet, point: Point, is_approved: bool) -> None:
    staff(fleet.deps.db)
    agent = fleet.agent(username="ben_1", name="Ben")
    fleet.surface.posts = [FeedItem("p1", "zoe", "Zoe", "a harbour", 0, 0)]
    key = agent_commands.trigger(fleet.deps, "ben_1", action="comment", by="test")
    tick(fleet.deps, key)
    job_id = ids.job(agent, key.tick_no, 0)

    def die(at: Point) -> None:
        if at is point:
            raise Killed

    def attempt(*, killed: bool) -> None:
        failpoints.arm(die if killed else None)
        try:
            perform(fleet.deps, job_id)
        except Killed:
            pass
        finally:
            failpoints.arm(None)
        fleet.lease_runs_out()
        sweep(fleet.deps)
        fleet.time_passes()

    attempt(killed=True)
    attempt(killed=False)
    (request,) = asked(fleet)
    if is_approved:
        approving.approve(fleet.deps, [request.id], OWNER)
    else:
        approving.reject(fleet.deps, [request.id], OWNER, "no")
    attempt(killed=True)
    attempt(killed=False)
    attempt(killed=False)
    assert len(asked(fleet)) == 1
    assert fleet.job(job_id).state == (JobState.DONE if is_approved else JobState.SKIPPED)
    assert len(fleet.surface.effects) == is_approved
