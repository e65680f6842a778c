"""Verbs about single agents and jobs that doors call: create, start, trigger, replay. Each is one transaction.

`by` is who asks; it is recorded with what follows.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.access import audit
from fleet.adapters import registry as adapters
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.core.events import Event, Position
from fleet.engine import controls, publish, registry, system_agents, ticks
from fleet.engine.agents import commands, loop, queries
from fleet.engine.agents.commands import NewAgent, Outdated, first_tick_at
from fleet.engine.agents.models import AgentRow, Status
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger, lists, snooze
from fleet.engine.jobs import queries as job_queries
from fleet.engine.jobs.ledger import Ring
from fleet.engine.jobs.lists import Listed
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.queries import Filter as JobFilter
from fleet.engine.ticks import TickKey
from fleet.features.approvals import service as approving
from fleet.features.personas.service import personas_of
from fleet.features.publishing.handlers import account
from fleet.features.publishing.rules import ACTIONS, SCAN

AgentFilter = queries.Filter
DEFAULT_WEIGHTS = {"post": 0.3, "comment": 0.4, "like": 0.5, "browse": 0.3}
"""What an agent without a persona does."""
_STOPPED = "the agent was stopped"


@dataclass(frozen=True, slots=True)
class Named:
    """What people call an agent."""

    username: str
    name: str
    persona_id: str | None


Names = Mapping[uuid.UUID, Named]


def names(deps: Deps, agent_ids: Iterable[uuid.UUID | None]) -> Names:
    """Return what these agents are called, deleted ones too; ids that are no agent's are left out."""
    if not (wanted := {agent_id for agent_id in agent_ids if agent_id is not None}):
        return {}
    query = sa.select(AgentRow.id, AgentRow.username, AgentRow.name, AgentRow.persona_id)
    with deps.db.transaction() as tx:
        return {row[0]: Named(*row[1:]) for row in tx.execute(query.where(AgentRow.id.in_(wanted)))}


def draft(deps: Deps, *, username: str, name: str, persona_id: str | None, by: str) -> NewAgent:
    """Return an agent to be created: with a persona's character, weights and pace, or with the defaults.

    Raises NotFound for an unknown persona.
    """
    heeds = deps.settings.sandbox  # the gallery in the box holds agents alone
    if persona_id is None:
        return NewAgent(name=name, username=username, weights=DEFAULT_WEIGHTS, owner=by, heeds_agents=heeds)
    persona = personas_of(deps).get(persona_id)
    return NewAgent(
        name=name, username=username, weights={n: getattr(persona.weights, n) for n in commands.WEIGHT_NAMES},
        min_interval_s=persona.interval.min_s, max_interval_s=persona.interval.max_s, persona_id=persona.id,
        personality=persona.personality, vibe=persona.vibe, interests=persona.interests, owner=by,
        heeds_agents=heeds,
    )  # fmt: skip


def create(deps: Deps, new: NewAgent) -> uuid.UUID:
    """Create an idle agent. Raises NotFound (persona, surface), InvalidInput, Conflict for a taken name."""
    if new.persona_id is not None:
        personas_of(deps).get(new.persona_id)
    adapters.check(new.surface)
    with deps.db.transaction() as tx:
        agent_id = commands.create(tx, new)
        audit.note(tx, "agent.created", f"agent:{new.username}", after={"name": new.name, "persona": new.persona_id})
        return agent_id


def update(deps: Deps, name: str, changes: Mapping[str, Any], *, seen: Collection[str] | None = None) -> None:
    """Change an agent's settings. Raises NotFound, InvalidInput.

    `seen` are the versions that the person knows: raises Outdated if the agent has another one by now.
    """
    if changes.get("persona_id") is not None:
        personas_of(deps).get(str(changes["persona_id"]))
    with deps.db.transaction() as tx:
        agent = loop.lock(tx, queries.named(tx, name).id)
        assert agent is not None
        if seen is not None and commands.version_of(agent) not in seen:
            raise Outdated(f"The settings of {agent.name} were changed meanwhile.", fix="Look at it again.")
        before = commands.update(tx, agent.id, changes)
        audit.note_change(tx, "agent.updated", f"agent:{agent.username}", before, changes)


def start(deps: Deps, name: str) -> bool:
    """Set an agent going; False if it is running already. Raises NotFound, Conflict if it is paused."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name)
        if agent.status == Status.PAUSED:
            raise Conflict(f"{agent.name} is paused ({agent.pause_reason}).", fix="Resume it instead.")
        started = commands.start(tx, agent.id, first_tick_at=first_tick_at(tx))
        return audit.noted(tx, started, "agent.started", f"agent:{agent.username}")


def pause(deps: Deps, name: str, *, by: str, reason: str = "") -> bool:
    """Let a running agent rest until somebody resumes it; False if it is not running."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name)
        paused = commands.pause(tx, agent.id, reason=reason or f"by {by}")
        return audit.noted(tx, paused, "agent.paused", f"agent:{agent.username}", reason=reason)


def resume(deps: Deps, name: str) -> bool:
    """Let a paused agent and its waiting jobs go on; False if it is not paused."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name)
        snooze.free_held(tx)  # jobs, then the agent: whoever ends an attempt takes them in this order
        resumed = commands.resume(tx, agent.id, first_tick_at=first_tick_at(tx))
        return audit.noted(tx, resumed, "agent.resumed", f"agent:{agent.username}")


def stop(deps: Deps, name: str) -> bool:
    """Send an agent home and call off what it had not begun; False if it is idle already."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name)
        call_off(tx, [agent.id])
        stopped = commands.stop(tx, agent.id)
        call_off_late(tx, [agent.id])
        return audit.noted(tx, stopped, "agent.stopped", f"agent:{agent.username}")


def _no_acts() -> frozenset[str]:
    return registry.current().kinds(lambda job: not job.is_act)


def call_off(tx: Tx, agent_ids: Sequence[uuid.UUID], *, but: Collection[str] | None = None) -> None:
    """Call off what agents have not begun. To be called before anything locks their rows.

    Ticks, then jobs, then agents: whoever records a decision or ends an attempt takes them in this order. Jobs of the
    kinds in `but` stay; by default those that are no acts of their agent.
    """
    ticks.call_off(tx, agent_ids, why=_STOPPED)
    job_queries.cancel_of_agent(tx, *agent_ids, but=_no_acts() if but is None else but)


def call_off_late(tx: Tx, agent_ids: Sequence[uuid.UUID], *, but: Collection[str] | None = None) -> None:
    """Call off what came while a transaction that stops agents waited for their rows, which it has now."""
    ticks.call_off(tx, agent_ids, why=_STOPPED, waits=False)
    job_queries.cancel_of_agent(tx, *agent_ids, but=_no_acts() if but is None else but)


def delete(deps: Deps, name: str, *, by: str) -> None:
    """Stop and hide an agent, take its requests back, and have its account on the surface removed.

    Raises NotFound, Conflict for one that runs the fleet itself: nobody could ever bring it back.
    """
    with deps.db.transaction() as tx:
        found = queries.named(tx, name)
        if found.kind != "gallery":
            raise Conflict(f"{found.name} runs the fleet itself, so it cannot be deleted.", fix="Stop it instead.")
        agent_id = found.id
        # What it has not begun, then requests, then the agent: whoever records or decides takes them in this order.
        call_off(tx, [agent_id], but=())
        approving.take_back_all(deps, tx, agent_id, "its agent was deleted")
        agent = loop.lock(tx, agent_id)  # an account that arrives at this moment is seen here, or sees that we are gone
        assert agent is not None
        approving.take_back_all(deps, tx, agent_id, "its agent was deleted")  # what a scan has opened since
        commands.delete(tx, agent.id)
        call_off_late(tx, [agent_id], but=())
        audit.note(tx, "agent.deleted", f"agent:{agent.username}")
        if agent.remote_account is not None:
            removal = account.removal(agent, ids.job(agent.id, agent.tick_no, -1), by=by)
            _ring(deps, tx, ledger.add(tx, [removal]))


def trigger(deps: Deps, name: str, *, action: str | None, by: str) -> TickKey:
    """Wake an agent now, perhaps for one action; return the tick that decides.

    It goes through the same ledger, caps and switches as every tick. Raises InvalidInput for an unknown action,
    Conflict when the agent is paused, held or at work on a decision.
    """
    if action is not None and action not in (*ACTIONS, SCAN):
        raise InvalidInput(f"There is no action {action!r}.", fix=f"Actions: {', '.join(ACTIONS)}.")
    with deps.db.transaction() as tx:
        agent_id = queries.named(tx, name).id
        # The tick, then the agent: whoever decides or calls off takes them in this order.
        key = ticks.ask(tx, agent_id, asked_for=action, requested_by=by)
        agent = loop.lock(tx, agent_id)
        assert agent is not None
        if action is not None and agent.kind != "gallery":
            raise InvalidInput(f"{agent.name} does its own work and no {action}.", fix="Wake it without an action.")
        _refuse_held(tx, agent)
        if key is None:
            key = TickKey(agent.id, agent.tick_no + 1)
            # An insert would wait for whoever ends an open one, who may be waiting for the agent's row that we hold.
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
    if agent.status in (Status.PAUSED, Status.ERROR):
        fix = "Resume it first." if agent.status == Status.PAUSED else "Start it again first."
        raise Conflict(f"{agent.name} is {agent.status} ({agent.pause_reason}).", fix=fix)
    hold = system_agents.hold_on(controls.in_force(tx), agent)
    if hold is not None:
        raise Conflict(f"Nothing may act now: {hold.words()}.", fix="Lift it first.")


def get_agent(deps: Deps, name: str, *, include_deleted: bool = False) -> AgentRow:
    """Return one agent by username or id. Raises NotFound."""
    with deps.db.transaction() as tx:
        return queries.named(tx, name, include_deleted=include_deleted)


def list_agents(deps: Deps, which: AgentFilter, *, limit: int = 20, offset: int = 0) -> tuple[list[AgentRow], int]:
    """Return a page of agents by username, and how many there are in all. Raises NotFound for an unknown persona."""
    with deps.db.transaction() as tx:
        rows, total = queries.page(tx, which, limit=limit, offset=offset)
        if not total:
            refuse_unknown(deps, tx, which)
        return rows, total


def refuse_unknown(deps: Deps, tx: Tx, which: AgentFilter) -> None:
    """Raise NotFound for a persona that has neither a file nor an agent: a typing error must not look like nobody."""
    if which.persona_id is None or which.persona_id in personas_of(deps):
        return
    if not queries.count(tx, AgentFilter(persona_id=which.persona_id, include_deleted=True)):
        personas_of(deps).get(which.persona_id)


def activity(deps: Deps, *, name: str | None = None, job_id: uuid.UUID | None = None, subjects: Sequence[str] = (),
             but: Sequence[str] = (), since: datetime | None = None, before: int | None = None, limit: int = 50,
             offset: int = 0) -> list[Event]:  # fmt: skip
    """Return what happened, newest first; `before` is the id of the last event of the page above.

    `but` are the subjects that are left out.
    """
    with deps.db.transaction() as tx:
        agent_id = queries.named(tx, name, include_deleted=True).id if name else None
        return events.latest(
            tx, agent_id=agent_id, job_id=job_id, subjects=tuple(subjects), but=but, since=since, before=before,
            limit=limit, offset=offset,
        )  # fmt: skip


def activity_from_now(deps: Deps) -> Position:
    """Return the position from which `activity_after` sees only what is yet to come."""
    with deps.db.transaction() as tx:
        return events.tail_position(tx)


def activity_after(deps: Deps, position: Position, *, but: Sequence[str] = (), limit: int = 500) -> list[Event]:
    """Return what happened after a position, oldest first; nothing is missed or told twice. `but` are left out."""
    with deps.db.transaction() as tx:
        return events.read_after(tx, position, but=but, limit=limit)


def list_jobs(deps: Deps, which: JobFilter, *, before: str | None = None, limit: int = 50,
              offset: int = 0, counted: bool = True) -> tuple[list[Listed], int | None]:  # fmt: skip
    """Return a page of jobs, newest first, and how many there are in all, or None for very many, or if not `counted`.

    `before` is the id of the last job of the page above, or its beginning. Raises NotFound, InvalidInput.
    """
    with deps.db.transaction() as tx:
        above = job_queries.resolve_prefix(tx, before) if before else None
        if not counted:
            return lists.find(tx, which, limit=limit, offset=offset, before=above), None
        return lists.page(tx, which, limit=limit, offset=offset, before=above)


def show_job(deps: Deps, prefix: str) -> tuple[JobRow, list[AttemptRow]]:
    """Return a job by its id or the beginning of it, with its attempts. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        job_id = job_queries.resolve_prefix(tx, prefix)
        return job_queries.get(tx, job_id), job_queries.attempts_of(tx, job_id)


def retry_job(deps: Deps, prefix: str) -> uuid.UUID:
    """Make a waiting job due at once. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        job_id = job_queries.resolve_prefix(tx, prefix)
        ring = job_queries.retry_now(tx, job_id, settle_s=deps.settings.settle_s)
        agent_id = job_queries.get(tx, ring.job_id).agent_id
        events.emit(tx, "job.retried", agent_id=agent_id, job_id=ring.job_id, kind=ring.kind)
        audit.note(tx, "job.retried", f"job:{ring.job_id}")
        _ring(deps, tx, [ring])
        return ring.job_id


def cancel_job(deps: Deps, prefix: str, *, by: str) -> uuid.UUID:
    """Call off a job that nobody has begun. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        job_id = job_queries.resolve_prefix(tx, prefix)
        job_queries.cancel(tx, job_id)
        events.emit(tx, "job.cancelled", agent_id=job_queries.get(tx, job_id).agent_id, job_id=job_id, by=by)
        audit.note(tx, "job.cancelled", f"job:{job_id}")
        return job_id


def replay_dead(deps: Deps, which: JobFilter, *, by: str, allow_stale: bool = False, limit: int = 1000) -> int:
    """Bring at most `limit` dead letters back to life; return how many. Doing it twice brings none back twice."""
    with deps.db.transaction() as tx:
        number = bring_back(deps, tx, which, by=by, allow_stale=allow_stale, limit=limit)
        return audit.noted(tx, number, "dead.replayed", **_told(which), allow_stale=allow_stale or None)


def bring_back(deps: Deps, tx: Tx, which: JobFilter, *, by: str, allow_stale: bool, limit: int = 1000) -> int:
    """Bring dead letters back to life, tell of it, and ring once that stands; return how many."""
    rings = job_queries.replay(tx, which, allow_stale=allow_stale, limit=limit)
    told = [{"subject": "job.replayed", "agent_id": None, "job_id": ring.job_id,
             "payload": {"kind": ring.kind, "by": by}} for ring in rings]  # fmt: skip
    events.emit_many(tx, told)
    _ring(deps, tx, rings)
    return len(rings)


def discard_dead(deps: Deps, which: JobFilter, *, by: str, limit: int = 1000) -> int:
    """Put at most `limit` dead letters away for good, keeping their rows; return how many."""
    with deps.db.transaction() as tx:
        number = job_queries.discard(tx, which, limit=limit)
        if number:
            events.emit(tx, "job.discarded", number=number, by=by)
        return audit.noted(tx, number, "dead.discarded", **_told(which))


def _told(which: JobFilter) -> dict[str, Any]:
    """Return a filter's fields that filter something."""
    return {name: value for name in which.__slots__ if (value := getattr(which, name)) not in (None, (), [])}


def _ring(deps: Deps, tx: Tx, rings: Sequence[Ring]) -> None:
    tx.afterwards(lambda: publish.ring_jobs(deps.publisher, rings))
