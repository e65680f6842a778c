"""A difference with its interval as a strip of characters around zero: ──────┼──├──●──┤.

Called by `fleet experiments show`; returns a rich Text and prints nothing. Whether the interval leaves zero out can be
seen without colour.
"""

from __future__ import annotations

from rich.text import Text

from fleet.engine.points.effect_size import EffectInterval

WIDTH = 25
_ZERO = WIDTH // 2


def draw(interval: EffectInterval, reach: float, style: str = "") -> Text:
    """Draw an interval on a scale from -reach to +reach, which all strips of one table share."""
    low, middle, high = (_place(value, reach) for value in (interval.low, interval.difference, interval.high))
    cells = ["·"] * WIDTH
    cells[_ZERO] = "│"
    cells[low : high + 1] = ["┼" if place == _ZERO else "─" for place in range(low, high + 1)]
    if low < middle:
        cells[low] = "├"
    if middle < high:
        cells[high] = "┤"
    cells[middle] = "●"
    text = Text("".join(cells), style="bright_black")
    text.stylize(style or "default", low, high + 1)
    return text


def _place(value: float, reach: float) -> int:
    """Return the column of a value. A value other than zero is never rounded to zero's column."""
    if reach <= 0 or value == 0:
        return _ZERO
    away = max(1, round(abs(value) / reach * _ZERO))
    return _ZERO + (away if value > 0 else -away)
