"""The schedule against a slow and plain reading of its rules, minute by minute, with another zone library."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fleet.core.errors import InvalidInput
from fleet.engine.schedule import ALWAYS, Schedule, clock_changes, local_time, next_wake, rate_at, segments, week

MINUTE = timedelta(minutes=1)
FLOOR = timedelta(seconds=5)
EVERY_DAY = frozenset(range(7))
WORKDAYS = frozenset({1, 2, 3, 4, 5})
WEEKEND = frozenset({5, 6, 0})

INDIE_GAME_DEV = Schedule("America/Chicago", WEEKEND, ((18, 24), (0, 2)), (), 3.0, 0.4)
UX_DESIGNER = Schedule("America/Los_Angeles", WORKDAYS, ((9, 12), (14, 18)), (), 2.0, 0.3)

# Each with an instant near which its clocks, its calendar or its minutes are unusual.
ODD_TIMES = {
    "New York, spring": ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    "New York, autumn": ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "London, spring": ("Europe/London", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    "London, autumn": ("Europe/London", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "Lord Howe, half an hour forward": ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "Lord Howe, half an hour back": ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    "Kathmandu, a quarter past": ("Asia/Kathmandu", datetime(2026, 7, 1, 18, 15, tzinfo=UTC)),
    "Apia, a day left out": ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    "Havana, midnight left out": ("America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC)),
    "Sao Paulo, eleven at night twice": ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),
    "Casablanca, Ramadan": ("Africa/Casablanca", datetime(2026, 2, 15, 2, tzinfo=UTC)),
    "UTC, leap day": ("UTC", datetime(2028, 2, 29, tzinfo=UTC)),
    "Chicago, end of the year": ("America/Chicago", datetime(2027, 1, 1, 6, tzinfo=UTC)),
}

# Newfoundland changed its clocks at one minute past midnight until 2011: in the middle of an hour.
OFF_THE_HOUR = {
    "St John's, spring": ("America/St_Johns", datetime(2010, 3, 14, 3, 31, tzinfo=UTC)),
    "St John's, autumn": ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC)),
}

windows = (
    st.lists(st.tuples(st.integers(0, 23), st.integers(0, 24)), max_size=3)
    .map(tuple)
    .filter(
        # An evening written as two windows has tests of its own; the plain reading below does not know it.
        lambda drawn: not ({0} & {start for start, _ in drawn} and {0, 24} & {end for _, end in drawn})
    )
)
multipliers = st.sampled_from([0.0, 0.2, 0.4, 0.5, 1.0, 1.5, 2.0, 3.0])


@st.composite
def schedules(draw: st.DrawFn, timezone: str | None = None) -> Schedule:
    zone = timezone or draw(st.sampled_from(sorted({zone for zone, _ in ODD_TIMES.values()})))
    try:
        return Schedule(
            zone,
            draw(st.frozensets(st.integers(0, 6))),
            draw(windows),
            draw(windows),
            draw(multipliers),
            draw(multipliers),
        )
    except InvalidInput:  # never wakes
        assume(False)
        raise


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Draw an instant, more often than not within three days of an odd one."""
    if draw(st.booleans()):
        return datetime(2000, 1, 1, tzinfo=UTC) + draw(st.timedeltas(timedelta(0), timedelta(days=40 * 365)))
    _, odd = draw(st.sampled_from(sorted(ODD_TIMES.values())))
    return odd + draw(st.timedeltas(-timedelta(days=3), timedelta(days=3)))


def plain_rate(schedule: Schedule, instant: datetime) -> float:
    """Read the rules off the wall clock that zoneinfo shows; knows nothing of evenings written as two windows."""
    here = instant.astimezone(ZoneInfo(schedule.timezone))
    today = here.isoweekday() % 7

    def inside(window: tuple[int, int], today_counts: bool, yesterday_counts: bool) -> bool:
        start, end = window
        if start <= end:
            return today_counts and start <= here.hour < end
        return (today_counts and here.hour >= start) or (yesterday_counts and here.hour < end)

    if any(inside(window, True, True) for window in schedule.sleep):
        return 0.0
    active, was_active = today in schedule.active_days, (today - 1) % 7 in schedule.active_days
    if any(inside(window, active, was_active) for window in schedule.peak):
        return schedule.peak_multiplier
    return 1.0 if active else schedule.off_peak_multiplier


def plain_sum(schedule: Schedule, start: datetime, end: datetime) -> float:
    """Add up the rates over [start, end) in seconds; every zone drawn here changes on quarters of an hour."""
    total, at = 0.0, start
    while at < end:
        step = min(datetime.fromtimestamp((at.timestamp() // 900 + 1) * 900, UTC), end)
        total += plain_rate(schedule, at) * (step - at).total_seconds()
        at = step
    return total


def hours_at(schedule: Schedule, start: datetime, end: datetime, rate: float) -> float:
    return sum((b - a).total_seconds() / 3600 for a, b, r in segments(schedule, start, end) if r == rate)


def wake_after(schedule: Schedule, now: datetime, gap_s: float, tempo: float = 1.0) -> datetime:
    """Return the wake for a gap that is known beforehand; a week too sleepy for it is another test's."""
    try:
        return next_wake(schedule, now, gap_s, tempo=tempo)
    except InvalidInput:
        assume(False)
        raise


def local_day(timezone: str, year: int, month: int, day: int) -> tuple[datetime, datetime]:
    zone = ZoneInfo(timezone)
    start = datetime(year, month, day, tzinfo=zone)
    end = datetime.combine(start.date() + timedelta(days=1), datetime.min.time(), zone)
    return start.astimezone(UTC), end.astimezone(UTC)


# --- the rate of an hour -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("timezone", "odd"), (ODD_TIMES | OFF_THE_HOUR).values(), ids=ODD_TIMES | OFF_THE_HOUR)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_segments_agree_with_a_reading_of_the_wall_clock_minute_by_minute(
    timezone: str, odd: datetime, data: st.DataObject
) -> None:
    schedule = data.draw(schedules(timezone))
    start, end = odd - timedelta(hours=30), odd + timedelta(hours=30)
    at = start
    for since, until, rate in segments(schedule, start, end):
        assert since == at
        while at < until:
            assert plain_rate(schedule, at) == rate, at
            at += MINUTE
        assert at == until
    assert at == end


@given(schedules(), moments())
@settings(max_examples=200, deadline=None)
def test_rate_at_agrees_with_a_reading_of_the_wall_clock(schedule: Schedule, instant: datetime) -> None:
    assert rate_at(schedule, instant) == plain_rate(schedule, instant)


@given(schedules(), moments(), st.timedeltas(timedelta(0), timedelta(days=20)))
@settings(max_examples=100, deadline=None)
def test_segments_are_the_longest_stretches_and_leave_no_hole(
    schedule: Schedule, start: datetime, span: timedelta
) -> None:
    found = list(segments(schedule, start, start + span))
    assert sum((until - since for since, until, _ in found), timedelta()) == span
    for (_, until, rate), (since, _, next_rate) in pairwise(found):
        assert until == since
        assert rate != next_rate
    assert all(rate == rate_at(schedule, since) for since, _, rate in found)


def test_an_evening_past_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    chicago = ZoneInfo("America/Chicago")
    rates = {
        day: [
            rate_at(INDIE_GAME_DEV, datetime(2026, 7, date, hour, 30, tzinfo=chicago)) for hour in (0, 1, 2, 12, 18, 23)
        ]
        for day, date in {"Thu": 9, "Fri": 10, "Sat": 11, "Sun": 12, "Mon": 13}.items()
    }
    assert rates == {
        "Thu": [0.4, 0.4, 0.4, 0.4, 0.4, 0.4],
        "Fri": [1.0, 1.0, 1.0, 1.0, 3.0, 3.0],
        "Sat": [3.0, 3.0, 1.0, 1.0, 3.0, 3.0],
        "Sun": [3.0, 3.0, 1.0, 1.0, 3.0, 3.0],
        "Mon": [3.0, 3.0, 0.4, 0.4, 0.4, 0.4],
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (((18, 24), (0, 2)), ((18, 2),)),
        (((9, 12), (18, 24), (0, 2)), ((9, 12), (18, 2))),
        (((18, 0), (0, 2)), ((18, 2),)),
        (((18, 24), (7, 7), (0, 2)), ((18, 2),)),
        (((7, 7),), ()),
    ],
)
def test_windows_that_say_the_same_give_the_same_week(
    written: tuple[tuple[int, int], ...], meant: tuple[tuple[int, int], ...]
) -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    assert week(Schedule("UTC", WEEKEND, written), now) == week(Schedule("UTC", WEEKEND, meant), now)


@pytest.mark.parametrize("apart", [((0, 2), (18, 24)), ((18, 24), (9, 12), (0, 2)), ((18, 24), (0, 20))])
def test_windows_that_are_no_evening_stay_on_their_own_days(apart: tuple[tuple[int, int], ...]) -> None:
    friday_night = rate_at(Schedule("UTC", WEEKEND, apart), datetime(2026, 7, 10, 1, tzinfo=UTC))
    monday_night = rate_at(Schedule("UTC", WEEKEND, apart), datetime(2026, 7, 13, 1, tzinfo=UTC))
    assert (friday_night, monday_night) == (1.5, 0.5)


def test_a_window_that_starts_at_24_is_the_night_after_its_day() -> None:
    schedule = Schedule("UTC", frozenset({0}), ((24, 3),))
    assert rate_at(schedule, datetime(2026, 7, 12, 1, tzinfo=UTC)) == 1.0
    assert rate_at(schedule, datetime(2026, 7, 13, 2, tzinfo=UTC)) == 1.5


def test_sleep_holds_on_every_day_and_wins_over_peak() -> None:
    schedule = Schedule("UTC", WORKDAYS, ((0, 24),), ((23, 7),), 2.0, 0.3)
    for date in range(5, 12):
        assert rate_at(schedule, datetime(2026, 7, date, 23, tzinfo=UTC)) == 0.0
        assert rate_at(schedule, datetime(2026, 7, date, 6, 59, tzinfo=UTC)) == 0.0
        assert rate_at(schedule, datetime(2026, 7, date, 7, tzinfo=UTC)) > 0.0


def test_an_agent_without_a_persona_keeps_the_plain_pace() -> None:
    assert {rate for day in week(ALWAYS, datetime(2026, 7, 1, tzinfo=UTC)) for rate in day} == {1.0}


# --- days on which the clocks change -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timezone", "date", "window", "lasts_h"),
    [
        ("America/New_York", (2026, 3, 8), (1, 4), 2.0),
        ("America/New_York", (2026, 3, 8), (2, 3), 0.0),
        ("America/New_York", (2026, 11, 1), (1, 2), 2.0),
        ("Europe/London", (2026, 3, 29), (0, 3), 2.0),
        ("Europe/London", (2026, 10, 25), (0, 3), 4.0),
        ("Australia/Lord_Howe", (2026, 10, 4), (2, 3), 0.5),
        ("Australia/Lord_Howe", (2026, 4, 5), (1, 2), 1.5),
        ("Asia/Kathmandu", (2026, 3, 8), (1, 4), 3.0),
    ],
)
def test_a_window_lasts_as_long_as_its_hours_really_do(
    timezone: str, date: tuple[int, int, int], window: tuple[int, int], lasts_h: float
) -> None:
    schedule = Schedule(timezone, EVERY_DAY, (window,), (), 2.0, 0.5)
    start, end = local_day(timezone, *date)
    assert hours_at(schedule, start, end, 2.0) == lasts_h


def test_a_day_that_a_zone_left_out_does_not_happen() -> None:
    only_friday = Schedule("Pacific/Apia", frozenset({5}), (), (), 2.0, 0.5)
    start = datetime(2011, 12, 25, tzinfo=UTC)
    assert hours_at(only_friday, start, start + timedelta(days=10), 1.0) == 0
    assert hours_at(only_friday, start + timedelta(days=7), start + timedelta(days=17), 1.0) == 24


def test_an_hour_that_the_clocks_leave_out_is_waited_for_until_next_week() -> None:
    sunday_at_two = Schedule("America/New_York", frozenset({0}), ((2, 3),), ((0, 2), (3, 24)), 1.0, 0.0)
    wake = next_wake(sunday_at_two, datetime(2026, 3, 1, 8, tzinfo=UTC), 60)
    assert wake == datetime(2026, 3, 15, 6, 1, tzinfo=UTC)


def test_clock_changes_are_steps_of_the_offset_and_nothing_else() -> None:
    new_york = Schedule("America/New_York", EVERY_DAY, ())
    year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    spring, autumn = clock_changes(new_york, *year)
    assert spring == (datetime(2026, 3, 8, 7, tzinfo=UTC), timedelta(hours=-5), timedelta(hours=-4))
    assert autumn == (datetime(2026, 11, 1, 6, tzinfo=UTC), timedelta(hours=-4), timedelta(hours=-5))
    assert clock_changes(new_york, spring.at, spring.at + MINUTE) == [spring]
    assert clock_changes(new_york, spring.at - MINUTE, spring.at) == []
    assert clock_changes(ALWAYS, *year) == []
    # In 1968 London went from summer time to standard time at UTC+1: other letters, the same offset.
    london = Schedule("Europe/London", EVERY_DAY, ())
    assert clock_changes(london, datetime(1968, 10, 1, tzinfo=UTC), datetime(1968, 12, 1, tzinfo=UTC)) == []


# --- the next wake -------------------------------------------------------------------------------------------------


@given(schedules(), moments(), st.floats(0, 20_000), st.sampled_from([1.0, 0.5, 20.0]))
@settings(max_examples=150, deadline=None)
def test_the_rates_until_the_wake_add_up_to_the_gap(
    schedule: Schedule, now: datetime, gap_s: float, tempo: float
) -> None:
    wake = wake_after(schedule, now, gap_s, tempo)
    spent_s = plain_sum(schedule, now, wake)
    # A wake is a whole microsecond, which a rate above 1 magnifies.
    tolerance_s = 1e-6 * max(1.0, plain_rate(schedule, wake))
    if plain_sum(schedule, now, now + FLOOR) < gap_s / tempo - tolerance_s:
        assert spent_s == pytest.approx(gap_s / tempo, abs=tolerance_s)
    else:
        assert plain_sum(schedule, now + FLOOR, wake) <= tolerance_s, "after the floor it waits only for sleep to end"


@given(schedules(), moments(), st.floats(0, 20_000), st.floats(0, 20_000))
@settings(max_examples=200, deadline=None)
def test_no_wake_is_early_or_asleep_and_a_longer_gap_never_wakes_sooner(
    schedule: Schedule, now: datetime, one_s: float, other_s: float
) -> None:
    short_s, long_s = sorted((one_s, other_s))
    sooner = wake_after(schedule, now, short_s)
    later = wake_after(schedule, now, long_s)
    assert now + FLOOR <= sooner <= later
    assert plain_rate(schedule, sooner) > 0
    assert plain_rate(schedule, later) > 0


@given(st.sampled_from([0.25, 0.5, 1.0, 3.0]), moments(), st.floats(60, 1_000_000), st.floats(0.1, 10))
@settings(max_examples=100, deadline=None)
def test_at_a_constant_rate_the_gap_is_divided_by_it(rate: float, now: datetime, gap_s: float, tempo: float) -> None:
    assume(5 <= gap_s / rate / tempo <= 1_200_000)
    constant = Schedule("Europe/London", EVERY_DAY, ((0, 24),), (), rate)
    wake = wake_after(constant, now, gap_s, tempo)
    assert (wake - now).total_seconds() == pytest.approx(gap_s / rate / tempo, abs=2e-6)


def test_a_slow_gap_shortens_when_the_peak_begins() -> None:
    los_angeles = ZoneInfo("America/Los_Angeles")
    now = datetime(2026, 7, 1, 8, 50, tzinfo=los_angeles)
    wake = next_wake(UX_DESIGNER, now, 1200)
    assert wake == datetime(2026, 7, 1, 9, 5, tzinfo=los_angeles), "ten minutes at 1, the other ten at 2"


def test_sleep_stops_the_clock() -> None:
    schedule = Schedule("UTC", EVERY_DAY, (), ((23, 7),))
    now = datetime(2026, 12, 31, 22, 50, tzinfo=UTC)
    assert next_wake(schedule, now, 900) == datetime(2027, 1, 1, 7, 5, tzinfo=UTC)


def test_a_gap_that_ends_with_the_day_wakes_after_the_sleep_and_not_in_it() -> None:
    schedule = Schedule("UTC", EVERY_DAY, (), ((23, 7),))
    now = datetime(2026, 7, 1, 22, 50, tzinfo=UTC)
    assert next_wake(schedule, now, 600) == datetime(2026, 7, 2, 7, tzinfo=UTC)


def test_a_gap_that_rounds_to_the_end_of_an_hour_is_spent_there() -> None:
    glacial_after_wednesday = Schedule("UTC", frozenset({3}), (), off_peak_multiplier=1e-9)
    now = datetime(2026, 7, 1, 23, 50, tzinfo=UTC)
    wake = next_wake(glacial_after_wednesday, now, 599.9999998)
    assert wake == datetime(2026, 7, 2, tzinfo=UTC)


def test_the_floor_of_five_seconds_is_real_time_and_respects_bedtime() -> None:
    schedule = Schedule("UTC", EVERY_DAY, (), ((23, 7),))
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert next_wake(schedule, noon, 90, tempo=1_000) == noon + FLOOR
    bedtime = datetime(2026, 7, 1, 22, 59, 57, tzinfo=UTC)
    assert next_wake(schedule, bedtime, 1) == datetime(2026, 7, 2, 7, tzinfo=UTC)


def test_now_may_come_in_any_zone_and_the_wake_is_utc() -> None:
    chicago = datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo("America/Chicago"))
    wake = next_wake(INDIE_GAME_DEV, chicago, 300)
    assert wake == next_wake(INDIE_GAME_DEV, chicago.astimezone(UTC), 300)
    assert wake.tzinfo is UTC


@pytest.mark.parametrize("rate", [1e-9, 5e-324])
def test_a_gap_that_two_weeks_do_not_spend_is_refused(rate: float) -> None:
    glacial = Schedule("UTC", EVERY_DAY, ((0, 24),), (), rate)
    with pytest.raises(InvalidInput, match="not spent within 14 days"):
        next_wake(glacial, datetime(2026, 7, 1, tzinfo=UTC), 60)


# --- drawing -------------------------------------------------------------------------------------------------------


@given(schedules(), moments())
@settings(max_examples=50, deadline=None)
def test_week_is_the_current_local_week_from_monday(schedule: Schedule, now: datetime) -> None:
    here = local_time(schedule, now)
    assert here.astimezone(UTC) == now
    rates = week(schedule, now)
    assert [len(day) for day in rates] == [24] * 7
    assert rates[here.weekday()][here.hour] == rate_at(schedule, now)


def test_week_shows_the_evening_of_the_facts() -> None:
    rates = week(INDIE_GAME_DEV, datetime(2026, 7, 8, tzinfo=UTC))
    assert rates[0] == [3.0] * 2 + [0.4] * 22
    assert rates[1] == rates[2] == rates[3] == [0.4] * 24
    assert rates[4] == [1.0] * 18 + [3.0] * 6
    assert rates[5] == rates[6] == [3.0] * 2 + [1.0] * 16 + [3.0] * 6


@pytest.mark.parametrize(
    ("timezone", "now", "left_out"),
    [
        ("America/New_York", datetime(2026, 3, 9, 3, 59, tzinfo=UTC), {(6, 2)}),
        ("America/New_York", datetime(2026, 3, 9, 4, tzinfo=UTC), set()),
        ("America/New_York", datetime(2026, 11, 1, 12, tzinfo=UTC), set()),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 0, tzinfo=UTC), set()),
        ("Pacific/Apia", datetime(2011, 12, 27, tzinfo=UTC), {(4, hour) for hour in range(24)}),
        ("Pacific/Apia", datetime(2012, 1, 1, tzinfo=UTC), {(4, hour) for hour in range(24)}),
    ],
)
def test_an_hour_that_the_clocks_leave_out_this_week_is_drawn_as_zero(
    timezone: str, now: datetime, left_out: set[tuple[int, int]]
) -> None:
    rates = week(Schedule(timezone, EVERY_DAY, ()), now)
    assert {(day, hour) for day in range(7) for hour in range(24) if rates[day][hour] == 0} == left_out


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("timezone", "Europe/Lodnon", "Did you mean 'Europe/London'?"),
        ("timezone", "new york", "Did you mean 'America/New_York'?"),
        ("timezone", "europe/london", "Did you mean 'Europe/London'?"),
        ("timezone", "qqqq", "Use an IANA name"),
        ("timezone", "../../etc/passwd", "not a known time zone"),
        ("timezone", "localtime", "not a known time zone"),
        ("timezone", "", "not a known time zone"),
        ("timezone", None, "not a known time zone"),
        ("active_days", frozenset({0, 7}), "0 (Sunday) to 6 (Saturday)"),
        ("active_days", frozenset({True}), "0 (Sunday) to 6 (Saturday)"),
        ("active_days", [1, 2], "0 (Sunday) to 6 (Saturday)"),
        ("peak", ((9, 25),), "(9, 25) is not a window"),
        ("peak", ((-1, 5),), "(-1, 5) is not a window"),
        ("peak", ((9, 12, 15),), "(9, 12, 15) is not a window"),
        ("peak", ((9.5, 12),), "(9.5, 12) is not a window"),
        ("peak", [(9, 12)], "[(9, 12)] is not a window"),
        ("sleep", (22, 6), "22 is not a window"),
        ("peak_multiplier", float("nan"), "nan is not a rate"),
        ("peak_multiplier", float("inf"), "inf is not a rate"),
        ("off_peak_multiplier", -0.1, "-0.1 is not a rate"),
        ("off_peak_multiplier", "0.5", "'0.5' is not a rate"),
        ("sleep", ((0, 24),), "no hour of the week"),
    ],
)
def test_a_wrong_field_is_refused_by_name_and_with_the_way_out(field: str, value: object, says: str) -> None:
    fields: dict[str, object] = {"timezone": "UTC", "active_days": EVERY_DAY, "peak": ()} | {field: value}
    with pytest.raises(InvalidInput) as refused:
        Schedule(**fields)  # type: ignore[arg-type]
    assert refused.value.message.startswith(field)
    assert says in str(refused.value)
    assert refused.value.fix


def test_a_week_of_zeros_is_refused_without_any_sleep() -> None:
    with pytest.raises(InvalidInput, match="off_peak_multiplier"):
        Schedule("UTC", frozenset(), (), off_peak_multiplier=0)


@pytest.mark.parametrize("gap_s", [-1, float("inf"), float("nan")])
def test_an_impossible_gap_is_refused(gap_s: float) -> None:
    with pytest.raises(InvalidInput, match="gap"):
        next_wake(ALWAYS, datetime(2026, 7, 1, tzinfo=UTC), gap_s)


@pytest.mark.parametrize("tempo", [0, -1, float("inf"), float("nan")])
def test_an_impossible_tempo_is_refused(tempo: float) -> None:
    with pytest.raises(InvalidInput, match="tempo"):
        next_wake(ALWAYS, datetime(2026, 7, 1, tzinfo=UTC), 90, tempo=tempo)


def test_a_time_without_a_zone_is_refused() -> None:
    aware = datetime(2026, 7, 1, tzinfo=UTC)
    naive = aware.replace(tzinfo=None)
    for ask in (
        lambda: next_wake(ALWAYS, naive, 90),
        lambda: rate_at(ALWAYS, naive),
        lambda: week(ALWAYS, naive),
        lambda: list(segments(ALWAYS, aware, naive)),
        lambda: local_time(ALWAYS, naive),
    ):
        with pytest.raises(InvalidInput, match="zone"):
            ask()


def test_a_schedule_survives_the_trip_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(INDIE_GAME_DEV)) == INDIE_GAME_DEV
