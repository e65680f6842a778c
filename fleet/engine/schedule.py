"""When an agent is active, slow or asleep, and when it wakes next: the only module that knows local hours.

Called by dispatch (`next_wake`, thousands of times a second) and by pages that draw a week. Pure: no clock, no random
generator of its own, no table. Zones are read by `whenever` and not by zoneinfo: it gives the instant of every clock
change (`next_transition`), so segments are cut exactly there without probing, and it does no implicit wall-clock
arithmetic. Inside, time is whole microseconds since 1970 in UTC, and rates are read by local clock time.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from whenever import Instant, TimeZoneNotFoundError, ZonedDateTime, available_timezones

from fleet.core.errors import InvalidInput

Window = tuple[int, int]
"""Local hours [start, end), each 0..24."""

SHORTEST_GAP_S = 5
LONGEST_SEARCH_DAYS = 14

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = 1_000_000
_HOUR_S = 3_600
_DAY_S = 86_400
_DAY_US = _DAY_S * _US
_WEEK_H = 168
_SUNDAY_OFFSET_H = 96  # 1970-01-01 was a Thursday: 96 hours after the Sunday on which our week begins
_MONDAY_OFFSET_H = 72
# Names that load but depend on the machine or count leap seconds.
_NOT_A_PLACE = ("localtime", "posixrules", "right/", "posix/")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A persona's week on the clocks of one zone; `docs/schedule.md` has the rules.

    `active_days` counts from 0 = Sunday. A peak window with end < start runs past midnight and belongs to the day on
    which it starts, and so do two neighbours `(18, 24), (0, 2)`, which are one evening; start == end never matches.
    Sleep windows hold on every day and win over peak. Raises InvalidInput that names the field and its fix.
    """

    timezone: str
    active_days: frozenset[int]
    peak: tuple[Window, ...]
    sleep: tuple[Window, ...] = ()
    peak_multiplier: float = 1.5
    off_peak_multiplier: float = 0.5

    def __post_init__(self) -> None:
        _check_timezone(self.timezone)
        _check_days(self.active_days)
        _check_windows("peak", self.peak)
        _check_windows("sleep", self.sleep)
        _check_multiplier("peak_multiplier", self.peak_multiplier)
        _check_multiplier("off_peak_multiplier", self.off_peak_multiplier)
        if not any(_grid(self)):
            raise InvalidInput(
                "sleep, peak_multiplier, off_peak_multiplier: together they leave no hour of the week to be awake in.",
                fix="Leave at least one hour outside `sleep` at a multiplier above 0.",
            )


@lru_cache(maxsize=1024)
def with_hours(schedule: Schedule, timezone: str, hours: tuple[str, ...]) -> Schedule:
    """Return a schedule in another zone, asleep outside of these hours, such as "9-17"; what is empty changes nothing.

    Its peak and its days stay. Raises InvalidInput for an unknown zone, and for hours that are none.
    """
    changed = replace(schedule, timezone=timezone) if timezone else schedule
    if not hours:
        return changed
    windows = [(int(start), int(end)) for start, end in (one.split("-") for one in hours)]
    awake = {hour for start, end in windows for hour in range(24) if _is_within(hour, start, end)}
    if not awake:
        raise InvalidInput(f"{', '.join(hours)} are no hours.", fix="Write the first hour and the one after the last.")
    return replace(changed, sleep=tuple((hour, hour + 1) for hour in range(24) if hour not in awake))


def _is_within(hour: int, start: int, end: int) -> bool:
    return start <= hour < end if start <= end else hour >= start or hour < end


class ClockChange(NamedTuple):
    """One change of a zone's clocks: at `at` (UTC) the offset from UTC goes from `before` to `after`."""

    at: datetime
    before: timedelta
    after: timedelta


class _Day(NamedTuple):
    """The rates of one UTC day: `rates[i]` holds until `ends_us[i]`; neighbours differ."""

    ends_us: tuple[int, ...]
    rates: tuple[float, ...]


def rate_at(schedule: Schedule, instant: datetime) -> float:
    """Return how fast a gap is spent at this instant: 1.0 is the plain pace, 0.0 is asleep."""
    epoch_s = _micros(instant, "instant") // _US
    return _grid(schedule)[_cell(_local_hour(_zoned(schedule.timezone, epoch_s)))]


def real_gap_s(gap_s: float, tempo: float) -> float:
    """Return how many seconds of real time a gap takes at rate 1."""
    return max(SHORTEST_GAP_S, round(gap_s / tempo, 1))


def segments(schedule: Schedule, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, float]]:
    """Cut [start, end) into the longest stretches of one rate, in order, bounds in UTC."""
    since_us, end_us = _micros(start, "start"), _micros(end, "end")
    rate: float | None = None
    until_us = since_us
    for piece_end_us, piece_rate in _pieces(schedule, since_us, end_us):
        if rate is not None and piece_rate != rate:
            yield _instant(since_us), _instant(until_us), rate
            since_us = until_us
        until_us, rate = piece_end_us, piece_rate
    if rate is not None:
        yield _instant(since_us), _instant(until_us), rate


def next_wake(schedule: Schedule, now: datetime, gap_s: float, *, tempo: float = 1.0) -> datetime:
    """Spend a gap of so many seconds at the rate of the hours as they pass, and return when it is spent.

    The answer is the first waking instant by which the rates since `now` add up to gap / tempo, and at least five
    seconds after `now`. Raises InvalidInput for an impossible gap or tempo, and for a gap that two weeks of this
    schedule do not spend.
    """
    if not 0 <= gap_s < math.inf:
        raise InvalidInput(f"gap: {gap_s:g} seconds is not a gap.", fix="Give 0 or more seconds.")
    if not 0 < tempo < math.inf:
        raise InvalidInput(f"tempo: {tempo:g} is not a speed.", fix="Give a number above 0; 1 is real time.")
    now_us = _micros(now, "now")
    wake_us = _spend(schedule, now_us, gap_s * _US / tempo)
    floor_us = now_us + SHORTEST_GAP_S * _US
    if wake_us < floor_us:
        wake_us = _spend(schedule, floor_us, 0.0)  # not the floor itself: bedtime may fall within the five seconds
    return _instant(wake_us)


def week(schedule: Schedule, now: datetime) -> list[list[float]]:
    """Return the current local week for drawing: 7 days from Monday, each 24 rates by local hour.

    An hour that a clock change skips in this week is 0.0, as no agent can act in it.
    """
    here = _zoned(schedule.timezone, _micros(now, "now") // _US)
    hour = _local_hour(here)
    monday = hour - (hour + _MONDAY_OFFSET_H) % _WEEK_H
    happening = _hours_near_week(schedule.timezone, monday)
    grid = _grid(schedule)
    rates = [grid[_cell(h)] if h in happening else 0.0 for h in range(monday, monday + _WEEK_H)]
    return [rates[day : day + 24] for day in range(0, _WEEK_H, 24)]


def clock_changes(schedule: Schedule, start: datetime, end: datetime) -> list[ClockChange]:
    """List the changes of the zone's offset with start <= at < end; a change of its abbreviation alone does not
    count.
    """
    start_s, end_s = -(-_micros(start, "start") // _US), -(-_micros(end, "end") // _US)
    pieces = list(_offsets(schedule.timezone, start_s - 1, end_s))
    return [
        ClockChange(_instant(at_s * _US), timedelta(seconds=before_s), timedelta(seconds=after_s))
        for (at_s, before_s), (_, after_s) in pairwise(pieces)
        if before_s != after_s
    ]


def local_time(schedule: Schedule, instant: datetime) -> datetime:
    """Return the instant on the schedule's own clocks, for showing; never do arithmetic on it."""
    at_us = _micros(instant, "instant")
    return Instant(_instant(at_us)).to_tz(schedule.timezone).to_stdlib()


@lru_cache(maxsize=4096)
def _grid(schedule: Schedule) -> tuple[float, ...]:
    """Return the 168 rates of a week of local hours, from Sunday 00."""
    peak_hours = {
        (day * 24 + hour) % _WEEK_H
        for day in schedule.active_days
        for start, end in _evenings(schedule.peak)
        for hour in range(start, end)
    }
    asleep = {hour % 24 for start, end in _evenings(schedule.sleep) for hour in range(start, end)}

    def rate(cell: int) -> float:
        if cell % 24 in asleep:
            return 0.0
        if cell in peak_hours:
            return float(schedule.peak_multiplier)
        return 1.0 if cell // 24 in schedule.active_days else float(schedule.off_peak_multiplier)

    return tuple(rate(cell) for cell in range(_WEEK_H))


def _evenings(windows: tuple[Window, ...]) -> list[Window]:
    """Unroll windows past midnight to hours above 24, and join `(18, 24), (0, 2)` to `(18, 26)`.

    Files of the time before wrapping windows write one evening as two. Read apart, the second half lands on the
    morning before the evening: Friday gets the small hours that belong to Thursday, and Monday loses Sunday's.
    Halves that would overlap, as in `(18, 24), (0, 24)`, are no evening and stay apart.
    """
    joined: list[Window] = []
    for start, end in windows:
        if start == end:
            continue
        if start == 0 and joined and joined[-1][1] == 24 and end <= joined[-1][0]:
            joined[-1] = (joined[-1][0], 24 + end)
        else:
            joined.append((start, end if end > start else 24 + end))
    return joined


def _cell(local_hour: int) -> int:
    return (local_hour + _SUNDAY_OFFSET_H) % _WEEK_H


def _spend(schedule: Schedule, start_us: int, gap_us: float) -> int:
    """Return the first waking microsecond from `start_us` on by which the rates add up to `gap_us`."""
    first_day = start_us // _DAY_US
    at_us, left_us = start_us, gap_us
    for day in range(first_day, first_day + LONGEST_SEARCH_DAYS + 1):
        ends_us, rates = _day(schedule, day)
        for i in range(bisect_right(ends_us, at_us), len(rates)):
            end_us, rate = ends_us[i], rates[i]
            if rate > 0.0:
                # Cut before rounding: at a tiny rate the quotient is too large for a whole number.
                wake_us = at_us + round(min(left_us / rate, end_us - at_us))
                if wake_us < end_us:
                    return wake_us
                left_us = max(0.0, left_us - (end_us - at_us) * rate)
            at_us = end_us
    raise InvalidInput(
        f"schedule: a gap of {gap_us / _US:.0f} s is not spent within {LONGEST_SEARCH_DAYS} days.",
        fix="Raise the multipliers, leave more waking hours, or shorten the interval.",
    )


def _pieces(schedule: Schedule, start_us: int, end_us: int) -> Iterator[tuple[int, float]]:
    """Yield (end, rate) over [start, end), cut at every UTC midnight and at clock changes."""
    at_us = start_us
    while at_us < end_us:
        ends_us, rates = _day(schedule, at_us // _DAY_US)
        i = bisect_right(ends_us, at_us)
        at_us = min(ends_us[i], end_us)
        yield at_us, rates[i]


@lru_cache(maxsize=4096)
def _day(schedule: Schedule, utc_day: int) -> _Day:
    """Lay the schedule on one UTC day. A day's table never changes, so dispatch pays for it once a day."""
    grid = _grid(schedule)
    ends_us: list[int] = []
    rates: list[float] = []
    at_s = utc_day * _DAY_S
    for piece_end_s, offset_s in _offsets(schedule.timezone, at_s, at_s + _DAY_S):
        while at_s < piece_end_s:
            hour = (at_s + offset_s) // _HOUR_S
            at_s = min((hour + 1) * _HOUR_S - offset_s, piece_end_s)
            rate = grid[_cell(hour)]
            if rates and rates[-1] == rate:
                ends_us[-1] = at_s * _US
            else:
                ends_us.append(at_s * _US)
                rates.append(rate)
    return _Day(tuple(ends_us), tuple(rates))


def _offsets(timezone: str, start_s: int, end_s: int) -> Iterator[tuple[int, int]]:
    """Yield (end, offset from UTC), in seconds, of each stretch of [start, end) with one offset."""
    here: ZonedDateTime | None = _zoned(timezone, start_s)
    while here is not None:
        offset_s = _offset_s(here)
        here = here.next_transition()
        if here is None or here.timestamp() >= end_s:
            yield end_s, offset_s
            return
        yield here.timestamp(), offset_s


def _hours_near_week(timezone: str, monday: int) -> set[int]:
    """Return the local hours, counted on the clock's face from 1970, that happen in the week from `monday`."""
    # Two days on either side exceed every offset from UTC and every clock change that there ever was.
    at_s = monday * _HOUR_S - 2 * _DAY_S
    happening: set[int] = set()
    for end_s, offset_s in _offsets(timezone, at_s, at_s + 11 * _DAY_S):
        happening.update(range((at_s + offset_s) // _HOUR_S, -(-(end_s + offset_s) // _HOUR_S)))
        at_s = end_s
    return happening


def _zoned(timezone: str, epoch_s: int) -> ZonedDateTime:
    return Instant.from_timestamp(epoch_s).to_tz(timezone)


def _offset_s(here: ZonedDateTime) -> int:
    return int(here.offset.total("seconds"))


def _local_hour(here: ZonedDateTime) -> int:
    """Count the hours that the local clock's face has moved on since it showed 1970-01-01 00:00."""
    return (here.timestamp() + _offset_s(here)) // _HOUR_S


def _micros(instant: datetime, field: str) -> int:
    if instant.tzinfo is None:
        raise InvalidInput(
            f"{field}: {instant.isoformat()} does not say in which zone it is.", fix="Pass an aware datetime in UTC."
        )
    since = instant - _EPOCH
    return (since.days * _DAY_S + since.seconds) * _US + since.microseconds


def _instant(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def _check_timezone(name: str) -> None:
    try:
        # whenever ignores case; other programs do not, so only the exact name counts
        if _zoned(name, 0).tz_id == name and not name.startswith(_NOT_A_PLACE):
            return
    except (TimeZoneNotFoundError, TypeError):
        pass
    guess = _closest_zone(name) if isinstance(name, str) else None
    fix = f"Did you mean {guess!r}?" if guess else "Use an IANA name, such as 'America/New_York' or 'UTC'."
    raise InvalidInput(f"timezone: {name!r} is not a known time zone.", fix=fix)


def _closest_zone(name: str) -> str | None:
    """Guess by the whole name or by the city alone: 'new york' is 'America/New_York'."""
    zones = sorted(available_timezones())
    known = {zone.rpartition("/")[2].casefold(): zone for zone in zones} | {zone.casefold(): zone for zone in zones}
    matches = get_close_matches(name.strip().casefold().replace(" ", "_"), known, n=1, cutoff=0.7)
    return known[matches[0]] if matches else None


def _check_days(days: frozenset[int]) -> None:
    if not isinstance(days, frozenset) or not all(type(day) is int and 0 <= day <= 6 for day in days):
        raise InvalidInput(
            f"active_days: {days!r} is not a set of days.", fix="Use whole numbers from 0 (Sunday) to 6 (Saturday)."
        )


def _check_windows(field: str, windows: tuple[Window, ...]) -> None:
    for window in windows if isinstance(windows, tuple) else (windows,):
        is_pair = isinstance(window, tuple) and len(window) == 2
        if not is_pair or not all(type(hour) is int and 0 <= hour <= 24 for hour in window):
            raise InvalidInput(
                f"{field}: {window!r} is not a window of local hours.",
                fix="Give (start, end) in whole hours from 0 to 24, such as (9, 17) or (22, 2).",
            )


def _check_multiplier(field: str, value: float) -> None:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise InvalidInput(f"{field}: {value!r} is not a rate.", fix="Give a number of 0 or more; 1 is the plain pace.")


ALWAYS = Schedule("UTC", frozenset(range(7)), ())
"""The week of an agent without a persona: the same rate at every hour."""
