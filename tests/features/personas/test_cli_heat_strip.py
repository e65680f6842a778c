"""The heat strip as a person sees it: plain text first, since colour must add nothing but speed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.engine.schedule import ALWAYS, Schedule
from fleet.features.personas.cli_heat_strip import render

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY = frozenset(range(7))
INDIE_GAME_DEV = Schedule("America/Chicago", frozenset({5, 6, 0}), ((18, 24), (0, 2)), (), 3.0, 0.4)
NIGHT_OWL = Schedule("America/New_York", frozenset({1, 2, 3, 4, 5}), ((13, 17),), ((3, 9),), 2.0, 0.3)
FRIDAY = datetime(2026, 7, 10, 20, 40, tzinfo=UTC)


def plain(schedule: Schedule, now: datetime, width: int = 80) -> list[str]:
    return render(schedule, now, width=width, colour=False).plain.split("\n")


def rows(lines: list[str]) -> dict[str, str]:
    """Return the cells of each day by its label, at the narrowest width: one glyph an hour."""
    return {line[:3]: line[4:] for line in lines if line.startswith(DAYS) and len(line) == 28}


def test_the_strip_shows_every_hour_of_the_week_at_its_rate() -> None:
    assert rows(plain(INDIE_GAME_DEV, FRIDAY, width=28)) == {
        "Mon": "█" * 2 + "░" * 22,
        "Tue": "░" * 24,
        "Wed": "░" * 24,
        "Thu": "░" * 24,
        "Fri": "▒" * 15 + "◆" + "▒" * 2 + "█" * 6,
        "Sat": "█" * 2 + "▒" * 16 + "█" * 6,
        "Sun": "█" * 2 + "▒" * 16 + "█" * 6,
    }


def test_the_whole_picture_in_80_columns() -> None:
    assert plain(NIGHT_OWL, datetime(2026, 11, 1, 15, tzinfo=UTC)) == [
        "America/New_York   Sun 2026-11-01 10:00 (UTC-05:00)   now ×0.3",
        "",
        "    00       03       06       09       12       15       18       21",
        *(
            f"{day} ▒▒▒▒▒▒▒▒▒··················▒▒▒▒▒▒▒▒▒▒▒▒████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒"
            for day in ("Mon", "Tue", "Wed", "Thu", "Fri")
        ),
        "Sat ░░░░░░░░░··················░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░",
        "Sun ░░░░░░░░░··················░░░░◆░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░",
        "",
        "· asleep   ░ ×0.3   ▒ ×1   █ ×2   ◆ now",
        "The clocks go back on Sun 2026-11-01: 02:00 becomes 01:00.",
    ]


def test_an_hour_that_the_clocks_leave_out_is_not_drawn_as_sleep() -> None:
    lines = plain(INDIE_GAME_DEV, datetime(2026, 3, 7, 20, tzinfo=UTC), width=28)
    assert rows(lines)["Sun"] == "██×" + "▒" * 15 + "█" * 6
    assert "The clocks go forward on Sun 2026-03-08: 02:00 becomes 03:00." in " ".join(lines)
    assert "× skipped" in " ".join(lines)
    assert "asleep" not in " ".join(lines)


@pytest.mark.parametrize("now", [datetime(2026, 3, 2, 6, tzinfo=UTC), datetime(2026, 3, 9, 3, tzinfo=UTC)])
def test_a_clock_change_is_announced_from_the_first_to_the_last_hour_of_its_week(now: datetime) -> None:
    assert plain(NIGHT_OWL, now)[-1] == "The clocks go forward on Sun 2026-03-08: 02:00 becomes 03:00."


def test_a_clock_change_of_last_tuesday_is_still_mentioned_on_sunday() -> None:
    tehran = Schedule("Asia/Tehran", EVERY_DAY, ())
    lines = plain(tehran, datetime(2022, 3, 27, 18, tzinfo=UTC))
    assert lines[-1] == "The clocks go forward on Tue 2022-03-22: 00:00 becomes 01:00."


def test_a_day_that_a_zone_left_out_is_one_row_of_skipped_hours() -> None:
    apia = Schedule("Pacific/Apia", EVERY_DAY, (), (), 2.0, 0.5)
    lines = plain(apia, datetime(2011, 12, 31, 20, tzinfo=UTC), width=28)
    assert rows(lines)["Fri"] == "×" * 24
    assert "Fri 2011-12-30: 00:00 becomes Sat 00:00." in " ".join(lines)


def test_half_an_hour_left_out_leaves_its_hour_in() -> None:
    lord_howe = Schedule("Australia/Lord_Howe", EVERY_DAY, ())
    lines = plain(lord_howe, datetime(2026, 10, 3, tzinfo=UTC))
    assert lines[-2:] == ["▒ ×1   ◆ now", "The clocks go forward on Sun 2026-10-04: 02:00 becomes 02:30."]


@pytest.mark.parametrize("now", [datetime(2026, 3, 9, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)])
def test_a_clock_change_of_another_week_is_not_mentioned(now: datetime) -> None:
    assert "clocks" not in "\n".join(plain(NIGHT_OWL, now))


def test_the_legend_names_only_what_is_drawn() -> None:
    assert plain(ALWAYS, FRIDAY)[-1] == "▒ ×1   ◆ now"


@pytest.mark.parametrize(
    ("peak_multiplier", "off_peak_multiplier"), [(3.0, 0.4), (0.2, 0.4), (3.0, 2.0), (1.0, 0.5), (2.0, 1.0), (0.0, 0.5)]
)
def test_no_two_rates_share_a_glyph(peak_multiplier: float, off_peak_multiplier: float) -> None:
    schedule = Schedule("UTC", frozenset({1, 2}), ((9, 12),), (), peak_multiplier, off_peak_multiplier)
    legend = plain(schedule, FRIDAY)[-1].removesuffix("   ◆ now").split("   ")
    assert len({item[0] for item in legend}) == len(legend) == len({peak_multiplier, off_peak_multiplier, 1.0})


def test_the_plain_pace_looks_the_same_in_every_strip() -> None:
    never_slow = Schedule("UTC", EVERY_DAY, ((9, 12),), (), 2.0, 1.0)
    assert plain(never_slow, FRIDAY)[-1] == "▒ ×1   █ ×2   ◆ now"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([INDIE_GAME_DEV, NIGHT_OWL, ALWAYS, Schedule("Pacific/Apia", EVERY_DAY, ())]),
    st.integers(0, 366 * 24),
    st.integers(28, 160),
)
def test_nothing_is_wider_than_asked_and_now_is_marked_once(schedule: Schedule, hour: int, width: int) -> None:
    now = datetime.fromtimestamp(1_325_000_000 + hour * 3600, UTC)
    lines = plain(schedule, now, width)
    # One word (a zone's name) is never broken, and the date with its offset is one.
    assert max(len(line) for line in lines[2:]) <= width
    assert sum(line.count("◆") for line in lines) == 2, "once in the strip and once in the legend"


def test_colour_adds_styles_and_changes_no_character() -> None:
    coloured = render(INDIE_GAME_DEV, FRIDAY, width=80, colour=True)
    bare = render(INDIE_GAME_DEV, FRIDAY, width=80, colour=False)
    assert coloured.plain == bare.plain
    assert len({str(span.style) for span in coloured.spans}) > 4
    assert not bare.spans
