"""The approval agent's ticks: requests are announced, escalated, reminded of and ended; dead letters ask."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet.adapters import base
from fleet.adapters.social import FeedItem
from fleet.core import events, ids
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import queries as job_queries
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import decisions
from fleet.features.approvals import queries
from fleet.features.approvals import service as approving
from fleet.features.approvals.effects import registered as effects
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.queries import RequestFilter
from fleet.features.approvals.request import NotYours, Proposal, Request
from fleet.features.approvals.requests import maintenance, moves
from fleet.features.approvals.rules import Person
from fleet.features.approvals.states import RequestState
from fleet.features.jobs import commands as job_commands
from tests.factories import Fleet, make_fleet, raises

OWNER = Person("ann", frozenset({"owner"}))
RULES = """
[[rule]]
name = "drafts"
resource = "draft"
action = "publish"
approvers = ["role:owner"]
expiration_minutes = 10080
escalate = { after_minutes = 60, to = ["role:boss"] }
[[rule]]
name = "sure"
resource = "listing"
action = "publish"
approvers = ["role:owner"]
auto_approve = [{ field = "sure", op = "eq", value = true }]
"""


@pytest.fixture
def fleet(database_url: str, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet with rules of its own, one address to tell, and the approval agent at its post."""
    rules = tmp_path / "approvals.toml"
    rules.write_text(RULES)
    made = make_fleet(database_url, approval_rules=rules, notify="json://127.0.0.1:9/x", retry_by_approval="comment")
    assert staff(made.deps.db) == [
        "fleet_health", "fleet_approvals", "fleet_metrics", "fleet_leader", "fleet_reconciler", "fleet_forecast",
        "fleet_pricing", "fleet_tuning", "fleet_hooks",
    ]  # fmt: skip
    yield made
    made.deps.close()


def wake(fleet: Fleet) -> list[JobRow]:
    """Let the approval agent's time come; return the notices that its tick leads to."""
    before = {job.id for job in fleet.jobs(kind="notify")}
    agent = lookup.agent(fleet.deps.db, "fleet_approvals")
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE id = :id", id=agent.id)
    dispatch(fleet.deps)
    for message in fleet.bell.take():
        if message.task == "fleet.tick":
            tick(fleet.deps, TickKey(uuid.UUID(str(message.args[0])), int(message.args[1])))
    return [job for job in fleet.jobs(kind="notify") if job.id not in before]


def later(fleet: Fleet, request: Request, **by: float) -> None:
    """Let time pass for one request."""
    fleet.sql(
        "UPDATE approval_requests SET created_at = created_at - :by, expires_at = expires_at - :by,"
        " escalate_at = escalate_at - :by, reminded_at = reminded_at - :by, next_step_at = next_step_at - :by"
        " WHERE id = :id",
        id=request.id, by=timedelta(**by),
    )  # fmt: skip


def propose(fleet: Fleet, **changes: Any) -> Request:
    values: dict[str, Any] = {
        "resource": "draft", "resource_id": str(uuid.uuid4()), "action": "publish", "payload": {"text": "Well seen."},
        "requested_by": "agent:ann_1", "summary": "A comment on Ben's harbour",
    }  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        return approving.propose(fleet.deps, tx, Proposal(**{**values, **changes}))


def stands(fleet: Fleet, request: Request) -> Request:
    return approving.show(fleet.deps, str(request.id))[0]


def told(jobs: list[JobRow]) -> set[tuple[str, str]]:
    return {(job.payload["subject"], job.payload["channel"]) for job in jobs}


def each(subject: str) -> set[tuple[str, str]]:
    return {(subject, "log"), (subject, "json")}


def test_new_requests_are_announced_once_to_every_channel_in_one_notice(fleet: Fleet) -> None:
    requests = [propose(fleet) for _ in range(3)]
    jobs = wake(fleet)
    assert told(jobs) == each("approval.requested")
    assert all(str(request.id)[:8] in jobs[0].payload["body"] for request in requests)
    assert jobs[0].payload["title"] == "3 requests wait for approval"
    assert wake(fleet) == []
    assert "127.0.0.1:9" not in repr([job.payload for job in jobs])


def test_a_request_is_escalated_reminded_of_and_ended_each_once(fleet: Fleet) -> None:
    request = propose(fleet)
    assert told(wake(fleet)) == each("approval.requested")
    later(fleet, request, hours=1)
    assert told(wake(fleet)) == each("approval.escalated")
    assert stands(fleet, request).approvers == ("role:owner", "role:boss")
    assert wake(fleet) == []
    later(fleet, request, days=6)
    assert told(wake(fleet)) == each("approval.reminder")
    assert wake(fleet) == []
    later(fleet, request, days=1)
    assert told(wake(fleet)) == each("approval.expired")
    assert stands(fleet, request).state is RequestState.EXPIRED
    assert wake(fleet) == []
    with fleet.deps.db.transaction() as tx:
        subjects = [event.subject for event in reversed(events.latest(tx, subjects=("approval.*",)))]
        record = [one.verdict for one in queries.decisions_of(tx, request.id)]
    assert subjects == [f"approval.{word}" for word in ("requested", "escalated", "reminder", "expired")]
    assert record == ["escalate", "expire"]


def test_who_was_escalated_to_may_decide(fleet: Fleet) -> None:
    request, boss = propose(fleet), Person("boss", frozenset({"boss"}))
    (before,) = approving.approve(fleet.deps, [request.id], boss)
    assert isinstance(before.error, NotYours)
    later(fleet, request, hours=1)
    wake(fleet)
    (after,) = approving.approve(fleet.deps, [request.id], boss)
    assert after.decided is not None
    assert after.decided.settled


def test_a_tick_is_recorded_and_decides_the_same_again(fleet: Fleet) -> None:
    propose(fleet)
    wake(fleet)
    agent = lookup.agent(fleet.deps.db, "fleet_approvals")
    then, now = decisions.replay_decision(fleet.deps, "fleet_approvals", agent.tick_no)
    assert then == now
    assert then["steps"][0]["step"] == "announce"
    assert agent.last_thought == "Of the requests for approval I announce 1."


def test_a_quiet_minute_sends_no_event(fleet: Fleet) -> None:
    assert wake(fleet) == []
    with fleet.deps.db.transaction() as tx:
        assert events.latest(tx, subjects=("agent.thought",)) == []


def test_a_decision_between_gathering_and_recording_is_left_alone(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = propose(fleet)
    later(fleet, request, days=7)
    real = maintenance.take

    def beaten(tx: Any, request_id: uuid.UUID, step: Any, now: Any) -> Request | None:
        moves.withdraw(tx, request_id, "the post is gone")
        return real(tx, request_id, step, now)

    monkeypatch.setattr(maintenance, "take", beaten)
    assert wake(fleet) == []
    assert stands(fleet, request).state is RequestState.WITHDRAWN


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the effect of drafts was called for, with the state; it refuses those whose words say so."""
    called: list[tuple[str, str]] = []

    def settled(_: Any, tx: Any, request: Request) -> None:
        if request.payload.get("text") == "refuse":
            raise Conflict("the draft is stale")
        called.append((request.resource_id, str(request.state)))

    monkeypatch.setattr(
        effects, "known", lambda: {("draft", "publish"): Effect(settled), ("listing", "publish"): Effect(settled)}
    )
    return called


def test_what_follows_follows_once_for_every_end(fleet: Fleet, followed: list[tuple[str, str]]) -> None:
    requests = [propose(fleet, resource_id=f"d{number}") for number in range(4)]
    approving.approve(fleet.deps, [requests[0].id, requests[0].id], OWNER)
    approving.reject(fleet.deps, [requests[1].id], OWNER, "dull")
    approving.withdraw(fleet.deps, [requests[2].id], OWNER, "gone")
    later(fleet, requests[3], days=7)
    wake(fleet)
    propose(fleet, resource="listing", resource_id="l", facts={"sure": True})
    assert followed == [
        ("d0", "approved"), ("d1", "rejected"), ("d2", "withdrawn"), ("d3", "expired"), ("l", "approved")
    ]  # fmt: skip


def test_of_many_decisions_each_is_settled_or_has_its_reason(fleet: Fleet, followed: list[tuple[str, str]]) -> None:
    good, stale, own = propose(fleet), propose(fleet, payload={"text": "refuse"}), propose(fleet, requested_by="ann")
    missing = uuid.uuid4()
    answers = approving.approve(fleet.deps, [good.id, stale.id, missing, own.id], OWNER)
    assert [answer.request_id for answer in answers] == [good.id, stale.id, missing, own.id]
    assert [answer.error and type(answer.error).__name__ for answer in answers] == [
        None, "Conflict", "NotFound", "OwnRequest"
    ]  # fmt: skip
    assert stands(fleet, stale).state is RequestState.PENDING  # the decision fell with what was to follow
    assert approving.show(fleet.deps, str(stale.id))[1] == []
    with pytest.raises(InvalidInput, match="reason"):
        approving.reject(fleet.deps, [good.id], OWNER, "  ")


def test_an_end_that_cannot_follow_does_not_stop_the_others(fleet: Fleet, followed: list[tuple[str, str]]) -> None:
    stuck, other = propose(fleet, payload={"text": "refuse"}), propose(fleet, resource_id="d2")
    for request in (stuck, other):
        later(fleet, request, days=7)
    assert told(wake(fleet)) == each("approval.expired")
    assert stands(fleet, stuck).state is RequestState.PENDING
    assert followed == [("d2", "expired")]


def test_an_edit_calls_amended_and_a_revision_needs_an_effect_that_revises(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    effect = Effect(
        settled=lambda *_: None,
        amended=lambda _, __, request: said.append(request.revision),
        revise=lambda _, __, request, instructions, by: said.append((instructions, by.name)),
    )
    monkeypatch.setattr(effects, "known", lambda: {("draft", "publish"): effect})
    request, listing = propose(fleet), propose(fleet, resource="listing")
    approving.edit(fleet.deps, request.id, {"text": "Better."}, OWNER)
    approving.edit(fleet.deps, request.id, {"text": "Better."}, OWNER)
    approving.revise(fleet.deps, request.id, "shorter", OWNER)
    assert said == [2, ("shorter", "ann")]
    with pytest.raises(Conflict, match="cannot be revised"):
        approving.revise(fleet.deps, listing.id, "shorter", OWNER)
    with pytest.raises(NotYours):
        approving.revise(fleet.deps, request.id, "shorter", Person("eve"))


def dead_comment(fleet: Fleet) -> JobRow:
    """Let an agent's comment die."""
    agent = fleet.agent(username="ben_1", name="Ben")
    fleet.surface.posts = [FeedItem("p1", "zoe", "Zoe", "a harbour", 0, 0)]
    key = agent_commands.trigger(fleet.deps, "ben_1", action="comment", by="test")
    tick(fleet.deps, key)
    fleet.surface.faults.append(raises(base.Refused("banned here")))
    perform(fleet.deps, ids.job(agent, key.tick_no, 0))
    (job,) = fleet.jobs(kind="comment")
    assert job.state == JobState.DEAD
    fleet.bell.take()
    return job


def test_a_dead_letter_asks_once_and_comes_back_to_life_when_that_is_approved(fleet: Fleet) -> None:
    job = dead_comment(fleet)
    wake(fleet)
    wake(fleet)
    (request,) = approving.page(fleet.deps, RequestFilter(resource="job"))
    assert (request.resource_id, request.before and request.before["state"]) == (str(job.id), "dead")
    assert "comment of ben_1" in request.summary
    fleet.bell.take()
    (answer,) = approving.approve(fleet.deps, [request.id], OWNER)
    assert answer.decided is not None
    assert fleet.job(job.id).state == JobState.READY
    assert [message.args for message in fleet.bell.take()] == [(str(job.id),)]
    perform(fleet.deps, job.id)
    assert [effect.key for effect in fleet.surface.effects] == [str(job.id)]


def test_a_letter_that_dies_again_asks_again_and_a_refusal_is_final(fleet: Fleet) -> None:
    job = dead_comment(fleet)
    wake(fleet)
    (request,) = approving.page(fleet.deps, RequestFilter(resource="job"))
    approving.approve(fleet.deps, [request.id], OWNER)
    fleet.surface.faults.append(raises(base.Refused("still banned")))
    perform(fleet.deps, job.id)
    wake(fleet)
    again = approving.page(fleet.deps, RequestFilter(resource="job", states=(RequestState.PENDING,)))
    assert len(again) == 1
    approving.reject(fleet.deps, [again[0].id], OWNER, "leave it")
    wake(fleet)
    assert approving.page(fleet.deps, RequestFilter(states=(RequestState.PENDING,))) == []


def test_a_request_about_a_letter_that_lives_again_is_taken_back(fleet: Fleet) -> None:
    job = dead_comment(fleet)
    wake(fleet)
    (request,) = approving.page(fleet.deps, queries.RequestFilter(resource="job"))
    job_commands.replay_dead(fleet.deps, job_queries.JobFilter(states=(JobState.DEAD,)), by="test")
    (answer,) = approving.approve(fleet.deps, [request.id], OWNER)
    assert isinstance(answer.error, Conflict)
    wake(fleet)
    assert stands(fleet, request).state is RequestState.WITHDRAWN
    assert fleet.job(job.id).state == JobState.READY


def test_old_dead_letters_and_those_of_other_kinds_create_no_request(fleet: Fleet) -> None:
    job = dead_comment(fleet)
    fleet.sql("UPDATE jobs SET finished_at = finished_at - interval '8 days' WHERE id = :id", id=job.id)
    wake(fleet)
    fleet.sql("UPDATE jobs SET finished_at = clock_timestamp(), kind = 'post' WHERE id = :id", id=job.id)
    wake(fleet)
    assert approving.page(fleet.deps, RequestFilter()) == []


def test_the_agent_is_made_once_and_stays_as_people_left_it(fleet: Fleet) -> None:
    assert staff(fleet.deps.db) == []
    agent_commands.stop(fleet.deps, "fleet_approvals")
    assert staff(fleet.deps.db) == []
    assert lookup.agent(fleet.deps.db, "fleet_approvals").status == "idle"
    with pytest.raises(Conflict, match="runs the fleet itself"):
        agent_commands.delete(fleet.deps, "fleet_approvals", by="test")
    fleet.sql(
        "UPDATE agents SET deleted_at = clock_timestamp() WHERE username = 'fleet_approvals'"
    )  # as once one could
    assert staff(fleet.deps.db) == []


def test_it_does_its_own_work_only_and_knows_no_persona_hours(fleet: Fleet) -> None:
    with pytest.raises(InvalidInput, match="its own work"):
        agent_commands.trigger(fleet.deps, "fleet_approvals", action="post", by="test")
    wake(fleet)
    row: AgentRow = lookup.agent(fleet.deps.db, "fleet_approvals")
    assert row.next_tick_at is not None
    with fleet.deps.db.transaction() as tx:
        assert timedelta(seconds=50) < row.next_tick_at - fleet.now(tx) <= timedelta(seconds=60)


def test_every_effect_stands_for_a_pair_that_rules_can_name() -> None:
    assert ("job", "retry") in effects.known()
    assert all(resource.isidentifier() and action.isidentifier() for resource, action in effects.known())
