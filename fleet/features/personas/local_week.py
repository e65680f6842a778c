"""The current week in a schedule's local time, for drawings: the rate of each hour, and hours that clock changes skip.

Called by `fleet.features.personas.cli_heat_strip` and `fleet.features.personas.heat`, so that both draw the same week.
Pure: `now` is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.engine.schedule import ClockChange, Schedule, clock_changes, local_time, week

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class LocalWeek:
    """What is drawn: the rates by [day][hour] from Monday, with the hours that the clocks leave out this week.

    `changes` are the steps of the clocks that touch this week; `now` is the local time.
    """

    rates: list[list[float]]
    skipped: frozenset[tuple[int, int]]
    changes: list[ClockChange]
    now: datetime

    @property
    def shown(self) -> set[float]:
        """The rates of the hours that there are."""
        hours = {(day, hour): rate for day, rates in enumerate(self.rates) for hour, rate in enumerate(rates)}
        return {rate for hour, rate in hours.items() if hour not in self.skipped}

    @property
    def offset(self) -> str:
        """How far its clocks are from UTC now."""
        ahead = self.now.utcoffset() or timedelta()
        minutes = abs(ahead) // timedelta(minutes=1)
        return f"UTC{'-' if ahead < timedelta() else '+'}{minutes // 60:02}:{minutes % 60:02}"


def look(schedule: Schedule, now: datetime) -> LocalWeek:
    """Return the local week that contains an instant."""
    here = local_time(schedule, now)
    # Clock changes are found by their instant, then kept by their local day, before or after the change.
    monday = here.date() - timedelta(days=here.weekday())
    days = {monday + timedelta(days=i) for i in range(7)}
    near = clock_changes(schedule, now - timedelta(days=9), now + timedelta(days=9))
    changes = [change for change in near if {_before(change).date(), _after(change).date()} & days]
    skipped = frozenset(((hour.date() - monday).days, hour.hour) for change in changes for hour in _left_out(change))
    return LocalWeek(week(schedule, now), skipped, changes, here)


def rate_words(rate: float) -> str:
    """Return the word for a rate."""
    return f"×{rate:g}" if rate else "asleep"


def words_of(change: ClockChange) -> str:
    """Describe a clock change in one sentence."""
    before, after = _before(change), _after(change)
    way = "forward" if after > before else "back"
    there = f"{after:%H:%M}" if after.date() == before.date() else f"{DAYS[after.weekday()]} {after:%H:%M}"
    return f"The clocks go {way} on {DAYS[before.weekday()]} {before:%Y-%m-%d}: {before:%H:%M} becomes {there}."


def _before(change: ClockChange) -> datetime:
    """Return the local time without the change; naive, since it is no instant."""
    return (change.at + change.before).replace(tzinfo=None)


def _after(change: ClockChange) -> datetime:
    return (change.at + change.after).replace(tzinfo=None)


def _left_out(change: ClockChange) -> Iterator[datetime]:
    """Yield the full hours that the clock's face leaves out; half an hour lost leaves its hour in."""
    hour = _before(change).replace(minute=0, second=0)
    if hour < _before(change):
        hour += timedelta(hours=1)
    while hour + timedelta(hours=1) <= _after(change):
        yield hour
        hour += timedelta(hours=1)
