"""Parts of apps that a screen can be about: calendars, dials, switches, dialogs and so on.

Called by `screens`. A part fills the box that it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import ImageDraw

from fleet.sandbox.gallery.art import brush
from fleet.sandbox.gallery.art.palette import Color, mix, ramp

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Kit:
    """What a screen is drawn with. `u` is one unit of the layout grid in pixels."""

    pen: ImageDraw.ImageDraw
    dice: Random
    u: float
    ink: Color
    face: Color
    accent: Color

    @property
    def soft(self) -> Color:
        return mix(self.ink, self.face, 0.86)

    @property
    def line(self) -> Color:
        return mix(self.ink, self.face, 0.7)

    def panel(self, box: Box, color: Color, *, round_u: float = 1.5, edge: Color | None = None) -> None:
        """Draw a rounded area; nothing where there is no room."""
        if box[2] - box[0] > 2 and box[3] - box[1] > 2:
            self.pen.rounded_rectangle(box, round_u * self.u, color, edge, 2 if edge else 0)

    def words(self, at: brush.Point, wide: float, *, high_u: float = 1.0, color: Color | None = None) -> None:
        """Draw a bar that stands for a line of type."""
        x, y = at
        self.panel((x, y, x + wide, y + high_u * self.u), color or self.line, round_u=high_u / 2)


def draw(kind: str, kit: Kit, box: Box) -> None:
    """Draw a part of `KIND_OF`."""
    _PARTS[kind](kit, box)


def _cells(kit: Kit, box: Box, columns: int, rows: int, filled: Callable[[int, int], float]) -> None:
    """Draw a grid of cells; `filled` says how strongly each is in the accent colour."""
    left, top, right, bottom = box
    side = min((right - left) / columns, (bottom - top) / rows)
    x0 = left + (right - left - side * columns) / 2
    for row in range(rows):
        for column in range(columns):
            x, y = x0 + column * side, top + row * side
            share = filled(column, row)
            color = kit.soft if share == 0 else mix(kit.accent, kit.face, 1 - share)
            kit.panel((x + side * 0.1, y + side * 0.1, x + side * 0.9, y + side * 0.9), color, round_u=0.8)


def _calendar(kit: Kit, box: Box) -> None:
    chosen = (kit.dice.randrange(7), kit.dice.randrange(1, 5))
    _cells(kit, box, 7, 5, lambda column, row: float((column, row) == chosen))


def _seats(kit: Kit, box: Box) -> None:
    taken = {(kit.dice.randrange(8), kit.dice.randrange(6)) for _ in range(16)}
    own = (kit.dice.randrange(8), 3)
    _cells(kit, box, 8, 6, lambda column, row: 1.0 if (column, row) == own else 0.3 * ((column, row) in taken))


def _habits(kit: Kit, box: Box) -> None:
    done = {(column, row) for column in range(7) for row in range(4) if kit.dice.random() < 0.6}
    _cells(kit, box, 7, 4, lambda column, row: 0.8 * ((column, row) in done))


def _keypad(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    brush.write(kit.pen, (right, top + 4 * kit.u), f"{kit.dice.randint(12, 84)}.50", 6 * kit.u, kit.ink, anchor="rm")
    _cells(kit, (left, top + 8 * kit.u, right, bottom), 4, 4, lambda column, _: 0.9 * (column == 3))


def _dial(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    r = min(right - left, bottom - top) * 0.44
    x, y = (left + right) / 2, (top + bottom) / 2
    ring, share = (x - r, y - r, x + r, y + r), kit.dice.uniform(0.3, 0.85)
    kit.pen.arc(ring, 0, 360, kit.soft, int(r * 0.18))
    kit.pen.arc(ring, -90, -90 + 360 * share, kit.accent, int(r * 0.18))
    brush.write(kit.pen, (x, y), f"{round(share * 60)}", r * 0.7, kit.ink, anchor="mm", bold=0.02)


def _switches(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    step = (bottom - top) / 5
    for row in range(5):
        y, on = top + row * step, kit.dice.random() < 0.5
        kit.words((left, y + step * 0.3), (right - left) * kit.dice.uniform(0.3, 0.55), high_u=1.2, color=kit.ink)
        kit.panel((right - 7 * kit.u, y + step * 0.2, right, y + step * 0.2 + 4 * kit.u),
                  kit.accent if on else kit.line, round_u=2)  # fmt: skip
        knob = right - (3.6 if on else 6.6) * kit.u
        kit.pen.ellipse((knob, y + step * 0.2 + 0.5 * kit.u, knob + 3 * kit.u, y + step * 0.2 + 3.5 * kit.u), kit.face)


def _slider(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    for row, place in enumerate((0.25, 0.6)):
        y, share = top + (bottom - top) * place, kit.dice.uniform(0.3, 0.8)
        end = left + (right - left) * share
        kit.words((left, y - 4 * kit.u), (right - left) * 0.3, color=kit.ink)
        kit.panel((left, y, right, y + 2 * kit.u), kit.soft, round_u=1)
        kit.panel((left, y, end, y + 2 * kit.u), kit.accent if row == 0 else kit.line, round_u=1)
        kit.pen.ellipse((end - 2.6 * kit.u, y - 1.6 * kit.u, end + 2.6 * kit.u, y + 3.6 * kit.u), kit.ink)


def _dialog(kit: Kit, box: Box) -> None:
    """A card that asks: a sign, two lines and two buttons."""
    left, top, right, bottom = box
    kit.panel(box, kit.soft, round_u=2.4)
    x, r = (left + right) / 2, (bottom - top) * 0.13
    kit.pen.ellipse((x - r, top + r * 0.8, x + r, top + r * 2.8), kit.accent)
    brush.write(kit.pen, (x, top + r * 1.8), "!", r * 1.3, kit.face, anchor="mm", bold=0.03)
    for row, share in enumerate((0.6, 0.44)):
        y = top + (bottom - top) * (0.46 + 0.1 * row)
        kit.words((x - (right - left) * share / 2, y), (right - left) * share, high_u=1.2)
    low = bottom - (bottom - top) * 0.24
    kit.panel((left + 2 * kit.u, low, x - kit.u, bottom - 2 * kit.u), kit.face, round_u=2)
    kit.panel((x + kit.u, low, right - 2 * kit.u, bottom - 2 * kit.u), kit.accent, round_u=2)


def _form(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    step = (bottom - top) / 4
    for row in range(3):
        y = top + row * step
        kit.words((left, y), (right - left) * 0.28, high_u=0.9)
        kit.panel((left, y + 2 * kit.u, right, y + step - 1.4 * kit.u), kit.face, round_u=1.2, edge=kit.line)
    kit.panel((left, bottom - step + kit.u, right, bottom), kit.accent, round_u=2)
    kit.words(((left + right) / 2 - 5 * kit.u, bottom - step / 2), 10 * kit.u, color=kit.face)


def _search(kit: Kit, box: Box) -> None:
    left, top, right, _ = box
    kit.panel((left, top, right, top + 7 * kit.u), kit.soft, round_u=3.4)
    r, x, y = 1.5 * kit.u, left + 4 * kit.u, top + 3.3 * kit.u
    kit.pen.ellipse((x - r, y - r, x + r, y + r), outline=kit.ink, width=max(3, int(kit.u * 0.5)))
    kit.pen.line((x + r * 0.7, y + r * 0.7, x + r * 1.7, y + r * 1.7), kit.ink, max(3, int(kit.u * 0.5)))
    kit.pen.line((left + 8 * kit.u, top + 1.8 * kit.u, left + 8 * kit.u, top + 5.2 * kit.u), kit.accent, 4)
    for row in range(3):
        kit.words((left + 4 * kit.u, top + (11 + 5 * row) * kit.u), (right - left) * kit.dice.uniform(0.35, 0.7))


def _lines(kit: Kit, box: Box) -> None:
    """A page of running text."""
    left, top, right, bottom = box
    for row in range(int((bottom - top) / (3 * kit.u))):
        share = 0.55 if row % 5 == 4 else kit.dice.uniform(0.88, 1)
        kit.words((left, top + row * 3 * kit.u), (right - left) * share, high_u=1.1)


def _rows(kit: Kit, box: Box) -> None:
    """A list of entries, the first of them new."""
    left, top, right, bottom = box
    for row in range(max(1, int((bottom - top) / (7 * kit.u)))):
        y = top + row * 7 * kit.u
        kit.panel((left, y, right, y + 6 * kit.u), kit.soft if row else mix(kit.accent, kit.face, 0.8), round_u=1.4)
        kit.pen.ellipse((left + 1.4 * kit.u, y + 1.4 * kit.u, left + 4.6 * kit.u, y + 4.6 * kit.u), kit.accent)
        kit.words((left + 6.4 * kit.u, y + 1.5 * kit.u), (right - left) * kit.dice.uniform(0.3, 0.5), color=kit.ink)
        kit.words((left + 6.4 * kit.u, y + 3.7 * kit.u), (right - left) * kit.dice.uniform(0.2, 0.4), high_u=0.8)


def _weather(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    kit.panel(box, mix(kit.accent, (90, 160, 230), 0.5), round_u=2.4)
    x, y, r = left + (right - left) * 0.3, top + (bottom - top) * 0.42, (bottom - top) * 0.17
    for ray in range(8):
        dx, dy = math.cos(ray * math.pi / 4), math.sin(ray * math.pi / 4)
        kit.pen.line((x + dx * r * 1.25, y + dy * r * 1.25, x + dx * r * 1.6, y + dy * r * 1.6), (255, 226, 120), 6)
    kit.pen.ellipse((x - r, y - r, x + r, y + r), (255, 226, 120))
    degrees = f"{kit.dice.randint(2, 31)}°"
    brush.write(kit.pen, (right - (right - left) * 0.28, y), degrees, r * 1.5, (255, 255, 255), anchor="mm", bold=0.02)
    for day in range(5):
        left_of = left + (right - left) * (0.1 + 0.17 * day)
        kit.words((left_of, bottom - (bottom - top) * 0.16), (right - left) * 0.1, color=(255, 255, 255))


def _player(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    x, high = (left + right) / 2, bottom - top
    side = high * 0.3
    kit.panel((x - side, top, x + side, top + 2 * side), mix(kit.accent, kit.face, 0.35), round_u=2)
    kit.pen.ellipse((x - side * 0.4, top + side * 0.6, x + side * 0.4, top + side * 1.4), kit.face)
    y = top + high * 0.72
    kit.panel((left, y, right, y + kit.u), kit.soft, round_u=0.5)
    kit.panel((left, y, left + (right - left) * 0.4, y + kit.u), kit.accent, round_u=0.5)
    y, r = top + high * 0.9, high * 0.08
    kit.pen.ellipse((x - r, y - r, x + r, y + r), kit.ink)
    kit.pen.polygon([(x - r * 0.3, y - r * 0.5), (x - r * 0.3, y + r * 0.5), (x + r * 0.55, y)], kit.face)
    for way in (-1, 1):
        tip = x + way * r * 3.2
        kit.pen.polygon([(tip - way * r * 0.9, y - r * 0.6), (tip - way * r * 0.9, y + r * 0.6), (tip, y)], kit.ink)


def _map(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    kit.panel(box, kit.soft, round_u=2)
    for share in (0.25, 0.6, 0.85):
        kit.pen.line((left, top + high * share, right, top + high * (share - 0.18)), kit.face, max(4, int(kit.u * 1.2)))
        kit.pen.line((left + wide * share, top, left + wide * (share - 0.1), bottom), kit.face, max(4, int(kit.u)))
    x, y, r = left + wide * 0.56, top + high * 0.36, high * 0.07
    kit.pen.polygon([(x - r * 0.8, y + r * 0.5), (x + r * 0.8, y + r * 0.5), (x, y + r * 2.2)], kit.accent)
    kit.pen.ellipse((x - r, y - r, x + r, y + r), kit.accent)
    kit.panel((left + wide * 0.06, bottom - high * 0.34, left + wide * 0.44, bottom - high * 0.06), kit.face)
    for row, tone in enumerate((kit.accent, kit.line, kit.ink)):
        line = bottom - high * (0.29 - 0.08 * row)
        kit.panel((left + wide * 0.09, line, left + wide * 0.13, line + high * 0.04), tone, round_u=0.4)
        kit.words((left + wide * 0.16, line + high * 0.01), wide * 0.2, high_u=0.8)


def _swatches(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    tones = ramp([(226, 72, 72), (240, 180, 60), (84, 176, 98), (66, 140, 220), (142, 92, 200), (226, 72, 140)], 12)
    r = min((right - left) / 9, (bottom - top) / 7)
    for place, tone in enumerate(tones):
        x, y = left + (place % 4 * 2.2 + 1.2) * r, top + (place // 4 * 2.3 + 1.2) * r
        if place == 5:
            kit.pen.ellipse((x - r * 1.1, y - r * 1.1, x + r * 1.1, y + r * 1.1), kit.ink)
        kit.pen.ellipse((x - r * 0.9, y - r * 0.9, x + r * 0.9, y + r * 0.9), tone)


def _nothing(kit: Kit, box: Box) -> None:
    """What is shown where there is nothing yet: an empty box and what to do."""
    left, top, right, bottom = box
    x, y, side = (left + right) / 2, top + (bottom - top) * 0.36, (bottom - top) * 0.2
    kit.panel((x - side, y - side * 0.7, x + side, y + side * 0.8), kit.face, round_u=1, edge=kit.line)
    kit.pen.line((x - side, y - side * 0.1, x + side, y - side * 0.1), kit.line, 3)
    kit.words((x - (right - left) * 0.25, top + (bottom - top) * 0.68), (right - left) * 0.5, high_u=1.2)
    kit.panel((x - 9 * kit.u, bottom - 6 * kit.u, x + 9 * kit.u, bottom - kit.u), kit.accent, round_u=2)


def _chips(kit: Kit, box: Box) -> None:
    """Filters to choose from, some of them chosen."""
    left, top, right, bottom = box
    x, y = left, top
    while y + 5 * kit.u < bottom:
        wide = kit.u * kit.dice.uniform(8, 16)
        if x + wide > right:
            x, y = left, y + 6.4 * kit.u
            continue
        chosen = kit.dice.random() < 0.35
        kit.panel((x, y, x + wide, y + 4.8 * kit.u), kit.accent if chosen else kit.soft, round_u=2.4)
        kit.words((x + wide * 0.25, y + 1.9 * kit.u), wide * 0.5, color=kit.face if chosen else None)
        x += wide + 1.6 * kit.u


_PARTS: dict[str, Callable[[Kit, Box], None]] = {
    "calendar": _calendar, "seats": _seats, "habits": _habits, "keypad": _keypad, "dial": _dial,
    "switches": _switches, "slider": _slider, "dialog": _dialog, "form": _form, "search": _search, "lines": _lines,
    "rows": _rows, "weather": _weather, "player": _player, "map": _map, "swatches": _swatches, "nothing": _nothing,
    "chips": _chips,
}  # fmt: skip
KIND_OF = {
    word: kind
    for kind, words in {
        "calendar": "date calendar week", "seats": "seat", "habits": "habit tracker", "keypad": "calculator keypad",
        "dial": "timer ring dial gauge", "switches": "setting preference", "slider": "volume brightness slider",
        "dialog": "sheet prompt dialog error onboarding permission", "form": "checkout form login profile signup",
        "search": "search", "lines": "reading recipe step", "rows": "stack inbox row board invoice",
        "weather": "weather forecast", "player": "player music", "map": "map", "swatches": "colour color palette",
        "nothing": "empty", "chips": "filter drawer",
    }.items()
    for word in words.split()
}  # fmt: skip
"""The part for a word of the subject."""
