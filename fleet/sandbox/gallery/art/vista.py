"""Landscapes: sky, light, ranges of hills in the haze, water, towns and trees. The default style.

Called by the package for unknown styles and by `dream` for its quieter pictures. What the prompt names (mountains,
sea, city, trees, night, dusk, desert, snow) is what is drawn; the dice choose where it names nothing.
"""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageChops, ImageDraw

from fleet.sandbox.gallery.art import brush, palette
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import Palette

LANDS = ("mountain", "sea", "city", "tree", "desert")
"""Subjects that are lands; what a prompt names first is drawn."""


def draw(order: Order) -> Image.Image:
    """Draw a landscape."""
    dice, width, height = order.dice, order.width, order.height
    colors = order.colors(palette.SKIES)
    night = order.mentions("night") or (not order.mentions("dusk") and dice.random() < 0.22)
    if night:
        colors = (*(palette.shade(c, 0.35 + 0.08 * i) for i, c in enumerate(colors[:5])), palette.shade(colors[5], 0.9))
    land = order.first_mentioned(LANDS) or order.pick(LANDS)
    horizon = height * dice.uniform(0.48, 0.62)
    image = _sky(order, colors, horizon, night)
    image = image.resize((width * brush.SMOOTH, height * brush.SMOOTH), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(image)
    if land == "sea":
        _far_coast(pen, order, colors, horizon)
        finished = _water(image, order, colors, horizon)
    else:
        _ranges(image, order, colors, horizon, land)
        finished = image
    if order.mentions("sea") and land != "sea":
        finished = _water(finished, order, colors, height * 0.78)
    return brush.grain(brush.vignette(brush.finish(finished, width, height), 0.3), dice, 0.03)


def _sky(order: Order, colors: Palette, horizon: float, night: bool) -> Image.Image:
    dice, width, height = order.dice, order.width, order.height
    top = (
        [colors[0], colors[1], colors[2]]
        if night
        else order.pick(
            (
                [colors[1], colors[2], colors[4], colors[5]],
                [colors[2], colors[3], colors[5]],
                [colors[0], colors[2], colors[4]],
            )
        )
    )
    sky = Image.new("RGB", (width, height), top[-1])
    sky.paste(brush.gradient(width, int(horizon) + 1, top), (0, 0))
    if night:
        _stars(sky, dice, horizon)
    _clouds(sky, order, colors, horizon)
    _sun(sky, order, colors, horizon, night)
    return sky


def _stars(sky: Image.Image, dice: Random, horizon: float) -> None:
    pen = ImageDraw.Draw(sky)
    for _ in range(int(sky.width * horizon / 2600)):
        x, y, light = dice.random() * sky.width, dice.random() ** 1.4 * horizon, dice.randint(120, 255)
        size = 0.5 if dice.random() < 0.8 else 1.2
        pen.ellipse((x - size, y - size, x + size, y + size), (light, light, min(255, light + 15)))


def _clouds(sky: Image.Image, order: Order, colors: Palette, horizon: float) -> None:
    dice = order.dice
    if dice.random() < 0.25:
        return
    bank = brush.noise(sky.width, max(8, int(horizon * 0.4)), dice, cells=3, octaves=4)
    bank = bank.resize((sky.width, int(horizon) + 1), Image.Resampling.BICUBIC)
    threshold, strength = dice.randint(105, 150), dice.uniform(0.35, 0.8)
    mask = bank.point(lambda v: int(max(0, min(255, (v - threshold) * 2.4)) * strength))
    fade = Image.linear_gradient("L").resize(mask.size).point(lambda v: 255 - v // 2)
    sky.paste(palette.mix(colors[4], colors[5], dice.random()), (0, 0), ImageChops.multiply(mask, fade))


def _sun(sky: Image.Image, order: Order, colors: Palette, horizon: float, night: bool) -> None:
    dice, width = order.dice, sky.width
    radius = width * dice.uniform(0.03, 0.1)
    x, y = width * dice.uniform(0.18, 0.82), horizon * dice.uniform(0.25, 0.92)
    light = palette.mix(colors[5], (255, 250, 235), 0.6)
    brush.glow(sky, (x, y), radius * dice.uniform(4, 8), palette.mix(colors[4], light, 0.4), 0.75)
    disc = Image.new("L", (int(radius * 4), int(radius * 4)))
    ImageDraw.Draw(disc).ellipse((0, 0, disc.width - 1, disc.height - 1), 255)
    if night and dice.random() < 0.5:
        cut = disc.width * 0.3
        ImageDraw.Draw(disc).ellipse((cut, -cut * 0.4, disc.width + cut, disc.height - cut * 0.4), 0)
    disc = disc.reduce(2)
    sky.paste(light, (int(x - disc.width / 2), int(y - disc.height / 2)), disc)


def _ranges(image: Image.Image, order: Order, colors: Palette, horizon: float, land: str) -> None:
    """Draw range before range, the nearer the darker; the haze of each lies on the one behind."""
    dice, scale = order.dice, brush.SMOOTH
    count = dice.randint(3, 6)
    top, bottom = horizon * scale, order.height * scale
    haze = palette.mix(colors[4], colors[3], 0.35)
    for layer in range(count):
        near = layer / max(1, count - 1)
        base = top + (bottom - top) * (near**1.3) * 0.82
        tall = order.height * scale * {"mountain": 0.3, "desert": 0.1, "city": 0.08}.get(land, 0.16) * (1 - near * 0.55)
        rough = {"mountain": 0.58, "desert": 0.3}.get(land, 0.46)
        color = palette.mix(haze, colors[0], 0.12 + 0.88 * near)
        line = _line(dice, image.width, base, tall, rough)
        pen = ImageDraw.Draw(image)
        pen.polygon([*line, (image.width, bottom), (0, bottom)], fill=color)
        if land == "mountain" and layer < 2 and (order.mentions("snow") or dice.random() < 0.5):
            _snow(image, line, palette.mix(color, colors[5], 0.55), tall)
        if land == "city":
            _skyline(pen, dice, line, (color, palette.mix(colors[4], (255, 232, 170), 0.5)), near)
        elif land == "tree" or (land == "mountain" and layer == count - 1):
            _trees(pen, dice, line, palette.shade(color, 0.85), image.height * (0.02 + 0.09 * near))


def _line(dice: Random, width: int, base: float, tall: float, rough: float) -> list[brush.Point]:
    heights = brush.ridge(dice, 130, rough)
    return [(width * i / (len(heights) - 1), base - tall * (0.5 + h / 2)) for i, h in enumerate(heights)]


def _snow(image: Image.Image, line: list[brush.Point], color: palette.Color, tall: float) -> None:
    """Lay snow on what rises above two thirds of the range, with a ragged lower edge."""
    top = min(y for _, y in line)
    edge = top + tall * 0.32
    ragged = [math.sin(i * 0.9) + math.sin(i * 2.3 + 1) + 0.6 * math.sin(i * 5.1) for i in range(len(line))]
    under = [(x, max(y, edge + lift * tall * 0.05)) for (x, y), lift in zip(line, ragged, strict=True)]
    ImageDraw.Draw(image).polygon([*line, *reversed(under)], fill=color)


def _skyline(pen: ImageDraw.ImageDraw, dice: Random, line: list[brush.Point],
             tones: tuple[palette.Color, palette.Color], near: float) -> None:  # fmt: skip
    """Build houses along a line, in the tone of the walls and that of lit windows."""
    color, lit = tones
    width = line[-1][0]
    unit, x = width * (0.018 + 0.035 * near), 0.0
    ground = max(y for _, y in line)
    while x < width:
        wide = unit * dice.uniform(0.7, 2.0)
        tall = unit * dice.choice((2, 3, 3, 4, 5, 7, 9)) * dice.uniform(0.7, 1.1)
        top = ground - tall
        pen.rectangle((x, top, x + wide, ground + unit * 2), color)
        if dice.random() < 0.3:
            pen.line(
                (x + wide / 2, top - unit * dice.uniform(0.6, 1.6), x + wide / 2, top), color, max(2, int(unit / 14))
            )
        step = max(8.0, unit / 3.4)
        if near > 0.2:
            _windows(pen, dice, (x, top, x + wide, ground), step, palette.mix(color, lit, 0.85))
        x += wide + unit * dice.choice((0, 0, 0.1, 0.4))


def _windows(pen: ImageDraw.ImageDraw, dice: Random, box: tuple[float, float, float, float], step: float,
             color: palette.Color) -> None:  # fmt: skip
    left, top, right, bottom = box
    y = top + step
    while y < bottom - step:
        x = left + step * 0.6
        while x < right - step * 0.6:
            if dice.random() < 0.28:
                pen.rectangle((x, y, x + step * 0.42, y + step * 0.5), color)
            x += step
        y += step * 1.2


def _trees(pen: ImageDraw.ImageDraw, dice: Random, line: list[brush.Point], color: palette.Color, tall: float) -> None:
    step = max(1, int(tall / 9))
    for x, y in line[::1] if tall > 60 else line[:: max(1, step // 3)]:
        height = tall * dice.uniform(0.6, 1.3)
        left = x + dice.uniform(-tall, tall) * 0.2
        for tier in range(4):
            wide = height * 0.2 * (0.4 + tier * 0.28)
            low = y + height * 0.1 - height * (3 - tier) * 0.24
            pen.polygon([(left, low - height * 0.42), (left - wide, low), (left + wide, low)], color)


def _far_coast(pen: ImageDraw.ImageDraw, order: Order, colors: Palette, horizon: float) -> None:
    dice, scale = order.dice, brush.SMOOTH
    for near in range(dice.randint(1, 2)):
        color = palette.mix(colors[3], colors[1], 0.35 + near * 0.35)
        tall = order.height * scale * dice.uniform(0.05, 0.16)
        line = _line(dice, order.width * scale, horizon * scale, tall, 0.5)
        start = dice.randint(0, 90)
        part = line[start : start + dice.randint(35, 90)]
        if len(part) > 2:
            shore, last = horizon * scale, len(part) - 1
            slope = [min(1.0, 2.2 * math.sin(math.pi * i / last)) for i in range(len(part))]
            pen.polygon([(x, shore - (shore - y) * s) for (x, y), s in zip(part, slope, strict=True)], color)


def _water(image: Image.Image, order: Order, colors: Palette, shore: float) -> Image.Image:
    """Mirror what stands above the shore, ruffled, and lay the light of the sky on the waves."""
    dice, line = order.dice, int(shore * brush.SMOOTH)
    depth = image.height - line
    above = image.crop((0, max(0, line - depth), image.width, line)).reduce(6)
    above = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((image.width, depth), Image.Resampling.BILINEAR)
    deep = brush.gradient(image.width, depth, [palette.mix(colors[3], colors[4], 0.4), colors[1], colors[0]])
    surface = Image.blend(above, deep, 0.5)
    pen = ImageDraw.Draw(surface)
    light = palette.mix(colors[5], colors[4], 0.3)
    for _ in range(260):
        y = dice.random() ** 1.6 * depth
        x, long = dice.random() * image.width, (0.01 + 0.09 * y / depth) * image.width * dice.uniform(0.4, 1.2)
        thick = max(1, int(1 + 5 * y / depth))
        shine = palette.mix(deep.getpixel((0, int(y))), light, dice.uniform(0.15, 0.75))  # type: ignore[arg-type]
        pen.line((x, y, x + long, y), shine, thick)
    image.paste(surface, (0, line))
    return image
