"""Days, hours and landings in every zone: nothing is lost between two cells, and a wall time stays what it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core import wall_time
from fleet.core.errors import InvalidInput
from fleet.features.calendar import rules
from fleet.features.calendar.rules import DragTarget

_ZONES = st.sampled_from([
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
    "America/Sao_Paulo", "Africa/Casablanca", "Asia/Beirut", "Pacific/Chatham",
])  # fmt: skip
_DAYS = st.dates(date(2005, 1, 1), date(2035, 12, 31))
_MOMENTS = st.datetimes(datetime(2005, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
_HOURS = st.none() | st.integers(0, 23)


@given(at=_MOMENTS, day=_DAYS, hour=_HOURS, zone=_ZONES)
def test_a_dragged_entry_keeps_its_wall_time_unless_the_clocks_skip_it(
    at: datetime, day: date, hour: int | None, zone: str
) -> None:
    before, landing = wall_time.local(at, zone), rules.moved(at, DragTarget(day, hour, zone))
    after = wall_time.local(landing.at, zone)
    wanted = before.time() if hour is None else before.time().replace(hour=hour)
    if "skip" in landing.note:
        there = after.replace(tzinfo=None) - datetime.combine(day, wanted)
        assert timedelta(0) < there <= timedelta(days=1)  # moved on by the length of the change
    else:
        assert (after.date(), after.time()) == (day, wanted)
    if "twice" in landing.note:
        again = (
            wall_time.local(landing.at + timedelta(hours=1), zone),
            wall_time.local(landing.at + timedelta(minutes=30), zone),
        )
        assert wanted in [one.time() for one in again]  # the first of the two


@given(at=_MOMENTS, zone=_ZONES)
def test_an_entry_that_is_dropped_where_it_was_stays(at: datetime, zone: str) -> None:
    here = wall_time.local(at, zone)
    assert rules.moved(at, DragTarget(here.date(), None, zone)).at == at
    assert rules.moved(at, DragTarget(here.date(), here.hour, zone)).at == at


@given(day=_DAYS, at=_MOMENTS, zone=_ZONES)
def test_each_moment_of_a_week_is_in_the_hour_that_the_clocks_show(day: date, at: datetime, zone: str) -> None:
    days = rules.week_days(day)
    bounds = rules.hour_starts(days, zone)
    assert bounds == sorted(bounds)
    moment = bounds[0] + (at - datetime(2005, 1, 1, tzinfo=UTC)) % (bounds[-1] - bounds[0])
    place = max(number for number, start in enumerate(bounds) if start <= moment)
    shown = wall_time.local(moment, zone)
    assert (days[place // 24], place % 24) == (shown.date(), shown.hour)


@given(day=_DAYS, zone=_ZONES)
def test_a_month_is_whole_weeks_without_gaps(day: date, zone: str) -> None:
    days = rules.month_days(day)
    assert len(days) % 7 == 0
    assert days[0].weekday() == 0
    assert day in days
    bounds = rules.starts(days, zone)
    assert bounds == sorted(bounds)
    assert all(wall_time.local(start, zone).date() >= one for one, start in zip(days, bounds, strict=False))
    assert rules.months_away(rules.months_away(day, 1), -1) == day.replace(day=1)


def test_skipped_and_repeated_hours_are_said() -> None:
    skipped = wall_time.land(date(2026, 3, 29), time(2, 30), "Europe/Berlin")
    assert (skipped.at, "skip" in skipped.note) == (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), True)
    twice = wall_time.land(date(2026, 10, 25), time(2, 30), "Europe/Berlin")
    assert (twice.at, "twice" in twice.note) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True)
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert rules.moved(second, DragTarget(date(2026, 10, 25), 2, "Europe/Berlin")).at == second


@pytest.mark.parametrize(
    "name", ["", "x", "europe/berlin", "../etc/passwd", "\0", "localtime", "posix/UTC", "A" * 5000]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        wall_time.check_zone(name)
    assert wall_time.check_zone("Europe/Berlin") in wall_time.zone_names()
