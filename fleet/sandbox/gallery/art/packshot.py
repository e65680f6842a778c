"""The product photographer's pictures: one lit object in a studio, or three, on a sweep, a podium or before an arch.

Called by `render`. The object is the one that the prompt names, where it names one of ours.
"""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from fleet.sandbox.gallery.art import brush, palette
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import Color, Palette, mix, shade
from fleet.sandbox.gallery.art.things import forms, props
from fleet.sandbox.gallery.art.things.props import Layer, PropPart, turned


def draw(order: Order) -> Image.Image:
    """Draw a packshot."""
    dice, colors = order.dice, order.colors(palette.STUDIO)
    size = (order.width, order.height)
    ground = dice.uniform(0.74, 0.82)
    scene = _backdrop(order, colors, size, ground)
    for place, layer, lifted in _set(order, colors, size):
        _stand(scene, layer, (place * size[0], (ground - lifted) * size[1]), dice, glossy=lifted == 0)
    scene = _window_light(scene, dice) if dice.random() < 0.45 else scene
    return brush.grain(brush.vignette(scene, 0.28), dice, 0.015)


def _backdrop(order: Order, colors: Palette, size: tuple[int, int], ground: float) -> Image.Image:
    dice, (width, height) = order.dice, (256, 256)
    wall, floor = mix(colors[3], colors[4], dice.random()), mix(colors[4], colors[5], dice.random() * 0.7)
    if dice.random() < 0.3:  # a bold wall instead of a pale one
        wall, floor = mix(colors[1], colors[2], dice.random()), mix(colors[2], colors[3], 0.5)
    small = brush.gradient(width, height, [shade(wall, 0.92), wall, shade(floor, 1.05), shade(floor, 0.94)])
    if dice.random() < 0.5:
        line = int(height * (ground - dice.uniform(0.06, 0.16)))
        small.paste(brush.gradient(width, height - line, [shade(floor, 1.1), shade(floor, 0.95)]), (0, line))
        small = small.filter(ImageFilter.GaussianBlur(dice.choice((0.6, 4, 9))))
    left = dice.uniform(0.15, 0.45)
    brush.glow(small, (width * left, height * 0.28), width * 0.7, shade(wall, 1.5), 0.7)
    scene = small.resize(size, Image.Resampling.BILINEAR)
    _behind(scene, order, colors, wall, ground)
    return scene


def _behind(scene: Image.Image, order: Order, colors: Palette, wall: Color, ground: float) -> None:
    """Put a shape on the wall: an arch, a disc, a panel, or nothing."""
    dice, (width, height) = order.dice, scene.size
    kind = dice.choice(("arch", "disc", "panels", "", ""))
    tone = mix(wall, dice.choice(colors[1:4]), dice.uniform(0.35, 0.75))
    center, wide = width * dice.uniform(0.42, 0.58), min(scene.size) * dice.uniform(0.2, 0.3)
    foot = height * (ground - 0.07)
    if not kind:
        return
    mask = Image.new("L", (width * 2, height * 2))
    pen = ImageDraw.Draw(mask)
    center, wide, foot, width, height = center * 2, wide * 2, foot * 2, width * 2, height * 2
    if kind == "arch":
        top = height * dice.uniform(0.1, 0.2)
        pen.pieslice((center - wide, top, center + wide, top + 2 * wide), 180, 360, 255)
        pen.rectangle((center - wide, top + wide, center + wide, foot), 255)
    elif kind == "disc":
        middle = height * dice.uniform(0.34, 0.44)
        pen.ellipse((center - wide * 1.15, middle - wide * 1.15, center + wide * 1.15, middle + wide * 1.15), 255)
    else:
        for step in range(3):
            left = width * (0.1 + 0.28 * step + dice.uniform(-0.03, 0.03))
            pen.rectangle((left, height * dice.uniform(0.08, 0.3), left + width * 0.22, foot), 90 + 80 * step)
    mask = mask.reduce(2)
    brush.shadow(scene, mask, (width // 160, height // 160), blur=24, color=shade(wall, 0.35), strength=0.3)
    scene.paste(brush.gradient(*scene.size, [shade(tone, 1.08), shade(tone, 0.92)]), (0, 0), mask)


def _set(order: Order, colors: Palette, size: tuple[int, int]) -> list[tuple[float, Layer, float]]:
    """Return what stands in the studio: place across, the form, and how far it is lifted (a podium's height)."""
    dice, tall = order.dice, min(size[1], int(size[0] * 1.1)) * brush.SMOOTH
    named = order.named(forms.KIND_OF)
    kind = forms.KIND_OF[named] if named else dice.choice(list(forms.FORMS))
    main, second = _object_colors(colors, dice)
    hero = forms.FORMS[kind](order, int(tall * dice.uniform(0.44, 0.54)), main, second)
    arrangements = ("alone", "alone", "podium", "podium", "stones", "pair", "trio")
    arrangement = dice.choice(arrangements[:5] if order.subject else arrangements)  # "a lamp" is one lamp
    if arrangement == "podium":
        lift = dice.uniform(0.07, 0.14)
        block = turned(
            [PropPart([(0, 2.1), (1, 2.1)], mix(colors[4], colors[2], 0.4), "matte", "flat")], int(tall * lift)
        )
        hero = forms.FORMS[kind](order, int(tall * dice.uniform(0.38, 0.46)), main, second)
        return [(0.5, block, 0), (0.5, hero, lift * tall / (size[1] * brush.SMOOTH))]
    if arrangement in ("pair", "trio"):
        others = [forms.FORMS[kind](order, int(tall * dice.uniform(0.3, 0.4)), *_object_colors(colors, dice))
                  for _ in range(2)]  # fmt: skip
        if arrangement == "pair":
            return [(0.66, others[0], 0), (0.38, hero, 0)]
        return [(0.23, others[0], 0), (0.77, others[1], 0), (0.5, hero, 0)]
    if arrangement == "stones":
        balls = [(dice.choice((0.2, 0.26, 0.72, 0.8)), props.sphere(int(tall * dice.uniform(0.07, 0.17)),
                  dice.choice(colors[1:5])), 0.0) for _ in range(3)]  # fmt: skip
        return [*balls, (0.5, hero, 0)]
    return [(0.5, hero, 0)]


def _object_colors(colors: Palette, dice: Random) -> tuple[Color, Color]:
    main, second = dice.sample((colors[0], colors[1], colors[2], mix(colors[5], colors[3], 0.2)), 2)
    return main, second


def _stand(scene: Image.Image, layer: Layer, at: tuple[float, float], dice: Random, *, glossy: bool) -> None:
    """Put a form on the floor, with its mirror image, the shadow it casts and the dark line where it touches."""
    layer = layer.reduced()
    x, y = int(at[0]) - layer.axis, int(at[1]) - layer.foot
    shadow = Image.new("L", (256, 256))
    pen = ImageDraw.Draw(shadow)
    scale = 256 / scene.width
    cx, cy, r = at[0] * scale, at[1] * scale, layer.spread * scale * 0.92
    reach = layer.foot * scale * 0.55
    pen.polygon([(cx - r * 0.8, cy - 1), (cx + r * 0.9, cy + 2), (cx + r + reach, cy - reach * 0.22),
                 (cx + reach * 0.9 - r * 0.4, cy - reach * 0.3)], fill=70)  # fmt: skip
    pen.ellipse((cx - r * 1.12, cy - r * 0.24, cx + r * 1.25, cy + r * 0.34), fill=120)
    soft = shadow.filter(ImageFilter.GaussianBlur(5))
    ImageDraw.Draw(soft).ellipse((cx - r * 0.95, cy - r * 0.12, cx + r * 0.95, cy + r * 0.22), fill=170)
    soft = soft.filter(ImageFilter.GaussianBlur(2)).resize(scene.size, Image.Resampling.BILINEAR)
    tone = scene.getpixel((min(scene.width - 1, int(at[0])), min(scene.height - 1, int(at[1]) + 4)))
    scene.paste(shade(tone, 0.25), (0, 0), soft)  # type: ignore[arg-type]  # an RGB picture has RGB pixels
    if glossy:
        mirrored = layer.image.crop((0, 0, layer.image.width, layer.foot)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        mirrored = props.fade_down(mirrored.crop((0, 0, mirrored.width, layer.foot // 2)), dice.uniform(0.1, 0.32))
        scene.paste(mirrored, (x, int(at[1])), mirrored)
    scene.paste(layer.image, (x, y), layer.image)


def _window_light(scene: Image.Image, dice: Random) -> Image.Image:
    """Return the scene with slanting light as through a window or leaves."""
    veil = Image.new("L", (160, 160), 150)
    pen = ImageDraw.Draw(veil)
    slant, start = dice.uniform(30, 60), dice.uniform(-20, 40)
    if dice.random() < 0.5:
        for pane in range(4):
            left = start + pane * 30
            pen.polygon([(left, 0), (left + 22, 0), (left + 22 - slant, 160), (left - slant, 160)], fill=255)
    else:
        for _ in range(46):
            x, y, long, turn = (
                dice.uniform(0, 160),
                dice.uniform(0, 120),
                dice.uniform(8, 26),
                dice.uniform(0, math.tau),
            )
            tip = (x + math.cos(turn) * long, y + math.sin(turn) * long)
            side = (math.sin(turn) * long * 0.16, -math.cos(turn) * long * 0.16)
            middle = ((x + tip[0]) / 2, (y + tip[1]) / 2)
            pen.polygon([(x, y), (middle[0] + side[0], middle[1] + side[1]), tip,
                         (middle[0] - side[0], middle[1] - side[1])], fill=90)  # fmt: skip
        veil = veil.point(lambda v: 255 if v > 120 else 165)
    soft = veil.filter(ImageFilter.GaussianBlur(2.2)).resize(scene.size, Image.Resampling.BILINEAR)
    soft = soft.point(lambda v: 215 + (v - 215) // 2 if v < 215 else v)
    return ImageChops.multiply(scene, Image.merge("RGB", (soft, soft, soft.point(lambda v: min(255, v + 8)))))
