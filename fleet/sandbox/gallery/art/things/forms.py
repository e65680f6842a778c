"""The things that packshots show: bottles, jars, cups, boxes and so on, in proportions that the dice vary.

Called by `packshot`. Each form takes the order, a height in pixels and two colours, and comes on a layer of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

from fleet.sandbox.gallery.art import brush, palette
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import Color, mix, shade
from fleet.sandbox.gallery.art.things import props
from fleet.sandbox.gallery.art.things.props import Layer, PropPart, smooth, turned

KIND_OF = {
    word: kind
    for kind, words in {
        "bottle": "bottle wine oil water drink beer juice sauce syrup shampoo lotion soap whiskey gin olive milk",
        "dropper": "dropper serum skincare tincture essential beauty vial oil",
        "perfume": "perfume flacon fragrance cologne scent",
        "jar": "jar honey marmalade cream jam cosmetic balm makeup spice moisturizer",
        "can": "can canister soda tin speaker thermos tumbler battery flask",
        "mug": "mug coffee cup tea espresso latte cocoa",
        "candle": "candle wax aroma",
        "vase": "vase ceramic pottery pot planter plant flower clay porcelain",
        "tube": "tube toothpaste sunscreen gel lipstick",
        "box": "box package packaging gift carton book parcel camera phone tech gadget",
        "lamp": "lamp light lantern bulb",
        "bowl": "bowl dish plate salad fruit kitchen",
    }.items()
    for word in words.split()
}
_NAMES = ("OTTO", "LUMEN", "FJORD", "SOLE", "NOVA", "HALM", "ORRA", "MIRA", "KELP", "TERRA", "VOLT", "SAGE")


def _label(profile: props.Profile, color: Color) -> PropPart:
    """Return a band of paper round a form, a little outside of it."""
    return PropPart([(y, r * 1.004) for y, r in profile], color, "matte", band=True)


def _print(layer: Layer, order: Order, top: float, wide: float, ink: Color) -> None:
    """Set a name and two lines of small type on the front of a form."""
    pen = ImageDraw.Draw(layer.image)
    name = order.dice.choice(_NAMES)
    size = wide / max(4, len(name)) * 1.05
    y = layer.image.height * top
    brush.write(pen, (layer.axis, y), name, size, ink, anchor="mm", bold=0.03)
    for line, share in ((1, 0.5), (2, 0.34)):
        low = y + size * (0.5 + line * 0.42)
        pen.rectangle((layer.axis - wide * share / 2, low, layer.axis + wide * share / 2, low + max(2, size * 0.09)),
                      (*ink, 255))  # fmt: skip


def _bottle(order: Order, tall: int, main: Color, second: Color) -> Layer:
    dice = order.dice
    neck, body = dice.uniform(0.055, 0.08), dice.uniform(0.15, 0.21)
    shoulder = dice.uniform(0.26, 0.4)
    profile = smooth([(0.06, neck), (shoulder - 0.12, neck * 1.05), (shoulder, body * 0.86), (shoulder + 0.1, body),
                      (0.94, body), (1.0, body * 0.94)])  # fmt: skip
    glass = dice.random() < 0.45
    paper = mix(second, (255, 255, 255), 0.75)
    parts = [
        PropPart(
            profile, main, "glass" if glass else dice.choice(("gloss", "satin", "matte")), alpha=225 if glass else 255
        ),
        _label([(shoulder + 0.18, body), (0.86, body)], paper),
        PropPart([(0.0, neck * 1.18), (0.09, neck * 1.18)], second, dice.choice(("metal", "satin")), "flat"),
    ]
    layer = turned(parts, tall)
    _print(layer, order, 0.62 + shoulder * 0.18, body * tall * 1.3, shade(main, 0.6))
    return layer


def _dropper(order: Order, tall: int, main: Color, second: Color) -> Layer:
    body = order.dice.uniform(0.2, 0.26)
    profile = smooth([(0.36, 0.09), (0.42, body * 0.9), (0.47, body), (0.96, body), (1.0, body * 0.95)])
    parts = [
        PropPart(profile, main, "glass", alpha=230),
        _label([(0.56, body), (0.9, body)], mix(second, (255, 255, 255), 0.82)),
        PropPart([(0.24, 0.105), (0.38, 0.105)], second, "metal", "flat"),
        PropPart(smooth([(0.0, 0.03), (0.03, 0.058), (0.14, 0.062), (0.25, 0.07)]), shade(main, 0.5), "satin"),
    ]
    layer = turned(parts, tall)
    _print(layer, order, 0.72, body * tall * 1.3, shade(main, 0.55))
    return layer


def _jar(order: Order, tall: int, main: Color, second: Color) -> Layer:
    tall = int(tall * 0.78)
    body = order.dice.uniform(0.4, 0.52)
    parts = [
        PropPart(smooth([(0.3, body * 0.92), (0.38, body), (0.94, body), (1.0, body * 0.95)]), main,
             order.dice.choice(("gloss", "matte", "glass"))),
        _label([(0.5, body), (0.88, body)], mix(second, (255, 255, 255), 0.78)),
        PropPart([(0.1, body * 0.97), (0.32, body * 0.97)], second,
                 order.dice.choice(("metal", "satin", "matte")), "flat"),
    ]  # fmt: skip
    layer = turned(parts, tall)
    _print(layer, order, 0.68, body * tall * 1.1, shade(main, 0.55))
    return layer


def _can(order: Order, tall: int, main: Color, second: Color) -> Layer:
    tall = int(tall * 0.92)
    r = order.dice.uniform(0.24, 0.3)
    bands = sorted(order.dice.uniform(0.2, 0.9) for _ in range(2))
    parts = [
        PropPart(smooth([(0.02, r * 0.86), (0.08, r), (0.94, r), (1.0, r * 0.88)]), main, "gloss"),
        PropPart([(bands[0], r), (min(0.92, bands[1] + 0.06), r)], second, "gloss", band=True),
        PropPart([(0.0, r * 0.87), (0.03, r * 0.87)], (196, 200, 206), "metal", "open", inside=(150, 154, 160)),
    ]
    layer = turned(parts, tall)
    ink = (255, 255, 255) if palette.luminance(second) < 0.6 else shade(main, 0.4)
    _print(layer, order, (bands[0] + bands[1]) / 2 * 0.9 + 0.07, r * tall * 1.3, ink)
    return layer


def _mug(order: Order, tall: int, main: Color, second: Color) -> Layer:
    tall = int(tall * 0.66)
    r = order.dice.uniform(0.42, 0.5)
    foot = r * order.dice.uniform(0.7, 0.98)
    drink = order.dice.choice(((74, 44, 28), (150, 100, 60), (196, 150, 80)))
    parts = [PropPart(smooth([(0.1, r), (0.5, (r + foot) / 2 * 1.03), (0.95, foot), (1.0, foot * 0.93)]), main,
                  order.dice.choice(("gloss", "matte")), "open", inside=drink)]  # fmt: skip
    if order.dice.random() < 0.5:
        parts.insert(1, PropPart([(0.72, foot * 1.0), (0.97, foot)], second, "matte", band=True))
    layer = turned(parts, tall)
    return props.ring_handle(layer, int(tall * 0.34), int(tall * 0.86), int(tall * 0.2), main, thick=int(tall * 0.075))


def _candle(order: Order, tall: int, main: Color, second: Color) -> Layer:
    tall = int(tall * 0.74)
    r = order.dice.uniform(0.36, 0.44)
    wax = mix(main, (255, 250, 240), 0.8)
    parts = [
        PropPart([(0.2, r), (0.97, r), (1.0, r * 0.96)], mix(second, wax, 0.3), "glass", "open", inside=wax),
        _label([(0.52, r), (0.86, r)], wax),
    ]
    layer = turned(parts, tall)
    _print(layer, order, 0.66, r * tall, shade(second, 0.55))
    x, y = layer.axis, int(layer.foot - tall * 0.8)
    pen = ImageDraw.Draw(layer.image)
    pen.line((x, y, x, y - tall * 0.05), (40, 30, 24, 255), max(3, tall // 120))
    brush.glow(layer.image, (x, y - tall * 0.1), tall * 0.3, (255, 190, 90), 0.5)
    for size, color in ((1.0, (255, 170, 60, 255)), (0.6, (255, 240, 190, 255))):
        high, wide = tall * 0.13 * size, tall * 0.032 * size
        base = y - tall * 0.03
        pen.polygon(
            [(x, base - high), (x - wide, base - high * 0.35), (x, base), (x + wide, base - high * 0.35)], color
        )
        pen.ellipse((x - wide, base - high * 0.55, x + wide, base), color)
    return layer


def _vase(order: Order, tall: int, main: Color, second: Color) -> Layer:
    dice = order.dice
    belly, neck = dice.uniform(0.24, 0.36), dice.uniform(0.08, 0.17)
    high = dice.uniform(0.5, 0.7)
    profile = smooth([(0.2, neck * 1.25), (0.32, neck), (high, belly), (0.94, belly * 0.6), (1.0, belly * 0.55)], 10)
    layer = turned([PropPart(profile, main, dice.choice(("matte", "matte", "gloss")), "open")], tall)
    stems = Image.new("RGBA", (layer.image.width + tall // 2, layer.image.height + tall // 3))
    pen = ImageDraw.Draw(stems)
    x0, y0 = layer.axis + tall // 4, int(layer.foot - tall * 0.78) + tall // 3
    for _ in range(dice.randint(4, 8)):
        lean, long = dice.uniform(-0.3, 0.3), tall * dice.uniform(0.3, 0.5)
        path = [(x0 + lean * long * t * t, y0 - long * t) for t in (0, 0.25, 0.5, 0.75, 1)]
        pen.line(path, (*shade(second, 0.6), 255), max(3, tall // 160), joint="curve")
        for t in range(3, 12):
            px, py = x0 + lean * long * (t / 11) ** 2, y0 - long * t / 11
            r = tall * 0.014 * (1.4 - t / 14)
            side = r * 2.2 * (-1) ** t
            pen.ellipse((px + side - r * 1.6, py - r, px + side + r * 1.6, py + r), (*shade(second, 1.0 + t / 30), 255))
    stems.alpha_composite(layer.image, (tall // 4, tall // 3))
    return Layer(stems, layer.axis + tall // 4, layer.foot + tall // 3, layer.spread)


def _tube(order: Order, tall: int, main: Color, second: Color) -> Layer:
    r = order.dice.uniform(0.15, 0.19)
    parts = [
        PropPart([(0.84, r * 0.72), (1.0, r * 0.74)], second, "satin"),
        PropPart(smooth([(0.02, r * 1.16), (0.4, r * 1.08), (0.82, r), (0.86, r * 0.8)]), main, "satin"),
        PropPart([(0.0, r * 1.17), (0.045, r * 1.17)], shade(main, 0.9), "matte"),
    ]
    layer = turned(parts, tall)
    ink = (255, 255, 255) if palette.luminance(main) < 0.6 else shade(second, 0.5)
    _print(layer, order, 0.42, r * tall * 1.4, ink)
    return layer


def _box(order: Order, tall: int, main: Color, second: Color) -> Layer:
    dice = order.dice
    high = int(tall * dice.uniform(0.6, 0.95))
    wide, depth = int(high * dice.uniform(0.5, 0.95)), int(high * dice.uniform(0.14, 0.34))
    layer = props.box(wide, high, depth, main, main)
    pen = ImageDraw.Draw(layer.image)
    left, top = layer.axis - wide // 2, layer.foot - high
    band = top + int(high * dice.uniform(0.5, 0.7))
    pen.rectangle((left, band, left + wide - 1, band + high * 0.16), (*second, 255))
    ink = (255, 255, 255) if palette.luminance(main) < 0.6 else shade(second, 0.5)
    _print(layer, order, (top + high * 0.26) / layer.image.height, wide * 0.62, ink)
    return layer


def _perfume(order: Order, tall: int, main: Color, second: Color) -> Layer:
    r = order.dice.uniform(0.24, 0.32)
    parts = [
        PropPart(smooth([(0.36, r * 0.82), (0.4, r), (0.97, r), (1.0, r * 0.97)]), mix(main, (255, 255, 255), 0.35),
             "glass",
             alpha=215),
        PropPart([(0.56, r * 0.86), (0.95, r * 0.86)], mix(main, second, 0.35), "glass", "flat", alpha=190),
        PropPart([(0.28, r * 0.36), (0.37, r * 0.36)], (206, 190, 150), "metal", "flat"),
        PropPart([(0.04, r * 0.5), (0.3, r * 0.5)], second, order.dice.choice(("gloss", "metal")), "flat"),
    ]  # fmt: skip
    return turned(parts, tall)


def _lamp(order: Order, tall: int, main: Color, second: Color) -> Layer:
    wide = order.dice.uniform(0.26, 0.36)
    parts = [
        PropPart([(0.95, 0.17), (1.0, 0.18)], second, "metal", "flat"),
        PropPart([(0.4, 0.018), (0.96, 0.018)], second, "metal"),
        PropPart(
            [(0.06, wide * order.dice.uniform(0.35, 0.9)), (0.46, wide)], mix(main, (255, 236, 200), 0.45), "matte"
        ),
    ]
    return turned(parts, tall)


def _bowl(order: Order, tall: int, main: Color, second: Color) -> Layer:
    tall = int(tall * 0.56)
    r = order.dice.uniform(0.7, 0.85)
    profile = smooth([(0.3, r), (0.6, r * 0.86), (0.9, r * 0.5), (1.0, r * 0.44)], 10)
    layer = turned(
        [PropPart(profile, main, order.dice.choice(("gloss", "matte")), "open", inside=shade(second, 0.9))], tall
    )
    for _ in range(order.dice.randint(3, 6)):
        ball = props.sphere(int(tall * order.dice.uniform(0.2, 0.3)), mix(second, order.dice.choice(
            ((220, 70, 50), (240, 170, 40), (120, 160, 60), (150, 60, 110))), 0.75))  # fmt: skip
        across = int(order.dice.uniform(-0.62, 0.62) * r * tall)
        layer.image.alpha_composite(ball.image, (layer.axis + across - ball.axis,
                                                 int(layer.foot - tall * 0.7 - ball.image.height * 0.62)))  # fmt: skip
    return layer


FORMS: dict[str, Callable[[Order, int, Color, Color], Layer]] = {
    "bottle": _bottle, "dropper": _dropper, "jar": _jar, "can": _can, "mug": _mug, "candle": _candle, "vase": _vase,
    "tube": _tube, "box": _box, "perfume": _perfume, "lamp": _lamp, "bowl": _bowl,
}  # fmt: skip
