"""A persona's week as a heat strip in SVG: seven rows of twenty-four local hours, with "now" marked.

Called by the pages of an agent and of a persona. Pure; colours come from the style sheet. A text has the same content,
for screen readers and for people who want the exact hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from markupsafe import Markup

from fleet.engine.schedule import Schedule, rate_at
from fleet.features.personas.local_week import DAYS, LocalWeek, look, rate_words, words_of

CELL_W, CELL_H, GAP = 18, 18, 2
LEFT, TOP = 34, 18
WIDTH, HEIGHT = LEFT + 24 * CELL_W, TOP + 7 * CELL_H
_HOURS_PER_TICK = 3
_ASLEEP = 0.08
_FAINTEST, _STRONGEST = 0.25, 1.0


@dataclass(frozen=True, slots=True)
class Key:
    """The meaning of one strength of colour."""

    words: str
    opacity: float


@dataclass(frozen=True, slots=True)
class Strip:
    """The drawing and its texts: the rate now, the meaning of its colours, its days and clock changes."""

    svg: Markup
    now: str
    keys: tuple[Key, ...]
    days: tuple[str, ...]
    notes: tuple[str, ...]


def strip(schedule: Schedule, now: datetime) -> Strip:
    """Draw the local week that contains `now`."""
    week = look(schedule, now)
    here = week.now
    line = (
        f"{DAYS[here.weekday()]} {here:%H:%M} in {schedule.timezone} ({week.offset}), "
        f"{rate_words(rate_at(schedule, now))}"
    )
    days = tuple(f"{DAYS[day]}: {_told(week, day)}" for day in range(7))
    notes = tuple(words_of(change) for change in week.changes)
    strengths, shown = _strengths(schedule), week.shown
    keys = tuple(Key(rate_words(rate), opacity) for rate, opacity in sorted(strengths.items()) if rate in shown)
    return Strip(_svg(week, strengths, f"The week in {schedule.timezone}; now it is {line}"), line, keys, days, notes)


def _strengths(schedule: Schedule) -> dict[float, float]:
    """Return how strongly each rate is drawn: by rank, so that two close rates differ visibly."""
    rates = sorted({1.0, float(schedule.peak_multiplier), float(schedule.off_peak_multiplier)} - {0.0})
    step = (_STRONGEST - _FAINTEST) / max(1, len(rates) - 1)
    ranked = {rate: round(_STRONGEST - step * rank, 3) for rank, rate in enumerate(reversed(rates))}
    return {0.0: _ASLEEP, **ranked}


def _svg(week: LocalWeek, strengths: dict[float, float], label: str) -> Markup:
    cells = [
        _cell(week, day, hour, strengths[rate])
        for day, rates in enumerate(week.rates)
        for hour, rate in enumerate(rates)
    ]
    ticks = [
        Markup('<text x="{x}" y="{y}">{hour:02}</text>').format(x=LEFT + hour * CELL_W, y=TOP - 6, hour=hour)
        for hour in range(0, 24, _HOURS_PER_TICK)
    ]
    rows = [
        Markup('<text x="0" y="{y}">{day}</text>').format(y=TOP + day * CELL_H + CELL_H - 6, day=name)
        for day, name in enumerate(DAYS)
    ]
    return Markup(
        '<svg class="strip" viewBox="0 0 {w} {h}" role="img" aria-label="{label}">{ticks}{rows}{cells}{now}</svg>'
    ).format(
        w=WIDTH, h=HEIGHT, label=label, ticks=_joined(ticks), rows=_joined(rows), cells=_joined(cells), now=_now(week)
    )  # fmt: skip


def _cell(week: LocalWeek, day: int, hour: int, opacity: float) -> Markup:
    x, y = LEFT + hour * CELL_W, TOP + day * CELL_H
    place = {"x": x, "y": y, "w": CELL_W - GAP, "h": CELL_H - GAP}
    if (day, hour) in week.skipped:  # crossed out, for it is neither asleep nor slow: it does not happen
        return Markup(
            '<g class="skipped"><title>{name} {hour:02}: the clocks leave this hour out</title>'
            '<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill="none" stroke="currentColor" '
            'stroke-opacity="0.4"/><path d="M{x} {y}l{w} {h}" stroke="currentColor" stroke-opacity="0.4"/></g>'
        ).format(name=DAYS[day], hour=hour, **place)
    return Markup(
        '<rect class="cell" x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill-opacity="{opacity}">'
        "<title>{name} {hour:02}–{until:02}: {rate}</title></rect>"
    ).format(opacity=opacity, name=DAYS[day], hour=hour, until=hour + 1, rate=_hour(week, day, hour), **place)


def _now(week: LocalWeek) -> Markup:
    here = week.now
    return Markup(
        '<rect class="now" x="{x}" y="{y}" width="{w}" height="{h}" rx="4"><title>now</title></rect>'
    ).format(
        x=LEFT + here.hour * CELL_W - 1, y=TOP + here.weekday() * CELL_H - 1, w=CELL_W - GAP + 2, h=CELL_H - GAP + 2
    )  # fmt: skip


def _told(week: LocalWeek, day: int) -> str:
    """Return a day as text, equal hours joined: 00–09 ×0.3, 09–17 ×2."""
    said: list[str] = []
    for what, hours in groupby(range(24), lambda hour: _hour(week, day, hour)):
        span = list(hours)
        said.append(f"{span[0]:02}–{span[-1] + 1:02} {what}")
    return ", ".join(said)


def _hour(week: LocalWeek, day: int, hour: int) -> str:
    return "left out by the clocks" if (day, hour) in week.skipped else rate_words(week.rates[day][hour])


def _joined(parts: list[Markup]) -> Markup:
    return Markup("").join(parts)
