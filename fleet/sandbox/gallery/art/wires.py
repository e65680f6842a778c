"""The UX designer's pictures: screens in device frames, flows, component sheets. Quiet, with one accent.

Called by `render`. Boards hold frames, frames hold screens, and screens are built in `screens`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

from fleet.sandbox.gallery.art import brush, palette, screens
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import Color, luminance, mix
from fleet.sandbox.gallery.art.things.parts import Box, Kit


def draw(order: Order) -> Image.Image:
    """Draw a design: the screen that the prompt is about, on the device of its setting."""
    dice, colors = order.dice, order.colors(palette.CALM)
    ground = dice.choice((colors[4], mix(colors[5], (255, 255, 255), 0.86), mix(colors[5], (255, 255, 255), 0.6),
                          colors[1],
                          mix(colors[5], colors[0], 0.75)))  # fmt: skip
    image = brush.canvas(order.width, order.height)
    image.paste(brush.gradient(64, 64, [mix(ground, (255, 255, 255), 0.12), ground]).resize(image.size), (0, 0))
    if dice.random() < 0.4:
        _dots(image, ground)
    named = order.around().named(DEVICES)
    _BOARDS[DEVICES[named] if named else order.pick(tuple(_BOARDS))](image, order, colors)
    return brush.finish(image, order.width, order.height)


def _dots(image: Image.Image, ground: Color) -> None:
    pen, step = ImageDraw.Draw(image), image.width // 42
    tone = mix(ground, (0, 0, 0) if luminance(ground) > 0.5 else (255, 255, 255), 0.1)
    for x in range(step // 2, image.width, step):
        for y in range(step // 2, image.height, step):
            pen.ellipse((x - 3, y - 3, x + 3, y + 3), tone)


def _lift(image: Image.Image, box: Box, radius: float, *, depth: float) -> None:
    """Lay the soft shadow of a frame that floats over the ground."""
    scale, room = 16, depth * 3
    wide, high = box[2] - box[0] + 2 * room, box[3] - box[1] + 2 * room
    small = Image.new("L", (int(wide / scale) + 1, int(high / scale) + 1))
    inner = (room / scale, room / scale, (wide - room) / scale, (high - room) / scale)
    ImageDraw.Draw(small).rounded_rectangle(inner, radius / scale, 105)
    soft = small.filter(ImageFilter.GaussianBlur(depth / scale))
    soft = soft.resize((int(wide), int(high)), Image.Resampling.BILINEAR)
    image.paste((18, 20, 32), (int(box[0] - room), int(box[1] - room + depth * 0.7)), soft)


def _device(image: Image.Image, order: Order, colors: palette.Palette, box: Box, *, unit: float, round_u: float = 7,
            bars: bool = True) -> None:  # fmt: skip
    """Draw a device with the screen of the prompt's subject; `bars` are the clock above and the tabs below."""
    x, y, right, bottom = box
    u = unit
    _lift(image, box, round_u * u, depth=6 * u)
    kit = screens.kit_for(image, order, colors, u)
    kit.panel(box, (24, 25, 32), round_u=round_u)
    screen = (x + 1.4 * u, y + 1.4 * u, right - 1.4 * u, bottom - 1.4 * u)
    kit.panel(screen, kit.face, round_u=max(0.5, round_u - 1.2))
    if not bars:
        margin = max(3.0, round_u * 0.6) * u
        screens.screen(kit, (screen[0] + margin, screen[1] + margin, screen[2] - margin, screen[3] - margin), order)
        return
    middle = (x + right) / 2
    kit.panel((middle - 6 * u, y + 3 * u, middle + 6 * u, y + 5.6 * u), (24, 25, 32), round_u=1.3)
    brush.write(kit.pen, (x + 6 * u, y + 5.4 * u), "9:41", 2.3 * u, kit.ink, bold=0.03)
    screens.screen(kit, (screen[0] + 3 * u, screen[1] + 8 * u, screen[2] - 3 * u, screen[3] - 11 * u), order)
    _tab_bar(kit, screen)


def _phone(image: Image.Image, order: Order, colors: palette.Palette, at: brush.Point, high: float) -> None:
    box = (*at, at[0] + high * 0.485, at[1] + high)
    _device(image, order, colors, box, unit=high / 100)


def _tab_bar(kit: Kit, screen: Box) -> None:
    u, y = kit.u, screen[3] - 9 * kit.u
    kit.pen.line((screen[0], y, screen[2], y), kit.soft, 2)
    active = kit.dice.randrange(4)
    for tab in range(4):
        cx = screen[0] + (screen[2] - screen[0]) * (tab + 0.5) / 4
        color = kit.accent if tab == active else kit.line
        if tab % 2:
            kit.pen.ellipse((cx - 1.4 * u, y + 2 * u, cx + 1.4 * u, y + 4.8 * u), color)
        else:
            kit.panel((cx - 1.4 * u, y + 2 * u, cx + 1.4 * u, y + 4.8 * u), color, round_u=0.7)
    middle = (screen[0] + screen[2]) / 2
    kit.panel((middle - 7 * u, screen[3] - 1.9 * u, middle + 7 * u, screen[3] - 1.2 * u), kit.line, round_u=0.4)


def _one_phone(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    high = image.height * order.dice.uniform(0.8, 0.9)
    x, y = (image.width - high * 0.485) / 2, (image.height - high) / 2
    _phone(image, order, colors, (x, y), high)
    _notes(image, order, colors, (x, y, x + high * 0.485, y + high))


def _notes(image: Image.Image, order: Order, colors: palette.Palette, box: Box) -> None:
    """Annotate a screen with numbered dots and short lines beside it."""
    pen, dice, size = ImageDraw.Draw(image), order.dice, image.width * 0.019
    spot = image.getpixel((8, image.height // 2))
    ink = colors[0] if luminance(spot) > 0.5 else colors[4]  # type: ignore[arg-type]  # an RGB picture has RGB pixels
    for number in range(dice.randint(2, 4)):
        y = box[1] + (box[3] - box[1]) * (0.18 + 0.2 * number)
        outer, inner = (
            (box[2] + size * 2.4, box[2] - size * 2) if number % 2 else (box[0] - size * 2.4, box[0] + size * 2)
        )
        pen.line((outer, y, inner, y), colors[5], 4)
        pen.ellipse((outer - size, y - size, outer + size, y + size), colors[5])
        brush.write(pen, (outer, y), str(number + 1), size * 1.15, (255, 255, 255), anchor="mm", bold=0.03)
        for line, share in enumerate((0.09, 0.07)):
            x = outer + size * 1.8 if number % 2 else outer - size * 1.8 - image.width * share
            top = y - size * 0.7 + line * size * 1.1
            pen.rounded_rectangle((x, top, x + image.width * share, top + size * 0.55), size * 0.28,
                                  mix(ink, spot, 0.5 + 0.2 * line))  # type: ignore[arg-type]  # fmt: skip


def _phones(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    dice = order.dice
    count = dice.choice((2, 3, 3))
    high = image.height * (0.72 if count == 2 else 0.6)
    wide, step = high * 0.485, dice.uniform(0.0, 0.07) * image.height
    gap = (image.width - count * wide) / (count + 1)
    for number in range(count):
        x, y = gap + number * (wide + gap), (image.height - high) / 2 + step * (number - (count - 1) / 2)
        _phone(image, order, colors, (x, y), high)


def _framed(image: Image.Image, order: Order, colors: palette.Palette, sides: tuple[float, float],
            round_u: float) -> None:  # fmt: skip
    """Draw one device without bars in the middle; `sides` are parts of the picture's height."""
    wide, high = sides[0] * image.height, sides[1] * image.height
    shrink = min(1.0, image.width * 0.9 / wide)
    wide, high = wide * shrink, high * shrink
    x, y = (image.width - wide) / 2, (image.height - high) / 2
    unit = min(wide, high) / (46 if min(sides) < 0.5 else 60)
    _device(image, order, colors, (x, y, x + wide, y + high), unit=unit, round_u=round_u, bars=False)


def _tablet(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    _framed(image, order, colors, (0.88, 0.66), 3)


def _reader(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    _framed(image, order, colors, (0.6, 0.82), 3)


def _watch(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    width, height = image.size
    strap = (width / 2 - height * 0.14, height * 0.04, width / 2 + height * 0.14, height * 0.96)
    ImageDraw.Draw(image).rounded_rectangle(strap, height * 0.04, mix(colors[0], colors[5], 0.25))
    _framed(image, order, colors, (0.46, 0.54), 9)


def _panel(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    _framed(image, order, colors, (0.86, 0.54), 1.5)


def _stand(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    """A screen on a foot: a monitor or a kiosk."""
    width, height = image.size
    pen, tone = ImageDraw.Draw(image), mix(colors[1], (0, 0, 0), 0.3)
    pen.rectangle((width * 0.46, height * 0.6, width * 0.54, height * 0.9), tone)
    pen.rounded_rectangle((width * 0.34, height * 0.88, width * 0.66, height * 0.92), height * 0.01, tone)
    _framed(image, order, colors, (0.9, 0.56), 1.5)


def _browser(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    dice, (width, height) = order.dice, image.size
    x, y, wide, high = width * 0.08, height * 0.14, width * 0.84, height * 0.72
    u = wide / 100
    _lift(image, (x, y, x + wide, y + high), 2 * u, depth=3 * u)
    kit = screens.kit_for(image, order, colors, u)
    kit.panel((x, y, x + wide, y + high), kit.face, round_u=1.6)
    kit.panel((x, y, x + wide, y + 5 * u), kit.soft, round_u=1.6)
    for number, tone in enumerate(((240, 98, 88), (246, 190, 80), (98, 196, 92))):
        kit.pen.ellipse((x + (2 + number * 2.2) * u, y + 1.8 * u, x + (3.3 + number * 2.2) * u, y + 3.1 * u), tone)
    kit.panel((x + 14 * u, y + 1.2 * u, x + 70 * u, y + 3.8 * u), kit.face, round_u=1.3)
    side = x + dice.choice((14, 18, 20)) * u
    kit.panel((x, y + 5 * u, side, y + high), mix(kit.ink, kit.face, 0.95), round_u=0.5)
    for row in range(8):
        tone = kit.accent if row == 1 else kit.line
        kit.words((x + 2.4 * u, y + (9 + row * 4.4) * u), (side - x) * dice.uniform(0.4, 0.7), high_u=1.1, color=tone)
    left, right, top = side + 3 * u, x + wide - 3 * u, y + 8 * u
    screens.heading(kit, (left, top, right, top + 3 * u), order)
    third = (right - left - 4 * u) / 3
    for card in range(3):
        cx = left + card * (third + 2 * u)
        kit.panel((cx, top + 5 * u, cx + third, top + 16 * u), kit.face, round_u=1.2, edge=kit.soft)
        kit.words((cx + 1.6 * u, top + 6.8 * u), third * 0.4, high_u=0.9)
        brush.write(kit.pen, (cx + 1.6 * u, top + 13.6 * u), str(dice.randint(12, 980)), 4 * u, kit.ink, bold=0.02)
    screens.focus(kit, (left, top + 19 * u, left + third * 2 + 2 * u, y + high - 4 * u), order)
    screens.rows(kit, (left + third * 2 + 5 * u, top + 20 * u, right, y + high - 6 * u))


def _flow(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    """Screens as cards, joined by the ways between them."""
    dice, (width, height) = order.dice, image.size
    columns, rows = 3, 2
    wide, high, u = width * 0.21, height * 0.36, height * 0.36 / 52
    spots = [(width * (0.08 + 0.32 * c), height * (0.1 + 0.44 * r)) for r in range(rows) for c in range(columns)]
    pen = ImageDraw.Draw(image)
    spots = spots[: dice.randint(4, 6)]
    for (ax, ay), (bx, by) in itertools.pairwise(spots):
        start, end = (ax + wide, ay + high / 2), (bx, by + high / 2)
        if by > ay:
            start, end = (ax + wide / 2, ay + high), (bx + wide / 2, by)
        middle = (start[1] + end[1]) / 2
        path = [start, end] if by == ay else [start, (start[0], middle), (end[0], middle), end]
        pen.line(path, colors[5], 6, joint="curve")
        tip = 12
        head = [(end[0], end[1]), (end[0] - tip * 1.6, end[1] - tip), (end[0] - tip * 1.6, end[1] + tip)]
        if by > ay:
            head = [(end[0], end[1]), (end[0] - tip, end[1] - tip * 1.6), (end[0] + tip, end[1] - tip * 1.6)]
        pen.polygon(head, colors[5])
    for x, y in spots:
        _lift(image, (x, y, x + wide, y + high), 2 * u, depth=4 * u)
        kit = screens.kit_for(image, order, colors, u)
        kit.panel((x, y, x + wide, y + high), kit.face, round_u=2.4)
        screens.screen(kit, (x + 3 * u, y + 4 * u, x + wide - 3 * u, y + high - 2 * u), order)


def _components(image: Image.Image, order: Order, colors: palette.Palette) -> None:
    """A sheet of parts: colours, buttons, switches, fields, cards."""
    dice, (width, height) = order.dice, image.size
    u = width / 100
    _lift(image, (6 * u, 6 * u, width - 6 * u, height - 6 * u), 3 * u, depth=3 * u)
    kit = screens.kit_for(image, order, colors, u)
    kit.panel((6 * u, 6 * u, width - 6 * u, height - 6 * u), kit.face, round_u=2)
    brush.write(kit.pen, (11 * u, 15 * u), order.title(3, "Components"), 4.4 * u, kit.ink, bold=0.025)
    for place, tone in enumerate(palette.ramp([kit.ink, kit.accent, mix(kit.accent, (255, 255, 255), 0.85)], 8)):
        kit.panel(((11 + place * 9.9) * u, 19 * u, (19.4 + place * 9.9) * u, 27 * u), tone, round_u=1.4)
    for place in range(4):
        x = (11 + place * 19.8) * u
        filled = place % 2 == 0
        fill, corner = kit.accent if filled else kit.face, 2.7 if place < 2 else 1
        kit.panel((x, 32 * u, x + 17 * u, 37.4 * u), fill, round_u=corner, edge=kit.accent)
        kit.words((x + 5 * u, 34.1 * u), 7 * u, high_u=1.2, color=(255, 255, 255) if filled else kit.accent)
    for place in range(5):
        x, on = (11 + place * 10) * u, dice.random() < 0.5
        kit.panel((x, 42 * u, x + 7.4 * u, 46 * u), kit.accent if on else kit.soft, round_u=2)
        knob = x + (3.7 if on else 0.4) * u
        kit.pen.ellipse((knob, 42.4 * u, knob + 3.3 * u, 45.7 * u), (255, 255, 255))
        dot = (62 + place * 5.6) * u
        kit.pen.ellipse((dot, 42.3 * u, dot + 3.4 * u, 45.7 * u), mix(kit.accent, kit.face, place * 0.18))
    low = height - 11 * u
    screens.tiles(kit, (11 * u, 51 * u, 44 * u, low))
    screens.graph(kit, (48 * u, 51 * u, width - 11 * u, 51 * u + (low - 51 * u) * 0.52))
    screens.fields(kit, (48 * u, 51 * u + (low - 51 * u) * 0.6, width - 11 * u, low))


_BOARDS: dict[str, Callable[[Image.Image, Order, palette.Palette], None]] = {
    "phone": _one_phone, "phones": _phones, "browser": _browser, "flow": _flow, "components": _components,
    "tablet": _tablet, "reader": _reader, "watch": _watch, "panel": _panel, "stand": _stand,
}  # fmt: skip
DEVICES = {
    **dict.fromkeys(("phone", "mobile", "app", "handheld"), "phone"),
    **dict.fromkeys(("phones", "variant", "device"), "phones"),
    **dict.fromkeys(("portrait", "reader", "ink"), "reader"),
    **dict.fromkeys(("tablet", "kitchen"), "tablet"),
    **dict.fromkeys(("watch", "wrist"), "watch"),
    **dict.fromkeys(("wall", "car"), "panel"),
    **dict.fromkeys(("monitor", "kiosk"), "stand"),
    **dict.fromkeys(("dashboard", "web", "website", "browser", "desktop", "landing", "admin", "laptop"), "browser"),
    **dict.fromkeys(("flow", "journey", "wireframe", "map", "storyboard"), "flow"),
    **dict.fromkeys(("component", "system", "kit", "library", "button", "style"), "components"),
}
"""The board for a word of the setting; it is read for the device."""
