"""Days and hours of a calendar in a zone, and where a moved entry lands. Pure.

An entry that stays on its day keeps its instant, also where the clocks show its wall time twice.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from fleet.core.wall_time import Landing, land, local

HOURS = 24
DAYS_OF_WEEK = 7
FIRST_DAY, LAST_DAY = date(2000, 1, 10), date(2199, 12, 1)
"""Calendars begin and end here: no grid leaves the years that filters know."""


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


def starts(days: list[date], zone: str) -> list[datetime]:
    """Return when each of these days begins, in UTC, and when the last one ends."""
    return [land(day, time(), zone).at for day in (*days, days[-1] + timedelta(days=1))]


def hour_starts(days: list[date], zone: str) -> list[datetime]:
    """Return when each hour of these days begins on the clocks of a zone, in UTC, and when the last one ends.

    An hour that a clock change skips begins with the next one: nothing is in it. One that happens twice is twice long.
    """
    found = [land(day, time(hour), zone).at for day in days for hour in range(HOURS)]
    return [*found, land(days[-1] + timedelta(days=1), time(), zone).at]


def moved(at: datetime, to: DragTarget) -> Landing:
    """Return where a dragged entry lands: on a day it keeps its wall time, in an hour its minutes."""
    here = local(at, to.zone)
    wall = here.time() if to.hour is None else here.time().replace(hour=to.hour)
    if here.date() == to.day and wall == here.time():
        return Landing(at)
    return land(to.day, wall.replace(fold=0), to.zone)
