"""The states of what a source told us, and the moves between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ReceivedState(StrEnum):
    """Where something that was received stands. Without a subscriber in code it stays `received`."""

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
"""State to the states that may follow. A replay, and a second subscriber, take up again what was ended."""


def before(after: ReceivedState) -> frozenset[ReceivedState]:
    """Return the states from which something may come to another; to be in it already is no move and no harm."""
    return frozenset(state for state, followers in MOVES.items() if after in followers) | {after}
