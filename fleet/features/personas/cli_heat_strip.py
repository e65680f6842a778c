"""The week of a schedule as a heat strip: seven rows of twenty-four hours, read at a glance in a terminal.

Called by `fleet persona schedule`; returns a rich Text and prints nothing. Every rate has its own glyph, so the strip
is complete without colour. The schedule decides the rate of each hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.text import Text

from fleet.engine.schedule import Schedule, rate_at
from fleet.features.personas.local_week import DAYS, LocalWeek, look, rate_words, words_of

_LABEL_W = 4
_WIDEST_CELL = 5
_HOURS_PER_TICK = 3

_ASLEEP = ("·", "bright_black")
_SKIPPED = ("×", "magenta")
_NOW = ("◆", "bold red")
# By rank: a schedule knows at most three rates above 0. The colours hold on dark and on light backgrounds.
_LADDER = (("░", "bright_blue"), ("▒", "green"), ("█", "dark_orange"))


def render(schedule: Schedule, now: datetime, *, width: int, colour: bool) -> Text:
    """Draw the current local week in at most `width` columns; under 28 columns the strip itself no longer fits."""
    drawn = look(schedule, now)
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
        _wrapped(text, ((word, "magenta") for word in words_of(change).split()), width, gap=" ")
    text.rstrip()
    return text if colour else Text(text.plain)


def _glyphs(schedule: Schedule) -> dict[float, tuple[str, str]]:
    rates = sorted({1.0, float(schedule.peak_multiplier), float(schedule.off_peak_multiplier)} - {0.0})
    # 1.0 keeps the middle of the ladder if possible, so that strips of several personas are comparable
    first = 0 if len(rates) == 3 or rates[0] < 1.0 else 1
    return {0.0: _ASLEEP} | {rate: _LADDER[first + rank] for rank, rate in enumerate(rates)}


def _heading(schedule: Schedule, drawn: LocalWeek, rate: float) -> list[tuple[str, str]]:
    here = drawn.now
    return [
        (schedule.timezone, "bold"),
        (f"{DAYS[here.weekday()]} {here:%Y-%m-%d %H:%M} ({drawn.offset})", ""),
        (f"now {rate_words(rate)}", "bold"),
    ]


def _axis(cell_w: int) -> str:
    ticks = "".join(f"{hour:02}".ljust(_HOURS_PER_TICK * cell_w) for hour in range(0, 24, _HOURS_PER_TICK))
    return " " * _LABEL_W + ticks.rstrip()


def _row(text: Text, drawn: LocalWeek, day: int, glyphs: dict[float, tuple[str, str]], cell_w: int) -> None:
    today = day == drawn.now.weekday()
    text.append(DAYS[day].ljust(_LABEL_W), style="bold" if today else "")
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


def _legend(drawn: LocalWeek, glyphs: dict[float, tuple[str, str]]) -> list[tuple[str, str]]:
    shown = drawn.shown
    items = [(f"{glyph} {rate_words(rate)}", style) for rate, (glyph, style) in sorted(glyphs.items()) if rate in shown]
    if drawn.skipped:
        items.append((f"{_SKIPPED[0]} skipped", _SKIPPED[1]))
    return [*items, (f"{_NOW[0]} now", _NOW[1])]


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
