"""The decision of the webhook agent: deliveries of events to subscriptions, and the new position. Pure.

Called by `fleet.features.webhooks.agent`. Delivery events are not delivered to webhooks; that would loop.
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
    """The parts of an event that select its receivers."""

    at: Place
    subject: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class ActiveSubscription:
    """A subscription that is switched on. `room`: how many more deliveries may be added for it."""

    id: uuid.UUID
    subjects: tuple[str, ...]
    since: datetime
    room: int

    def wants(self, event: Happened) -> bool:
        """Say whether an event is for it."""
        return event.occurred_at >= self.since and any(matches(event.subject, one) for one in self.subjects)


@dataclass(frozen=True, slots=True)
class Laggard:
    """A subscription that is behind: its events after its own position, and how far they were read.

    `events` are no more than there is room for. `caught_up`: it has read all up to the common position.
    """

    id: uuid.UUID
    events: tuple[Place, ...]
    reached: Place
    caught_up: bool


@dataclass(frozen=True, slots=True)
class WaitingSubscriber:
    """A subscriber in code: its position, how far was read, and whether any event up to there is for it."""

    name: str
    at: Place
    reached: Place
    wanted: bool
    busy: bool


@dataclass(frozen=True, slots=True)
class EventObservation:
    """All inputs of a decision. `events` are those between `at` and `reached` that some listener may want.

    `laggards` are the subscriptions that are behind and have room; `listeners` leaves out those that have none.
    """

    at: Place
    reached: Place
    full: bool
    events: tuple[Happened, ...] = ()
    listeners: tuple[ActiveSubscription, ...] = ()
    subscribers: tuple[WaitingSubscriber, ...] = ()
    laggards: tuple[Laggard, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliveryDecision:
    """The deliveries, the new position, the subscribers with work, and those whose position only advances.

    `behind` are the subscriptions that have a position of their own from now on, `caught_up` those that no longer do.
    """

    deliveries: tuple[tuple[uuid.UUID, Place], ...]
    at: Place
    reached: Place
    more: bool
    calls: tuple[str, ...] = ()
    moves: tuple[tuple[str, Place, Place], ...] = ()
    behind: tuple[tuple[uuid.UUID, Place], ...] = ()
    caught_up: tuple[uuid.UUID, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to write down but the decision itself."""
        moved = self.reached != self.at or self.behind or self.caught_up
        return not (moved or self.deliveries or self.calls or self.moves)

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
            "behind": {str(one): list(place) for one, place in self.behind},
        }


def decide(moment: EventObservation, dice: random.Random) -> DeliveryDecision:  # noqa: ARG001 - nothing here is left to chance
    """Match events and listeners, in order, until there is enough for one tick.

    A listener without room for an event falls behind: its position stays before this event until there is room again.
    """
    deliveries = [(one.id, place) for one in moment.laggards for place in one.events]
    behind = {one.id: one.reached for one in moment.laggards if not one.caught_up}
    caught_up = {one.id for one in moment.laggards if one.caught_up}
    told = Counter(one for one, _ in deliveries)
    room = {one.id: one.room - told[one.id] for one in moment.listeners}
    reached, more, done = moment.reached, moment.full, moment.at
    for event in moment.events:
        wanted = [one.id for one in moment.listeners if one.id not in behind and one.wants(event)]
        tellable = [one for one in wanted if room[one] > 0]
        if deliveries and len(deliveries) + len(tellable) > MOST_DELIVERIES:
            reached, more = done, True
            break
        behind |= {one: done for one in wanted if room[one] <= 0}
        deliveries += [(one, event.at) for one in tellable]
        room |= {one: room[one] - 1 for one in tellable}
        done = event.at
    calls = tuple(one.name for one in moment.subscribers if one.wanted and not one.busy)
    moves = tuple(
        (one.name, one.at, one.reached)
        for one in moment.subscribers
        if not one.wanted and not one.busy and one.reached > one.at
    )
    return DeliveryDecision(
        tuple(deliveries), moment.at, reached, more, calls, moves, tuple(behind.items()),
        tuple(sorted(caught_up - behind.keys())),
    )  # fmt: skip


def to_data(moment: EventObservation) -> dict[str, Any]:
    """Return a moment as JSON-ready data for the decision log."""
    return {
        "at": list(moment.at), "reached": list(moment.reached), "full": moment.full,
        "events": [[*one.at, one.subject, one.occurred_at.isoformat()] for one in moment.events],
        "listeners": [
            [str(one.id), list(one.subjects), one.since.isoformat(), one.room] for one in moment.listeners
        ],
        "subscribers": [asdict(one) for one in moment.subscribers],
        "laggards": [
            [str(one.id), [list(place) for place in one.events], list(one.reached), one.caught_up]
            for one in moment.laggards
        ],
    }  # fmt: skip


def from_data(data: Mapping[str, Any]) -> EventObservation:
    """Return the moment that `to_data` wrote down."""
    return EventObservation(
        _place(data["at"]), _place(data["reached"]), data["full"],
        tuple(Happened((txid, id_), what, datetime.fromisoformat(at)) for txid, id_, what, at in data["events"]),
        tuple(
            ActiveSubscription(uuid.UUID(id_), tuple(what), datetime.fromisoformat(at), room)
            for id_, what, at, room in data["listeners"]
        ),
        tuple(
            WaitingSubscriber(**{**one, "at": _place(one["at"]), "reached": _place(one["reached"])})
            for one in data["subscribers"]
        ),
        tuple(
            Laggard(uuid.UUID(id_), tuple(map(_place, events)), _place(reached), caught_up)
            for id_, events, reached, caught_up in data["laggards"]
        ),
    )  # fmt: skip


def _place(data: Any) -> Place:
    txid, id_ = data
    return txid, id_
