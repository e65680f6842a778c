"""Flat pictures of things for posters: balls, drinks, sweets, plants and so on, each on a square without ground.

Called by `poster`. Each pictogram takes a `Sticker` and draws in its units: the square has sides of 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from fleet.sandbox.gallery.art.palette import Color, Palette, mix, shade

_INK = (38, 32, 44)
_LEAF, _WOOD, _CONE = (64, 150, 92), (164, 112, 70), (222, 164, 96)


@dataclass(frozen=True, slots=True)
class Sticker:
    """A square to draw on, with the thing's own three colours."""

    pen: ImageDraw.ImageDraw
    side: int
    main: Color
    second: Color
    third: Color

    def disc(self, x: float, y: float, r: float, color: Color) -> None:
        """Draw a disc."""
        self.oval((x - r, y - r, x + r, y + r), color)

    def oval(self, box: tuple[float, float, float, float], color: Color) -> None:
        """Draw an ellipse."""
        self.pen.ellipse([v * self.side for v in box], color)

    def panel(self, box: tuple[float, float, float, float], color: Color, round_by: float = 0.0) -> None:
        """Draw a rectangle, perhaps with round corners."""
        self.pen.rounded_rectangle([v * self.side for v in box], round_by * self.side, color)

    def shape(self, points: list[tuple[float, float]], color: Color) -> None:
        """Draw a polygon."""
        self.pen.polygon([(x * self.side, y * self.side) for x, y in points], color)

    def line(self, points: list[tuple[float, float]], color: Color, thick: float) -> None:
        """Draw a line through points."""
        self.pen.line([(x * self.side, y * self.side) for x, y in points], color, int(thick * self.side), joint="curve")

    def arc(
        self, box: tuple[float, float, float, float], ends: tuple[float, float], color: Color, thick: float
    ) -> None:
        """Draw a part of an ellipse's outline, between two angles in degrees."""
        self.pen.arc([v * self.side for v in box], *ends, color, int(thick * self.side))

    def slice(self, box: tuple[float, float, float, float], ends: tuple[float, float], color: Color) -> None:
        """Draw a part of an ellipse, between two angles in degrees."""
        self.pen.pieslice([v * self.side for v in box], *ends, color)


def draw(kind: str, side: int, colors: Palette, dice: Random) -> Image.Image:
    """Return a thing of `KIND_OF` as a sticker with a white edge, `side` pixels wide and high."""
    art = Image.new("RGBA", (side, side))
    main, second, third = dice.sample(colors[1:6], 3)
    _PICTOGRAMS[kind](Sticker(ImageDraw.Draw(art), side, main, second, third))
    small = art.getchannel("A").resize((160, 160)).filter(ImageFilter.MaxFilter(7))
    edge = small.resize((side, side), Image.Resampling.BICUBIC).point(lambda v: 255 if v > 110 else 0)
    sticker = Image.new("RGBA", (side, side))
    sticker.paste((255, 255, 255), (0, 0), edge)
    sticker.alpha_composite(art)
    return sticker


def _basketball(sticker: Sticker) -> None:
    sticker.disc(0.5, 0.5, 0.4, (232, 122, 52))
    sticker.line([(0.5, 0.1), (0.5, 0.9)], _INK, 0.02)
    sticker.line([(0.1, 0.5), (0.9, 0.5)], _INK, 0.02)
    sticker.arc((-0.3, 0.1, 0.32, 0.9), (-52, 52), _INK, 0.02)
    sticker.arc((0.68, 0.1, 1.3, 0.9), (128, 232), _INK, 0.02)


def _tennis_ball(sticker: Sticker) -> None:
    sticker.disc(0.5, 0.5, 0.38, (206, 226, 70))
    sticker.arc((-0.28, 0.1, 0.3, 0.9), (-48, 48), (255, 255, 255), 0.035)
    sticker.arc((0.7, 0.1, 1.28, 0.9), (132, 228), (255, 255, 255), 0.035)


def _beach_ball(sticker: Sticker) -> None:
    for part in range(6):
        tone = (sticker.main, (255, 255, 255), sticker.second)[part % 3]
        sticker.slice((0.1, 0.1, 0.9, 0.9), (part * 60 + 10, part * 60 + 70), tone)
    sticker.disc(0.5, 0.5, 0.07, (255, 255, 255))


def _disco_ball(sticker: Sticker) -> None:
    sticker.line([(0.5, 0.02), (0.5, 0.16)], _INK, 0.015)
    sticker.disc(0.5, 0.53, 0.38, mix(sticker.main, (170, 178, 196), 0.6))
    for row in range(-3, 4):
        y = 0.53 + row * 0.1
        reach = math.sqrt(max(0.0, 0.37**2 - (row * 0.1) ** 2))
        for column in range(-4, 5):
            tone = mix(sticker.main, (255, 255, 255), ((row * 3 + column * 5) % 7) / 7)
            x = 0.5 + reach * column / 4.6
            sticker.panel((x - reach * 0.09, y - 0.038, x + reach * 0.09, y + 0.038), tone)


def _donut(sticker: Sticker) -> None:
    sticker.disc(0.5, 0.52, 0.4, _CONE)
    sticker.disc(0.5, 0.5, 0.37, sticker.main)
    for number in range(18):
        angle, far = number * 2.4, 0.2 + 0.13 * ((number * 5) % 7) / 7
        x, y = 0.5 + far * math.cos(angle), 0.5 + far * math.sin(angle)
        dx, dy = 0.025 * math.cos(number), 0.025 * math.sin(number)
        sticker.line(
            [(x - dx, y - dy), (x + dx, y + dy)], (sticker.second, (255, 255, 255), sticker.third)[number % 3], 0.018
        )
    sticker.disc(0.5, 0.5, 0.12, _CONE)
    sticker.disc(0.5, 0.5, 0.1, (255, 255, 255))


def _pool_float(sticker: Sticker) -> None:
    for part in range(8):
        tone = sticker.main if part % 2 else (255, 255, 255)
        sticker.slice((0.1, 0.1, 0.9, 0.9), (part * 45, part * 45 + 45), tone)
    sticker.disc(0.5, 0.5, 0.2, mix(sticker.main, (80, 190, 230), 0.8))
    sticker.arc((0.16, 0.16, 0.84, 0.84), (200, 250), (255, 255, 255), 0.02)


def _record(sticker: Sticker) -> None:
    sticker.disc(0.5, 0.5, 0.42, _INK)
    for ring in range(4):
        edge = 0.14 + ring * 0.05
        sticker.arc((edge, edge, 1 - edge, 1 - edge), (0, 360), (78, 70, 88), 0.006)
    sticker.disc(0.5, 0.5, 0.15, sticker.main)
    sticker.disc(0.5, 0.5, 0.03, (255, 255, 255))


def _cup(sticker: Sticker) -> None:
    """A tall cup with a lid, a straw and pearls."""
    sticker.line([(0.56, 0.3), (0.66, 0.02)], sticker.second, 0.035)
    sticker.shape([(0.26, 0.28), (0.74, 0.28), (0.66, 0.95), (0.34, 0.95)], mix(sticker.main, (255, 255, 255), 0.65))
    sticker.shape([(0.275, 0.4), (0.725, 0.4), (0.66, 0.95), (0.34, 0.95)], sticker.main)
    sticker.panel((0.22, 0.22, 0.78, 0.3), sticker.third, 0.03)
    for x, y in ((0.42, 0.88), (0.52, 0.9), (0.6, 0.86), (0.47, 0.79), (0.57, 0.77)):
        sticker.disc(x, y, 0.038, shade(sticker.main, 0.45))


def _cone(sticker: Sticker) -> None:
    sticker.shape([(0.3, 0.46), (0.7, 0.46), (0.5, 0.98)], _CONE)
    for step in (0.38, 0.46, 0.54):
        sticker.line([(step, 0.47), (step + 0.09, 0.68)], shade(_CONE, 0.75), 0.01)
    for x, y, tone in ((0.38, 0.38, sticker.main), (0.62, 0.38, sticker.second), (0.5, 0.22, sticker.third)):
        sticker.disc(x, y, 0.17, tone)
    sticker.disc(0.5, 0.06, 0.045, (214, 40, 60))


def _popsicle(sticker: Sticker) -> None:
    sticker.panel((0.46, 0.7, 0.54, 0.98), _CONE, 0.03)
    sticker.panel((0.3, 0.06, 0.7, 0.78), sticker.main, 0.18)
    sticker.panel((0.3, 0.5, 0.7, 0.78), sticker.second, 0.03)
    sticker.panel((0.37, 0.16, 0.42, 0.46), mix(sticker.main, (255, 255, 255), 0.6), 0.025)


def _cactus(sticker: Sticker) -> None:
    sticker.panel((0.4, 0.1, 0.6, 0.74), _LEAF, 0.1)
    for x, top in ((0.22, 0.28), (0.66, 0.2)):
        sticker.panel((x, top, x + 0.12, top + 0.26), _LEAF, 0.06)
        sticker.panel((min(x, 0.5), top + 0.16, max(x + 0.12, 0.5), top + 0.28), _LEAF, 0.06)
    for y in (0.2, 0.34, 0.48):
        sticker.line([(0.5, y), (0.5, y + 0.06)], mix(_LEAF, (255, 255, 255), 0.6), 0.012)
    sticker.disc(0.5, 0.09, 0.05, sticker.second)
    sticker.shape([(0.3, 0.7), (0.7, 0.7), (0.64, 0.96), (0.36, 0.96)], sticker.main)


def _houseplant(sticker: Sticker) -> None:
    for angle, long in ((-62, 0.42), (-30, 0.5), (0, 0.54), (30, 0.5), (62, 0.42)):
        turn = math.radians(angle - 90)
        tip = (0.5 + long * math.cos(turn), 0.66 + long * math.sin(turn))
        wide = (0.08 * math.sin(turn), -0.08 * math.cos(turn))
        middle = ((0.5 + tip[0]) / 2, (0.66 + tip[1]) / 2)
        tone = shade(_LEAF, 0.85 + abs(angle) / 200)
        sticker.shape([(0.5, 0.66), (middle[0] + wide[0], middle[1] + wide[1]), tip,
                     (middle[0] - wide[0], middle[1] - wide[1])], tone)  # fmt: skip
    sticker.shape([(0.3, 0.62), (0.7, 0.62), (0.64, 0.96), (0.36, 0.96)], sticker.main)
    sticker.panel((0.27, 0.58, 0.73, 0.68), shade(sticker.main, 0.85), 0.02)


def _surfboard(sticker: Sticker) -> None:
    sticker.oval((0.34, 0.02, 0.66, 0.98), sticker.main)
    sticker.panel((0.345, 0.42, 0.655, 0.5), (255, 255, 255))
    sticker.panel((0.345, 0.53, 0.655, 0.58), sticker.second)
    sticker.line([(0.5, 0.04), (0.5, 0.96)], mix(sticker.main, _INK, 0.4), 0.01)


def _skateboard(sticker: Sticker) -> None:
    for x in (0.24, 0.76):
        sticker.panel((x - 0.05, 0.54, x + 0.05, 0.62), (150, 156, 168))
        sticker.disc(x, 0.66, 0.075, sticker.second)
        sticker.disc(x, 0.66, 0.028, (255, 255, 255))
    sticker.line([(0.04, 0.42), (0.14, 0.52), (0.86, 0.52), (0.96, 0.42)], sticker.main, 0.07)
    sticker.line([(0.14, 0.485), (0.86, 0.485)], _INK, 0.018)


def _cassette(sticker: Sticker) -> None:
    sticker.panel((0.06, 0.22, 0.94, 0.8), sticker.main, 0.05)
    sticker.panel((0.13, 0.28, 0.87, 0.62), (250, 244, 230), 0.03)
    sticker.panel((0.13, 0.28, 0.87, 0.36), sticker.second, 0.03)
    sticker.panel((0.24, 0.42, 0.76, 0.57), _INK, 0.06)
    for x in (0.34, 0.66):
        sticker.disc(x, 0.495, 0.055, (255, 255, 255))
        sticker.disc(x, 0.495, 0.022, _INK)
    sticker.shape([(0.26, 0.8), (0.31, 0.68), (0.69, 0.68), (0.74, 0.8)], shade(sticker.main, 0.75))


def _phone(sticker: Sticker) -> None:
    """A phone that folds, opened."""
    sticker.panel((0.3, 0.04, 0.7, 0.5), sticker.main, 0.05)
    sticker.panel((0.35, 0.1, 0.65, 0.42), mix(sticker.third, (255, 255, 255), 0.5), 0.02)
    sticker.panel((0.33, 0.47, 0.67, 0.53), _INK, 0.02)
    sticker.panel((0.3, 0.5, 0.7, 0.96), shade(sticker.main, 0.88), 0.05)
    for number in range(12):
        sticker.disc(0.39 + number % 3 * 0.11, 0.6 + number // 3 * 0.09, 0.032, (255, 255, 255))


def _lipstick(sticker: Sticker) -> None:
    sticker.shape([(0.41, 0.36), (0.41, 0.14), (0.59, 0.04), (0.59, 0.36)], sticker.main)
    sticker.panel((0.37, 0.34, 0.63, 0.54), (214, 178, 92))
    sticker.panel((0.33, 0.52, 0.67, 0.96), _INK, 0.02)
    sticker.panel((0.37, 0.52, 0.41, 0.96), (92, 84, 104))


def _bottle(sticker: Sticker) -> None:
    sticker.panel((0.44, 0.02, 0.56, 0.1), sticker.second, 0.01)
    sticker.shape([(0.45, 0.09), (0.55, 0.09), (0.57, 0.26), (0.68, 0.42), (0.68, 0.9), (0.32, 0.9), (0.32, 0.42),
                 (0.43, 0.26)], sticker.main)  # fmt: skip
    sticker.panel((0.32, 0.8, 0.68, 0.97), sticker.main, 0.05)
    sticker.panel((0.32, 0.5, 0.68, 0.74), (255, 250, 240))
    sticker.disc(0.5, 0.62, 0.07, sticker.third)


def _lava_lamp(sticker: Sticker) -> None:
    sticker.shape([(0.38, 0.14), (0.62, 0.14), (0.7, 0.5), (0.62, 0.72), (0.38, 0.72), (0.3, 0.5)],
                mix(sticker.main, (255, 255, 255), 0.55))  # fmt: skip
    for x, y, r in ((0.46, 0.6, 0.1), (0.54, 0.42, 0.08), (0.47, 0.28, 0.05), (0.56, 0.2, 0.03)):
        sticker.disc(x, y, r, sticker.second)
    sticker.shape([(0.4, 0.15), (0.6, 0.15), (0.56, 0.03), (0.44, 0.03)], _INK)
    sticker.shape([(0.38, 0.71), (0.62, 0.71), (0.56, 0.82), (0.68, 0.97), (0.32, 0.97), (0.44, 0.82)], _INK)


def _umbrella(sticker: Sticker) -> None:
    sticker.line([(0.5, 0.2), (0.5, 0.97)], _WOOD, 0.03)
    for part in range(6):
        tone = sticker.main if part % 2 else (255, 255, 255)
        sticker.slice((0.06, 0.1, 0.94, 0.98), (180 + part * 30, 210 + part * 30), tone)
    sticker.disc(0.5, 0.1, 0.03, sticker.second)


def _watermelon(sticker: Sticker) -> None:
    for inset, tone in ((0.0, (52, 140, 74)), (0.05, (232, 244, 214)), (0.08, (238, 72, 86))):
        sticker.slice((0.06 + inset, -0.16 + inset, 0.94 - inset, 0.86 - inset), (0, 180), tone)
    for x, y in ((0.3, 0.45), (0.42, 0.57), (0.5, 0.43), (0.58, 0.57), (0.7, 0.45), (0.5, 0.68)):
        sticker.oval((x - 0.014, y - 0.024, x + 0.014, y + 0.024), _INK)


def _citrus(sticker: Sticker) -> None:
    flesh = mix(sticker.main, (255, 150, 70), 0.6)
    sticker.disc(0.5, 0.5, 0.42, shade(flesh, 1.15))
    sticker.disc(0.5, 0.5, 0.37, (255, 250, 232))
    for part in range(9):
        sticker.slice((0.16, 0.16, 0.84, 0.84), (part * 40 + 3, part * 40 + 37), flesh)
    sticker.disc(0.5, 0.5, 0.04, (255, 250, 232))


def _pizza(sticker: Sticker) -> None:
    sticker.shape([(0.1, 0.2), (0.9, 0.2), (0.5, 0.98)], (248, 206, 96))
    sticker.panel((0.06, 0.1, 0.94, 0.24), _CONE, 0.07)
    for x, y in ((0.34, 0.36), (0.62, 0.34), (0.5, 0.56), (0.47, 0.76)):
        sticker.disc(x, y, 0.075, (206, 64, 52))
    sticker.disc(0.46, 0.42, 0.025, _LEAF)
    sticker.disc(0.57, 0.68, 0.025, _LEAF)


def _balloon(sticker: Sticker) -> None:
    sticker.line([(0.5, 0.72), (0.46, 0.82), (0.54, 0.9), (0.5, 0.98)], _INK, 0.012)
    sticker.shape([(0.5, 0.68), (0.45, 0.76), (0.55, 0.76)], sticker.main)
    sticker.oval((0.22, 0.04, 0.78, 0.72), sticker.main)
    sticker.oval((0.32, 0.14, 0.42, 0.3), mix(sticker.main, (255, 255, 255), 0.6))


def _plane(sticker: Sticker) -> None:
    """A plane of folded paper."""
    sticker.shape([(0.04, 0.52), (0.96, 0.1), (0.4, 0.62)], mix(sticker.main, (255, 255, 255), 0.75))
    sticker.shape([(0.96, 0.1), (0.4, 0.62), (0.66, 0.86)], mix(sticker.main, (255, 255, 255), 0.5))
    sticker.shape([(0.4, 0.62), (0.96, 0.1), (0.38, 0.88)], sticker.main)


def _kite(sticker: Sticker) -> None:
    sticker.line([(0.5, 0.68), (0.58, 0.78), (0.44, 0.86), (0.54, 0.97)], _INK, 0.012)
    corners = [(0.5, 0.02), (0.82, 0.32), (0.5, 0.7), (0.18, 0.32)]
    for number, tone in enumerate((sticker.main, sticker.second, sticker.main, sticker.third)):
        sticker.shape([corners[number], corners[(number + 1) % 4], (0.5, 0.32)], tone)


def _bowl(sticker: Sticker) -> None:
    for x in (0.56, 0.64):
        sticker.line([(x, 0.42), (x + 0.26, 0.04)], _WOOD, 0.025)
    sticker.oval((0.08, 0.34, 0.92, 0.58), mix(sticker.second, (244, 214, 140), 0.7))
    for x in (0.3, 0.42, 0.54):
        sticker.arc((x - 0.1, 0.38, x + 0.1, 0.54), (180, 380), (255, 244, 200), 0.02)
    sticker.oval((0.6, 0.37, 0.78, 0.49), (255, 255, 255))
    sticker.disc(0.69, 0.43, 0.04, (248, 178, 60))
    sticker.slice((0.08, 0.06, 0.92, 0.92), (0, 180), sticker.main)
    sticker.panel((0.36, 0.88, 0.64, 0.96), shade(sticker.main, 0.8), 0.02)


_PICTOGRAMS: dict[str, Callable[[Sticker], None]] = {
    "basketball": _basketball, "tennis ball": _tennis_ball, "beach ball": _beach_ball, "disco ball": _disco_ball,
    "donut": _donut, "pool float": _pool_float, "record": _record, "cup": _cup, "cone": _cone, "popsicle": _popsicle,
    "cactus": _cactus, "houseplant": _houseplant, "surfboard": _surfboard, "skateboard": _skateboard,
    "cassette": _cassette, "phone": _phone, "lipstick": _lipstick, "bottle": _bottle, "lava lamp": _lava_lamp,
    "umbrella": _umbrella, "watermelon": _watermelon, "citrus": _citrus, "pizza": _pizza, "balloon": _balloon,
    "plane": _plane, "kite": _kite, "bowl": _bowl,
}  # fmt: skip
KIND_OF = {
    word: kind
    for kind, words in {
        "basketball": "basketball", "tennis ball": "tennis", "beach ball": "beach", "disco ball": "disco",
        "donut": "donut doughnut bagel", "pool float": "float lifebuoy", "record": "record vinyl",
        "cup": "cup coffee latte boba milkshake lemonade smoothie drink", "cone": "cone gelato",
        "popsicle": "popsicle lolly", "cactus": "cactus", "houseplant": "houseplant plant fern monstera",
        "surfboard": "surfboard", "skateboard": "skateboard", "cassette": "cassette mixtape", "phone": "phone",
        "lipstick": "lipstick", "bottle": "bottle soda", "lava lamp": "lava lamp", "umbrella": "umbrella parasol",
        "watermelon": "watermelon", "citrus": "grapefruit lemon orange lime citrus", "pizza": "pizza",
        "balloon": "balloon", "plane": "plane", "kite": "kite", "bowl": "bowl ramen noodle",
    }.items()
    for word in words.split()
}  # fmt: skip
"""The pictogram for a word of the subject."""
