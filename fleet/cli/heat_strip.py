"""The week of a schedule as a heat strip: seven rows of twenty-four hours, read at a glance in a terminal.

Called by `fleet persona schedule`; returns a rich Text and prints nothing. Every rate has its own glyph, so the strip
says the same without colour; colour only says it sooner. Which hour is which is the schedule's knowledge, not ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.text import Text

from fleet.agents.schedule import ClockChange, Schedule, clock_changes, local_time, rate_at, week

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LABEL_W = 4
_WIDEST_CELL = 5
_HOURS_PER_TICK = 3

_ASLEEP = ("·", "bright_black")
_SKIPPED = ("×", "magenta")
_NOW = ("◆", "bold red")
# By rank: a schedule knows at most three rates above 0. The colours hold on dark and on light backgrounds.
_LADDER = (("░", "bright_blue"), ("▒", "green"), ("█", "dark_orange"))


@dataclass(frozen=True, slots=True)
class _Week:
    """What is drawn: the rates by [day][hour] from Monday, with the hours that the clocks leave out this week."""

    rates: list[list[float]]
    skipped: frozenset[tuple[int, int]]
    changes: list[ClockChange]
    now: datetime


def render(schedule: Schedule, now: datetime, *, width: int, colour: bool) -> Text:
    """Draw the current local week in at most `width` columns; under 28 columns the strip itself no longer fits."""
    drawn = _look(schedule, now)
    glyphs = _glyphs(schedule)
    cell_w = max(1, min(_WIDEST_CELL, (width - _LABEL_W) // 24))
    text = Text()
    _wrapped(text, _heading(schedule, drawn, rate_at(schedule, now)), width)
    text.append("\n" + _axis(cell_w) + "\n", style="bright_black")
    for day in range(7):
        _row(text, drawn, day, glyphs, cell_w)
    text.append("\n")
    _wrapped(text, _legend(drawn, glyphs), width)
    for change in drawn.changes:
        _wrapped(text, ((word, "magenta") for word in _note(change).split()), width, gap=" ")
    text.rstrip()
    return text if colour else Text(text.plain)


def _look(schedule: Schedule, now: datetime) -> _Week:
    here = local_time(schedule, now)
    # Clock changes are found by their instant, then kept by the local day that they fall on, before or after.
    monday = here.date() - timedelta(days=here.weekday())
    days = {monday + timedelta(days=i) for i in range(7)}
    near = clock_changes(schedule, now - timedelta(days=9), now + timedelta(days=9))
    changes = [change for change in near if {_before(change).date(), _after(change).date()} & days]
    skipped = frozenset(((hour.date() - monday).days, hour.hour) for change in changes for hour in _left_out(change))
    return _Week(week(schedule, now), skipped, changes, here)


def _before(change: ClockChange) -> datetime:
    """Return what the clocks would have shown; naive, for it is a clock's face and no instant."""
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


def _glyphs(schedule: Schedule) -> dict[float, tuple[str, str]]:
    rates = sorted({1.0, float(schedule.peak_multiplier), float(schedule.off_peak_multiplier)} - {0.0})
    # 1.0 keeps the middle of the ladder where it can, so that strips of several personas compare.
    first = 0 if len(rates) == 3 or rates[0] < 1.0 else 1
    return {0.0: _ASLEEP} | {rate: _LADDER[first + rank] for rank, rate in enumerate(rates)}


def _heading(schedule: Schedule, drawn: _Week, rate: float) -> list[tuple[str, str]]:
    here = drawn.now
    return [
        (schedule.timezone, "bold"),
        (f"{_DAYS[here.weekday()]} {here:%Y-%m-%d %H:%M} (UTC{_signed(here.utcoffset() or timedelta())})", ""),
        (f"now {_rate(rate)}", "bold"),
    ]


def _axis(cell_w: int) -> str:
    ticks = "".join(f"{hour:02}".ljust(_HOURS_PER_TICK * cell_w) for hour in range(0, 24, _HOURS_PER_TICK))
    return " " * _LABEL_W + ticks.rstrip()


def _row(text: Text, drawn: _Week, day: int, glyphs: dict[float, tuple[str, str]], cell_w: int) -> None:
    today = day == drawn.now.weekday()
    text.append(_DAYS[day].ljust(_LABEL_W), style="bold" if today else "")
    for hour, rate in enumerate(drawn.rates[day]):
        glyph, style = _SKIPPED if (day, hour) in drawn.skipped else glyphs[rate]
        if today and hour == drawn.now.hour:
            left = (cell_w - 1) // 2
            text.append(glyph * left, style=style)
            text.append(*_NOW)
            text.append(glyph * (cell_w - 1 - left), style=style)
        else:
            text.append(glyph * cell_w, style=style)
    text.append("\n")


def _legend(drawn: _Week, glyphs: dict[float, tuple[str, str]]) -> list[tuple[str, str]]:
    shown = {
        rate
        for day, rates in enumerate(drawn.rates)
        for hour, rate in enumerate(rates)
        if (day, hour) not in drawn.skipped
    }
    items = [(f"{glyph} {_rate(rate)}", style) for rate, (glyph, style) in sorted(glyphs.items()) if rate in shown]
    if drawn.skipped:
        items.append((f"{_SKIPPED[0]} skipped", _SKIPPED[1]))
    return [*items, (f"{_NOW[0]} now", _NOW[1])]


def _note(change: ClockChange) -> str:
    before, after = _before(change), _after(change)
    way = "forward" if after > before else "back"
    there = f"{after:%H:%M}" if after.date() == before.date() else f"{_DAYS[after.weekday()]} {after:%H:%M}"
    return f"The clocks go {way} on {_DAYS[before.weekday()]} {before:%Y-%m-%d}: {before:%H:%M} becomes {there}."


def _rate(rate: float) -> str:
    return f"×{rate:g}" if rate else "asleep"


def _signed(offset: timedelta) -> str:
    minutes = abs(offset) // timedelta(minutes=1)
    return f"{'-' if offset < timedelta() else '+'}{minutes // 60:02}:{minutes % 60:02}"


def _wrapped(text: Text, items: Iterable[tuple[str, str]], width: int, *, gap: str = "   ") -> None:
    """Append the items on as few lines as fit, never breaking one."""
    used = 0
    for item, style in items:
        if used and used + len(gap) + len(item) > width:
            text.append("\n")
            used = 0
        text.append((gap if used else "") + item, style=style)
        used += len(item) + (len(gap) if used else 0)
    text.append("\n")
