"""Screens of apps: blocks such as lists, cards, fields and graphs, stacked as a real screen might be.

Called by `wires`. A block fills the box that it is given; nothing here knows of frames or boards.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

from fleet.sandbox.gallery.art import brush, palette
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import mix
from fleet.sandbox.gallery.art.things import parts
from fleet.sandbox.gallery.art.things.parts import Box, Kit


def kit_for(image: Image.Image, order: Order, colors: palette.Palette, unit: float) -> Kit:
    """Return the tools for one sheet of screens, light or dark; `unit` is in pixels."""
    # One sheet shows one theme: a throw of the picture's own seed would differ from screen to screen.
    dark = "dark" in order.words or ("light" not in order.words and sum(colors[5]) % 4 == 0)
    face, ink = (mix(colors[0], (0, 0, 0), 0.2), colors[4]) if dark else ((255, 255, 255), colors[0])
    return Kit(ImageDraw.Draw(image), order.dice, unit, ink, face, colors[5])


def screen(kit: Kit, box: Box, order: Order) -> None:
    """Fill a screen from top to bottom: its name, what it is about, then other blocks until there is no more room."""
    left, y, right, bottom = box
    u, blocks = kit.u, list(_BLOCKS)
    heading(kit, (left, y, right, y + 3 * u), order)
    y += 6 * u
    if (own := order.named(parts.KIND_OF)) is not None:
        high = min(bottom - y, max((right - left) * 0.8, 24 * u))
        parts.draw(parts.KIND_OF[own], kit, (left, y, right, y + high))
        y, blocks = y + high + 3 * u, ["list", "fields"]
    kit.dice.shuffle(blocks)
    for block in blocks * 2:
        high = _BLOCK_HEIGHTS[block] * u
        if y + high > bottom:
            continue
        _BLOCKS[block](kit, (left, y, right, y + high))
        y += high + 2.6 * u


def heading(kit: Kit, box: Box, order: Order) -> None:
    """Write the name of the screen that the prompt is about, with somebody's portrait beside it."""
    left, y, right, _ = box
    u, name = kit.u, order.title(2, "") if order.subject else ""
    room = right - left - 6 * u
    if name:
        size = min(4.2 * u, room / brush.text_width(name, 100) * 100)
        brush.write(kit.pen, (left, y + 1.2 * u), name, size, kit.ink, anchor="lm", bold=0.03)
    else:
        kit.words((left, y), room * kit.dice.uniform(0.4, 0.7), high_u=2.2, color=kit.ink)
    kit.pen.ellipse((right - 4.4 * u, y - 1 * u, right, y + 3.4 * u), mix(kit.accent, kit.face, 0.6))


def focus(kit: Kit, box: Box, order: Order) -> None:
    """Draw what the screen is about in a card; a graph where the prompt does not say."""
    own = order.named(parts.KIND_OF)
    if own is None:
        graph(kit, box)
        return
    parts.draw(parts.KIND_OF[own], kit, box)


def _hero(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    kit.panel(box, kit.accent, round_u=2.4)
    light = mix(kit.accent, (255, 255, 255), 0.82)
    kit.words((left + 2.4 * kit.u, top + 3 * kit.u), (right - left) * 0.5, high_u=1.8, color=light)
    kit.words(
        (left + 2.4 * kit.u, top + 6.4 * kit.u), (right - left) * 0.34, color=mix(kit.accent, (255, 255, 255), 0.5)
    )
    kit.panel((left + 2.4 * kit.u, bottom - 6 * kit.u, left + 15 * kit.u, bottom - 2.4 * kit.u), light, round_u=1.8)
    r = (bottom - top) * 0.3
    kit.pen.ellipse((right - 3 * kit.u - 2 * r, bottom - 2 * kit.u - 2 * r, right - 3 * kit.u, bottom - 2 * kit.u),
                    mix(kit.accent, (255, 255, 255), 0.25))  # fmt: skip


def _picture(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    kit.panel(box, kit.soft, round_u=2)
    high = bottom - top
    kit.pen.polygon([(left + high * 0.25, bottom - 2 * kit.u), (left + high * 0.85, top + high * 0.36),
                     (left + high * 1.45, bottom - 2 * kit.u)], kit.line)  # fmt: skip
    r = high * 0.11
    kit.pen.ellipse(
        (right - high * 0.5 - r, top + high * 0.3 - r, right - high * 0.5 + r, top + high * 0.3 + r), kit.accent
    )


def rows(kit: Kit, box: Box) -> None:
    """Draw a list: a thumbnail and two lines of words for each row."""
    left, top, right, bottom = box
    count = max(1, round((bottom - top) / (6.5 * kit.u)))
    for row in range(count):
        y = top + row * 6.5 * kit.u
        color = mix(kit.accent, kit.face, kit.dice.uniform(0.3, 0.8))
        kit.panel((left, y, left + 4.6 * kit.u, y + 4.6 * kit.u), color, round_u=kit.dice.choice((1.2, 2.3)))
        kit.words((left + 6.4 * kit.u, y + 0.6 * kit.u), (right - left) * kit.dice.uniform(0.28, 0.55), color=kit.ink)
        kit.words((left + 6.4 * kit.u, y + 2.9 * kit.u), (right - left) * kit.dice.uniform(0.2, 0.4), high_u=0.8)
        if row % 2 == 0:
            kit.panel((right - 5 * kit.u, y + 1 * kit.u, right, y + 3.4 * kit.u), kit.soft, round_u=1.2)


def tiles(kit: Kit, box: Box) -> None:
    """Draw two cards side by side."""
    left, top, right, bottom = box
    gap = 2 * kit.u
    wide = (right - left - gap) / 2
    for column in range(2):
        x = left + column * (wide + gap)
        kit.panel((x, top, x + wide, bottom), kit.face, round_u=2, edge=kit.soft)
        tone = kit.soft if column else mix(kit.accent, kit.face, 0.78)
        kit.panel((x, top, x + wide, top + (bottom - top) * 0.55), tone, round_u=2)
        kit.words((x + 1.6 * kit.u, bottom - 5.4 * kit.u), wide * 0.6, color=kit.ink)
        kit.words((x + 1.6 * kit.u, bottom - 3 * kit.u), wide * 0.4, high_u=0.8)


def _chips(kit: Kit, box: Box) -> None:
    left, top, right, bottom = box
    x, first = left, True
    while x < right - 8 * kit.u:
        wide = kit.u * kit.dice.uniform(8, 13)
        kit.panel((x, top, min(right, x + wide), bottom), kit.accent if first else kit.soft, round_u=2)
        x, first = x + wide + 1.6 * kit.u, False


def _search(kit: Kit, box: Box) -> None:
    left, top, _, bottom = box
    kit.panel(box, kit.soft, round_u=2.4)
    r, middle = 0.9 * kit.u, (top + bottom) / 2
    kit.pen.ellipse((left + 2 * kit.u - r, middle - r, left + 2 * kit.u + r, middle + r), outline=kit.line, width=3)
    kit.words((left + 4.4 * kit.u, middle - 0.5 * kit.u), 14 * kit.u)


def graph(kit: Kit, box: Box) -> None:
    """Draw a small bar chart with one bar in the accent colour."""
    left, top, right, bottom = box
    kit.panel(box, kit.face, round_u=2, edge=kit.soft)
    count = 7
    wide = (right - left - 4 * kit.u) / count
    for bar in range(count):
        high = (bottom - top - 7 * kit.u) * kit.dice.uniform(0.2, 1)
        x = left + 2 * kit.u + bar * wide
        tone = kit.accent if bar == 4 else mix(kit.accent, kit.face, 0.7)
        kit.panel((x, bottom - 2 * kit.u - high, x + wide * 0.62, bottom - 2 * kit.u), tone, round_u=0.8)
    kit.words((left + 2 * kit.u, top + 1.6 * kit.u), (right - left) * 0.3, color=kit.ink)


def fields(kit: Kit, box: Box) -> None:
    """Draw a form: a labelled field, and a button below it."""
    left, top, right, bottom = box
    half = (bottom - top) / 2
    for row in range(2):
        y = top + row * half
        if row == 0:
            kit.words((left, y), (right - left) * 0.3, high_u=0.8)
            kit.panel((left, y + 1.8 * kit.u, right, y + half - 1 * kit.u), kit.face, round_u=1.4, edge=kit.line)
        else:
            kit.panel((left, y + 0.6 * kit.u, right, bottom), kit.accent, round_u=2.2)
            middle = (left + right) / 2
            kit.words((middle - 5 * kit.u, (y + bottom) / 2 - 0.3 * kit.u), 10 * kit.u, color=(255, 255, 255))


_BLOCKS: dict[str, Callable[[Kit, Box], None]] = {
    "hero": _hero, "picture": _picture, "list": rows, "tiles": tiles, "chips": _chips, "search": _search,
    "graph": graph, "fields": fields,
}  # fmt: skip
_BLOCK_HEIGHTS = {
    "hero": 19,
    "picture": 17,
    "list": 19,
    "tiles": 19,
    "chips": 4,
    "search": 5,
    "graph": 18,
    "fields": 13,
}
