"""What the agent of the hooks does with a moment: which events go to whom, and how far it has read then. Pure.

Called by `fleet.runtime.minds.hooks`. What that agent does itself is told to nobody: each telling would be told.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fleet.core.subjects import matches

MOST_DELIVERIES = 2000
"""In one tick; the next one follows at once where more waits."""

Place = tuple[int, int]
"""A position: the transaction's id and the event's."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, as far as it matters who wants it."""

    at: Place
    subject: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Listener:
    """A subscription that is switched on."""

    id: uuid.UUID
    subjects: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A subscriber in code: where it stands, how far was looked, whether anything up to there is for it."""

    name: str
    at: Place
    reached: Place
    wanted: bool
    busy: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """All that a decision rests on. `events` are what somebody may want between `at` and `reached`."""

    at: Place
    reached: Place
    full: bool
    events: tuple[Happened, ...] = ()
    listeners: tuple[Listener, ...] = ()
    subscribers: tuple[Waiting, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whom to tell of what, how far that reaches, which subscribers have work, and which only move on."""

    deliveries: tuple[tuple[uuid.UUID, Place], ...]
    at: Place
    reached: Place
    more: bool
    calls: tuple[str, ...] = ()
    moves: tuple[tuple[str, Place, Place], ...] = ()

    @property
    def action(self) -> str | None:
        """What the agent is about to do, if anything."""
        return "deliveries" if self.deliveries else "events" if self.calls else None

    @property
    def thought(self) -> str:
        """What it thinks: nothing, since that would be news in its turn."""
        return ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data for the decision log."""
        return {
            "action": self.action,
            "deliveries": {str(one): number for one, number in Counter(one for one, _ in self.deliveries).items()},
            "reached": list(self.reached),
            "more": self.more,
            "calls": list(self.calls),
        }


def decide(moment: Moment, dice: random.Random) -> Decision:  # noqa: ARG001 - nothing here is left to chance
    """Match events and listeners, in order, until there is enough for one tick."""
    deliveries: list[tuple[uuid.UUID, Place]] = []
    reached, more = moment.reached, moment.full
    done = moment.at
    for event in moment.events:
        wanted = [(one.id, event.at) for one in moment.listeners if _is_for(one, event)]
        if deliveries and len(deliveries) + len(wanted) > MOST_DELIVERIES:
            reached, more = done, True
            break
        deliveries += wanted
        done = event.at
    calls = tuple(one.name for one in moment.subscribers if one.wanted and not one.busy)
    moves = tuple(
        (one.name, one.at, one.reached)
        for one in moment.subscribers
        if not one.wanted and not one.busy and one.reached > one.at
    )
    return Decision(tuple(deliveries), moment.at, reached, more, calls, moves)


def _is_for(listener: Listener, event: Happened) -> bool:
    return event.occurred_at >= listener.since and any(matches(event.subject, one) for one in listener.subjects)


def to_data(moment: Moment) -> dict[str, Any]:
    """Return a moment as JSON-ready data for the decision log."""
    return {
        "at": list(moment.at), "reached": list(moment.reached), "full": moment.full,
        "events": [[*one.at, one.subject, one.occurred_at.isoformat()] for one in moment.events],
        "listeners": [[str(one.id), list(one.subjects), one.since.isoformat()] for one in moment.listeners],
        "subscribers": [asdict(one) for one in moment.subscribers],
    }  # fmt: skip


def from_data(data: Mapping[str, Any]) -> Moment:
    """Return the moment that `to_data` wrote down."""
    return Moment(
        _place(data["at"]), _place(data["reached"]), data["full"],
        tuple(Happened((txid, id_), what, datetime.fromisoformat(at)) for txid, id_, what, at in data["events"]),
        tuple(Listener(uuid.UUID(id_), tuple(what), datetime.fromisoformat(at)) for id_, what, at in data["listeners"]),
        tuple(
            Waiting(**{**one, "at": _place(one["at"]), "reached": _place(one["reached"])})
            for one in data["subscribers"]
        ),
    )  # fmt: skip


def _place(data: Any) -> Place:
    txid, id_ = data
    return txid, id_
