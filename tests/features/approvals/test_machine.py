"""Requests for approval under every order of votes, edits, double clicks, races and passing time.

A model runs beside the real thing on real Postgres. Of every request: one end, followed once, by enough other people,
within its time; and a record that only grows.
"""

from __future__ import annotations

import copy
import uuid
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fleet.core.errors import FleetError
from fleet.engine.agents import lookup
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.approvals import service as approving
from fleet.features.approvals.effects import registered as effects
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.models import DecisionRow, RequestRow
from fleet.features.approvals.queries import voices_of
from fleet.features.approvals.request import (
    COLUMNS,
    AlreadySettled,
    Changed,
    Expired,
    NotYours,
    OwnRequest,
    Proposal,
    Request,
    as_request,
)
from fleet.features.approvals.rules import Person, Rule
from fleet.features.approvals.states import MOVES, SETTLED, DecisionKind, RequestState
from tests.factories import Fleet, make_fleet

OWNERS = frozenset({"owner"})
ANN, BEN, CAT = Person("ann", OWNERS), Person("ben", OWNERS), Person("cat", OWNERS)
BOSS, EVE = Person("boss", frozenset({"boss"})), Person("eve", frozenset({"viewer"}))
PEOPLE = st.sampled_from([ANN, BEN, ANN, BEN, CAT, BOSS, EVE])
LIFE_H, ESCALATION_H = 48, 12
MOST_OPEN = 2  # many requests would each see little


def a_rule(resource: str, needed: int) -> Rule:
    return Rule(
        resource, resource, "publish", ("role:owner",), min_approvals=needed, expiration=timedelta(hours=LIFE_H),
        escalate_after=timedelta(hours=ESCALATION_H), escalate_to=("role:boss",),
    )  # fmt: skip


NEEDED = {"one": 1, "two": 2}
RULES = tuple(a_rule(resource, needed) for resource, needed in NEEDED.items())


@dataclass
class Model:
    """What must be true of one request. `cat` asks for those that she proposes."""

    requested_by: str
    needed: int
    state: RequestState = RequestState.PENDING
    revision: int = 1
    voices: set[str] = field(default_factory=set)
    age_h: int = 0
    escalated: bool = False
    number: int = 0

    def refuses(self, by: Person) -> type[FleetError] | None:
        if by.name == self.requested_by:
            return OwnRequest
        if "owner" in by.roles or ("boss" in by.roles and self.escalated):
            return None
        return NotYours


class Requests(RuleBasedStateMachine):
    """Requests of an agent and of a person, decided by five people and by time."""

    requests = Bundle("requests")
    fleet: Fleet
    followed: Counter[tuple[uuid.UUID, str]]

    @initialize()
    def begin(self) -> None:
        self.fleet.sql(
            "UPDATE approval_requests SET state = 'withdrawn', settled_at = clock_timestamp(), next_step_at = NULL"
            " WHERE state = 'pending'"
        )
        self.followed.clear()
        self.models: dict[uuid.UUID, Model] = {}
        self.records: dict[uuid.UUID, list[Any]] = {}

    @precondition(lambda self: len(getattr(self, "models", {})) < MOST_OPEN)
    @rule(target=requests, resource=st.sampled_from(["one", "two", "two"]), by=st.sampled_from(["agent:ann", "cat"]))
    def propose(self, resource: str, by: str) -> uuid.UUID:
        thing = Proposal(resource, str(uuid.uuid4()), "publish", {"n": 0}, by, "something")
        with self.fleet.deps.db.transaction() as tx:
            request = approving.propose(self.fleet.deps, tx, thing)
            assert approving.propose(self.fleet.deps, tx, thing) == request
        self.models[request.id] = Model(by, NEEDED[resource])
        return request.id

    @rule(
        one=requests,
        by=PEOPLE,
        yes=st.booleans(),
        clicks=st.integers(1, 2),
        stale=st.sampled_from([False, False, False, True]),
    )
    def decide(self, one: uuid.UUID, by: Person, yes: bool, clicks: int, stale: bool) -> None:
        model = self.models[one]
        seen = max(1, model.revision - 1) if stale else model.revision
        for _ in range(clicks):
            expected = self._expected(model, by, yes=yes, seen=seen)
            self._agrees(self._click(one, by, yes=yes, revision=seen), expected)
            if expected is None:
                self._vote(model, by, yes=yes)

    def _click(self, one: uuid.UUID, by: Person, *, yes: bool, revision: int | None = None) -> approving.DecisionResult:
        deps = self.fleet.deps
        answers = (
            approving.approve(deps, [one], by, revision=revision) if yes
            else approving.reject(deps, [one], by, "no", revision=revision)
        )  # fmt: skip
        return answers[0]

    def _expected(self, model: Model, by: Person, *, yes: bool, seen: int | None = None) -> type[FleetError] | None:
        wanted = RequestState.APPROVED if yes else RequestState.REJECTED
        if refused := model.refuses(by):
            return refused
        if model.state is wanted:
            return None
        if model.state in SETTLED:
            return AlreadySettled
        if model.age_h >= LIFE_H:
            return Expired
        return Changed if seen not in (None, model.revision) else None

    def _vote(self, model: Model, by: Person, *, yes: bool) -> None:
        if model.state is not RequestState.PENDING:
            return
        model.voices |= {by.name} if yes else set()
        if not yes:
            model.state = RequestState.REJECTED
        elif len(model.voices) >= model.needed:
            model.state = RequestState.APPROVED

    def _agrees(self, answer: approving.DecisionResult, expected: type[FleetError] | None) -> None:
        assert type(answer.error) is (expected or type(None)), answer

    @rule(one=requests, by=PEOPLE, other=PEOPLE, yes=st.booleans(), other_yes=st.booleans())
    def decide_at_once(self, one: uuid.UUID, by: Person, other: Person, yes: bool, other_yes: bool) -> None:
        votes = [(by, yes), (other, other_yes)]
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda vote: self._click(one, vote[0], yes=vote[1]), votes))
        assert sum(answer.decided is not None and answer.decided.settled for answer in told) <= 1
        stands = approving.show(self.fleet.deps, str(one))[0]
        in_turn = [self._in_turn(one, votes, told, order) for order in ((0, 1), (1, 0))]
        fitting = [model for model in in_turn if model is not None and model.state is stands.state]
        assert fitting, told
        self.models[one] = fitting[0]

    def _in_turn(self, one: uuid.UUID, votes: Any, told: Any, order: tuple[int, int]) -> Model | None:
        """Return how the request stands if the two took turns in this order; None if their answers say otherwise."""
        model = copy.deepcopy(self.models[one])
        for place in order:
            by, yes = votes[place]
            expected = self._expected(model, by, yes=yes)
            if type(told[place].error) is not (expected or type(None)):
                return None
            if expected is None:
                self._vote(model, by, yes=yes)
        return model

    @rule(one=requests, by=PEOPLE, same=st.booleans())
    def edit(self, one: uuid.UUID, by: Person, same: bool) -> None:
        model = self.models[one]
        number = model.number if same else model.number + 1
        expected = None if by.name == model.requested_by else model.refuses(by)
        if expected is None and model.state in SETTLED:
            expected = AlreadySettled
        elif expected is None and model.age_h >= LIFE_H:
            expected = Expired
        try:
            approving.edit(self.fleet.deps, one, {"n": number}, by)
        except FleetError as error:
            assert type(error) is expected, error
            return
        assert expected is None
        if not same:
            model.number, model.revision, model.voices = number, model.revision + 1, set()

    @rule(one=requests, by=PEOPLE)
    def withdraw(self, one: uuid.UUID, by: Person) -> None:
        model = self.models[one]
        expected = None if by.name == model.requested_by else model.refuses(by)
        (answer,) = approving.withdraw(self.fleet.deps, [one], by, "gone")
        self._agrees(answer, expected)
        if expected is None and model.state is RequestState.PENDING:
            model.state = RequestState.WITHDRAWN

    @rule(hours=st.sampled_from([12, 24, 48]))
    def time_passes(self, hours: int) -> None:
        self.fleet.sql(
            "UPDATE approval_requests SET created_at = created_at - :by, expires_at = expires_at - :by,"
            " escalate_at = escalate_at - :by, next_step_at = next_step_at - :by WHERE state = 'pending'",
            by=timedelta(hours=hours),
        )
        for model in self.models.values():
            model.age_h += hours if model.state is RequestState.PENDING else 0

    @rule()
    def the_agent_wakes(self) -> None:
        agent = lookup.agent(self.fleet.deps.db, "fleet_approvals")
        self.fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE id = :id", id=agent.id)
        dispatch(self.fleet.deps)
        for message in self.fleet.bell.take():
            if message.task == "fleet.tick":
                tick(self.fleet.deps, TickKey(uuid.UUID(str(message.args[0])), int(message.args[1])))
        for model in self.models.values():
            if model.state is RequestState.PENDING and model.age_h >= LIFE_H:
                model.state = RequestState.EXPIRED
            elif model.state is RequestState.PENDING and model.age_h >= ESCALATION_H:
                model.escalated = True

    @invariant()
    def all_stand_as_they_must(self) -> None:
        models = getattr(self, "models", {})
        with self.fleet.deps.db.transaction() as tx:
            wanted = RequestRow.id.in_(list(models))
            rows = tx.execute(sa.select(*COLUMNS).where(wanted)).all()
            voices = voices_of(tx, list(models))
            record: dict[uuid.UUID, list[Any]] = defaultdict(list)
            mine = DecisionRow.request_id.in_(list(models))
            for line in tx.execute(sa.select(*DecisionRow.__table__.c).where(mine).order_by(DecisionRow.id)):
                record[line.request_id].append(line)
        assert {row.id for row in rows} == set(models)
        for row in rows:
            request, model = as_request(row, voices[row.id]), models[row.id]
            assert (request.state, request.revision, request.payload) == (
                model.state, model.revision, {"n": model.number}
            )  # fmt: skip
            if model.state is RequestState.PENDING:
                assert set(request.voices) == model.voices
            self._record_only_grows(request, record[row.id])

    def _record_only_grows(self, request: Request, record: list[Any]) -> None:
        known = self.records.get(request.id, [])
        assert record[: len(known)] == known
        self.records[request.id] = record
        ends = [
            one for one in record if one.verdict in (DecisionKind.REJECT, DecisionKind.EXPIRE, DecisionKind.WITHDRAW)
        ]
        assert len(ends) == (request.state in (RequestState.REJECTED, RequestState.EXPIRED, RequestState.WITHDRAWN))
        yes = {
            one.by_name for one in record if one.verdict == DecisionKind.APPROVE and one.revision == request.revision
        }
        assert (len(yes) >= request.min_approvals) == (request.state is RequestState.APPROVED)
        assert request.requested_by not in yes

    @invariant()
    def what_follows_follows_once(self) -> None:
        settled = {(one, str(model.state)) for one, model in getattr(self, "models", {}).items()
                   if model.state in SETTLED}  # fmt: skip
        mine = Counter({key: number for key, number in self.followed.items() if key[0] in getattr(self, "models", {})})
        assert mine == Counter(settled)


@pytest.mark.timeout(600)
def test_requests_under_any_order_of_events(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = make_fleet(database_url)
    fleet.deps.parts["approval_rules"] = RULES
    staff(fleet.deps.db)
    followed: Counter[tuple[uuid.UUID, str]] = Counter()

    def follow(_: Any, tx: Any, request: Request) -> None:
        key = (request.id, str(request.state))
        tx.afterwards(lambda: followed.update([key]))

    monkeypatch.setattr(
        effects,
        "known",
        lambda: {(resource, "publish"): Effect(follow, amended=lambda *_: None) for resource in NEEDED},
    )
    Requests.fleet, Requests.followed = fleet, followed
    try:
        run_state_machine_as_test(
            Requests, settings=hypothesis.settings(max_examples=15, stateful_step_count=25, deadline=None)
        )
    finally:
        fleet.deps.close()


def test_the_table_of_moves_leads_out_of_pending_only() -> None:
    assert set(MOVES) == set(RequestState)
    assert {state for state, after in MOVES.items() if after} == {RequestState.PENDING}
    assert MOVES[RequestState.PENDING] == SETTLED
