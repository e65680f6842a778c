"""The states of a picture's address, the moves between them, and when one that failed is asked again. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class MediaState(StrEnum):
    """Where an address stands."""

    FETCHING = "fetching"  # leased: somebody fetches it now, or died while they did
    KEPT = "kept"  # the picture is in the object store
    FAILED = "failed"  # not had, which may pass
    REFUSED = "refused"  # not had for a reason that lasts


MOVES: dict[MediaState, frozenset[MediaState]] = {
    MediaState.FETCHING: frozenset({*MediaState}),
    MediaState.KEPT: frozenset({MediaState.FETCHING}),
    MediaState.FAILED: frozenset({MediaState.FETCHING}),
    MediaState.REFUSED: frozenset({MediaState.FETCHING}),
}
"""State to the states that may follow. Fetching follows itself when its holder died, kept when its object is gone."""

REFUSED_FOR = timedelta(days=1)
_FIRST, _LONGEST = timedelta(minutes=1), timedelta(hours=6)


def retry_after(failures: int, *, asked_s: float | None = None) -> timedelta:
    """Return how long an address that failed so often in a row is left alone: doubled each time, or longer if asked."""
    wait = min(_LONGEST, _FIRST * (1 << min(failures - 1, 20)))
    return max(wait, timedelta(seconds=asked_s or 0))
