"""Commands on single agents: create, start, pause, trigger, delete. Each is one transaction.

`by` is the user; it is recorded with the event.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access import audit, organisations
from fleet.accounts import service as accounts
from fleet.accounts.models import SETTINGS_ACCOUNT, key_of
from fleet.adapters import registry as adapters
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine import controls, dispatch, publish, registry, system_agents
from fleet.engine.agents import commands, loop, owners, queries
from fleet.engine.agents.commands import NewAgent, Outdated, first_tick_at
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.jobs import queries as job_queries
from fleet.engine.jobs import snooze, ticks
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.points import own_settings
from fleet.features.agents.kinds import GALLERY, creatable_kinds
from fleet.features.personas.generator import generate
from fleet.features.personas.service import personas_of, rely_on

_STOPPED = "the agent was stopped"


def draft(deps: Deps, *, username: str, name: str, persona_id: str | None, by: str, kind: str = GALLERY) -> NewAgent:
    """Return an agent to be created: with a persona's character, weights and pace, or with the defaults.

    Raises NotFound for an unknown persona, InvalidInput for a kind of agent that cannot be created.
    """
    kinds = creatable_kinds()
    if kind not in kinds:
        raise InvalidInput(f"No agent of the kind {kind!r} can be created.", fix=f"Kinds: {', '.join(kinds)}.")
    config = first_config(deps, kind)
    owner = owner_of_creator(deps, by)
    if persona_id is None:
        return NewAgent(kind=kind, name=name, username=username, config=config, owner=owner)
    persona = personas_of(deps).get(persona_id)
    return NewAgent(
        kind=kind, name=name, username=username, weights=_weights(kind, persona.weights), config=config,
        min_interval_s=persona.interval.min_s, max_interval_s=persona.interval.max_s, persona_id=persona.id,
        character=persona.character, owner=owner,
    )  # fmt: skip


def owner_of_creator(deps: Deps, by: str) -> str:
    """Return the owner of an agent that a user creates; empty if they cannot own agents."""
    with deps.db.transaction() as tx:
        return owners.of_creator(tx, by)


def possible_owners(deps: Deps) -> list[str]:
    """Return the names of the users who may own agents."""
    with deps.db.transaction() as tx:
        return owners.eligible(tx)


def first_config(deps: Deps, kind: str) -> dict[str, Any]:
    """Return the settings with which a new agent of a kind starts, where they are not the defaults."""
    found: dict[str, Any] = {}
    for hook in registry.load_all(mode.first_config for mode in registry.current().modes_of(kind)):
        found |= hook(deps)
    return found


def _weights(kind: str, weights: Mapping[str, float]) -> dict[str, float]:
    """Return the persona's weights that agents of a kind have."""
    return {name: weights[name] for name in registry.current().weights(kind, {}) if name in weights}


def create_with(deps: Deps, new: NewAgent, settings: Mapping[str, Any], *, by: str, starts: bool) -> None:
    """Create an agent with settings of its own, which it has before it starts.

    Raises as `create`, and InvalidInput for settings with which it could not live: then nothing is created.
    """
    own_settings.check(deps, new, settings)
    create(deps, new, start=starts and not settings)
    own_settings.put(deps, new.username, settings, by)
    if starts and settings:
        start(deps, new.username)


def create(deps: Deps, new: NewAgent, *, start: bool = False) -> uuid.UUID:
    """Create an agent, idle unless `start`.

    Raises NotFound (persona, surface), InvalidInput, Conflict for a taken name.
    """
    if new.persona_id is not None:
        personas_of(deps).get(new.persona_id)
    adapters.get(new.surface)
    with deps.db.transaction() as tx:
        refuse_nowhere(tx, new)
        if new.persona_id is not None:
            rely_on(deps, tx, new.persona_id)
        agent_id = commands.create(tx, new)
        audit.note(tx, "agent.created", f"agent:{new.username}", after={"name": new.name, "persona": new.persona_id})
        if start:
            commands.start(tx, agent_id, first_tick_at=first_tick_at(tx))
            audit.note(tx, "agent.started", f"agent:{new.username}")
        return agent_id


def refuse_nowhere(tx: Tx, new: NewAgent) -> None:
    """Raise InvalidInput for an agent whose surface is not that of its account; NotFound without such an account."""
    account = accounts.get(tx, key_of(new.account_id))
    if account.adapter != new.surface:
        raise InvalidInput(
            f"The account {account.name} is at {account.adapter}, not at {new.surface}.",
            fix=f"Name an account at {new.surface}; `fleet accounts list` shows them.",
        )


def through(deps: Deps, new: NewAgent, account: str) -> NewAgent:
    """Return an agent to be created that acts through a named account. Raises NotFound."""
    with deps.db.transaction() as tx:
        row = accounts.named(tx, account)
    return replace(new, surface=row.adapter, account_id=None if row.id == SETTINGS_ACCOUNT else row.id)


def within(deps: Deps, new: NewAgent, organisation: str) -> NewAgent:
    """Return an agent to be created that belongs to a named organisation. Raises NotFound."""
    with deps.db.transaction() as tx:
        return replace(new, organisation_id=organisations.named(tx, organisation).id)


def possible_organisations(deps: Deps) -> list[str]:
    """Return the names of the organisations to which an agent can belong; empty while there is one alone."""
    with deps.db.transaction() as tx:
        return organisations.choices(tx)


def seed(deps: Deps, *, count: int, seed_no: int = 0, persona_id: str | None = None, by: str,
         start: bool = False) -> list[str]:  # fmt: skip
    """Create `count` agents from the personas and return their usernames.

    The same seed on an empty database makes the same agents; a second run adds others without conflicts. Raises
    NotFound for an unknown persona.
    """
    config = first_config(deps, GALLERY)
    with deps.db.transaction() as tx:
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.seed"))))
        taken, owner = queries.usernames(tx), owners.of_creator(tx, by)
        there = queries.count(tx, AgentFilter(kind=GALLERY, include_deleted=True))
        blueprints = generate(
            personas_of(deps), personas_of(deps).names, seed=seed_no, start=there + 1, count=count,
            persona_id=persona_id, taken=taken,
        )  # fmt: skip
        for used in {one.persona_id for one in blueprints}:
            rely_on(deps, tx, used)
        for number, print_ in enumerate(blueprints):
            agent_id = commands.create(
                tx,
                NewAgent(
                    kind=GALLERY, name=print_.name, username=print_.username, persona_id=print_.persona_id,
                    character=print_.character, weights=_weights(GALLERY, print_.weights), config=config,
                    min_interval_s=print_.min_interval_s, max_interval_s=print_.max_interval_s, owner=owner,
                ),
            )  # fmt: skip
            if start:
                commands.start(tx, agent_id, first_tick_at=_staggered(tx, number))
        audit.noted(tx, len(blueprints), "agents.seeded", persona=persona_id, seed=seed_no, started=start)
    return [blueprint.username for blueprint in blueprints]


def _staggered(tx: Tx, number: int) -> datetime:
    """Return when the number-th of many agents thinks first: a little apart, so that they do not act as one."""
    return first_tick_at(tx) + timedelta(seconds=number % 60 / 4)


def update(deps: Deps, name: str, changes: Mapping[str, Any], *, seen: Collection[str] | None = None) -> None:
    """Change an agent's settings. Raises NotFound, InvalidInput.

    `seen` are the versions that the person has read: raises Outdated if the agent has another one by now.
    """
    if changes.get("persona_id") is not None:
        personas_of(deps).get(str(changes["persona_id"]))
    with deps.db.transaction() as tx:
        if changes.get("persona_id") is not None:
            rely_on(deps, tx, str(changes["persona_id"]))
        agent = loop.lock(tx, queries.named(tx, name).id)
        assert agent is not None
        if seen is not None and commands.version_of(agent) not in seen:
            raise Outdated(f"The settings of {agent.name} were changed meanwhile.", fix="Look at it again.")
        before = commands.update(tx, agent.id, changes)
        dispatch.refuse_endless_hours(
            deps, tx, agent.id, deps.settings_of(agent.id, organisation_id=agent.organisation_id)
        )
        audit.note_change(tx, "agent.updated", f"agent:{agent.username}", before, changes)


def start(deps: Deps, name: str) -> bool:
    """Set an agent going; False if it is running already. Raises NotFound, Conflict if it is paused."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name)
        if agent.status == AgentStatus.PAUSED:
            raise Conflict(f"{agent.name} is paused ({agent.pause_reason}).", fix="Resume it instead.")
        started = commands.start(tx, agent.id, first_tick_at=first_tick_at(tx))
        return audit.noted(tx, started, "agent.started", f"agent:{agent.username}")


def pause(deps: Deps, name: str, *, by: str, reason: str = "") -> bool:
    """Pause a running agent until somebody resumes it; False if it is not running."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name)
        paused = commands.pause(tx, agent.id, reason=reason or f"by {by}")
        return audit.noted(tx, paused, "agent.paused", f"agent:{agent.username}", reason=reason)


def resume(deps: Deps, name: str) -> bool:
    """Let a paused agent and its waiting jobs go on; False if it is not paused."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name)
        snooze.free_held(tx)  # jobs, then the agent: the end of an attempt locks them in this order
        resumed = commands.resume(tx, agent.id, first_tick_at=first_tick_at(tx))
        return audit.noted(tx, resumed, "agent.resumed", f"agent:{agent.username}")


def stop(deps: Deps, name: str) -> bool:
    """Stop an agent and cancel its jobs that have not started; False if it is idle already."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name)
        call_off(tx, [agent.id])
        stopped = commands.stop(tx, agent.id)
        call_off_late(tx, [agent.id])
        return audit.noted(tx, stopped, "agent.stopped", f"agent:{agent.username}")


def _no_acts() -> frozenset[str]:
    return registry.current().kinds(lambda job: not job.is_act)


def call_off(tx: Tx, agent_ids: Sequence[uuid.UUID], *, exclude: Collection[str] | None = None) -> None:
    """Cancel ticks and jobs of agents that have not started. Call it before anything locks their rows.

    Ticks, then jobs, then agents: a decision and the end of an attempt lock them in this order. Jobs of the kinds in
    `exclude` stay; by default those that are no acts of their agent.
    """
    ticks.call_off(tx, agent_ids, why=_STOPPED)
    job_queries.cancel_of_agent(tx, *agent_ids, but=_no_acts() if exclude is None else exclude)


def call_off_late(tx: Tx, agent_ids: Sequence[uuid.UUID], *, exclude: Collection[str] | None = None) -> None:
    """Cancel what was added while the transaction waited for the agents' rows, which it has locked now."""
    ticks.call_off(tx, agent_ids, why=_STOPPED, waits=False)
    job_queries.cancel_of_agent(tx, *agent_ids, but=_no_acts() if exclude is None else exclude)


def delete(deps: Deps, name: str, *, by: str) -> None:
    """Stop and hide an agent, and run the clean-up that features registered.

    Raises NotFound, Conflict for a system agent: it could never be created again.
    """
    deleting = registry.load_all(one.agent_deleting for one in registry.current())
    with deps.db.transaction() as tx:
        found = queries.named(tx, name)
        if found.kind in system_agents.kinds():
            raise Conflict(f"{found.name} runs the fleet itself, so it cannot be deleted.", fix="Stop it instead.")
        agent_id = found.id
        # Ticks and jobs, then requests, then the agent: other transactions lock them in this order.
        call_off(tx, [agent_id], exclude=())
        for hook in deleting:
            hook(deps, tx, agent_id)
        # An account that is linked at this moment is either seen here, or its link sees the deletion.
        agent = loop.lock(tx, agent_id)
        assert agent is not None
        for hook in deleting:  # requests that a job has opened since
            hook(deps, tx, agent_id)
        commands.delete(tx, agent.id)
        call_off_late(tx, [agent_id], exclude=())
        audit.note(tx, "agent.deleted", f"agent:{agent.username}")
        for hook in registry.load_all(one.agent_deleted for one in registry.current()):
            hook(deps, tx, agent, by=by)


def actions_of(agent: AgentRow) -> tuple[str, ...]:
    """Return the actions that a person can ask of an agent."""
    return registry.current().actions(agent.kind, agent.autonomy)


def trigger(deps: Deps, name: str, *, action: str | None, by: str) -> TickKey:
    """Wake an agent now, perhaps for one action; return the tick that decides.

    The tick passes the same ledger, caps and controls as every other. Raises InvalidInput for an unknown action,
    Conflict when the agent is paused or is making a decision.
    """
    if action is not None and action not in registry.current().all_actions():
        known = dict.fromkeys(name for one in registry.current().agents.values() for name in one.actions)
        raise InvalidInput(f"There is no action {action!r}.", fix=f"Actions: {', '.join(known)}.")
    with deps.db.transaction() as tx:
        agent_id = queries.named(tx, name).id
        # The tick, then the agent: decisions and cancellations lock them in this order.
        key = ticks.ask(tx, agent_id, asked_for=action, requested_by=by)
        agent = loop.lock(tx, agent_id)
        assert agent is not None
        if action is not None and not actions_of(agent):
            raise InvalidInput(f"{agent.name} does its own work and no {action}.", fix="Wake it without an action.")
        _refuse_held(tx, agent)
        if key is None:
            key = TickKey(agent.id, agent.tick_no + 1)
            # An insert would wait for the transaction that ends an open tick, which may wait for our lock on the agent.
            is_open = ticks.with_open_tick(tx, [TickKey(agent.id, agent.tick_no)])
            if is_open or not ticks.open_asked(tx, key, tx.now(), asked_for=action, requested_by=by):
                raise Conflict(f"{agent.name} is deciding something right now.", fix="Try again in a moment.")
            agent.tick_no = key.tick_no
        events.emit(tx, "agent.triggered", agent_id=agent.id, agent=agent.name, action=action, by=by)
        audit.note(tx, "agent.triggered", f"agent:{agent.username}", after={"action": action, "tick": key.tick_no})
        opened = key
        tx.afterwards(lambda: publish.ring_ticks(deps.publisher, [opened], queue="high"))
    return opened


def _refuse_held(tx: Tx, agent: AgentRow) -> None:
    if agent.status in (AgentStatus.PAUSED, AgentStatus.ERROR):
        fix = "Resume it first." if agent.status == AgentStatus.PAUSED else "Start it again first."
        raise Conflict(f"{agent.name} is {agent.status} ({agent.pause_reason}).", fix=fix)
    hold = system_agents.hold_on(controls.in_force(tx), agent)
    if hold is not None:
        raise Conflict(f"Nothing may act now: {hold.words()}.", fix="Lift it first.")


def list_agents(deps: Deps, which: AgentFilter, *, limit: int = 20, offset: int = 0) -> tuple[list[AgentRow], int]:
    """Return a page of agents by username, and how many there are in all. Raises NotFound for an unknown persona."""
    with deps.db.transaction() as tx:
        rows, total = queries.page(tx, which, limit=limit, offset=offset)
        if not total:
            refuse_unknown(deps, tx, which)
        return rows, total


def refuse_unknown(deps: Deps, tx: Tx, which: AgentFilter) -> None:
    """Raise NotFound for a persona with neither a file nor an agent: a typing error must not select no agents
    silently.
    """
    if which.persona_id is None or which.persona_id in personas_of(deps):
        return
    if not queries.count(tx, AgentFilter(persona_id=which.persona_id, include_deleted=True)):
        personas_of(deps).get(which.persona_id)
