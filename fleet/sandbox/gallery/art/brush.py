"""Drawing functions that styles share: gradients, glows, soft shadows, noise, smooth edges, type. Pure.

Everything soft is made small and scaled up, which looks the same and costs a hundredth.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageMath

from fleet.sandbox.gallery.art.palette import Color, mix, ramp

Point = tuple[float, float]
SMOOTH = 2
"""Crisp shapes are drawn this many times larger and reduced, which gives them smooth edges."""


def canvas(width: int, height: int, color: Color = (0, 0, 0)) -> Image.Image:
    """Return an even picture, large enough to be reduced by `finish`."""
    return Image.new("RGB", (width * SMOOTH, height * SMOOTH), color)


def finish(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the picture in its final size, with smooth edges."""
    reduced = image.reduce(SMOOTH)
    return reduced if reduced.size == (width, height) else reduced.resize((width, height), Image.Resampling.BILINEAR)


def gradient(width: int, height: int, colors: Sequence[Color], *, across: bool = False) -> Image.Image:
    """Return a gradient through the colours, from top to bottom or (`across`) from left to right."""
    steps = 256
    line = Image.new("RGB", (steps, 1) if across else (1, steps))
    line.putdata(ramp(colors, steps))
    return line.resize((width, height), Image.Resampling.BILINEAR)


def mesh(width: int, height: int, colors: Sequence[Color], dice: Random, cells: int = 4) -> Image.Image:
    """Return colours that flow into each other as in wet paint."""
    small = Image.new("RGB", (cells, cells))
    small.putdata([mix(dice.choice(colors), dice.choice(colors), dice.random() * 0.4) for _ in range(cells * cells)])
    middle = small.resize((64, 64), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(5))
    middle = middle.resize((256, 256), Image.Resampling.BICUBIC)
    return middle.resize((width, height), Image.Resampling.BILINEAR)


def noise(width: int, height: int, dice: Random, *, cells: int = 3, octaves: int = 5, roughness: float = 0.5,
          side: int = 256) -> Image.Image:  # fmt: skip
    """Return clouds as a grey picture that uses the whole range."""
    total = Image.new("F", (side, side), 0.0)
    weight = 1.0
    for octave in range(octaves):
        count = min(cells * 2**octave, side)
        grid = Image.frombytes("L", (count, count), dice.randbytes(count * count))
        layer = grid.resize((side, side), Image.Resampling.BICUBIC).convert("F")
        total = ImageMath.lambda_eval(lambda bands: bands["a"] + bands["b"] * bands["w"], a=total, b=layer, w=weight)
        weight *= roughness
    return stretched(total).resize((width, height), Image.Resampling.BICUBIC)


def stretched(image: Image.Image) -> Image.Image:
    """Return a grey picture whose darkest point is black and lightest white."""
    low, high = (float(v) for v in image.getextrema())  # type: ignore[arg-type]  # one band, one pair
    scale = 255.0 / max(high - low, 1e-6)
    return image.point(lambda v: v * scale - low * scale).convert("L")


def tinted(grey: Image.Image, colors: Sequence[Color]) -> Image.Image:
    """Return a grey picture coloured: black becomes the first colour, white the last."""
    table = ramp(colors, 256)
    bands = [grey.point([color[band] for color in table]) for band in range(3)]
    return Image.merge("RGB", bands)


def glow(image: Image.Image, center: Point, radius: float, color: Color, strength: float = 1.0) -> None:
    """Lay soft light on the picture, round `center`."""
    side = max(2, int(radius * 2))
    mask = _disc_of_light().resize((side, side), Image.Resampling.BILINEAR)
    if strength != 1.0:
        mask = mask.point(lambda v: int(v * strength))
    image.paste(color, (int(center[0] - side / 2), int(center[1] - side / 2)), mask)


def shadow(image: Image.Image, mask: Image.Image, offset: tuple[int, int], *, blur: float, color: Color,
           strength: float) -> None:  # fmt: skip
    """Lay the soft shadow of a shape (its mask has the picture's size) on the picture."""
    small = mask.reduce(8).filter(ImageFilter.GaussianBlur(max(0.5, blur / 8)))
    soft = small.resize(image.size, Image.Resampling.BILINEAR).point(lambda v: int(v * strength))
    image.paste(color, offset, soft)


def vignette(image: Image.Image, strength: float = 0.35) -> Image.Image:
    """Return the picture with darker corners."""
    light = Image.radial_gradient("L").point(lambda v: int(255 - max(0, v - 110) * strength * 1.4))
    grey = light.resize(image.size, Image.Resampling.BILINEAR)
    return ImageChops.multiply(image, Image.merge("RGB", (grey, grey, grey)))


def grain(image: Image.Image, dice: Random, strength: float = 0.05) -> Image.Image:
    """Return the picture with the fine grain of film or paper, which also hides the steps of gradients."""
    reach = strength * 64
    tile = Image.frombytes("L", (256, 256), dice.randbytes(256 * 256)).point(lambda v: int(255 - (v / 255) * reach))
    sheet = Image.new("L", image.size)
    for x in range(0, image.width, 256):
        for y in range(0, image.height, 256):
            sheet.paste(tile, (x, y))
    return ImageChops.multiply(image, Image.merge("RGB", (sheet, sheet, sheet)))


def ridge(dice: Random, points: int, rough: float) -> list[float]:
    """Return heights from -1 to 1 along a mountain ridge, by halving and shifting."""
    line = [dice.uniform(-0.5, 0.5), dice.uniform(-0.5, 0.5)]
    reach = 0.6
    while len(line) < points:
        middles = [(a + b) / 2 + dice.uniform(-reach, reach) for a, b in itertools.pairwise(line)]
        line = [v for pair in zip(line, middles, strict=False) for v in pair] + [line[-1]]
        reach *= rough
    low, high = min(line), max(line)
    return [2 * (v - low) / max(high - low, 1e-6) - 1 for v in line]


def write(draw: ImageDraw.ImageDraw, place: Point, text: str, size: float, color: Color, *, anchor: str = "ls",
          bold: float = 0.0) -> None:  # fmt: skip
    """Write one line of type; `bold` thickens the strokes by that share of the size."""
    draw.text(place, text, color, font(int(size)), anchor=anchor, stroke_width=bold * size, stroke_fill=color)


def text_width(text: str, size: float) -> float:
    """Return how wide a line of type comes out."""
    return font(int(size)).getlength(text)


@functools.lru_cache(maxsize=64)
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own typeface in a size."""
    found = ImageFont.load_default(max(6, size_px))
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType, so no type can be set")
    return found


@functools.cache
def _disc_of_light() -> Image.Image:
    # Light falls off faster than linearly; the square of the distance from the rim looks right.
    return Image.radial_gradient("L").point(lambda v: int((max(0, 180 - v) / 180) ** 2 * 255))
