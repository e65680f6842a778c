"""The social marketer's pictures: bold posters of big shapes, wet gradients, a thing and large type.

Called by `render`. A poster shows the subject of its prompt and has its name as the title.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from fleet.sandbox.gallery.art import brush, palette
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import Color, Palette, luminance, mix
from fleet.sandbox.gallery.art.things import pictograms

_CALLS = ("Out now", "New drop", "Just in", "This week", "Save the date", "Hello, you", "Fresh start", "All day long",
          "Made for today", "Say it loud")  # fmt: skip
_Box = tuple[float, float, float, float]


def draw(order: Order) -> Image.Image:
    """Draw a poster."""
    dice, colors = order.dice, order.colors(palette.POSTER)
    ground = dice.random()
    if ground < 0.5:
        tones = dice.sample(colors[:5], 3)
        size = order.width * brush.SMOOTH, order.height * brush.SMOOTH
        image = brush.mesh(*size, tones, dice, cells=dice.randint(3, 5))
    else:
        image = brush.canvas(order.width, order.height, colors[5] if ground < 0.75 else dice.choice(colors[:2]))
    motif, named = order.pick(tuple(_MOTIFS)), order.around().named(_WORDS)
    _MOTIFS[_WORDS[named] if named else motif](image, order, colors)
    below = dice.random() < 0.6
    _thing(image, order, colors, below=below)
    _type(image, order, colors, below=below)
    return brush.grain(brush.finish(image, order.width, order.height), dice, 0.05)


def _thing(image: Image.Image, order: Order, colors: Palette, *, below: bool) -> None:
    """Stick a picture of the subject in the middle, where there is one of it."""
    named = order.named(pictograms.KIND_OF)
    if named is None:
        return
    dice, about = order.dice, order.subject.lower()
    share = 0.36 if "tiny" in about else 0.62 if "oversized" in about else dice.uniform(0.48, 0.54)
    side = int(min(image.size) * share)
    sticker = pictograms.draw(pictograms.KIND_OF[named], side, colors, dice)
    turn = dice.uniform(-14, 14) + (180 if "upside" in about else 0)
    sticker = sticker.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    middle = image.height * (0.4 if below else 0.6)
    at = (image.width - sticker.width) // 2, int(middle - sticker.height / 2)
    shadow = sticker.getchannel("A").point(lambda v: v * 2 // 5)
    image.paste((20, 14, 30), (at[0] + side // 40, at[1] + side // 28), shadow)
    image.paste(sticker, at, sticker)


def _ink(image: Image.Image, box: _Box, colors: Palette) -> Color:
    """Return whichever of the palette's ends can be read on what is there."""
    spot = image.crop(tuple(int(v) for v in box)).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[arg-type]
    dark, light = min(colors, key=luminance), max(colors, key=luminance)
    return light if luminance(spot) < 0.55 else mix(dark, (0, 0, 0), 0.25)  # type: ignore[arg-type]


def _type(image: Image.Image, order: Order, colors: Palette, *, below: bool) -> None:
    """Set the headline, and a tag at the other end of the sheet."""
    dice, side = order.dice, min(image.size)
    margin = side * 0.07
    lines = _headline(order)
    widest = max(brush.text_width(line, 100) for line in lines)
    size = min((image.width - 2.4 * margin) / widest * 100, side * dice.uniform(0.09, 0.125))
    block = size * 1.18 * len(lines)
    top = image.height - 2 * margin - block if below else margin  # the gallery's mark lies on the lower edge
    box = (margin, top, margin + widest * size / 100, top + block)
    pen = ImageDraw.Draw(image)
    taped = _is_busy(image, box) or dice.random() < 0.3
    tape = dice.choice((min(colors, key=luminance), max(colors, key=luminance)))
    ink = _on(tape) if taped else _ink(image, box, colors)
    for number, line in enumerate(lines):
        middle = top + size * 1.18 * (number + 0.5)
        if taped:
            end = margin + brush.text_width(line, size) + size * 0.24
            pen.rectangle((margin - size * 0.2, middle - size * 0.57, end, middle + size * 0.57), tape)
        brush.write(pen, (margin, middle), line, size, ink, anchor="lm", bold=0.028)
    _tag(image, order, colors, margin if below else image.height - 2 * margin - side * 0.065)


def _tag(image: Image.Image, order: Order, colors: Palette, y: float) -> None:
    pen, margin, small = ImageDraw.Draw(image), min(image.size) * 0.07, min(image.size) * 0.034
    call, tag = order.dice.choice(_CALLS), order.dice.choice(colors[1:5])
    wide = brush.text_width(call, small) + small * 1.6
    x = order.dice.choice((margin, image.width - margin - wide))
    pen.rounded_rectangle((x, y, x + wide, y + small * 1.9), small * 0.95, tag)
    brush.write(pen, (x + wide / 2, y + small * 0.96), call, small, _on(tag), anchor="mm", bold=0.03)


def _on(color: Color) -> Color:
    """Return a colour of type that can be read on `color`."""
    return (255, 255, 255) if luminance(color) < 0.6 else (20, 18, 26)


def _headline(order: Order) -> list[str]:
    lines: list[str] = []
    for word in order.title(3, order.dice.choice(_CALLS)).upper().split():
        if lines and len(lines[-1]) + len(word) < 13:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _is_busy(image: Image.Image, box: _Box) -> bool:
    grey = image.crop(tuple(int(v) for v in box)).resize((24, 8), Image.Resampling.BOX).convert("L")  # type: ignore[arg-type]
    low, high = grey.getextrema()
    return float(high) - float(low) > 80  # type: ignore[arg-type]  # one band, one pair


def _tiles(image: Image.Image, order: Order, colors: Palette) -> None:
    """A grid of quarter discs, half discs, dots and stripes."""
    dice = order.dice
    count = dice.choice((3, 4, 4, 5, 6))
    side = image.width / count
    pen = ImageDraw.Draw(image)
    for row in range(math.ceil(image.height / side)):
        for column in range(count):
            x, y = column * side, row * side
            ground, shape = dice.sample(colors, 2)
            pen.rectangle((x, y, x + side, y + side), ground)
            _tile(pen, dice, (x, y, side), shape)


def _tile(pen: ImageDraw.ImageDraw, dice: Random, at: tuple[float, float, float], color: Color) -> None:
    x, y, side = at
    kind = dice.randrange(7)
    if kind <= 1:
        turn, right, low = dice.choice(((0, 0, 0), (90, 1, 0), (180, 1, 1), (270, 0, 1)))
        cx, cy = x + right * side, y + low * side
        pen.pieslice((cx - side, cy - side, cx + side, cy + side), turn, turn + 90, color)
    elif kind == 2:
        turn = dice.choice((0, 90, 180, 270))
        pen.pieslice((x, y, x + side, y + side), turn, turn + 180, color)
    elif kind == 3:
        pen.ellipse((x + side * 0.15, y + side * 0.15, x + side * 0.85, y + side * 0.85), color)
    elif kind == 4:
        for stripe in range(0, 6, 2):
            pen.rectangle((x, y + side * stripe / 6, x + side, y + side * (stripe + 1) / 6), color)
    elif kind == 5:
        corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
        del corners[dice.randrange(4)]
        pen.polygon(corners, color)
    else:
        for dot in range(16):
            cx, cy = x + side * (dot % 4 + 0.5) / 4, y + side * (dot // 4 + 0.5) / 4
            pen.ellipse((cx - side * 0.06, cy - side * 0.06, cx + side * 0.06, cy + side * 0.06), color)


def _sunburst(image: Image.Image, order: Order, colors: Palette) -> None:
    dice = order.dice
    cx, cy = image.width * dice.uniform(0.25, 0.75), image.height * dice.uniform(0.25, 0.7)
    rays, reach = dice.choice((12, 16, 20, 28)), image.width * 1.5
    first, second, middle = dice.sample(colors[:5], 3)
    image.paste(first, (0, 0, *image.size))
    pen = ImageDraw.Draw(image)
    for ray in range(rays):
        a, b = math.tau * ray / rays, math.tau * (ray + 0.5) / rays
        pen.polygon([(cx, cy), (cx + reach * math.cos(a), cy + reach * math.sin(a)),
                     (cx + reach * math.cos(b), cy + reach * math.sin(b))], second)  # fmt: skip
    for step, share in enumerate((0.27, 0.21, 0.15)):
        r = image.width * share
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), (colors[5], middle, first)[step])


def _waves(image: Image.Image, order: Order, colors: Palette) -> None:
    dice = order.dice
    tones = palette.ramp(dice.sample(colors, 3), dice.randint(6, 11))
    bend, waves, phase = image.height * dice.uniform(0.03, 0.12), dice.uniform(0.7, 2.2), dice.uniform(0, math.tau)
    slope = dice.uniform(-0.35, 0.35)
    pen = ImageDraw.Draw(image)
    for number, tone in enumerate(tones):
        base = image.height * (0.12 + 0.85 * number / len(tones))
        edge = [(x, base + slope * (x - image.width / 2) + bend * math.sin(x / image.width * waves * math.tau + phase
                 + number * 0.35)) for x in range(0, image.width + 32, 32)]  # fmt: skip
        pen.polygon([*edge, (image.width, image.height), (0, image.height)], tone)


def _orbs(image: Image.Image, order: Order, colors: Palette) -> None:
    """Glassy balls with a light edge, floating over the ground."""
    dice = order.dice
    for _ in range(dice.randint(3, 6)):
        side = int(image.width * dice.uniform(0.16, 0.48)) // 2  # soft things need not be drawn large
        first, second = dice.sample(colors[:5], 2)
        orb = brush.gradient(64, 64, [first, second], across=dice.random() < 0.5)
        orb = orb.rotate(dice.uniform(0, 360), Image.Resampling.BILINEAR).crop((10, 10, 54, 54))
        orb = orb.resize((side, side), Image.Resampling.BILINEAR)
        brush.glow(orb, (side * 0.32, side * 0.26), side * 0.42, mix(first, (255, 255, 255), 0.75), 0.8)
        side, orb = side * 2, orb.resize((side * 2, side * 2), Image.Resampling.BILINEAR)
        mask = Image.new("L", (side, side))
        ImageDraw.Draw(mask).ellipse((1, 1, side - 2, side - 2), 255)
        at = (int(dice.uniform(-0.1, 0.9) * image.width), int(dice.uniform(-0.05, 0.8) * image.height))
        fall = Image.new("L", (64, 64))
        ImageDraw.Draw(fall).ellipse((14, 14, 50, 50), 110)
        soft = fall.filter(ImageFilter.GaussianBlur(5)).resize((side * 3 // 2, side * 3 // 2))
        image.paste(mix(first, (0, 0, 0), 0.75), (at[0] - side // 5, at[1] - side // 8), soft)
        image.paste(orb, at, mask)


def _arcs(image: Image.Image, order: Order, colors: Palette) -> None:
    """A rainbow of rings out of a corner or an edge."""
    dice = order.dice
    pen = ImageDraw.Draw(image)
    for cx, cy in dice.sample(((0.0, 1.0), (1.0, 0.0), (0.5, 1.0), (1.0, 0.6), (0.0, 0.3)), dice.randint(1, 2)):
        rings = dice.randint(4, 7)
        reach = image.width * dice.uniform(0.5, 0.95)
        tones = [dice.choice(colors) for _ in range(rings)]
        for ring in range(rings):
            r = reach * (1 - ring / rings)
            x, y = cx * image.width, cy * image.height
            pen.ellipse((x - r, y - r, x + r, y + r), tones[ring])


def _blobs(image: Image.Image, order: Order, colors: Palette) -> None:
    """Soft amoebas with a scatter of confetti."""
    dice = order.dice
    pen = ImageDraw.Draw(image)
    for _ in range(dice.randint(3, 5)):
        cx, cy = dice.random() * image.width, dice.random() * image.height
        r, lobes, phase = image.width * dice.uniform(0.15, 0.34), dice.randint(2, 5), dice.uniform(0, math.tau)
        second = dice.randint(3, 6)
        edge = []
        for step in range(96):
            a = math.tau * step / 96
            reach = r * (1 + 0.2 * math.sin(a * lobes + phase) + 0.1 * math.sin(a * second - phase))
            edge.append((cx + reach * math.cos(a), cy + reach * math.sin(a)))
        pen.polygon(edge, dice.choice(colors[:5]))
    for _ in range(dice.randint(20, 60)):
        x, y, size = dice.random() * image.width, dice.random() * image.height, image.width * dice.uniform(0.006, 0.02)
        color = dice.choice(colors)
        if dice.random() < 0.5:
            pen.ellipse((x - size, y - size, x + size, y + size), color)
        else:
            turn = dice.uniform(0, math.tau)
            dx, dy = math.cos(turn) * size * 1.8, math.sin(turn) * size * 1.8
            pen.line((x - dx, y - dy, x + dx, y + dy), color, int(size * 0.9))


def _halftone(image: Image.Image, order: Order, colors: Palette) -> None:
    """A big disc behind printer's dots that shrink across the sheet."""
    dice = order.dice
    pen = ImageDraw.Draw(image)
    r = image.width * dice.uniform(0.28, 0.42)
    cx, cy = image.width * dice.uniform(0.35, 0.65), image.height * dice.uniform(0.32, 0.5)
    disc, dots = dice.sample(colors[:5], 2)
    pen.ellipse((cx - r, cy - r, cx + r, cy + r), disc)
    step, turn = image.width / dice.randint(26, 40), dice.uniform(0, math.tau)
    for row in range(int(image.height / step) + 1):
        for column in range(int(image.width / step) + 1):
            x, y = (column + 0.5 * (row % 2)) * step, row * step
            along = (x / image.width - 0.5) * math.cos(turn) + (y / image.height - 0.5) * math.sin(turn)
            size = step * 0.62 * max(0.0, 0.1 + along)
            if size > 1:
                pen.ellipse((x - size, y - size, x + size, y + size), dots)


def _frames(image: Image.Image, order: Order, colors: Palette) -> None:
    """Nested rounded frames, turned a little, as on a stage."""
    dice = order.dice
    lean = dice.uniform(-14, 14)
    # Turning smooths the edges by itself, so this is drawn in the final size.
    layer = Image.new("RGBA", (image.width // brush.SMOOTH, image.height // brush.SMOOTH))
    pen = ImageDraw.Draw(layer)
    steps = dice.randint(5, 8)
    tones = palette.ramp(dice.sample(colors, 3), steps)
    for step, tone in enumerate(tones):
        share = 0.04 + 0.42 * step / steps
        x, y = layer.width * share, layer.height * share
        box = (x, y, layer.width - x, layer.height - y)
        pen.rounded_rectangle(box, min(layer.size) * 0.08, (*tone, 255))
    turned = layer.rotate(lean, Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)
    image.paste(turned, (0, 0), turned)


_MOTIFS: dict[str, Callable[[Image.Image, Order, Palette], None]] = {
    "tiles": _tiles, "sunburst": _sunburst, "waves": _waves, "orbs": _orbs, "arcs": _arcs, "blobs": _blobs,
    "halftone": _halftone, "frames": _frames,
}  # fmt: skip
_WORDS = {
    word: motif
    for motif, words in {
        "tiles": "tile tiles tiled checkerboard", "sunburst": "sunburst rays", "waves": "wave waves wavy",
        "orbs": "bubble bubbles marble marbles", "arcs": "rainbow arch arches", "blobs": "confetti splash",
        "halftone": "halftone dots dotted", "frames": "frame frames nested stage",
    }.items()
    for word in words.split()
}  # fmt: skip
