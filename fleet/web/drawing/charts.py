"""Charts as SVG, made here: no script, no library. Pure; colours come from the style sheet.

Each has a description for screen readers, and charts with figures bring them as a table too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

_W, _H = 120, 32
_PLOT_W, _PLOT_H, _LEFT, _BOTTOM = 720, 200, 40, 22
_GAP, _CHARACTER = 7, 8.5  # between a label and its line; the width of a letter at the largest size of text
_MOST_LABELS = 7
_EMPTY = Markup("")
KIND_TITLES: Mapping[str, str] = {
    "post": "Posts", "comment": "Comments", "like": "Likes", "react": "Reactions", "connect": "Requests",
    "browse": "Looks", "scan_feed": "Scans", "other": "Other",
}  # fmt: skip
"""Kinds of job that have a colour of their own in charts, and all others."""


def sparkline(values: Sequence[float | None], label: str) -> Markup:
    """Return a line through the values, oldest first, with gaps where nothing is known."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    top = max([*known, 0.0]) or 1.0
    step = _W / max(1, len(values) - 1)
    drawn = [
        _stretch(
            [f"{place * step:.1f},{_H - 2 - max(value, 0.0) / top * (_H - 4):.1f}" for place, value in part]
        )
        for part in _unbroken(values)
    ]  # fmt: skip
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{label}">'
        "{drawn}</svg>"
    ).format(w=_W, h=_H, label=label, drawn=_EMPTY.join(drawn))


def _unbroken(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Return the stretches of known values with their places."""
    parts: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None or not math.isfinite(value):
            parts.append([])
        else:
            parts[-1].append((place, value))
    return [part for part in parts if part]


def _stretch(points: Sequence[str]) -> Markup:
    line = " ".join(points) if len(points) > 1 else f"{points[0]} {points[0]}"
    first, last = points[0].split(",")[0], points[-1].split(",")[0]
    return Markup(
        '<polygon class="spark-area" points="{first},{h} {line} {last},{h}"/>'
        '<polyline class="spark-line" points="{line}"/>'
    ).format(first=first, last=last, h=_H, line=line)


@dataclass(frozen=True, slots=True)
class Column:
    """One bar: its label below, and the height of each of its parts; None where the value is unknown.

    `name` is the label in full. With `href` the bar is a link; `start` and `end` are the span that it stands for.
    """

    label: str
    values: Mapping[str, float] | None
    name: str = ""
    href: str = ""
    start: datetime | None = None
    end: datetime | None = None

    @property
    def total(self) -> float:
        """The height of the whole bar, if its parts are stacked."""
        return sum(self.values.values()) if self.values else 0

    @property
    def full_name(self) -> str:
        """The label in full."""
        return self.name or self.label


def by_kind(done: Mapping[str, int]) -> dict[str, int]:
    """Return numbers of jobs by the kinds that have a colour; those of other kinds are summed."""
    named = {kind: number for kind, number in done.items() if kind in KIND_TITLES}
    other = sum(done.values()) - sum(named.values())
    return {**named, "other": other} if other else named


def count(value: float) -> str:
    """Return a number of things."""
    return f"{value:,.0f}"


def stacked(
    columns: Sequence[Column], series: Mapping[str, str], label: str, *, show: Callable[[float], str] = count,
    axis: Callable[[float], str] | None = None, is_layered: bool = False, sums: Mapping[str, str] | None = None,
) -> Markup:  # fmt: skip
    """Return bars side by side, each of stacked parts; `series` gives each part's title, its class is `k-` and its
    name.

    A few bars have their label below. A legend has the sums, or `sums`; the figures follow as a table. `show` writes a
    value; `axis` writes one at the side. Layered parts begin at the bottom, all of them, the highest at the back.
    """
    highest = [max((column.values or {}).values(), default=0) if is_layered else column.total for column in columns]
    top = _round_up(max(highest, default=0), least=4 if show is count else 0.001)
    ticks = _ticks(top, axis or _short)
    left = max(_LEFT, _GAP + _CHARACTER * max(len(words) for _, words in ticks))
    width = (_PLOT_W - left) / max(1, len(columns))
    style, slug = _Style(series, show, is_layered), _slug(label)
    bars = [
        _bar(column, style, (left + place * width, width, top), f"bar-{slug}-{place}")
        for place, column in enumerate(columns)
    ]
    every = max(1, math.ceil(len(columns) / _MOST_LABELS))
    named = [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle"{}>{}</text>').format(
            left + (place + 0.5) * width, _PLOT_H - 5, _hour_of(column), column.label
        )
        for place, column in enumerate(columns)
        if (len(columns) - 1 - place) % every == 0
    ]
    return Markup(
        '<figure class="chart"><svg class="plot" viewBox="0 0 {w} {h}" role="{role}" aria-label="{label}">'
        "{grid}{bars}{named}</svg><figcaption>{legend}</figcaption>{table}</figure>"
    ).format(
        w=_PLOT_W, h=_PLOT_H, label=label, grid=_grid(ticks, left), bars=_EMPTY.join(bars),
        named=_EMPTY.join(named), legend=_legend(columns, series, sums, show),
        table=_table(columns, series, label, show), role="group" if any(one.href for one in columns) else "img",
    )  # fmt: skip


def _hour_of(column: Column) -> Markup:
    """Return the mark of a label that is an hour, which a browser may show in its own zone."""
    is_hour = column.start is not None and ":" in column.label
    return Markup(' data-at="{}"').format(column.start.isoformat()) if is_hour and column.start else _EMPTY


@dataclass(frozen=True, slots=True)
class _Style:
    """How the bars of a chart are drawn and put in words."""

    series: Mapping[str, str]
    show: Callable[[float], str]
    is_layered: bool


def _bar(column: Column, style: _Style, place: tuple[float, float, float], bar_id: str) -> Markup:
    x, width, top = place
    room = _PLOT_H - _BOTTOM
    values = column.values or {}
    y = float(room)
    marks = []
    for name in sorted(style.series, key=lambda one: -values.get(one, 0)) if style.is_layered else style.series:
        value = values.get(name, 0)
        height = value / top * (room - 8)
        if value:
            y = room - height if style.is_layered else y - height
            marks.append(_rect(f"mark k-{name}", x + width * 0.14, y, width * 0.72, max(height - 0.8, 0.6)))
    drawn = Markup("{}{}").format(_rect("slot", x, 0, width, room), _EMPTY.join(marks))
    told = _told(column, style)
    if not column.href:
        return Markup("<g><title>{}</title>{}</g>").format(told, drawn)
    span = _EMPTY
    if column.start is not None and column.end is not None:
        span = Markup(' data-start="{}" data-end="{}"').format(column.start.isoformat(), column.end.isoformat())
    return Markup(
        '<a class="chart-bar" id="{}" href="{}" aria-label="{}" data-told="{}"{}><title>{}</title>{}</a>'
    ).format(bar_id, column.href, told.replace("\n", ", "), told, span, told, drawn)  # fmt: skip


def _told(column: Column, style: _Style) -> str:
    values = column.values
    if values is None:
        return f"{column.full_name}: not known"
    parts = [f"{title}: {style.show(values[name])}" for name, title in style.series.items() if name in values]
    if style.is_layered or len(style.series) == 1:
        return f"{column.full_name}\n" + ("\n".join(parts) or "nothing")
    return "\n".join([f"{column.full_name}: {style.show(column.total)}", *parts])


def _rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5"/>').format(
        kind, x, y, width, height
    )


def _ticks(top: float, axis: Callable[[float], str]) -> list[tuple[float, str]]:
    """Return the heights that have a line, as shares, with their labels; one that says the same as another is empty."""
    found: list[tuple[float, str]] = []
    for share in (0.0, 0.5, 1.0):
        words = axis(top * share)
        found.append((share, "" if any(words == known for _, known in found) else words))
    return found


def _grid(ticks: Sequence[tuple[float, str]], left: float) -> Markup:
    room = _PLOT_H - _BOTTOM
    lines = []
    for share, words in ticks:
        y = room - share * (room - 8)
        lines.append(
            Markup(
                '<line class="{}" x1="{:.0f}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>'
                '<text x="{:.0f}" y="{ty:.1f}" text-anchor="end">{}</text>'
            ).format("grid" if share else "axis", left, _PLOT_W, left - _GAP, words, y=y, ty=y + 4)
        )
    return _EMPTY.join(lines)


def _legend(columns: Sequence[Column], series: Mapping[str, str], sums: Mapping[str, str] | None,
            show: Callable[[float], str]) -> Markup:  # fmt: skip
    if sums is None:
        found = {name: sum((column.values or {}).get(name, 0) for column in columns) for name in series}
        sums = {name: show(value) for name, value in found.items() if value}
    return _EMPTY.join(
        Markup('<span class="key k-{}">{} <b>{}</b></span>').format(name, title, sums[name])
        for name, title in series.items()
        if name in sums
    )


def _table(columns: Sequence[Column], series: Mapping[str, str], label: str, show: Callable[[float], str]) -> Markup:
    head = _EMPTY.join(Markup('<th scope="col" class="num">{}</th>').format(title) for title in series.values())
    rows = _EMPTY.join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(_linked(column), _cells(column, series, show))
        for column in columns
    )
    return Markup(
        '<details id="table-{}"><summary>As a table</summary><div class="scroll"><table>'
        '<thead><tr><th scope="col">When</th>{}</tr></thead><tbody>{}</tbody></table></div></details>'
    ).format(_slug(label), head, rows)


def _slug(label: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in label.lower())[:60]


def _linked(column: Column) -> Markup:
    if not column.href:
        return Markup("{}").format(column.full_name)
    return Markup('<a href="{}">{}</a>').format(column.href, column.full_name)


def _cells(column: Column, series: Mapping[str, str], show: Callable[[float], str]) -> Markup:
    told = ["–" if column.values is None else show(column.values.get(name, 0)) for name in series]
    return _EMPTY.join(Markup('<td class="num">{}</td>').format(words) for words in told)


def meter(used: float, limit: float, label: str, *, expected: float | None = None) -> Markup:
    """Return a meter: the used part of a limit, with the forecast behind it; it warns past the limit."""
    share = 1.0 if limit <= 0 else min(1.0, max(0.0, used / limit))
    ahead = share if expected is None or limit <= 0 else min(1.0, max(share, expected / limit))
    kind = "bad" if share >= 1 else "warn" if share >= 0.8 or ahead >= 1 else "good"
    return Markup(
        '<svg class="meter {kind}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{label}">'
        '<rect class="rest" width="100" height="8"/><rect class="soon" width="{ahead:.2f}" height="8"/>'
        '<rect class="used" width="{share:.2f}" height="8"/></svg>'
    ).format(kind=kind, label=label, ahead=ahead * 100, share=share * 100)


def shares(parts: Sequence[tuple[str, int]], label: str) -> Markup:
    """Return one bar, divided among parts; the class of each is `s-` and its name."""
    total = sum(number for _, number in parts) or 1
    x, drawn = 0.0, []
    for name, number in parts:
        width = number / total * 100
        drawn.append(
            Markup('<rect class="s-{}" x="{:.2f}" width="{:.2f}" height="8"/>').format(name, x, max(0.0, width - 0.4))
        )
        x += width
    return Markup(
        '<svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="rest" width="100" height="8"/>{}</svg>'
    ).format(label, _EMPTY.join(drawn))


def _round_up(value: float, *, least: float) -> float:
    """Return the next number that people like to read on an axis."""
    if value <= least:
        return least
    size = 10.0 ** math.floor(math.log10(value))
    return next((size * step for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8) if size * step >= value), size * 10)


def _short(value: float) -> str:
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"
