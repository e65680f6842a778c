"""What a receiver's answer means for a delivery, and when a receiver that fails is let rest or given up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

_GONE = 410
_PASSING = frozenset({408, 425, 429})
_LONGEST_WISH_S = 86_400.0
PATIENCE = 3
"""So many failures in a row, and a receiver is let rest."""
_LONGEST_REST_S = 300.0
GIVEN_UP_AFTER = timedelta(days=3)
"""A receiver that has taken nothing for so long, and refused at least `LEAST_FAILURES` times, is given up."""
LEAST_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Later:
    """Worth another try; `after_s` is the receiver's own wish, if it has one."""

    why: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """The receiver will not take this one. `gone`: nor any other, it says."""

    why: str
    gone: bool = False


Meaning = Taken | Later | Never


def meaning(status: int, wish: str, now: datetime) -> Meaning:
    """Return what an answer means; `wish` is its Retry-After, or nothing."""
    words = f"the receiver answers {status}"
    if 200 <= status < 300:
        return Taken()
    if status == _GONE:
        return Never(f"{words}: it wants nothing any more", gone=True)
    if status in _PASSING or status >= 500:
        return Later(words, wish_s(wish, now))
    if 300 <= status < 400:
        return Never(f"{words}: redirects are not followed, the address itself has to be right")
    return Never(words)


def wish_s(wish: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After asks for, as a number or as a date, a day at most; None for neither."""
    wish = wish.strip()
    if wish.isascii() and wish.isdigit() and len(wish) < 10:
        return min(float(wish), _LONGEST_WISH_S)
    try:
        until = parsedate_to_datetime(wish)
    except (ValueError, TypeError, IndexError):
        return None
    if until.tzinfo is None:
        return None
    return min(max(0.0, (until - now).total_seconds()), _LONGEST_WISH_S)


def rests_until(failures: int, last_failure_at: datetime | None) -> datetime | None:
    """Return until when a receiver is left alone: after a few failures in a row each doubles the rest, to 5 minutes.

    A receiver that is down then costs one attempt now and again, and not one for every event.
    """
    if last_failure_at is None or failures < PATIENCE:
        return None
    rest_s = min(_LONGEST_REST_S, 5.0 * 2.0 ** min(failures - PATIENCE, 16))
    return last_failure_at + timedelta(seconds=rest_s)


def is_given_up(failures: int, failing_since: datetime | None, now: datetime) -> bool:
    """Say whether a receiver has failed so long that nobody is to try again by itself."""
    return failing_since is not None and failures >= LEAST_FAILURES and now - failing_since >= GIVEN_UP_AFTER
