"""Notices to operators go out while the event that they report lasts: each kind of hold, each kind of notice."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.engine import controls, registry
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import sweep
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals import service as approving
from fleet.features.approvals.request import Proposal
from fleet.features.controls import commands as fleetwide
from fleet.features.notices.kinds import NOTIFY
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.kinds import DELIVER, HANDLE
from fleet.features.webhooks.outbound.subscriptions import SubscriptionFields
from fleet.features.webhooks.subscribers import in_code as subscribers
from tests import receiver as receivers
from tests.factories import Fleet, make_fleet
from tests.receiver import Receiver

Hold = Callable[[Fleet, str], object]


def spent_budget(fleet: Fleet, _: str) -> None:
    """Pause the fleet as a spent budget did."""
    with fleet.deps.db.transaction() as tx:
        controls.pause(tx, "fleet", "*", by="budget", reason="spent", until=tx.now() + timedelta(hours=1))


HOLDS: dict[str, Hold] = {
    "kill switch": lambda fleet, _: fleetwide.throw_kill_switch(fleet.deps, by="ada", reason="drill"),
    "pause of the fleet": lambda fleet, _: fleetwide.pause(fleet.deps, "fleet", by="ada", reason="drill"),
    "pause of a surface": lambda fleet, _: fleetwide.pause(fleet.deps, "surface", "floimg", by="ada"),
    "pause of a persona": lambda fleet, _: fleetwide.pause(fleet.deps, "persona", "ai_artist", by="ada"),
    "pause of an agent's scope": lambda fleet, name: fleetwide.pause(fleet.deps, "agent", name, by="ada"),
    "pause of an agent": lambda fleet, name: agent_commands.pause(fleet.deps, name, by="ada"),
    "spent budget": spent_budget,
}

TITLES = {"kill switch": "The kill switch is on", "pause of the fleet": "The fleet is paused"}
"""Notices about the hold itself; what holds less than the fleet is an event alone."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running() as running:
        yield running


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subjects that a subscriber in code hears of."""
    subjects: list[str] = []
    code = subscribers.Installed("pager", ("control.*", "agent.paused"), lambda event: subjects.append(event.subject))
    monkeypatch.setattr(subscribers, "subscribers", lambda: (code,))
    monkeypatch.setattr(subscribers, "installed", lambda _: code)
    return subjects


@pytest.fixture
def fleet(database_url: str, receiver: Receiver) -> Iterator[Fleet]:
    made = make_fleet(
        database_url, hooks_allow=receiver.allow, secret_keys=new_key(), notify=f"json://127.0.0.1:{receiver.port}/n"
    )
    staff(made.deps.db)
    yield made
    made.deps.close()


def live(fleet: Fleet) -> None:
    """Let everybody's time come three times, and do all that they were rung for."""
    for _ in range(3):
        fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE status = 'running'")
        dispatch(fleet.deps)
        sweep(fleet.deps)
        while messages := fleet.bell.take():
            for message in messages:
                if message.task == "fleet.tick":
                    tick(fleet.deps, TickKey(uuid.UUID(str(message.args[0])), int(message.args[1])))
                else:
                    perform(fleet.deps, uuid.UUID(str(message.args[0])))


@pytest.mark.parametrize("hold", HOLDS)
def test_operators_hear_of_a_hold_while_it_lasts(fleet: Fleet, receiver: Receiver, heard: list[str], hold: str) -> None:
    agent = fleet.row(fleet.agent(persona_id="ai_artist"))
    hooks.create(fleet.deps, SubscriptionFields(receiver.url, ["control.*", "agent.paused"]), by="ada")
    live(fleet)
    receiver.got.clear()
    HOLDS[hold](fleet, agent.username)
    done = {job.id for job in fleet.jobs(state=JobState.DONE)}
    with fleet.deps.db.transaction() as tx:
        request = approving.propose(fleet.deps, tx, Proposal(
            resource="draft", resource_id=str(uuid.uuid4()), action="publish", payload={}, requested_by="agent:x",
            summary="A comment",
        ))  # fmt: skip
        happened = events.latest(tx, subjects=("control.*", "agent.paused"), limit=1)[0].subject
    live(fleet)
    told = [json.loads(got.body)["subject"] for got in receiver.got if got.path == "/in"]
    noticed = [json.loads(got.body)["title"] for got in receiver.got if got.path == "/n"]
    assert told == [happened]
    assert heard == [happened]
    assert "1 request waits for approval" in noticed
    assert [title for title in noticed if title in TITLES.values()] == ([TITLES[hold]] if hold in TITLES else [])
    fleet.sql("UPDATE approval_requests SET expires_at = clock_timestamp(), next_step_at = clock_timestamp()")
    live(fleet)
    assert approving.show(fleet.deps, str(request.id))[0].state == "expired"
    # The hold is still held to: no agent's job was done meanwhile, but those of what it does not cover.
    new = [
        job
        for job in fleet.jobs(state=JobState.DONE)
        if job.id not in done and not registry.current().job(job.kind).is_notice
    ]
    assert [job for job in new if job.agent_id == agent.id] == []
    assert fleet.row(agent.id).status in (AgentStatus.RUNNING, AgentStatus.PAUSED)


@pytest.mark.parametrize("kind", [DELIVER, NOTIFY, HANDLE])
def test_a_pause_of_their_own_kind_holds_notices(fleet: Fleet, receiver: Receiver, heard: list[str], kind: str) -> None:
    hooks.create(fleet.deps, SubscriptionFields(receiver.url, ["control.*"]), by="ada")
    live(fleet)
    receiver.got.clear()
    fleetwide.pause(fleet.deps, "kind", kind, by="ada")
    live(fleet)
    assert [got for got in receiver.got if got.path == "/in"] == [] or kind != DELIVER
    assert heard == [] or kind != HANDLE
    assert [got for got in receiver.got if got.path == "/n"] == [] or kind != NOTIFY
    fleetwide.resume(fleet.deps, "kind", kind, by="ada")
    fleet.time_passes()
    live(fleet)
    assert heard.count("control.paused") == 1
    assert [json.loads(got.body)["subject"] for got in receiver.got if got.path == "/in"].count("control.paused") == 1


def test_a_pause_of_the_agent_that_delivers_holds_the_position(fleet: Fleet, receiver: Receiver) -> None:
    hooks.create(fleet.deps, SubscriptionFields(receiver.url, ["control.*"]), by="ada")
    live(fleet)
    fleetwide.pause(fleet.deps, "agent", "fleet_hooks", by="ada")
    live(fleet)
    assert receiver.got == []
    fleetwide.resume(fleet.deps, "agent", "fleet_hooks", by="ada")
    live(fleet)
    assert sorted(json.loads(got.body)["subject"] for got in receiver.got if got.path == "/in") == [
        "control.paused", "control.resumed",
    ]  # fmt: skip
