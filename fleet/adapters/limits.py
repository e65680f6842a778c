"""What a system says about its limits in a response: what is left, until when, and for how long it answers nothing.

Pure. `HttpClient` reads the headers of each response and reports them to `AccountAccess.observe`; an adapter whose
system says it elsewhere makes an `Observation` of its own. Texts come from outside: what makes no sense is ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_LONGEST = timedelta(days=31)
_MOST = 2**31 - 1
_NAMES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_USAGES = ("x-app-usage", "x-page-usage", "x-business-use-case-usage")
_A_BREATH = timedelta(minutes=5)
"""How long a system is left alone that reports 100 % of use, and not until when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one response said. Times count from the response: the clocks of both sides may differ."""

    limit: str = ""
    """The limit of the manifest that it is about; empty: the limits of the operation that was called."""
    most: int | None = None
    """Units in a whole window."""
    remaining: int | None = None
    """Units that are left until `reset_in`."""
    reset_in: timedelta | None = None
    blocked_for: timedelta | None = None
    """How long the system refuses every call."""

    @property
    def says_anything(self) -> bool:
        """Whether there is anything to adopt."""
        return self.blocked_for is not None or (self.remaining is not None and self.reset_in is not None)


class RequestCount:
    """How many HTTP requests were sent."""

    def __init__(self) -> None:
        self.sent = 0


_counts: ContextVar[tuple[RequestCount, ...]] = ContextVar("fleet_request_counts", default=())


@contextmanager
def counted_requests() -> Iterator[RequestCount]:
    """Count the requests that `HttpClient` sends in this thread until the block ends."""
    made = RequestCount()
    token = _counts.set((*_counts.get(), made))
    try:
        yield made
    finally:
        _counts.reset(token)


def count_request() -> None:
    """Count one request that is sent now."""
    for one in _counts.get():
        one.sent += 1


Observe = Callable[[Observation], None]


def ignore(_: Observation) -> None:
    """Do nothing with an observation."""


def of_headers(status: int, headers: Mapping[str, str], now: datetime) -> Observation | None:
    """Return what the headers of a response say about limits; None if they say nothing. Names are in lower case."""
    sent = _moment(headers.get("date", "")) or now
    seen = next((one for one in (_counted(name, headers, sent) for name in _NAMES) if one is not None), None)
    blocked = _span(headers.get("retry-after", ""), sent) if status in (429, 503) else None
    if blocked is None and status == 429 and seen is not None and seen.remaining == 0:
        blocked = seen.reset_in
    regain = max(_regained(headers), default=None)
    blocked = max((one for one in (blocked, regain) if one is not None), default=None)
    if seen is None:
        return None if blocked is None else Observation(blocked_for=blocked)
    return Observation(most=seen.most, remaining=seen.remaining, reset_in=seen.reset_in, blocked_for=blocked)


def _counted(name: str, headers: Mapping[str, str], sent: datetime) -> Observation | None:
    remaining = _number(headers.get(f"{name}-remaining", ""))
    reset_in = _span(headers.get(f"{name}-reset", ""), sent)
    if remaining is None or reset_in is None:
        return None
    most = _number(headers.get(f"{name}-limit", "").partition(";")[0].partition(",")[0])
    return Observation(most=most or None, remaining=remaining, reset_in=reset_in)


def _number(text: str) -> int | None:
    text = text.strip()
    return min(int(text), _MOST) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _span(text: str, sent: datetime) -> timedelta | None:
    """Return how long after `sent` a time is: seconds, an epoch (perhaps in milliseconds), an HTTP date or ISO 8601."""
    text = text.strip()
    try:
        number = float(text[:60])
    except ValueError:
        moment = _moment(text)
        return None if moment is None else _bounded((moment - sent).total_seconds())
    if not math.isfinite(number):
        return None
    if number > 1e11:
        number /= 1000
    return _bounded(number - sent.timestamp() if number > 1e9 else number)


def _bounded(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), _LONGEST.total_seconds()))


def _moment(text: str) -> datetime | None:
    text = text.strip()
    if not text or len(text) > 60:
        return None
    try:
        found = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _regained(headers: Mapping[str, str]) -> Iterator[timedelta]:
    """Return the times after which a system of Meta answers again, for each use that is at its end."""
    for name in _USAGES:
        for use in _uses(headers.get(name, "")):
            numbers = {key: float(value) for key, value in use.items()
                       if isinstance(value, int | float) and 0 <= value < _MOST}  # fmt: skip
            minutes = numbers.pop("estimated_time_to_regain_access", 0.0)
            if any(percent >= 100 for percent in numbers.values()):
                yield _bounded(minutes * 60) if minutes > 0 else _A_BREATH


def _uses(text: str) -> Iterator[Mapping[str, object]]:
    if not text or len(text) > 10_000:
        return
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    waiting = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            yield one
            waiting += [value for value in one.values() if isinstance(value, dict | list)]
