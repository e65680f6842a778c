"""The states of a picture's address, the transitions between them, and the backoff after failures. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class MediaState(StrEnum):
    """The state of an address."""

    FETCHING = "fetching"  # leased: a process is fetching it, or died while it did
    KEPT = "kept"  # the picture is in the object store
    FAILED = "failed"  # not had, which may pass
    REFUSED = "refused"  # not had for a reason that lasts


MOVES: dict[MediaState, frozenset[MediaState]] = {
    MediaState.FETCHING: frozenset({*MediaState}),
    MediaState.KEPT: frozenset({MediaState.FETCHING}),
    MediaState.FAILED: frozenset({MediaState.FETCHING}),
    MediaState.REFUSED: frozenset({MediaState.FETCHING}),
}
"""State to the states that may follow.

Fetching follows itself when its process died, or when a stored object is gone.
"""

REFUSED_FOR = timedelta(days=1)
_FIRST, _LONGEST = timedelta(minutes=1), timedelta(hours=6)


def retry_after(failures: int, *, asked_s: float | None = None) -> timedelta:
    """Return the backoff after so many failures in a row: doubled each time, or longer if the server asks for it."""
    wait = min(_LONGEST, _FIRST * (1 << min(failures - 1, 20)))
    return max(wait, timedelta(seconds=asked_s or 0))
