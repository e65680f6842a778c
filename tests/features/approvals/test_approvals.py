"""Requests for approval on a real database: who may decide, once, and what is kept of it."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from fleet.core import events
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound
from fleet.engine.sweep import prune
from fleet.features.approvals import queries
from fleet.features.approvals.queries import RequestFilter, newest_about, pending_by_resource, resolve_prefix
from fleet.features.approvals.request import (
    AlreadySettled,
    Changed,
    Decided,
    Expired,
    NotYours,
    OwnRequest,
    Proposal,
    Request,
)
from fleet.features.approvals.requests import maintenance, moves
from fleet.features.approvals.rules import Condition, Op, Person, Rule, Step
from fleet.features.approvals.states import DecisionKind, RequestState
from tests.database_roles import as_owner
from tests.factories import Fleet

OWNER = Person("ann", frozenset({"owner"}))
OTHER = Person("ben", frozenset({"owner"}))
STRANGER = Person("eve", frozenset({"viewer"}))
RULES = (
    Rule("sure", "draft", "publish", ("role:owner",), auto_approve=(Condition("confidence", Op.GE, 0.9),),
         when=(Condition("kind", Op.EQ, "like"),)),
    Rule("money", "budget", "override", ("role:owner",), min_approvals=2),
    Rule("drafts", "draft", "publish", ("role:owner",), expiration=timedelta(days=7)),
)  # fmt: skip


def proposal(**changes: Any) -> Proposal:
    """Return the proposal to publish a draft."""
    values: dict[str, Any] = {
        "resource": "draft", "resource_id": str(uuid.uuid4()), "action": "publish", "payload": {"text": "Well seen."},
        "requested_by": "agent:ann_1", "summary": "A comment on Ben's harbour",
    }  # fmt: skip
    return Proposal(**{**values, **changes})


def opened(fleet: Fleet, **changes: Any) -> Request:
    with fleet.deps.db.transaction() as tx:
        return moves.open(tx, proposal(**changes), RULES)


def decide(fleet: Fleet, request: Request, decision: Any, by: Person = OWNER, **more: Any) -> Decided:
    with fleet.deps.db.transaction() as tx:
        return moves.decide(tx, request.id, decision, by, **more)


def stands(fleet: Fleet, request: Request) -> Request:
    with fleet.deps.db.transaction() as tx:
        return queries.get(tx, request.id)


def record_of(fleet: Fleet, request: Request) -> list[tuple[DecisionKind, str, int]]:
    with fleet.deps.db.transaction() as tx:
        return [(one.verdict, one.by, one.revision) for one in queries.decisions_of(tx, request.id)]


def told(fleet: Fleet) -> list[str]:
    with fleet.deps.db.transaction() as tx:
        return [event.subject for event in reversed(events.latest(tx, subjects=("approval.*",)))]


def time_is_over(fleet: Fleet, request: Request) -> None:
    fleet.sql("UPDATE approval_requests SET expires_at = clock_timestamp() WHERE id = :id", id=request.id)


def test_the_same_proposal_opens_one_request_and_another_payload_is_a_conflict(fleet: Fleet) -> None:
    first = opened(fleet, resource_id="d1")
    assert opened(fleet, resource_id="d1") == first
    assert first.expires_at - first.created_at == timedelta(days=7)
    with pytest.raises(Conflict, match="another payload"):
        opened(fleet, resource_id="d1", payload={"text": "Otherwise."})
    decide(fleet, first, "reject", reason="no")
    again = opened(fleet, resource_id="d1", payload={"text": "Otherwise."}, expiration=timedelta(hours=1))
    assert again.id != first.id
    assert again.expires_at - again.created_at == timedelta(hours=1)


def test_proposals_at_once_open_one_request(fleet: Fleet) -> None:
    ready = threading.Barrier(4)

    def propose(_: int) -> uuid.UUID:
        ready.wait()
        return opened(fleet, resource_id="d1").id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(propose, range(4)))) == 1


def test_a_rule_may_approve_at_once_and_the_record_says_so(fleet: Fleet) -> None:
    sure = opened(fleet, facts={"kind": "like", "confidence": 0.95})
    unsure = opened(fleet, facts={"kind": "like", "confidence": 0.5})
    assert (sure.state, sure.settled_by) == (RequestState.APPROVED, "rule:sure")
    assert unsure.state is RequestState.PENDING
    assert record_of(fleet, sure) == [(DecisionKind.APPROVE, "rule:sure", 1)]
    assert told(fleet) == ["approval.requested", "approval.approved", "approval.requested"]


def test_only_approvers_decide_and_never_their_own_requests(fleet: Fleet) -> None:
    request = opened(fleet, requested_by="cli:ann")
    with pytest.raises(NotYours):
        decide(fleet, request, "approve", STRANGER)
    with pytest.raises(OwnRequest):
        decide(fleet, request, "approve", OWNER)
    with pytest.raises(NotYours), fleet.deps.db.transaction() as tx:
        moves.amend(tx, request.id, {"text": "x"}, STRANGER)
    with pytest.raises(NotYours), fleet.deps.db.transaction() as tx:
        moves.withdraw(tx, request.id, "mine now", by=STRANGER)
    assert record_of(fleet, request) == []
    assert decide(fleet, request, "approve", OTHER).settled


def test_deciding_twice_settles_once_and_otherwise_is_refused(fleet: Fleet) -> None:
    request = opened(fleet)
    assert decide(fleet, request, "approve").settled
    again = decide(fleet, request, "approve", OTHER)
    assert (again.settled, again.state) == (False, RequestState.APPROVED)
    with pytest.raises(AlreadySettled, match="by ann"):
        decide(fleet, request, "reject", OTHER)
    assert record_of(fleet, request) == [(DecisionKind.APPROVE, "ann", 1)]


def test_of_decisions_at_once_exactly_one_settles(fleet: Fleet) -> None:
    request = opened(fleet)
    ready = threading.Barrier(4)

    def click(at: int) -> bool:
        ready.wait()
        try:
            return decide(fleet, request, ["approve", "reject"][at % 2], [OWNER, OTHER][at // 2]).settled
        except AlreadySettled:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(click, range(4))) == 1
    assert len(record_of(fleet, request)) == 1


def test_two_approvals_come_from_two_people(fleet: Fleet) -> None:
    request = opened(fleet, resource="budget", action="override")
    assert not decide(fleet, request, "approve").settled
    assert not decide(fleet, request, "approve").settled
    assert not decide(fleet, request, "approve", Person("web:ann", OWNER.roles)).settled
    assert stands(fleet, request).state is RequestState.PENDING
    assert decide(fleet, request, "approve", OTHER).settled


def test_the_two_last_approvals_at_once_settle(fleet: Fleet) -> None:
    for _ in range(5):
        request, ready = opened(fleet, resource="budget", action="override"), threading.Barrier(2)

        def say_yes(by: Person, request: Request = request, ready: threading.Barrier = ready) -> bool:
            ready.wait()
            return decide(fleet, request, "approve", by).settled

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(say_yes, (OWNER, OTHER))) == [False, True]
        assert stands(fleet, request).state is RequestState.APPROVED


def test_one_no_is_enough(fleet: Fleet) -> None:
    request = opened(fleet, resource="budget", action="override")
    decide(fleet, request, "approve")
    rejected = decide(fleet, request, "reject", OTHER, reason="too dear")
    assert (rejected.settled, rejected.state, rejected.request.reason) == (True, RequestState.REJECTED, "too dear")


def test_an_amendment_voids_approvals_and_rejects_decisions_on_the_old_revision(fleet: Fleet) -> None:
    request = opened(fleet, resource="budget", action="override", payload={"usd": 5})
    decide(fleet, request, "approve")
    with fleet.deps.db.transaction() as tx:
        assert moves.amend(tx, request.id, {"usd": 5.0}, OTHER).revision == 1
        amended = moves.amend(tx, request.id, {"usd": 50}, OTHER, reason="not enough")
    assert (amended.revision, amended.voices, amended.expires_at) == (2, (), request.expires_at)
    with pytest.raises(Changed):
        decide(fleet, request, "approve", OTHER, revision=1)
    assert not decide(fleet, request, "approve", OTHER, revision=2).settled
    assert decide(fleet, request, "approve", OWNER).settled
    with fleet.deps.db.transaction() as tx:
        kept = [(one.revision, one.payload["usd"]) for one in queries.decisions_of(tx, request.id)]
    assert kept == [(1, 5), (2, 50), (2, 50), (2, 50)]


def test_an_amendment_is_judged_by_the_rules_again_and_approves_nothing(fleet: Fleet) -> None:
    strict = (Rule("large", "draft", "publish", ("role:boss",), when=(Condition("words", Op.GT, 10),)), *RULES)
    request = opened(fleet)
    with fleet.deps.db.transaction() as tx:
        amended = moves.amend(tx, request.id, {"text": "long"}, OWNER, facts={"words": 11}, rules=strict)
        assert (amended.rule, amended.approvers) == ("large", ("role:boss",))
        sure = {"kind": "like", "confidence": 1.0}
        amended = moves.amend(tx, request.id, {"text": "x"}, Person("boss", frozenset({"boss"})), facts=sure,
                                  rules=strict)  # fmt: skip
    assert (amended.rule, amended.state) == ("sure", RequestState.PENDING)


def test_only_the_escalation_approvers_decide_an_escalated_request_after_any_amendment(fleet: Fleet) -> None:
    first = Rule("first", "draft", "publish", ("role:owner",), escalate_to=("user:ceo",),
                 escalate_after=timedelta(hours=1))  # fmt: skip
    other = Rule("other", "draft", "publish", ("role:owner",), escalate_to=("user:intern",),
                 escalate_after=timedelta(hours=1))  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        request = moves.open(tx, proposal(), [first])
        maintenance.take(tx, request.id, Step.ESCALATE, tx.now() + timedelta(hours=2))
        for text in ("one", "two"):
            amended = moves.amend(tx, request.id, {"text": text}, OWNER, rules=[other])
    assert amended.approvers == ("role:owner", "user:ceo")


def test_an_amended_request_is_escalated_as_its_new_rule_says(fleet: Fleet) -> None:
    never, soon = (
        Rule("never", "draft", "publish", ("role:owner",)),
        Rule("soon", "draft", "publish", ("role:owner",), escalate_to=("user:ceo",), escalate_after=timedelta(hours=1)),
    )
    with fleet.deps.db.transaction() as tx:
        request = moves.open(tx, proposal(), [never])
        later = tx.now() + timedelta(hours=2)
        assert maintenance.take(tx, request.id, Step.ANNOUNCE, tx.now()) is not None
        amended = moves.amend(tx, request.id, {"text": "one"}, OWNER, rules=[soon])
        assert amended.escalate_at == request.created_at + timedelta(hours=1)
        assert [one.id for one in maintenance.due(tx, later)] == [request.id]
        moves.amend(tx, request.id, {"text": "two"}, OWNER, rules=[never])
        assert maintenance.due(tx, later) == []
        moves.amend(tx, request.id, {"text": "three"}, OWNER, rules=[soon])
        taken = maintenance.take(tx, request.id, Step.ESCALATE, later)
    assert taken is not None
    assert taken.approvers == ("role:owner", "user:ceo")


def test_what_is_past_its_time_is_not_decided_any_more(fleet: Fleet) -> None:
    request = opened(fleet)
    time_is_over(fleet, request)
    for change in (lambda: decide(fleet, request, "approve"), lambda: decide(fleet, request, "reject")):
        with pytest.raises(Expired):
            change()
    assert stands(fleet, request).state is RequestState.PENDING


def test_a_withdrawn_request_stays_so(fleet: Fleet) -> None:
    request = opened(fleet)
    with fleet.deps.db.transaction() as tx:
        assert moves.withdraw(tx, request.id, "the post is gone").settled
        assert not moves.withdraw(tx, request.id, "the post is gone").settled
    with pytest.raises(AlreadySettled):
        decide(fleet, request, "approve")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE approval_decisions SET by_name = 'eve'", "DELETE FROM approval_decisions",
     "TRUNCATE approval_decisions", "TRUNCATE approval_requests CASCADE", "DELETE FROM approval_requests"],
)  # fmt: skip
def test_the_database_refuses_to_change_the_record(fleet: Fleet, owner_url: str, statement: str) -> None:
    decide(fleet, opened(fleet), "approve")
    with pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.ForeignKeyViolation)):
        as_owner(owner_url, statement)
    with pytest.raises((sa.exc.IntegrityError, InvalidInput)):
        fleet.sql(statement)


@pytest.mark.parametrize("statement", [
    "UPDATE approval_requests SET state = 'approved'",
    "UPDATE approval_requests SET settled_at = clock_timestamp()",
    "UPDATE approval_requests SET approvers = '{}'",
])  # fmt: skip
def test_the_database_knows_what_a_request_may_be(fleet: Fleet, statement: str) -> None:
    opened(fleet)
    with pytest.raises(sa.exc.IntegrityError):
        fleet.sql(statement)


def test_pages_go_down_by_key_and_filter(fleet: Fleet) -> None:
    agent = uuid.uuid4()
    made = [opened(fleet, agent_id=agent if number % 2 else None) for number in range(5)]
    made.append(opened(fleet, resource="budget", action="override"))
    decide(fleet, made[0], "reject")

    def page(**which: Any) -> list[uuid.UUID]:
        found: list[uuid.UUID] = []
        while True:
            with fleet.deps.db.transaction() as tx:
                last = found[-1] if found else None
                more = queries.page(tx, RequestFilter(**which), limit=2, before=last)
            if not more:
                return found
            found += [request.id for request in more]

    every = [request.id for request in reversed(made)]
    assert page() == every
    assert page(states=(RequestState.PENDING,)) == every[:-1]
    assert page(agent_id=agent) == [made[3].id, made[1].id]
    assert page(resource="budget") == [made[5].id]
    with fleet.deps.db.transaction() as tx:
        assert pending_by_resource(tx) == {("draft", "publish"): 4, ("budget", "override"): 1}
        assert resolve_prefix(tx, str(made[2].id)[:13]) == made[2].id
        assert newest_about(tx, "draft", made[1].resource_id, "publish") == made[1]
        assert newest_about(tx, "draft", "none", "publish") is None
        for wrong, error in (("abc", InvalidInput), ("zzzz", InvalidInput), ("0" * 32, NotFound)):
            with pytest.raises(error):
                resolve_prefix(tx, wrong)


def test_names_that_are_none_are_refused(fleet: Fleet) -> None:
    for wrong in ({"resource": "a b"}, {"action": ""}, {"resource_id": ""}, {"resource_id": "x" * 201}):
        with pytest.raises(FleetError):
            opened(fleet, **wrong)


def test_what_was_settled_long_ago_is_pruned_with_its_record_and_nothing_else(fleet: Fleet) -> None:
    old, recent, waiting = opened(fleet), opened(fleet), opened(fleet)
    decide(fleet, old, "reject")
    decide(fleet, recent, "reject")
    fleet.sql("UPDATE approval_requests SET created_at = created_at - interval '40 days'")
    fleet.sql("UPDATE approval_requests SET settled_at = settled_at - interval '39 days' WHERE id = :id", id=old.id)
    prune(fleet.deps)
    left = {row[0] for row in fleet.sql("SELECT id FROM approval_requests")}
    assert left == {recent.id, waiting.id}
    assert {row[0] for row in fleet.sql("SELECT request_id FROM approval_decisions")} == {recent.id}
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        fleet.sql("DELETE FROM approval_decisions")


def test_a_short_retention_keeps_requests_that_a_dead_letter_needs(fleet: Fleet) -> None:
    request = opened(fleet)
    decide(fleet, request, "reject")
    fleet.sql("UPDATE approval_requests SET created_at = created_at - interval '9 days',"
              " settled_at = settled_at - interval '8 days'")  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        assert maintenance.prune(tx, days=1, limit=10) == 0
        tx.execute(sa.text("UPDATE approval_requests SET created_at = created_at - interval '9 days',"
                           " settled_at = settled_at - interval '8 days'"))  # fmt: skip
        assert maintenance.prune(tx, days=1, limit=10) == 1


def test_a_pruned_transaction_lets_nothing_else_be_deleted(fleet: Fleet) -> None:
    request = opened(fleet)
    decide(fleet, request, "reject")
    fleet.sql("UPDATE approval_requests SET created_at = created_at - interval '40 days',"
              " settled_at = settled_at - interval '39 days'")  # fmt: skip
    kept = opened(fleet)
    decide(fleet, kept, "reject")
    with fleet.deps.db.transaction() as tx, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        assert maintenance.prune(tx, days=30, limit=10) == 1
        tx.execute(sa.text("DELETE FROM approval_decisions"))
