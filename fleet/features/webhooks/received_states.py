"""The states of received events, and the transitions between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ReceivedState(StrEnum):
    """The state of a received event. Without a subscriber in code it stays `received`."""

    RECEIVED = "received"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"


MOVES: Mapping[ReceivedState, frozenset[ReceivedState]] = {
    ReceivedState.RECEIVED: frozenset({ReceivedState.PROCESSING}),
    ReceivedState.PROCESSING: frozenset({ReceivedState.PROCESSED, ReceivedState.FAILED}),
    ReceivedState.PROCESSED: frozenset({ReceivedState.PROCESSING}),
    ReceivedState.FAILED: frozenset({ReceivedState.PROCESSING}),
}
"""State to the states that may follow. A replay, and a second subscriber, resume one that had ended."""


def before(after: ReceivedState) -> frozenset[ReceivedState]:
    """Return the states from which a state can be reached, itself included: that is no change and no harm."""
    return frozenset(state for state, followers in MOVES.items() if after in followers) | {after}
