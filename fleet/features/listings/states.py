"""The state chart of a listing: states, events, and the one table of moves for code and database. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from fleet.core.errors import Conflict


class ListingState(StrEnum):
    """The state of a product at a store."""

    DRAFT = "draft"  # something about it must be mended before it can be published
    STAGED = "staged"  # it can be published
    PUBLISHING = "publishing"  # jobs write it, or wait to read it back
    PUBLISHED = "published"  # the store was read back and has what was sent
    FAILED = "failed"  # a write was refused, or the store has something else
    DELISTED = "delisted"  # customers do not find it any more


class ListingEvent(StrEnum):
    """Something that moves a listing."""

    DRAFTED = "drafted"
    STAGED = "staged"
    UNSTAGED = "unstaged"
    BEGAN = "began"
    PUBLISHED = "published"
    FAILED = "failed"
    ACCEPTED = "accepted"
    DELISTED = "delisted"


class ListingAction(StrEnum):
    """What the jobs of a listing in the state `publishing` do."""

    PUBLISH = "publish"
    DELIST = "delist"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class ListingMove:
    """Where an event leads, and from which states."""

    into: ListingState
    sources: frozenset[ListingState]


_IDLE = frozenset(ListingState) - {ListingState.PUBLISHING}


def _move(into: ListingState, *sources: ListingState) -> ListingMove:
    return ListingMove(into, frozenset(sources))


MOVES: Mapping[ListingEvent, ListingMove] = MappingProxyType(
    {
        ListingEvent.DRAFTED: ListingMove(ListingState.DRAFT, _IDLE),
        ListingEvent.STAGED: ListingMove(ListingState.STAGED, _IDLE),
        ListingEvent.UNSTAGED: _move(ListingState.DRAFT, ListingState.STAGED),
        ListingEvent.BEGAN: _move(
            ListingState.PUBLISHING, ListingState.STAGED, ListingState.PUBLISHED, ListingState.FAILED
        ),
        ListingEvent.PUBLISHED: _move(ListingState.PUBLISHED, ListingState.PUBLISHING),
        ListingEvent.FAILED: _move(ListingState.FAILED, ListingState.PUBLISHING, ListingState.STAGED),
        ListingEvent.ACCEPTED: _move(ListingState.PUBLISHED, ListingState.FAILED),
        ListingEvent.DELISTED: _move(ListingState.DELISTED, ListingState.PUBLISHING),
    }
)


def after(state: ListingState, event: ListingEvent) -> ListingState:
    """Return the state that follows an event. Raises Conflict if the state does not have it."""
    move = MOVES[event]
    if state not in move.sources:
        raise Conflict(f"The listing is {state}: it cannot be {event} now.", fix="Its page shows what it can do.")
    return move.into
