"""What other features register for agents: hooks of their deletion, actions, and names that nobody may choose."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from fleet.access.roles import Role
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.registry import AgentMode, AgentType, Feature, Registry
from fleet.features.agents import commands as agent_commands
from fleet.features.users import invite
from tests.factories import Fleet


def use(monkeypatch: pytest.MonkeyPatch, feature: Feature) -> None:
    monkeypatch.setattr(registry, "_active", Registry([feature]))


def test_features_end_what_waits_for_an_agent_and_then_do_what_its_deletion_leaves(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, ...]] = []

    def deleting(_: Any, tx: Tx, agent_id: uuid.UUID) -> None:
        locked = tx.session.get(AgentRow, agent_id)
        calls.append(("deleting", agent_id, locked is not None and locked.deleted_at is None))

    def deleted(_: Any, tx: Tx, agent: AgentRow, *, by: str) -> None:
        tx.session.refresh(agent)
        calls.append(("deleted", agent.id, agent.deleted_at is not None, by))

    use(monkeypatch, Feature(name="x", agent_deleting=deleting, agent_deleted=deleted))
    agent = fleet.agent(username="ada_1")
    agent_commands.delete(fleet.deps, "ada_1", by="bob")
    assert calls == [("deleting", agent, True), ("deleting", agent, True), ("deleted", agent, True, "bob")]


def test_a_failed_hook_leaves_the_agent_as_it_was(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def deleted(*_: Any, **__: Any) -> None:
        raise InvalidInput("Not now.")

    use(monkeypatch, Feature(name="x", agent_deleted=deleted))
    fleet.agent(username="ada_1")
    with pytest.raises(InvalidInput, match="Not now"):
        agent_commands.delete(fleet.deps, "ada_1", by="bob")
    assert lookup.agent(fleet.deps.db, "ada_1").status == "running"


def test_the_type_of_an_agent_says_what_it_can_be_asked_to_do(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = AgentType(kind="gallery", behaviour=None, actions=("wave",))
    mode = AgentMode(kind="gallery", name="supervised", behaviour=None, actions=("look",))
    use(monkeypatch, Feature(name="x", agents=(kind,), modes=(mode,)))
    fleet.agent(username="ada_1")
    with pytest.raises(InvalidInput, match="There is no action 'post'") as refused:
        agent_commands.trigger(fleet.deps, "ada_1", action="post", by="bob")
    assert refused.value.fix == "Actions: wave."
    assert agent_commands.trigger(fleet.deps, "ada_1", action="wave", by="bob").tick_no == 1


def test_a_feature_refuses_a_name_that_an_invited_person_chooses(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any, name: str) -> None:
        if name == "root":
            raise InvalidInput("That name is taken by a rule.")

    use(monkeypatch, Feature(name="x", refuse_name=refuse))
    key, _ = invite.invite(fleet.deps, Role.VIEWER)
    with pytest.raises(InvalidInput, match="taken by a rule"):
        invite.join(fleet.deps, key, "root", "a long enough password")
    assert invite.join(fleet.deps, key, "rosa", "a long enough password").name == "rosa"
