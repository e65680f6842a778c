"""Agents that are stopped or deleted while something of theirs is under way: what had not begun never begins."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from fleet.adapters import base
from fleet.adapters.base import AnyAction
from fleet.core import ids
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import TickRow
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.agents import bulk
from fleet.features.agents import commands as agent_commands
from fleet.features.experiments.measure import MEASURE
from fleet.features.publishing.kinds import POST, PROVISION
from fleet.features.webhooks.kinds import DELIVER, HANDLE
from tests.factories import Fleet, raises

ENDS: dict[str, Callable[[Fleet, str], object]] = {
    "stopped": lambda fleet, name: agent_commands.stop(fleet.deps, name),
    "stopped with others": lambda fleet, _: bulk.act_on_all(fleet.deps, bulk.BulkAction.STOP, by="mia"),
    "deleted": lambda fleet, name: agent_commands.delete(fleet.deps, name, by="mia"),
}


def add(fleet: Fleet, agent_id: uuid.UUID, kind: str) -> uuid.UUID:
    job = NewJob(ids.job(agent_id, 1, 0), agent_id, kind, "floimg", 1)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    return job.id


def tick_row(fleet: Fleet, key: TickKey) -> TickRow:
    with fleet.deps.db.transaction() as tx:
        row = tx.session.get(TickRow, (key.agent_id, key.tick_no))
        assert row is not None
        return row


@pytest.mark.parametrize("end", ENDS)
def test_an_agent_that_is_stopped_while_it_decides_does_nothing_more(fleet: Fleet, end: str) -> None:
    agent = fleet.agent(weights={"post": 1.0})
    assert dispatch(fleet.deps) == 1
    read = fleet.surface.feed

    def slowly(*args: object, **kwargs: object) -> object:
        ENDS[end](fleet, fleet.row(agent).username)
        return read(*args, **kwargs)  # type: ignore[arg-type]

    fleet.surface.feed = slowly  # type: ignore[method-assign, assignment]
    tick(fleet.deps, TickKey(agent, 1))
    assert [job.kind for job in fleet.jobs(state="ready")] == (["deprovision"] if end == "deleted" else [])
    row = tick_row(fleet, TickKey(agent, 1))
    assert (row.state, row.outcome) == ("skipped", {"skipped": "the agent was stopped"})


@pytest.mark.parametrize("end", [end for end in ENDS if end != "deleted"])
@pytest.mark.parametrize("kind", [MEASURE, DELIVER, HANDLE])
def test_what_is_no_act_of_the_agent_stays_when_it_is_stopped(fleet: Fleet, end: str, kind: str) -> None:
    agent = fleet.agent()
    job = add(fleet, agent, kind)
    ENDS[end](fleet, fleet.row(agent).username)
    assert fleet.job(job).state == "ready"


def test_what_a_person_asked_for_is_called_off_with_the_agent(fleet: Fleet) -> None:
    agent = fleet.agent(weights={"post": 1.0})
    name = fleet.row(agent).username
    key = agent_commands.trigger(fleet.deps, name, action="post", by="mia")
    agent_commands.stop(fleet.deps, name)
    tick(fleet.deps, key)
    assert fleet.jobs() == []
    assert (
        agent_commands.trigger(fleet.deps, name, action="post", by="mia").tick_no == key.tick_no + 1
    )  # asked anew, it acts


def test_an_agent_that_is_deleted_while_its_post_is_made_does_not_post(fleet: Fleet) -> None:
    agent = fleet.agent()
    job = add(fleet, agent, POST)
    make = fleet.surface.make

    def slowly(*args: object, **kwargs: object) -> str:
        agent_commands.delete(fleet.deps, fleet.row(agent).username, by="mia")
        return make(*args, **kwargs)  # type: ignore[arg-type]

    fleet.surface.make = slowly  # type: ignore[method-assign]
    perform(fleet.deps, job)
    assert fleet.surface.effects == []
    assert (fleet.job(job).state, fleet.job(job).error) == ("skipped", "the agent is gone")


def test_what_a_deleted_agent_is_to_try_again_is_not_tried(fleet: Fleet) -> None:
    agent = fleet.agent()
    job = add(fleet, agent, POST)

    def deleted(_: AnyAction) -> None:
        agent_commands.delete(fleet.deps, fleet.row(agent).username, by="mia")
        raise base.Unreachable("nobody answers")

    fleet.surface.faults = [deleted]
    perform(fleet.deps, job)
    fleet.time_passes()
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.surface.writes_begun) == ("skipped", 1)


def test_an_account_that_arrives_after_its_agent_was_deleted_is_removed(fleet: Fleet) -> None:
    agent = fleet.agent(account=False)
    job = add(fleet, agent, PROVISION)
    fleet.surface.faults = [lambda _: lambda: agent_commands.delete(fleet.deps, fleet.row(agent).username, by="mia")]
    perform(fleet.deps, job)
    (removal,) = fleet.jobs(kind="deprovision")
    assert [(one.task, one.args) for one in fleet.bell.take()] == [("fleet.deprovision", (str(removal.id),))]
    perform(fleet.deps, removal.id)
    assert (fleet.job(removal.id).state, fleet.surface.accounts) == ("done", set())


def test_an_agent_that_was_deleted_is_given_no_account(fleet: Fleet) -> None:
    agent = fleet.agent(account=False)
    job = add(fleet, agent, PROVISION)
    fleet.surface.faults = [raises(base.Unreachable("nobody answers"))]
    perform(fleet.deps, job)
    fleet.sql("UPDATE agents SET status = 'idle', deleted_at = clock_timestamp() WHERE id = :id", id=agent)
    fleet.time_passes()
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.surface.accounts) == ("skipped", set())
