"""The AI artist's pictures: currents of lines, nebulae, fractals, orbits of chaos, facets, marble, dream landscapes.

Called by `render`. Everything soft is computed small and scaled up; lines are drawn in full size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from fleet.sandbox.gallery.art import brush, palette, vista
from fleet.sandbox.gallery.art.order import Order, words_of
from fleet.sandbox.gallery.art.palette import Color, luminance, mix, shade


def draw(order: Order) -> Image.Image:
    """Draw a dream."""
    kind = order.named(VISION_OF)
    return _VISIONS[VISION_OF[kind] if kind else order.pick(tuple(_VISIONS))](order)


def _landscape(order: Order) -> Image.Image:
    """A landscape under too large a moon, with light that has no business there."""
    image = vista.draw(order)
    dice = order.dice
    colors = order.colors(palette.NEON)
    veil = brush.tinted(
        brush.noise(image.width, image.height, dice, cells=2, octaves=3), [colors[0], colors[2], colors[4]]
    )
    image = Image.blend(image, ImageChops.soft_light(image, veil), 0.7)
    if dice.random() < 0.6:
        radius = image.height * dice.uniform(0.16, 0.34)
        center = (image.width * dice.uniform(0.2, 0.8), image.height * dice.uniform(0.2, 0.42))
        ring = Image.new("L", (image.width, image.height))
        pen = ImageDraw.Draw(ring)
        for step in range(dice.randint(1, 5)):
            r = radius * (1 + step * 0.16)
            pen.ellipse((center[0] - r, center[1] - r, center[0] + r, center[1] + r), outline=190 - step * 30, width=3)
        image.paste(colors[5], (0, 0), ring.filter(ImageFilter.GaussianBlur(0.8)))
        brush.glow(image, center, radius * 1.8, colors[4], 0.35)
    return image


def _currents(order: Order) -> Image.Image:
    """Thousands of short paths that follow one field of directions."""
    dice, colors = order.dice, order.colors(palette.NEON)
    width, height = order.width, order.height
    image = brush.gradient(width, height, [shade(colors[0], 0.7), colors[0], colors[1]])
    pen = ImageDraw.Draw(image)
    field = _field(dice)
    light = palette.ramp(colors[2:], 24)
    lines, steps, stride = dice.randint(650, 950), dice.randint(14, 24), width / 150
    for number in range(lines):
        x, y = dice.random() * width, dice.random() * height
        path = [(x, y)]
        for _ in range(steps):
            angle = field(x / width, y / height)
            x, y = x + math.cos(angle) * stride, y + math.sin(angle) * stride
            path.append((x, y))
        tone = light[min(23, int((path[0][0] / width * 0.6 + dice.random() * 0.4) * 24))]
        pen.line(path, mix(colors[0], tone, 0.35 + 0.65 * number / lines), dice.choice((1, 2, 2, 3, 5)))
    glow = image.reduce(8).filter(ImageFilter.GaussianBlur(5)).resize(image.size, Image.Resampling.BILINEAR)
    return brush.vignette(ImageChops.screen(image, glow.point(lambda v: v // 3)), 0.3)


def _field(dice: Random) -> Callable[[float, float], float]:
    """Return a smooth field of directions made of a few waves and a whirl."""
    waves = [(dice.uniform(1, 5), dice.uniform(1, 5), dice.uniform(0, math.tau), dice.uniform(0.4, 1.1))
             for _ in range(3)]  # fmt: skip
    whirl_x, whirl_y, pull = dice.random(), dice.random(), dice.choice((0.0, 0.0, 1.0, -1.0))
    base = dice.uniform(0, math.tau)

    def direction(x: float, y: float) -> float:
        angle = base + sum(a * math.sin(fx * x + phase) * math.cos(fy * y - phase) for fx, fy, phase, a in waves)
        return angle + pull * math.atan2(y - whirl_y, x - whirl_x)

    return direction


def _nebula(order: Order) -> Image.Image:
    dice, colors = order.dice, order.colors(palette.NEON)
    width, height = order.width, order.height
    gas = _warped(brush.noise(512, 512, dice, cells=2, octaves=6, roughness=0.56), dice, 90)
    cloud = brush.tinted(gas, [shade(colors[0], 0.5), colors[0], colors[1], colors[2], colors[3], colors[5]])
    dust = brush.noise(512, 512, dice, cells=3, octaves=5).point(lambda v: min(255, 60 + v))
    cloud = ImageChops.multiply(cloud, Image.merge("RGB", (dust, dust, dust)))
    image = cloud.resize((width, height), Image.Resampling.BICUBIC)
    for _ in range(dice.randint(1, 3)):
        center = (dice.random() * width, dice.random() * height)
        brush.glow(image, center, height * dice.uniform(0.15, 0.5), dice.choice(colors[3:]), dice.uniform(0.3, 0.6))
    pen = ImageDraw.Draw(image)
    for _ in range(width * height // 2600):
        x, y, size = dice.random() * width, dice.random() * height, dice.choice((0.4, 0.4, 0.7, 1.2))
        light = dice.randint(120, 255)
        pen.ellipse((x - size, y - size, x + size, y + size), (light, light, 255))
    for _ in range(dice.randint(4, 10)):
        _star(image, pen, (dice.random() * width, dice.random() * height), height * dice.uniform(0.008, 0.03))
    return image


def _star(image: Image.Image, pen: ImageDraw.ImageDraw, at: brush.Point, size: float) -> None:
    x, y = at
    brush.glow(image, at, size * 2.6, (255, 250, 240), 0.8)
    for dx, dy in ((size * 2.4, 0), (0, size * 2.4)):
        pen.line((x - dx, y - dy, x + dx, y + dy), (255, 252, 245), 1)
    pen.ellipse((x - size * 0.18, y - size * 0.18, x + size * 0.18, y + size * 0.18), (255, 255, 255))


def _warped(image: Image.Image, dice: Random, reach: float) -> Image.Image:
    """Return a picture pulled about in smooth waves, by a mesh of small squares."""
    cells, side = 20, image.width / 20
    waves = [(dice.uniform(2, 7), dice.uniform(2, 7), dice.uniform(0, math.tau)) for _ in range(4)]

    def moved(x: float, y: float) -> tuple[float, float]:
        u, v = x / image.width, y / image.height
        dx = sum(math.sin(fx * u + fy * v + phase) for fx, fy, phase in waves[:2]) * reach / 2
        dy = sum(math.cos(fx * u - fy * v + phase) for fx, fy, phase in waves[2:]) * reach / 2
        return min(image.width - 1.0, abs(x + dx)), min(image.height - 1.0, abs(y + dy))

    mesh = []
    for row in range(cells):
        for column in range(cells):
            left, top = int(column * side), int(row * side)
            right, bottom = int((column + 1) * side), int((row + 1) * side)
            corners = (*moved(left, top), *moved(left, bottom), *moved(right, bottom), *moved(right, top))
            mesh.append(((left, top, right, bottom), corners))
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


_PLACES = (
    (-0.7453, 0.1127, 0.0065), (-0.7436, 0.1318, 0.004), (-0.1607, 1.0376, 0.018), (0.2549, 0.0005, 0.006),
    (-1.2516, 0.0271, 0.014), (-0.8115, 0.2015, 0.012), (0.3602, 0.1003, 0.012), (-1.768, 0.0017, 0.008),
    (-0.5622, 0.6428, 0.012), (-0.0452, 0.9868, 0.02), (-0.7269, 0.1889, 0.009), (0.001643, 0.8224, 0.012),
)  # fmt: skip


def _fractal(order: Order) -> Image.Image:
    """A place at the shore of the Mandelbrot set, in the palette's colours."""
    dice, colors = order.dice, order.colors(palette.NEON)
    x, y, reach = dice.choice(_PLACES)
    reach *= dice.uniform(0.7, 1.6)
    aspect = order.width / order.height
    shift = reach * 0.4
    cx, cy = x + dice.uniform(-shift, shift), y + dice.uniform(-shift, shift)
    side = 420
    extent = (cx - reach * aspect, cy - reach, cx + reach * aspect, cy + reach)
    grey = Image.effect_mandelbrot((int(side * aspect), side), extent, 200)
    grey = grey.resize((order.width, order.height), Image.Resampling.BICUBIC)
    turns = dice.choice((1, 2, 3))
    loop = [colors[0], colors[1], colors[2], colors[4], colors[5], colors[3], colors[1]]
    table = palette.ramp(loop * turns, 256)
    image = Image.merge("RGB", [grey.point([c[band] for c in table]) for band in range(3)])
    return brush.vignette(image, 0.35)


_RULES = (
    (1.4, -2.3, 2.4, -2.1), (-2.0, -2.0, -1.2, 2.0), (2.01, -2.53, 1.61, -0.33), (-2.7, -0.09, -0.86, -2.2),
    (-0.83, -2.3, 3.3, -1.8), (1.64, 1.9, 0.31, 1.5), (-1.4, 1.6, 1.0, 0.7), (1.7, 1.7, 0.6, 1.2),
)  # fmt: skip


def _orbits(order: Order) -> Image.Image:
    """The trace of a point that a strange rule throws about, as light on dark."""
    dice, colors = order.dice, order.colors(palette.NEON)
    a, b, c, d = dice.choice(_RULES)
    a, b, c, d = (value + dice.uniform(-0.12, 0.12) for value in (a, b, c, d))
    side, counts = 360, [0] * (360 * 360)
    x = y = 0.1
    sin, cos, scale = math.sin, math.cos, side / 4.4
    for _ in range(90_000):
        x, y = sin(a * y) - cos(b * x), sin(c * x) - cos(d * y)
        counts[int((y + 2.2) * scale) * side + int((x + 2.2) * scale)] += 1
    top = math.log1p(max(counts))
    grey = Image.new("L", (side, side))
    grey.putdata([int(255 * math.log1p(count) / top) if count else 0 for count in counts])
    grey = _framed(grey, order.width, order.height)
    image = brush.tinted(
        grey, [shade(colors[0], 0.6), colors[1], colors[2], colors[3], colors[4], colors[5], (255, 255, 255)]
    )
    glow = image.reduce(8).filter(ImageFilter.GaussianBlur(6)).resize(image.size, Image.Resampling.BILINEAR)
    return brush.vignette(ImageChops.screen(image, glow.point(lambda v: v // 2)), 0.3)


def _framed(grey: Image.Image, width: int, height: int) -> Image.Image:
    """Return what is drawn on black, as large as it fits into the middle of a frame."""
    drawn = grey.crop(grey.getbbox() or (0, 0, *grey.size))
    scale = min(width / drawn.width, height / drawn.height) * 0.9
    drawn = drawn.resize((int(drawn.width * scale), int(drawn.height * scale)), Image.Resampling.BICUBIC)
    framed = Image.new("L", (width, height))
    framed.paste(drawn, ((width - drawn.width) // 2, (height - drawn.height) // 2))
    return framed


def _facets(order: Order) -> Image.Image:
    """Light on folded paper: triangles that take their colour from a soft picture beneath."""
    dice, colors = order.dice, order.colors(order.pick((palette.NEON, palette.SKIES)))
    rows, width, height = dice.randint(7, 15), order.width, order.height
    columns = math.ceil(rows * width / height)
    under = brush.mesh(64, 64, colors, dice, cells=4)
    image = brush.canvas(width, height)
    pen = ImageDraw.Draw(image)
    step_x, step_y = image.width / columns, image.height / rows
    points = [[(step_x * (x + dice.uniform(-0.36, 0.36)), step_y * (y + dice.uniform(-0.36, 0.36)))
               for x in range(-1, columns + 2)] for y in range(-1, rows + 2)]  # fmt: skip
    for row in range(len(points) - 1):
        for column in range(len(points[0]) - 1):
            a, b = points[row][column], points[row][column + 1]
            c, d = points[row + 1][column], points[row + 1][column + 1]
            pairs = ((a, b, c), (b, d, c)) if (row + column) % 2 else ((a, b, d), (a, d, c))
            for corners in pairs:
                u = sum(p[0] for p in corners) / 3 / image.width
                v = sum(p[1] for p in corners) / 3 / image.height
                tone: Color = under.getpixel((min(63, max(0, int(u * 64))), min(63, max(0, int(v * 64)))))  # type: ignore[assignment]
                pen.polygon(corners, shade(tone, dice.uniform(0.82, 1.2)))
    return brush.vignette(brush.finish(image, width, height), 0.2)


def _marble(order: Order) -> Image.Image:
    """Ink on water, combed."""
    dice, colors = order.dice, order.colors(order.pick((palette.NEON, palette.POSTER, palette.SKIES)))
    bands = brush.noise(512, 512, dice, cells=2, octaves=4, roughness=0.42)
    bands = _warped(bands, dice, 150)
    folds = dice.randint(3, 7)
    loop = [tone for fold in range(folds) for tone in (colors[fold % 6], colors[(fold * 2 + 3) % 6], colors[5])]
    image = brush.tinted(bands, loop).resize((order.width, order.height), Image.Resampling.BICUBIC)
    edges = bands.point([255 if (v * folds) % 64 < 3 else 0 for v in range(256)])
    gold = edges.resize(image.size, Image.Resampling.BICUBIC)
    image.paste((232, 190, 110), (0, 0), gold.point(lambda v: v * 3 // 4))
    return brush.vignette(image, 0.22)


def _portal(order: Order) -> Image.Image:
    """Rings of light one within another, over a floor that mirrors them."""
    dice, colors = order.dice, order.colors(palette.NEON)
    width, height = order.width, order.height
    image = brush.gradient(width, height, [shade(colors[0], 0.5), colors[0], colors[1], colors[0]])
    line = int(height * dice.uniform(0.64, 0.74))
    cx, radius = width * dice.uniform(0.35, 0.65), height * dice.uniform(0.28, 0.4)
    cy, rings = line - radius * dice.uniform(0.55, 0.95), dice.randint(3, 9)
    layer = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(layer)
    sides = dice.choice((0, 0, 3, 4, 6))
    turn = dice.uniform(-0.2, 0.2)
    for ring in range(rings):
        r = radius * (1 - ring / rings * 0.85)
        tone, thick = palette.ramp(colors[2:], rings + 1)[ring], max(2, int(height * 0.006))
        if sides:
            spin = turn * ring - math.pi / 2
            corners = [(cx + r * math.cos(spin + math.tau * k / sides), cy + r * math.sin(spin + math.tau * k / sides))
                       for k in range(sides + 1)]  # fmt: skip
            pen.line(corners, tone, thick, joint="curve")
        else:
            pen.ellipse((cx - r, cy - r, cx + r, cy + r), outline=tone, width=thick)
    soft = layer.reduce(8).filter(ImageFilter.GaussianBlur(4)).resize(layer.size, Image.Resampling.BILINEAR)
    light = ImageChops.add(ImageChops.screen(layer, soft), soft)
    mirrored = light.crop((0, max(0, 2 * line - height), width, line)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    image.paste(ImageChops.screen(image.crop((0, 0, width, line)), light.crop((0, 0, width, line))), (0, 0))
    floor = brush.gradient(width, height - line, [mix(colors[1], colors[2], 0.3), shade(colors[0], 0.6)])
    faded = mirrored.resize((width, height - line)).filter(ImageFilter.BoxBlur(4)).point(lambda v: v * 2 // 3)
    image.paste(ImageChops.screen(floor, faded), (0, line))
    if luminance(colors[0]) < 0.3:
        pen = ImageDraw.Draw(image)
        for _ in range(width // 6):
            x, y = dice.random() * width, dice.random() * line
            pen.point((x, y), mix(colors[0], colors[5], dice.random()))
    return brush.vignette(image, 0.3)


_VISIONS: dict[str, Callable[[Order], Image.Image]] = {
    "currents": _currents, "nebula": _nebula, "fractal": _fractal, "orbits": _orbits, "facets": _facets,
    "marble": _marble, "portal": _portal, "landscape": _landscape,
}  # fmt: skip
VISION_OF = {
    **dict.fromkeys(
        ("nebula", "galaxy", "cosmos", "cosmic", "space", "stardust", "universe", "star", "comet"), "nebula"
    ),
    **dict.fromkeys(("fractal", "mandelbrot", "recursive", "infinite", "infinity", "spiral", "fern"), "fractal"),
    **dict.fromkeys(("flow", "current", "wind", "silk", "hair", "river", "threads"), "currents"),
    **dict.fromkeys(
        ("crystal", "facet", "polygon", "geometric", "origami", "glass", "shard", "prism", "geode", "mosaic"), "facets"
    ),
    **dict.fromkeys(("marble", "liquid", "ink", "fluid", "melting", "oil", "slick"), "marble"),
    **dict.fromkeys(("portal", "gate", "door", "doorway", "threshold", "ring"), "portal"),
    **dict.fromkeys(("chaos", "orbit", "attractor", "smoke", "memory", "neural", "pendulum"), "orbits"),
    **dict.fromkeys(words_of(vista.LANDS), "landscape"),
}
