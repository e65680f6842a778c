"""When items are published: the hours of a network in a persona's zone, and the room that caps leave. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

FARTHEST_DAYS = 120
DEFAULT_HOURS = (9, 13, 17)
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class PostHours:
    """The local hours at which a network's posts do well. Days count from 0 = Sunday."""

    zone: str
    hours: tuple[int, ...] = DEFAULT_HOURS
    days: frozenset[int] = EVERY_DAY


@dataclass(frozen=True, slots=True)
class Room:
    """The room that caps leave for the posts of an agent: `gap` between two, at most `per_day` in any `day`."""

    gap: timedelta = timedelta(0)
    per_day: int | None = None
    day: timedelta = timedelta(days=1)


def obstacle(at: datetime, taken: Collection[datetime], room: Room) -> str | None:
    """Return why an item cannot be published at a moment beside those that are; None if it can."""
    near = [other for other in taken if abs(other - at) < room.gap]
    if near:
        return f"another item of the account is due at {min(near):%Y-%m-%d %H:%M} UTC"
    if room.per_day is not None:
        ordered = sorted([*taken, at])
        for start in range(len(ordered)):
            window = [one for one in ordered[start:] if one - ordered[start] < room.day]
            if at in window and len(window) > room.per_day:
                return f"{room.per_day} posts a day are the cap"
    return None


def next_free(
    hours: PostHours, after: datetime, taken: Collection[datetime], room: Room, *, minute: int = 0
) -> datetime:
    """Return the first of the hours after a moment that caps leave free, in UTC.

    Without one in `FARTHEST_DAYS` days it is the moment after the last item that the gap allows.
    """
    for at in slots(hours, after, minute=minute):
        if obstacle(at, taken, room) is None:
            return at
    return max([after, *taken]) + max(room.gap, room.day)


def any_free(
    zone: str, after: datetime, until: datetime, taken: Collection[datetime], room: Room, *, minute: int = 0
) -> datetime | None:
    """Return the first hour after a moment that caps leave free, whatever its day and hour; None if it is too late."""
    found = takewhile(lambda at: at <= until, slots(PostHours(zone, tuple(range(24))), after, minute=minute))
    return next((at for at in found if obstacle(at, taken, room) is None), None)


def slots(hours: PostHours, after: datetime, *, minute: int = 0) -> Iterator[datetime]:
    """Yield the hours after a moment in order, in UTC. An hour that a clock change skips is left out."""
    zone = ZoneInfo(hours.zone)
    first = after.astimezone(zone).date()
    for day in (first + timedelta(days=number) for number in range(FARTHEST_DAYS + 1)):
        if day.isoweekday() % 7 not in hours.days:
            continue
        for hour in sorted(set(hours.hours)):
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            at = local.astimezone(UTC)
            if at > after and at.astimezone(zone).hour == hour:
                yield at


def spread(starts_at: datetime, ends_at: datetime | None, count: int) -> Sequence[datetime]:
    """Return the moments from which the times of a campaign's posts are looked for: one a day, or evenly."""
    if ends_at is None or ends_at <= starts_at:
        return [starts_at + timedelta(days=number) for number in range(count)]
    step = (ends_at - starts_at) / max(1, count)
    return [starts_at + step * number for number in range(count)]
