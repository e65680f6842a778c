"""The audit log: each act of a person is a line with old and new values, in its own transaction, and stays one."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from fleet.access import Actor, Via, acting, audit
from fleet.accounts import keys
from fleet.accounts.sealing import new_key
from fleet.core.character import Character
from fleet.core.errors import Conflict, FleetError
from fleet.engine.agents import lookup
from fleet.engine.agents.commands import NewAgent
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import JobState
from fleet.features.agents import bulk
from fleet.features.agents import commands as agent_commands
from fleet.features.agents.bulk import BulkAction
from fleet.features.approvals import service as approving
from fleet.features.approvals.request import Proposal
from fleet.features.approvals.rules import Person
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.jobs import commands as job_commands
from fleet.spending.budgets import Period, Scope
from tests.database_roles import as_owner
from tests.factories import Fleet, make_fleet

ANA = Actor("ana", "admin", Via.SESSION, "192.0.2.7", "0123456789abcdef")
WEIGHTS = {"post": 1.0, "comment": 1.0, "like": 1.0, "browse": 1.0}


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


def lines(fleet: Fleet, **which: Any) -> list[audit.AuditLine]:
    """Return the log, oldest first."""
    with fleet.deps.db.transaction() as tx:
        return [*reversed(audit.page(tx, audit.AuditFilter(**which), limit=500))]


def of(fleet: Fleet, act: Callable[[], object]) -> list[audit.AuditLine]:
    """Return the lines that an act of Ana's writes."""
    known = len(lines(fleet))
    with acting(ANA):
        act()
    return lines(fleet)[known:]


def test_what_is_done_to_an_agent_is_written_down_when_it_changes_something(fleet: Fleet) -> None:
    deps, name = fleet.deps, "ada_1"
    acts: list[tuple[str, Callable[[], object]]] = [
        ("agent.created", lambda: agent_commands.create(deps, NewAgent("Ada", name, WEIGHTS, kind="gallery"))),
        ("agent.started", lambda: agent_commands.start(deps, name)),
        ("agent.paused", lambda: agent_commands.pause(deps, name, by="web:ana", reason="too loud")),
        ("agent.resumed", lambda: agent_commands.resume(deps, name)),
        ("agent.triggered", lambda: agent_commands.trigger(deps, name, action="like", by="web:ana")),
        ("agent.stopped", lambda: agent_commands.stop(deps, name)),
        ("agent.deleted", lambda: agent_commands.delete(deps, name, by="web:ana")),
    ]
    for action, act in acts:
        (line,) = of(fleet, act)
        assert (line.action, line.target) == (action, f"agent:{name}")
        assert (line.actor, line.role, line.via, line.address, line.request_id) == (
            "ana", "admin", "web", "192.0.2.7", "0123456789abcdef"
        )  # fmt: skip
        if action in ("agent.started", "agent.paused", "agent.resumed", "agent.stopped"):
            assert of(fleet, act) == []


def test_a_change_shows_old_and_new_values_of_changed_fields_only(fleet: Fleet) -> None:
    likes_tea = Character(interests=("tea",))
    agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery", character=likes_tea))
    (line,) = of(fleet, lambda: agent_commands.update(fleet.deps, "ada_1", {"name": "Ida", "interests": ["tea"]}))
    assert (line.action, line.before, line.after) == ("agent.updated", {"name": "Ada"}, {"name": "Ida"})
    assert of(fleet, lambda: agent_commands.update(fleet.deps, "ada_1", {"name": "Ida"})) == []


def test_acts_on_many_are_one_line_with_their_number(fleet: Fleet) -> None:
    deps = fleet.deps
    (seeded,) = of(fleet, lambda: agent_commands.seed(deps, count=3, by="web:ana"))
    assert (seeded.action, seeded.after) == ("agents.seeded", {"number": 3, "seed": 0, "started": False})
    for action, act in (
        ("agents.started", lambda: bulk.act_on_all(deps, BulkAction.START, by="web:ana")),
        ("agents.paused", lambda: bulk.act_on_all(deps, BulkAction.PAUSE, by="web:ana", reason="tea")),
        ("agents.resumed", lambda: bulk.act_on_all(deps, BulkAction.RESUME, by="web:ana")),
        ("agents.stopped", lambda: bulk.act_on_all(deps, BulkAction.STOP, by="web:ana")),
    ):
        (line,) = of(fleet, act)
        assert line.action == action and line.after is not None and line.after["number"] == 3
        assert of(fleet, act) == []


def test_the_kill_switch_and_holds_are_written_down(fleet: Fleet) -> None:
    deps = fleet.deps
    agent_commands.create(deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))
    agent_id = str(lookup.agent(deps.db, "ada_1").id)
    acts: list[tuple[str, str, Callable[[], object]]] = [
        ("kill_switch.thrown", "fleet", lambda: fleetwide.throw_kill_switch(deps, by="web:ana", reason="fire")),
        ("kill_switch.lifted", "fleet", lambda: fleetwide.lift_kill_switch(deps, by="web:ana")),
        ("hold.set", "fleet", lambda: fleetwide.pause(deps, "fleet", by="web:ana")),
        ("hold.lifted", "fleet", lambda: fleetwide.resume(deps, "fleet", by="web:ana")),
        ("hold.set", "agent:ada_1", lambda: fleetwide.pause(deps, "agent", agent_id, by="web:ana")),
        ("hold.set", "kind:like", lambda: fleetwide.pause(deps, "kind", "like", by="x", for_=timedelta(hours=1))),
    ]
    for action, target, act in acts:
        (line,) = of(fleet, act)
        assert (line.action, line.target) == (action, target)
        if "until" not in (line.after or {}):
            assert of(fleet, act) == []


def test_what_is_done_to_jobs_and_dead_letters_is_written_down(fleet: Fleet) -> None:
    deps, agent = fleet.deps, fleet.agent()
    waiting, dead = ledger_job(fleet, agent, JobState.READY), ledger_job(fleet, agent, JobState.DEAD)
    second = ledger_job(fleet, agent, JobState.DEAD)
    (line,) = of(fleet, lambda: job_commands.retry_job(deps, str(waiting)))
    assert (line.action, line.target) == ("job.retried", f"job:{waiting}")
    (line,) = of(fleet, lambda: job_commands.cancel_job(deps, str(waiting), by="web:ana"))
    assert (line.action, line.target) == ("job.cancelled", f"job:{waiting}")
    which = JobFilter(states=(JobState.DEAD,), ids=(dead,))
    (line,) = of(fleet, lambda: job_commands.replay_dead(deps, which, by="web:ana"))
    assert line.action == "dead.replayed"
    assert line.after == {"number": 1, "states": ["dead"], "ids": [str(dead)]}
    assert of(fleet, lambda: job_commands.replay_dead(deps, which, by="web:ana")) == []
    which = JobFilter(states=(JobState.DEAD,))
    (line,) = of(fleet, lambda: job_commands.discard_dead(deps, which, by="web:ana"))
    assert (line.action, line.after) == ("dead.discarded", {"number": 1, "states": ["dead"]})
    assert fleet.job(second).state == JobState.CANCELLED


def ledger_job(fleet: Fleet, agent_id: uuid.UUID, state: JobState) -> uuid.UUID:
    """Make a job up that waits or is dead."""
    job_id = uuid.uuid4()
    with fleet.deps.db.transaction() as tx:
        ended = {} if state is JobState.READY else {"dead_reason": "exhausted", "finished_at": sa.func.now()}
        tx.execute(sa.insert(JobRow).values(
            id=job_id, agent_id=agent_id, kind="like", priority="low", state=state, max_attempts=3, surface="floimg",
            expires_at=sa.func.now() + timedelta(hours=1), **ended,
        ))  # fmt: skip
    return job_id


def test_decisions_are_written_down_with_what_they_are_about(fleet: Fleet) -> None:
    deps, bo = fleet.deps, Person("web:bo", frozenset({"owner"}))

    def asked() -> uuid.UUID:
        with deps.db.transaction() as tx:
            return approving.propose(deps, tx, Proposal(
                "thing", uuid.uuid4().hex, "delete", {"words": "old"}, "agent:ada", "Delete a thing"
            )).id  # fmt: skip

    request = asked()
    (line,) = of(fleet, lambda: approving.edit(deps, request, {"words": "new"}, bo))
    assert (line.action, line.target) == ("approval.edited", f"approval:{request}")
    assert (line.before, line.after) == ({"words": "old"}, {"words": "new"})
    (line,) = of(fleet, lambda: approving.approve(deps, [request], bo, "fine"))
    assert line.action == "approval.approved"
    assert line.after is not None
    assert (line.after["state"], line.after["reason"], line.after["by"]) == ("approved", "fine", "web:bo")
    assert of(fleet, lambda: approving.approve(deps, [request], bo, "fine")) == []
    (line,) = of(fleet, lambda: approving.reject(deps, [asked()], bo, "no"))
    assert line.action == "approval.rejected"
    (line,) = of(fleet, lambda: approving.withdraw(deps, [asked()], bo, "gone"))
    assert line.action == "approval.withdrawn"
    stranger = Person("web:eve", frozenset({"viewer"}))
    assert of(fleet, lambda: approving.approve(deps, [asked()], stranger)) == []


def test_budgets_are_written_down_with_the_former_limit(fleet: Fleet) -> None:
    deps, day = fleet.deps, Period.DAY
    (line,) = of(fleet, lambda: money.set_budget(deps, Scope.FLEET, None, day, 5_000_000, by="web:ana"))
    assert (line.action, line.target) == ("budget.set", "budget:fleet:*:day")
    assert (line.before, line.after) == ({"microusd": None}, {"microusd": 5_000_000})
    (line,) = of(fleet, lambda: money.set_budget(deps, Scope.FLEET, None, day, 7_000_000, by="web:ana"))
    assert (line.before, line.after) == ({"microusd": 5_000_000}, {"microusd": 7_000_000})
    assert of(fleet, lambda: money.set_budget(deps, Scope.FLEET, None, day, 7_000_000, by="web:ana")) == []
    (line,) = of(fleet, lambda: money.allow(deps, Scope.FLEET, None, day, 1_000_000, by="x", reason="fair"))
    assert (line.action, line.after) == ("budget.allowed", {"microusd": 1_000_000, "reason": "fair"})
    (line,) = of(fleet, lambda: money.remove_budget(deps, Scope.FLEET, None, day, by="web:ana"))
    assert (line.action, line.before) == ("budget.removed", {"microusd": 7_000_000})


def test_secrets_are_written_down_by_name_and_never_with_a_value(fleet: Fleet) -> None:
    db, settings, value = fleet.deps.db, fleet.deps.settings, "sk-a-very-secret-key-of-a-model"
    set_, *_ = of(fleet, lambda: keys.put(db, settings, "anthropic_api_key", value, by="web:ana"))
    assert (set_.action, set_.target) == ("secret.set", "secret:anthropic_api_key")
    assert of(fleet, lambda: keys.rotate(db, settings, by="web:ana")) == []
    gone, *_ = of(fleet, lambda: keys.remove(db, "anthropic_api_key", by="web:ana"))
    assert gone.action == "secret.removed"
    assert value not in str(lines(fleet))


def test_an_act_that_fails_leaves_no_line(fleet: Fleet) -> None:
    agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))

    def taken() -> None:
        with pytest.raises(Conflict):
            agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))

    assert of(fleet, taken) == []


def test_what_the_fleet_does_by_itself_is_no_persons_act(fleet: Fleet) -> None:
    agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))
    agent_commands.start(fleet.deps, "ada_1")
    assert lines(fleet) == []


def test_a_line_holds_no_secret(fleet: Fleet) -> None:
    def say() -> None:
        with fleet.deps.db.transaction() as tx:
            audit.note(tx, "test", "x", after={"words": ["postgresql://me:hunter2@db/x", "fst_abcdefgh12345678"]})

    (line,) = of(fleet, say)
    assert "hunter2" not in str(line) and "abcdefgh12345678" not in str(line)


@pytest.mark.parametrize("change", [
    "UPDATE audit SET actor = 'eve'", "DELETE FROM audit", "TRUNCATE audit",
    "UPDATE audit SET actor = 'eve' WHERE false",
])  # fmt: skip
def test_the_database_refuses_to_change_the_log_even_for_its_owner(fleet: Fleet, owner_url: str, change: str) -> None:
    of(fleet, lambda: agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery")))
    with pytest.raises(FleetError, match="permission denied"):
        fleet.sql(change)
    with pytest.raises(psycopg.errors.RestrictViolation, match="only grows"):
        as_owner(owner_url, change)
    assert [line.actor for line in lines(fleet)] == ["ana"]


def test_audit_entries_are_found_by_actor_action_target_and_time(fleet: Fleet) -> None:
    for number in range(5):
        new = NewAgent("Ada", f"ada_{number}", WEIGHTS, kind="gallery")
        of(fleet, functools.partial(agent_commands.create, fleet.deps, new))
    of(fleet, lambda: agent_commands.start(fleet.deps, "ada_3"))
    assert [one.action for one in lines(fleet, target="agent:ada_3")] == ["agent.created", "agent.started"]
    assert [one.target for one in lines(fleet, action="agent.s*")] == ["agent:ada_3"]
    assert lines(fleet, action="agent_s*") == []
    assert len(lines(fleet, actor="ana")) == 6 and lines(fleet, actor="an") == []
    third = lines(fleet)[2]
    assert lines(fleet, since=third.at)[0].id == third.id
    with fleet.deps.db.transaction() as tx:
        older = audit.page(tx, audit.AuditFilter(), limit=2, before=third.id)
    assert [one.target for one in older] == ["agent:ada_1", "agent:ada_0"]
