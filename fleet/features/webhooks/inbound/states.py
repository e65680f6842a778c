"""The states of what a source told us, and the moves between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Received(StrEnum):
    """Where something that was received stands. Without a subscriber in code it stays `received`."""

    RECEIVED = "received"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"


MOVES: Mapping[Received, frozenset[Received]] = {
    Received.RECEIVED: frozenset({Received.PROCESSING}),
    Received.PROCESSING: frozenset({Received.PROCESSED, Received.FAILED}),
    Received.PROCESSED: frozenset({Received.PROCESSING}),
    Received.FAILED: frozenset({Received.PROCESSING}),
}
"""State to the states that may follow. A replay, and a second subscriber, take up again what was ended."""


def before(after: Received) -> frozenset[Received]:
    """Return the states from which something may come to another; to be in it already is no move and no harm."""
    return frozenset(state for state, followers in MOVES.items() if after in followers) | {after}
