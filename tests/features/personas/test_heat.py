"""The heat strip of the pages: where each hour stands, what is marked, and that words say the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.engine.schedule import ALWAYS, Schedule, local_time
from fleet.features.personas import heat

EVERY_DAY = frozenset(range(7))
INDIE_GAME_DEV = Schedule("America/Chicago", frozenset({5, 6, 0}), ((18, 24), (0, 2)), (), 3.0, 0.4)
NIGHT_OWL = Schedule("America/New_York", frozenset({1, 2, 3, 4, 5}), ((13, 17),), ((3, 9),), 2.0, 0.3)
FRIDAY = datetime(2026, 7, 10, 20, 40, tzinfo=UTC)
ZONES = ("UTC", "America/Chicago", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")


def drawn(svg: str) -> ElementTree.Element:
    """Return the drawing; fails for one that is not well formed."""
    return ElementTree.fromstring(svg)


def place(day: int, hour: int) -> tuple[int, int]:
    return heat.LEFT + hour * heat.CELL_W, heat.TOP + day * heat.CELL_H


def opacities(svg: str) -> dict[tuple[int, int], float]:
    cells = drawn(svg).iter("rect")
    return {
        (int(one.attrib["x"]), int(one.attrib["y"])): float(one.attrib["fill-opacity"])
        for one in cells
        if one.get("class") == "cell"
    }


def test_each_hour_of_the_week_has_its_cell_and_the_rates_their_strengths() -> None:
    cells = opacities(heat.strip(INDIE_GAME_DEV, FRIDAY).svg)
    assert cells.keys() == {place(day, hour) for day in range(7) for hour in range(24)}
    assert {cells[place(4, hour)] for hour in range(18, 24)} == {1.0}  # Friday evening
    assert {cells[place(5, hour)] for hour in range(2)} == {1.0}  # which goes on after midnight
    assert {cells[place(1, hour)] for hour in range(24)} == {0.25}  # Tuesday is off
    assert cells[place(4, 10)] == 0.625


def test_now_is_marked_where_the_personas_own_clock_stands() -> None:
    week = heat.strip(INDIE_GAME_DEV, FRIDAY)
    (now,) = [one for one in drawn(week.svg).iter("rect") if one.get("class") == "now"]
    x, y = place(4, 15)
    assert (int(now.attrib["x"]), int(now.attrib["y"])) == (x - 1, y - 1)
    assert week.now == "Fri 15:40 in America/Chicago (UTC-05:00), ×1"
    assert drawn(week.svg).attrib["aria-label"] == f"The week in America/Chicago; now it is {week.now}"


def test_words_tell_the_hours_that_the_drawing_shows() -> None:
    week = heat.strip(NIGHT_OWL, FRIDAY)
    assert week.days[0] == "Mon: 00–03 ×1, 03–09 asleep, 09–13 ×1, 13–17 ×2, 17–24 ×1"
    assert week.days[6] == "Sun: 00–03 ×0.3, 03–09 asleep, 09–24 ×0.3"
    assert [(key.words, key.opacity) for key in week.keys] == [
        ("asleep", 0.08), ("×0.3", 0.25), ("×1", 0.625), ("×2", 1.0)
    ]  # fmt: skip


def test_an_hour_that_the_clocks_leave_out_is_crossed_out_and_named() -> None:
    week = heat.strip(INDIE_GAME_DEV, datetime(2026, 3, 7, 20, tzinfo=UTC))
    crossed = [one for one in drawn(week.svg).iter("g") if one.get("class") == "skipped"]
    assert [one.findtext("title") for one in crossed] == ["Sun 02: the clocks leave this hour out"]
    assert place(6, 2) not in opacities(week.svg)
    assert "02–03 left out by the clocks" in week.days[6]
    assert week.notes == ("The clocks go forward on Sun 2026-03-08: 02:00 becomes 03:00.",)


@pytest.mark.parametrize(("hour", "offset"), [(6, "-05:00"), (7, "-06:00")])
def test_in_the_hour_that_happens_twice_the_offset_tells_which_it_is(hour: int, offset: str) -> None:
    week = heat.strip(INDIE_GAME_DEV, datetime(2026, 11, 1, hour, 30, tzinfo=UTC))
    assert week.now == f"Sun 01:30 in America/Chicago (UTC{offset}), ×3"
    assert len(opacities(week.svg)) == 168
    assert "becomes 01:00" in week.notes[0]


def test_a_day_that_a_zone_leaves_out_is_crossed_out_whole() -> None:
    apia = Schedule("Pacific/Apia", EVERY_DAY, (), (), 2.0, 0.5)
    week = heat.strip(apia, datetime(2011, 12, 31, 20, tzinfo=UTC))
    assert "Fri: 00–24 left out by the clocks" in week.days


def test_a_week_of_one_pace_has_one_key() -> None:
    assert [key.words for key in heat.strip(ALWAYS, FRIDAY).keys] == ["×1"]


@given(st.sampled_from(ZONES), st.integers(0, 60 * 366 * 24))
def test_the_strip_is_whole_at_every_moment(zone: str, minutes: int) -> None:
    schedule = Schedule(zone, frozenset({1, 3}), ((22, 3),), ((4, 9),), 2.0, 0.5)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    week = heat.strip(schedule, now)
    here = local_time(schedule, now)
    crossed = sum(one.get("class") == "skipped" for one in drawn(week.svg).iter("g"))
    assert len(opacities(week.svg)) + crossed == 168
    assert place(here.weekday(), here.hour) in opacities(week.svg)  # nobody stands in an hour that does not happen
    assert all(re.fullmatch(r"\w{3}: 00–.*", day) and day.count("–24") == 1 for day in week.days)
