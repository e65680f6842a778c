"""Start, pause, resume or stop many agents at once: a list of them, or all that match a filter.

Called by entry points. `count` returns the number of agents beforehand, `act` afterwards. Each batch is a transaction
of its own, so that rows are locked briefly in a fleet of any size. After a failure, a second call does the rest.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fleet.access import audit
from fleet.core.db import Tx
from fleet.engine.agents import commands, owners, queries
from fleet.engine.agents.commands import first_tick_at
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.jobs import snooze
from fleet.features.agents import commands as agent_commands
from fleet.features.personas.service import personas_of

_BATCH = 1000


class BulkAction(StrEnum):
    """An action on many agents."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


MOVES: Mapping[BulkAction, tuple[AgentStatus, ...]] = {
    BulkAction.START: (AgentStatus.IDLE, AgentStatus.ERROR),
    BulkAction.PAUSE: (AgentStatus.RUNNING,),
    BulkAction.RESUME: (AgentStatus.PAUSED,),
    BulkAction.STOP: commands.AWAKE,
}
"""The statuses that an action changes. A pause without an end also changes agents whose pause has an end."""

_DONE = {
    BulkAction.START: "agents.started", BulkAction.PAUSE: "agents.paused", BulkAction.RESUME: "agents.resumed",
    BulkAction.STOP: "agents.stopped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """The agents that match, or of these only the ones with these usernames. Deleted ones are never among them."""

    which: AgentFilter
    usernames: tuple[str, ...] | None = None


def count(deps: Deps, selection: Selection, action: BulkAction) -> tuple[int, int]:
    """Return how many agents a selection has, and how many of them an action would change."""
    with deps.db.transaction() as tx:
        there = queries.size(tx, selection.which, tuple(AgentStatus), usernames=selection.usernames)
        return there, queries.size(
            tx, selection.which, MOVES[action], usernames=selection.usernames, sleepers=action is BulkAction.PAUSE
        )  # fmt: skip


def size(deps: Deps, selection: Selection) -> int:
    """Return how many agents a selection has."""
    with deps.db.transaction() as tx:
        return queries.size(tx, selection.which, tuple(AgentStatus), usernames=selection.usernames)


def possible_owners(deps: Deps) -> list[str]:
    """Return the names of the users who may own agents."""
    with deps.db.transaction() as tx:
        return owners.eligible(tx)


def act(deps: Deps, selection: Selection, action: BulkAction, *, by: str, reason: str = "") -> int:
    """Apply an action to each agent of a selection whose status it changes; return how many."""
    done, last = 0, None
    while True:
        with deps.db.transaction() as tx:
            if action is BulkAction.STOP:  # before their rows are locked
                agent_commands.call_off(tx, _next(tx, selection, action, last, lock=False))
            batch = _next(tx, selection, action, last)
            moved = _move(tx, batch, action, reason or f"by {by}")
            if moved:
                audit.note(tx, _DONE[action], "agents", after={"number": moved, "reason": reason, **_told(selection)})
        done += moved
        if len(batch) < _BATCH:
            break
        last = batch[-1]
    if action is BulkAction.RESUME:
        with deps.db.transaction() as tx:
            snooze.free_held(tx)
    return done


def _next(
    tx: Tx, selection: Selection, action: BulkAction, last: uuid.UUID | None, *, lock: bool = True
) -> list[uuid.UUID]:
    return queries.next_ids(
        tx, selection.which, MOVES[action], usernames=selection.usernames, sleepers=action is BulkAction.PAUSE,
        after=last, limit=_BATCH, lock=lock,
    )  # fmt: skip


def act_on_all(deps: Deps, action: BulkAction, *, persona_id: str | None = None, by: str, reason: str = "") -> int:
    """Apply an action to every agent, or to those of one persona; return how many changed. Raises NotFound."""
    return act(deps, all_of(deps, action, persona_id), action, by=by, reason=reason)


def all_of(deps: Deps, action: BulkAction, persona_id: str | None) -> Selection:
    """Return every agent that an action is for, or those of one persona. Raises NotFound for an unknown persona.

    Only idle ones are started: an agent in error needs a person first.
    """
    if persona_id is not None:
        personas_of(deps).get(persona_id)
    status = AgentStatus.IDLE if action is BulkAction.START else None
    return Selection(AgentFilter(persona_id=persona_id, status=status))


def assign(deps: Deps, selection: Selection, owner: str) -> int:
    """Give each agent of a selection an owner, empty for none; return how many had another one.

    Raises InvalidInput for a user who cannot own agents.
    """
    done, last = 0, None
    while True:
        with deps.db.transaction() as tx:
            name = owners.check(tx, owner)
            batch = queries.next_ids(
                tx, selection.which, tuple(AgentStatus), usernames=selection.usernames, after=last, limit=_BATCH
            )
            moved = owners.assign(tx, batch, name)
            audit.noted(tx, moved, "agents.assigned", "agents", new_owner=name, **_told(selection))
        done += moved
        if len(batch) < _BATCH:
            return done
        last = batch[-1]


def _move(tx: Tx, agent_ids: Sequence[uuid.UUID], action: BulkAction, reason: str) -> int:
    match action:
        case BulkAction.START:
            return commands.start_these(tx, agent_ids, first_tick_at=first_tick_at(tx))
        case BulkAction.PAUSE:
            return commands.pause_these(tx, agent_ids, reason=reason)
        case BulkAction.RESUME:
            return commands.resume_these(tx, agent_ids, first_tick_at=first_tick_at(tx))
        case BulkAction.STOP:
            stopped = commands.stop_these(tx, agent_ids)
            agent_commands.call_off_late(tx, agent_ids)
            return stopped


def _told(selection: Selection) -> dict[str, object]:
    """Return the selection as the audit log records it."""
    if selection.usernames is not None:
        return {"usernames": selection.usernames}
    names = ("status", "persona_id", "text", "kind", "autonomy", "owner")
    return {name: value for name in names if (value := getattr(selection.which, name)) is not None}
