"""The picture that Fleet draws itself when a surface's workflow fails: hills below a sky.

Called by the post handler. Prompt and persona seed the drawing, so every attempt at one post shows the same picture. It
is marked as made by formula: no model was used.
"""

from __future__ import annotations

import base64
import colorsys
import hashlib
import math
from random import Random

from PIL import Image, ImageDraw, ImageOps

from fleet.images.editing import Format, encode
from fleet.images.marks import Marks, PictureSource
from fleet.images.safety import sniff

SIDE_PX = 768
MAX_BYTES = 120_000
_QUALITIES = (86, 76, 64, 50, 34, 20)
_DRAWN_PX = 2 * SIDE_PX  # drawn at twice the size and scaled down, so that edges are smooth
_HILLS = 5
_STEP_PX = 8

Color = tuple[int, int, int]


def render_jpeg(prompt: str, style: str) -> bytes:
    """Return a JPEG of 768 x 768 and less than 120 kB; `style`, such as a persona's id, varies the drawing."""
    image = _draw(prompt, style)
    marks = Marks(PictureSource.FORMULA, f"Drawn by formula for: {prompt}"[:400])
    data = b""
    for quality in _QUALITIES:
        data = encode(image, marks, Format.JPEG, quality=quality)
        if len(data) < MAX_BYTES:
            break
    return data


def data_url(picture: bytes) -> str:
    """Return a picture's file as a data URL. Raises InvalidInput when it is no picture."""
    return f"data:{sniff(picture)};base64,{base64.b64encode(picture).decode()}"


def _draw(prompt: str, style: str) -> Image.Image:
    """Draw a sky with a sun, and ranges of hills that grow darker towards the viewer."""
    rng = Random(hashlib.sha256(f"{style}\x00{prompt}".encode(errors="surrogatepass")).digest())
    hue, turn = rng.random(), rng.choice((-1, 1)) * rng.uniform(0.06, 0.2)
    horizon = rng.uniform(0.4, 0.6)
    ramp = Image.linear_gradient("L").resize((_DRAWN_PX, _DRAWN_PX))
    image = ImageOps.colorize(ramp, _color(hue, 0.55, 0.72), _color(hue + turn, 0.25, 0.98))
    pen = ImageDraw.Draw(image)
    _sun(pen, rng, horizon, _color(hue + turn, 0.12, 1.0))
    for nearness in range(_HILLS):
        depth = nearness / (_HILLS - 1)
        top = (horizon + (0.95 - horizon) * depth) * _DRAWN_PX
        tone = _color(hue + turn * depth, 0.35 + 0.3 * depth, 0.8 - 0.6 * depth)
        pen.polygon(_hill(rng, top, 0.05 + 0.05 * depth), tone)
    return image.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)


def _sun(pen: ImageDraw.ImageDraw, rng: Random, horizon: float, color: Color) -> None:
    x, y, radius = rng.uniform(0.15, 0.85), horizon * rng.uniform(0.35, 0.9), rng.uniform(0.05, 0.11)
    pen.ellipse([_DRAWN_PX * edge for edge in (x - radius, y - radius, x + radius, y + radius)], color)


def _hill(rng: Random, top: float, height: float) -> list[tuple[float, float]]:
    """Return the outline of one range: three sine waves, closed along the lower edge of the picture."""
    waves = [(rng.uniform(0.6, 1.0) / n, n * rng.uniform(0.6, 1.6), rng.uniform(0, math.tau)) for n in (1, 2, 4)]
    points: list[tuple[float, float]] = [(0, _DRAWN_PX)]
    for x in range(0, _DRAWN_PX + _STEP_PX, _STEP_PX):
        rise = sum(high * math.sin(often * math.tau * x / _DRAWN_PX + at) for high, often, at in waves)
        points.append((x, top - rise * height * _DRAWN_PX))
    return [*points, (_DRAWN_PX, _DRAWN_PX)]


def _color(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
