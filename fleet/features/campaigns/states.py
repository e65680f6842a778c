"""The state chart of a content item: states, events, and the one table of moves for code and database. Pure.

Imports nothing heavy: commands take their choices from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from fleet.core.errors import Conflict


class ItemState(StrEnum):
    """The state of a content item."""

    PLANNED = "planned"  # it has a brief
    WRITTEN = "written"  # it has words
    ADAPTED = "adapted"  # it has the parts that its network takes
    WAITING = "waiting"  # people decide about it
    APPROVED = "approved"  # it passed the review, or people approved it
    SCHEDULED = "scheduled"
    PUBLISHING = "publishing"  # its job is in the ledger
    PUBLISHED = "published"
    FAILED = "failed"  # a job of it ended without success
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class ItemEvent(StrEnum):
    """Something that moves a content item."""

    WRITTEN = "written"
    ADAPTED = "adapted"
    PASSED = "passed"
    DOUBTED = "doubted"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    SCHEDULED = "scheduled"
    BEGAN = "began"
    PUBLISHED = "published"
    FAILED = "failed"
    RESUMED = "resumed"
    EDITED = "edited"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Move:
    """Where an event leads, and from which states. `into` None: back to the state in which the item failed."""

    into: ItemState | None
    sources: frozenset[ItemState]


_OPEN = frozenset(ItemState) - {ItemState.PUBLISHING, ItemState.PUBLISHED, ItemState.CANCELLED}
STAGED = frozenset({ItemState.PLANNED, ItemState.WRITTEN, ItemState.ADAPTED, ItemState.APPROVED})
"""The states in which a job of the ledger works on the next stage."""
FINAL = frozenset({ItemState.PUBLISHED, ItemState.CANCELLED})


def _move(into: ItemState | None, *sources: ItemState) -> Move:
    return Move(into, frozenset(sources))


MOVES: Mapping[ItemEvent, Move] = MappingProxyType(
    {
        ItemEvent.WRITTEN: _move(ItemState.WRITTEN, ItemState.PLANNED),
        ItemEvent.ADAPTED: _move(ItemState.ADAPTED, ItemState.WRITTEN),
        ItemEvent.PASSED: _move(ItemState.APPROVED, ItemState.ADAPTED),
        ItemEvent.DOUBTED: _move(ItemState.WAITING, ItemState.ADAPTED),
        ItemEvent.REFUSED: _move(ItemState.REJECTED, ItemState.ADAPTED),
        ItemEvent.ACCEPTED: _move(ItemState.APPROVED, ItemState.WAITING),
        ItemEvent.DECLINED: _move(ItemState.REJECTED, ItemState.WAITING),
        ItemEvent.SCHEDULED: _move(ItemState.SCHEDULED, ItemState.APPROVED),
        ItemEvent.BEGAN: _move(ItemState.PUBLISHING, ItemState.SCHEDULED),
        ItemEvent.PUBLISHED: _move(ItemState.PUBLISHED, ItemState.PUBLISHING),
        ItemEvent.FAILED: _move(ItemState.FAILED, *STAGED, ItemState.PUBLISHING),
        ItemEvent.RESUMED: _move(None, ItemState.FAILED),
        ItemEvent.EDITED: Move(ItemState.ADAPTED, _OPEN - {ItemState.PLANNED, ItemState.WRITTEN}),
        ItemEvent.CANCELLED: Move(ItemState.CANCELLED, _OPEN),
    }
)

EDITABLE = MOVES[ItemEvent.EDITED].sources


def after(state: ItemState, event: ItemEvent, *, failed_in: ItemState | None = None) -> ItemState:
    """Return the state to which an event leads. Raises Conflict for an event that the state does not have."""
    move = MOVES[event]
    into = move.into or failed_in
    if state not in move.sources or into is None:
        raise Conflict(f"A {state} item cannot be {event}.", fix=f"Its state must be {_any_of(move.sources)}.")
    return into


def _any_of(states: frozenset[ItemState]) -> str:
    return " or ".join(one for one in ItemState if one in states)
