"""Days and hours of a calendar in a zone, and where a moved entry lands. Pure.

Wall times that a clock change skips are moved on by the length of the change, and of those that happen twice the first
is taken, as RFC 5545 (3.3.5) has it; an entry that stays on its day keeps its place of the two.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from whenever import Instant, PlainDateTime, TimeZoneNotFoundError, ZonedDateTime, available_timezones

from fleet.core.errors import InvalidInput

HOURS = 24
DAYS_OF_WEEK = 7
FIRST_DAY, LAST_DAY = date(2000, 1, 10), date(2199, 12, 1)
"""Calendars begin and end here: no grid leaves the years that filters know."""
_NOT_A_PLACE = ("localtime", "posixrules", "right/", "posix/", "Factory")


class CalendarView(StrEnum):
    """How entries are laid out."""

    MONTH = "month"
    WEEK = "week"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class DragTarget:
    """Where an entry is dragged to: a day, or an hour of it, on the clocks of a zone."""

    day: date
    hour: int | None
    zone: str


@dataclass(frozen=True, slots=True)
class Landing:
    """The instant of a wall time, and a sentence if the clock does not show it exactly once."""

    at: datetime
    note: str = ""


def zones() -> list[str]:
    """Return the names of all zones for a choice, UTC first."""
    return ["UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith(_NOT_A_PLACE))]


def check_zone(name: str) -> str:
    """Return the name of a zone as it is written. Raises InvalidInput."""
    try:
        here = Instant.from_timestamp(0).to_tz(name)
    except (TimeZoneNotFoundError, ValueError, OSError):
        here = None
    if here is None or here.tz_id != name or name.startswith(_NOT_A_PLACE):
        raise InvalidInput(
            f"{name[:60]!r} is not a known time zone.", fix="Use an IANA name, such as Europe/Berlin or UTC."
        )
    return name


def clamped(day: date) -> date:
    """Return the day, or the first or last one of calendars."""
    return max(FIRST_DAY, min(LAST_DAY, day))


def month_days(day: date) -> list[date]:
    """Return the days of the weeks that a day's month touches, from a Monday to a Sunday."""
    first = day.replace(day=1)
    last = first.replace(day=calendar.monthrange(day.year, day.month)[1])
    start, end = monday(first), monday(last) + timedelta(days=6)
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def week_days(day: date) -> list[date]:
    """Return the days of a day's week, from Monday."""
    return [monday(day) + timedelta(days=number) for number in range(DAYS_OF_WEEK)]


def monday(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def months_away(day: date, number: int) -> date:
    """Return the first day of the month that is so many months later."""
    months = day.year * 12 + day.month - 1 + number
    return clamped(date(months // 12, months % 12 + 1, 1))


def local(at: datetime, zone: str) -> datetime:
    """Return a moment on the clocks of a zone, for showing."""
    return _zoned(at, zone).to_stdlib()


def starts(days: list[date], zone: str) -> list[datetime]:
    """Return when each of these days begins, in UTC, and when the last one ends."""
    return [land(day, time(), zone).at for day in (*days, days[-1] + timedelta(days=1))]


def hour_starts(days: list[date], zone: str) -> list[datetime]:
    """Return when each hour of these days begins on the clocks of a zone, in UTC, and when the last one ends.

    An hour that a clock change skips begins with the next one: nothing is in it. One that happens twice is twice long.
    """
    found = [land(day, time(hour), zone).at for day in days for hour in range(HOURS)]
    return [*found, land(days[-1] + timedelta(days=1), time(), zone).at]


def land(day: date, wall: time, zone: str) -> Landing:
    """Return the instant at which the clocks of a zone show this time."""
    wanted = PlainDateTime(
        day.year, day.month, day.day, wall.hour, wall.minute, wall.second, nanosecond=wall.microsecond * 1000
    )
    first = wanted.assume_tz(zone, disambiguation="compatible")
    at = first.to_instant().to_stdlib()
    if first.to_plain() != wanted:
        shown = first.to_plain().time().to_stdlib()
        return Landing(at, f"The clocks skip {wall:%H:%M} on {day}: it is at {shown:%H:%M}.")
    if first.is_repeated():
        return Landing(at, f"The clocks show {wall:%H:%M} twice on {day}: it is at the first.")
    return Landing(at)


def moved(at: datetime, to: DragTarget) -> Landing:
    """Return where a dragged entry lands: on a day it keeps its wall time, in an hour its minutes."""
    here = local(at, to.zone)
    wall = here.time() if to.hour is None else here.time().replace(hour=to.hour)
    if here.date() == to.day and wall == here.time():
        return Landing(at)
    return land(to.day, wall.replace(fold=0), to.zone)


def _zoned(at: datetime, zone: str) -> ZonedDateTime:
    return Instant(at.astimezone(UTC)).to_tz(zone)
