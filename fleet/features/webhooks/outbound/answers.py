"""The meaning of a receiver's response, and when a failing receiver is paused or switched off. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

_GONE = 410
_PASSING = frozenset({408, 425, 429})
_LONGEST_WISH_S = 86_400.0
PATIENCE = 3
"""A receiver is paused after so many failures in a row."""
_LONGEST_REST_S = 300.0
GIVEN_UP_AFTER = timedelta(days=3)
"""A receiver that has taken nothing for so long, and refused at least `LEAST_FAILURES` times, is given up."""
LEAST_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Later:
    """Try again; `after_s` is the receiver's Retry-After, if it sent one."""

    why: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """The receiver refuses this delivery for good. `gone`: and every other one."""

    why: str
    gone: bool = False


Meaning = Taken | Later | Never


def meaning(status: int, wish: str, now: datetime) -> Meaning:
    """Return the meaning of a response; `wish` is its Retry-After, or empty."""
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
    """Return the seconds of a Retry-After, as a number or as a date, a day at most; None for an invalid one."""
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
    """Return until when a receiver is paused: after a few failures in a row each doubles the pause, to 5 minutes.

    A receiver that is down then costs one attempt now and again, and not one for every event.
    """
    if last_failure_at is None or failures < PATIENCE:
        return None
    rest_s = min(_LONGEST_REST_S, 5.0 * 2.0 ** min(failures - PATIENCE, 16))
    return last_failure_at + timedelta(seconds=rest_s)


def is_given_up(failures: int, failing_since: datetime | None, now: datetime) -> bool:
    """Return whether a receiver has failed so long that it is switched off."""
    return failing_since is not None and failures >= LEAST_FAILURES and now - failing_since >= GIVEN_UP_AFTER
