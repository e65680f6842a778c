"""What a person does to many agents at once: start, pause, resume or stop those that were chosen, or all that match.

Called by doors. How many there are is said beforehand (`count`) and afterwards (`act`). A crowd is moved in batches of
their own transactions, so that a fleet of any size holds nobody's rows for long; doing it again does the rest.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fleet.access import audit
from fleet.core.db import Tx
from fleet.engine.agents import commands, queries
from fleet.engine.agents.commands import first_tick_at
from fleet.engine.agents.models import Status
from fleet.engine.deps import Deps
from fleet.engine.jobs import snooze
from fleet.features.agents import commands as people
from fleet.features.agents.commands import AgentFilter
from fleet.features.personas.service import personas_of

_BATCH = 1000


class Deed(StrEnum):
    """What is done to them."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


MOVES: Mapping[Deed, tuple[Status, ...]] = {
    Deed.START: (Status.IDLE, Status.ERROR),
    Deed.PAUSE: (Status.RUNNING,),
    Deed.RESUME: (Status.PAUSED,),
    Deed.STOP: commands.AWAKE,
}
"""Whom a deed moves; all others stay as they are. A pause without an end also takes those that rest for a while."""

_DONE = {
    Deed.START: "agents.started", Deed.PAUSE: "agents.paused", Deed.RESUME: "agents.resumed",
    Deed.STOP: "agents.stopped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crowd:
    """The agents that match, or of these only the ones with these usernames. Deleted ones are never among them."""

    which: AgentFilter
    usernames: tuple[str, ...] | None = None


def count(deps: Deps, crowd: Crowd, deed: Deed) -> tuple[int, int]:
    """Return how many agents a crowd has, and how many of them a deed would move."""
    with deps.db.transaction() as tx:
        there = queries.size(tx, crowd.which, tuple(Status), usernames=crowd.usernames)
        return there, queries.size(
            tx, crowd.which, MOVES[deed], usernames=crowd.usernames, sleepers=deed is Deed.PAUSE
        )  # fmt: skip


def act(deps: Deps, crowd: Crowd, deed: Deed, *, by: str, reason: str = "") -> int:
    """Do something to each agent of a crowd that it moves; return how many those were."""
    done, last = 0, None
    while True:
        with deps.db.transaction() as tx:
            if deed is Deed.STOP:  # before their rows are locked
                people.call_off(tx, _next(tx, crowd, deed, last, lock=False))
            batch = _next(tx, crowd, deed, last)
            moved = _move(tx, batch, deed, reason or f"by {by}")
            if moved:
                audit.note(tx, _DONE[deed], "agents", after={"number": moved, "reason": reason, **_told(crowd)})
        done += moved
        if len(batch) < _BATCH:
            break
        last = batch[-1]
    if deed is Deed.RESUME:
        with deps.db.transaction() as tx:
            snooze.free_held(tx)
    return done


def _next(tx: Tx, crowd: Crowd, deed: Deed, last: uuid.UUID | None, *, lock: bool = True) -> list[uuid.UUID]:
    return queries.next_ids(
        tx, crowd.which, MOVES[deed], usernames=crowd.usernames, sleepers=deed is Deed.PAUSE, after=last, limit=_BATCH,
        lock=lock,
    )  # fmt: skip


def act_on_all(deps: Deps, deed: Deed, *, persona_id: str | None = None, by: str, reason: str = "") -> int:
    """Do something to every agent, or to those of one persona; return how many moved.

    Only idle ones are started: one in error has broken, and is looked at first. Raises NotFound for a persona that
    nobody knows.
    """
    if persona_id is not None:
        personas_of(deps).get(persona_id)
    status = Status.IDLE if deed is Deed.START else None
    return act(deps, Crowd(AgentFilter(persona_id=persona_id, status=status)), deed, by=by, reason=reason)


def _move(tx: Tx, agent_ids: Sequence[uuid.UUID], deed: Deed, reason: str) -> int:
    match deed:
        case Deed.START:
            return commands.start_these(tx, agent_ids, first_tick_at=first_tick_at(tx))
        case Deed.PAUSE:
            return commands.pause_these(tx, agent_ids, reason=reason)
        case Deed.RESUME:
            return commands.resume_these(tx, agent_ids, first_tick_at=first_tick_at(tx))
        case Deed.STOP:
            stopped = commands.stop_these(tx, agent_ids)
            people.call_off_late(tx, agent_ids)
            return stopped


def _told(crowd: Crowd) -> dict[str, object]:
    """Return whom it was about, as the audit log keeps it."""
    if crowd.usernames is not None:
        return {"usernames": crowd.usernames}
    names = ("status", "persona_id", "text", "kind", "autonomy")
    return {name: value for name in names if (value := getattr(crowd.which, name)) is not None}
