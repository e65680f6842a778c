"""The paper that charts are drawn on: title, frame, scale, legend, and series that move like something measured.

Called by `charts`. The words and figures are made up, and every chart says so at its foot.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from fleet.sandbox.gallery.art import brush, palette
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import Color, Palette, luminance, mix

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
THINGS = ("North", "South", "East", "West", "Coast", "Inland", "Metro", "Rural", "Online", "Retail", "Mobile",
          "Desktop",
           "Solar", "Wind", "Hydro", "Rail", "Bike", "Bus")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """The paper of one chart: its pen, its colours, and the frame in which the data is drawn."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    dice: Random
    ink: Color
    paper: Color
    tones: Palette
    unit: float
    left: float
    top: float
    right: float
    bottom: float
    by: str
    """What the figures are counted by, such as hour or bridge; empty if the prompt does not say."""

    @property
    def quiet(self) -> Color:
        return mix(self.ink, self.paper, 0.45)

    @property
    def rule(self) -> Color:
        return mix(self.ink, self.paper, 0.86)

    def x(self, share: float) -> float:
        return self.left + (self.right - self.left) * share

    def y(self, share: float) -> float:
        return self.bottom - (self.bottom - self.top) * share

    def steps(self, count: int) -> tuple[str, ...]:
        """Return the words along the axis: months, weekdays or hours where the figures are counted by them."""
        match self.by:
            case "weekday" | "day":
                return tuple(DAYS[step % 7] for step in range(count))
            case "hour":
                return tuple(f"{24 * step // count:02d}" for step in range(count))
            case "" | "month" | "season" | "year":
                return MONTHS[:count]
            case _:
                return tuple(str(step + 1) for step in range(count))

    def groups(self, count: int) -> list[str]:
        """Return names of what is compared: months or weekdays where the figures are counted by them."""
        known = {"month": MONTHS, "weekday": DAYS}.get(self.by, ())
        return self.dice.sample(known, count) if count <= len(known) else self.names(count)

    def names(self, count: int) -> list[str]:
        """Return names of series or groups, numbered ones of what the figures are counted by."""
        if self.by in ("", "hour", "minute", "weekday", "day", "week", "month", "season", "year"):
            return self.dice.sample(THINGS, count)
        return [f"{self.by.capitalize()} {number}" for number in sorted(self.dice.sample(range(1, 31), count))]

    def say(self, at: brush.Point, text: str, size: float, color: Color | None = None, *, anchor: str = "ls",
            bold: float = 0.0) -> None:  # fmt: skip
        brush.write(self.pen, at, text, size * self.unit, color or self.quiet, anchor=anchor, bold=bold)


def laid_out(order: Order) -> Sheet:
    """Lay out paper, title, subtitle and source."""
    dice, tones = order.dice, list(order.colors(palette.CHART))
    dark = order.mentions("night") or "dark" in order.words or dice.random() < 0.3
    dice.shuffle(tones)
    base = min(tones, key=luminance)
    paper = (
        mix(base, (10, 12, 20), 0.72)
        if dark
        else mix(dice.choice(tones), (255, 255, 255), dice.choice((0.9, 0.95, 1.0)))
    )
    ink = (240, 242, 246) if dark else mix(base, (16, 18, 26), 0.7)
    tones = [mix(tone, (255, 255, 255), 0.2) if dark else tone for tone in tones]
    image = brush.canvas(order.width, order.height, paper)
    unit = min(image.size) / 1024
    sheet = Sheet(image, ImageDraw.Draw(image), dice, ink, paper, tuple(tones), unit, 110 * unit, 250 * unit,
                  image.width - 90 * unit, image.height - 140 * unit, _counted_by(order))  # fmt: skip
    sheet.pen.rectangle((70 * unit, 62 * unit, 130 * unit, 70 * unit), tones[0])
    title = order.topic(f"{dice.choice(THINGS)} in {dice.randint(2019, 2026)}")
    size = min(50.0, 860 / max(1.0, brush.text_width(title, 100) / 100))
    sheet.say((70 * unit, 134 * unit), title, size, ink, bold=0.022)
    sheet.say((70 * unit, 178 * unit), "Made-up figures, to try the form", 25)
    sheet.say((70 * unit, image.height - 48 * unit), "Illustration with invented figures", 19)
    return sheet


def _counted_by(order: Order) -> str:
    found = re.search(r"\bby ([a-z]+(?: [a-z]+)?)", order.setting)
    return found[1] if found else ""


def scale(sheet: Sheet, top: float, *, lines: int = 5) -> None:
    """Draw the level lines with their numbers."""
    for step in range(lines + 1):
        y = sheet.y(step / lines)
        sheet.pen.line((sheet.left, y, sheet.right, y), sheet.quiet if step == 0 else sheet.rule, 3 if step == 0 else 2)
        sheet.say((sheet.left - 14 * sheet.unit, y), f"{top * step / lines:g}", 21, anchor="rm")


def below(sheet: Sheet, words: Sequence[str], *, between: bool = True) -> None:
    """Write words under the axis, in the middle of their columns or at the points between."""
    count = len(words)
    for place, word in enumerate(words):
        share = (place + 0.5) / count if between else place / max(1, count - 1)
        sheet.say((sheet.x(share), sheet.bottom + 34 * sheet.unit), word, 21, anchor="mm")


def legend(sheet: Sheet, words: Sequence[str]) -> None:
    """Name the series above the plot, each with its colour."""
    x, y = sheet.left, sheet.top - 32 * sheet.unit
    for place, word in enumerate(words):
        tone = sheet.tones[place % len(sheet.tones)]
        sheet.pen.ellipse((x, y - 9 * sheet.unit, x + 18 * sheet.unit, y + 9 * sheet.unit), tone)
        sheet.say((x + 28 * sheet.unit, y), word, 22, anchor="lm")
        x += brush.text_width(word, 22 * sheet.unit) + 66 * sheet.unit


def walk(dice: Random, count: int, *, start: float = 0.4, drift: float = 0.01, wild: float = 0.08) -> list[float]:
    """Return a series between 0.04 and 0.98 that moves like something measured."""
    value, out = start, []
    swing, phase = dice.uniform(0.0, 0.12), dice.uniform(0, math.tau)
    for step in range(count):
        value += drift + dice.gauss(0, wild)
        value = min(0.92, max(0.06, value))
        out.append(min(0.98, max(0.04, value + swing * math.sin(step / count * 9 + phase))))
    return out


def smoothed(values: list[float]) -> list[float]:
    """Return the values with their roughness taken off; as many as came in."""
    padded = [values[0], *values, values[-1]]
    once = [(a + 2 * b + c) / 4 for a, b, c in zip(padded, padded[1:], padded[2:], strict=False)]
    padded = [once[0], *once, once[-1]]
    return [(a + b + c) / 3 for a, b, c in zip(padded, padded[1:], padded[2:], strict=False)]
