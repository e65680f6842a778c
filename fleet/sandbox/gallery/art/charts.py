"""The data person's pictures: charts that look as if they came from a good newspaper. The data is made up.

Called by `render`. The kind of chart is the one that the prompt names, else the dice's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

from fleet.sandbox.gallery.art import brush, palette
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import Color, mix
from fleet.sandbox.gallery.art.sheet import DAYS, MONTHS, Sheet, below, laid_out, legend, scale, smoothed, walk


def draw(order: Order) -> Image.Image:
    """Draw a chart."""
    sheet = laid_out(order)
    named = order.named(KIND_OF)
    kind = KIND_OF[named] if named else order.pick(tuple(_KINDS))
    _KINDS[kind](sheet)
    return brush.finish(sheet.image, order.width, order.height)


def _bars(sheet: Sheet) -> None:
    dice = sheet.dice
    groups, series = dice.choice((5, 6, 8, 12)), dice.randint(1, 3)
    stacked = series > 1 and dice.random() < 0.5
    scale(sheet, dice.choice((50, 100, 250, 1000)))
    below(sheet, sheet.steps(groups))
    if series > 1:
        legend(sheet, sheet.names(series))
    table = [[dice.uniform(0.2, 0.95) / (series if stacked else 1) for _ in range(series)] for _ in range(groups)]
    best = max(range(groups), key=lambda group: table[group][0])
    wide = (sheet.right - sheet.left) / groups
    for group in range(groups):
        foot = 0.0
        for one in range(series):
            value = table[group][one]
            tone = sheet.tones[one] if series > 1 or group == best else mix(sheet.tones[0], sheet.paper, 0.45)
            span = wide * 0.7 / (1 if stacked else series)
            x = sheet.left + wide * (group + 0.15) + (0 if stacked else span * one)
            box = (x, sheet.y(foot + value), x + span * (1 if stacked else 0.9), sheet.y(foot) - 2)
            sheet.pen.rounded_rectangle(
                box, 7 * sheet.unit, tone, corners=(not stacked or one == series - 1,) * 2 + (False, False)
            )
            foot += value if stacked else 0
    if series == 1:
        sheet.say((sheet.left + wide * (best + 0.5), sheet.top - 6 * sheet.unit), "highest", 20, sheet.ink, anchor="ms")


def _ranking(sheet: Sheet) -> None:
    """Bars that lie down, longest first, with their values."""
    dice = sheet.dice
    count = dice.randint(6, 10)
    values = sorted((dice.uniform(0.12, 1) for _ in range(count)), reverse=True)
    names, high = sheet.groups(count), (sheet.bottom - sheet.top + 60 * sheet.unit) / count
    left, span = sheet.left + 70 * sheet.unit, sheet.right - sheet.left - 160 * sheet.unit
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        y = sheet.top - 40 * sheet.unit + high * place
        tone = sheet.tones[0] if place < 1 else mix(sheet.tones[0], sheet.paper, 0.25 + 0.4 * place / count)
        sheet.pen.rounded_rectangle((left, y, left + span * value, y + high * 0.62), 8 * sheet.unit, tone)
        sheet.say((left - 16 * sheet.unit, y + high * 0.31), name, 23, sheet.ink, anchor="rm")
        sheet.say((left + span * value + 14 * sheet.unit, y + high * 0.31), f"{value * 96:.1f}", 22, anchor="lm")


def _lines(sheet: Sheet) -> None:
    dice = sheet.dice
    count, series = dice.choice((12, 24, 36)), dice.randint(2, 5)
    scale(sheet, dice.choice((40, 100, 200)))
    below(sheet, sheet.steps(12), between=False)
    names = sheet.names(series)
    for one in range(series):
        values = walk(dice, count, start=dice.uniform(0.15, 0.7), drift=dice.uniform(-0.008, 0.02), wild=0.035)
        points = [(sheet.x(step / (count - 1)), sheet.y(value)) for step, value in enumerate(values)]
        tone = sheet.tones[one]
        if one == 0:
            sheet.pen.polygon([*points, (sheet.right, sheet.bottom), (sheet.left, sheet.bottom)],
                              mix(tone, sheet.paper, 0.84))  # fmt: skip
            for line in range(6):
                sheet.pen.line((sheet.left, sheet.y(line / 5), sheet.right, sheet.y(line / 5)), sheet.rule, 2)
        sheet.pen.line(points, tone, int((9 if one == 0 else 5) * sheet.unit), joint="curve")
        x, y = points[-1]
        r = 10 * sheet.unit
        sheet.pen.ellipse((x - r, y - r, x + r, y + r), tone, sheet.paper, int(4 * sheet.unit))
        sheet.say((x - 8 * sheet.unit, y - 20 * sheet.unit), names[one], 22, tone, anchor="rs", bold=0.02)


def _areas(sheet: Sheet) -> None:
    """Layers on top of each other, on a floor or as a stream round a middle."""
    dice = sheet.dice
    series, count = dice.randint(3, 6), 48
    stream = dice.random() < 0.45
    layers = [[v * 0.8 / series + 0.02 for v in smoothed(walk(dice, count, start=dice.uniform(0.2, 0.8), wild=0.12))]
              for _ in range(series)]  # fmt: skip
    if not stream:
        scale(sheet, 100)
    below(sheet, sheet.steps(12), between=False)
    legend(sheet, sheet.names(min(series, 5)))
    floor = [0.5 - sum(layer[i] for layer in layers) / 2 if stream else 0.0 for i in range(count)]
    for number, layer in enumerate(layers):
        roof = [low + value for low, value in zip(floor, layer, strict=True)]
        edge = [(sheet.x(i / (count - 1)), sheet.y(v)) for i, v in enumerate(roof)]
        back = [(sheet.x(i / (count - 1)), sheet.y(v)) for i, v in enumerate(floor)][::-1]
        sheet.pen.polygon([*edge, *back], sheet.tones[number % len(sheet.tones)])
        sheet.pen.line(edge, sheet.paper, int(4 * sheet.unit), joint="curve")
        floor = roof


def _heat(sheet: Sheet) -> None:
    dice = sheet.dice
    rows, columns = (7, 24) if dice.random() < 0.5 else (12, 12)
    names = DAYS if rows == 7 else MONTHS
    shades = palette.ramp([mix(sheet.tones[0], sheet.paper, 0.88), sheet.tones[0], sheet.tones[1]], 24)
    high, wide = (sheet.bottom - sheet.top) / rows, (sheet.right - sheet.left) / columns
    peak, width = dice.uniform(0.2, 0.9), dice.uniform(0.1, 0.3)
    for row in range(rows):
        sheet.say((sheet.left - 14 * sheet.unit, sheet.top + high * (row + 0.5)), names[row], 21, anchor="rm")
        weight = dice.uniform(0.5, 1.0)
        for column in range(columns):
            near = math.exp(-(((column / columns - peak) / width) ** 2))
            value = min(0.999, max(0.0, weight * near + dice.uniform(-0.05, 0.28)))
            x, y = sheet.left + wide * column, sheet.top + high * row
            gap = 3 * sheet.unit
            sheet.pen.rounded_rectangle((x, y, x + wide - gap, y + high - gap), 6 * sheet.unit, shades[int(value * 24)])
    for column in range(0, columns, 3):
        sheet.say((sheet.left + wide * (column + 0.5), sheet.bottom + 30 * sheet.unit),
                  f"{column:02d}" if rows == 7 else f"W{column + 1}", 20, anchor="mm")  # fmt: skip


def _scatter(sheet: Sheet) -> None:
    dice = sheet.dice
    scale(sheet, dice.choice((10, 80, 100)))
    for step in range(6):
        x = sheet.x(step / 5)
        sheet.pen.line((x, sheet.top, x, sheet.bottom), sheet.rule, 2)
        sheet.say((x, sheet.bottom + 34 * sheet.unit), f"{step * 20}", 21, anchor="mm")
    groups, slope = dice.randint(2, 4), dice.uniform(-0.7, 0.8)
    legend(sheet, sheet.names(groups))
    layer = Image.new("RGBA", sheet.image.size)
    pen = ImageDraw.Draw(layer)
    for one in range(groups):
        cx, cy = dice.uniform(0.2, 0.8), 0.5 + slope * (dice.uniform(-0.25, 0.25))
        for _ in range(dice.randint(30, 80)):
            u = min(0.98, max(0.02, dice.gauss(cx, 0.14)))
            v = min(0.97, max(0.03, cy + slope * (u - cx) + dice.gauss(0, 0.09)))
            r = sheet.unit * dice.choice((7, 9, 12, 12, 18, 28))
            spot = (sheet.x(u) - r, sheet.y(v) - r, sheet.x(u) + r, sheet.y(v) + r)
            pen.ellipse(spot, (*sheet.tones[one], 150), (*sheet.paper, 220), 2)
    sheet.image.paste(layer, (0, 0), layer)
    ends = (sheet.x(0.03), sheet.y(0.5 - slope * 0.42), sheet.x(0.97), sheet.y(0.5 + slope * 0.42))
    sheet.pen.line(ends, sheet.ink, int(4 * sheet.unit))


def _ring(sheet: Sheet) -> None:
    """A ring of shares, with the largest in words."""
    dice = sheet.dice
    count = dice.randint(3, 6)
    values = sorted((dice.uniform(0.1, 1) for _ in range(count)), reverse=True)
    total, names = sum(values), sheet.groups(count)
    r = (sheet.bottom - sheet.top) * 0.52
    cx, cy = sheet.x(0.36), (sheet.top + sheet.bottom) / 2 + 6 * sheet.unit
    angle = -90.0
    for place, value in enumerate(values):
        span = 360 * value / total
        sheet.pen.pieslice((cx - r, cy - r, cx + r, cy + r), angle, angle + span, sheet.tones[place], sheet.paper,
                           int(6 * sheet.unit))  # fmt: skip
        y = cy - (count - 1) * 36 * sheet.unit + place * 72 * sheet.unit
        x, half = sheet.x(0.76), 14 * sheet.unit
        sheet.pen.rounded_rectangle((x, y - half, x + 2 * half, y + half),
                                    7 * sheet.unit, sheet.tones[place])  # fmt: skip
        sheet.say(
            (sheet.x(0.76) + 44 * sheet.unit, y), f"{names[place]} {value / total:.0%}", 24, sheet.ink, anchor="lm"
        )
        angle += span
    inner = r * dice.uniform(0.5, 0.66)
    sheet.pen.ellipse((cx - inner, cy - inner, cx + inner, cy + inner), sheet.paper)
    sheet.say((cx, cy - 8 * sheet.unit), f"{values[0] / total:.0%}", 74, sheet.ink, anchor="mm", bold=0.025)
    sheet.say((cx, cy + 52 * sheet.unit), names[0], 26, anchor="mm")


def _ridges(sheet: Sheet) -> None:
    """Distributions one behind the other, like hills."""
    dice = sheet.dice
    rows, count = dice.randint(6, 10), 90
    tones = palette.ramp([sheet.tones[0], sheet.tones[1], sheet.tones[2]], rows)
    gap, steps = (sheet.bottom - sheet.top) / rows, sheet.steps(rows)
    for row in range(rows):
        base = sheet.top + gap * (row + 1)
        bumps = [(dice.uniform(0.1, 0.9), dice.uniform(0.05, 0.13), dice.uniform(0.4, 1.0)) for _ in range(3)]
        curve = [(sheet.x(i / (count - 1)), base - gap * 1.7 * sum(h * math.exp(-(((i / count - m) / s) ** 2))
                  for m, s, h in bumps) / 1.3) for i in range(count)]  # fmt: skip
        sheet.pen.polygon([*curve, (sheet.right, base), (sheet.left, base)], mix(tones[row], sheet.paper, 0.25))
        sheet.pen.line(curve, tones[row], int(4 * sheet.unit), joint="curve")
        sheet.say((sheet.left - 14 * sheet.unit, base - 6 * sheet.unit), steps[row], 21, anchor="rs")


def _multiples(sheet: Sheet) -> None:
    """Many small charts with one scale."""
    dice = sheet.dice
    side = dice.choice((3, 3, 4))
    names = sheet.groups(side * side)
    wide, high = (
        (sheet.right - sheet.left + 40 * sheet.unit) / side,
        (sheet.bottom - sheet.top + 50 * sheet.unit) / side,
    )
    for place, name in enumerate(names):
        x = sheet.left - 40 * sheet.unit + wide * (place % side)
        y = sheet.top - 20 * sheet.unit + high * (place // side)
        w, h = wide * 0.86, high * 0.62
        values = walk(dice, 24, start=dice.uniform(0.2, 0.7), drift=dice.uniform(-0.02, 0.025), wild=0.07)
        points = [(x + w * i / 23, y + 40 * sheet.unit + h * (1 - v)) for i, v in enumerate(values)]
        tone = sheet.tones[0] if values[-1] >= values[0] else sheet.tones[1]
        foot = y + 40 * sheet.unit + h
        sheet.pen.polygon([*points, (x + w, foot), (x, foot)], mix(tone, sheet.paper, 0.8))
        sheet.pen.line(points, tone, int(5 * sheet.unit), joint="curve")
        sheet.pen.line((x, foot, x + w, foot), sheet.rule, 3)
        sheet.say((x, y + 24 * sheet.unit), name, 23, sheet.ink, bold=0.02)
        sheet.say((x + w, y + 24 * sheet.unit), f"{(values[-1] - values[0]) * 100:+.0f}", 22, tone, anchor="rs")


def _network(sheet: Sheet) -> None:
    """Who is linked with whom: hubs with their satellites."""
    dice = sheet.dice
    spots: list[tuple[float, float, float, Color]] = []
    hubs = [(dice.uniform(0.15, 0.85), dice.uniform(0.15, 0.85), tone) for tone in sheet.tones[:5]]
    for u, v, tone in hubs:
        first = len(spots)
        spots.append((sheet.x(u), sheet.y(v), 30 * sheet.unit, tone))
        for _ in range(dice.randint(6, 14)):
            far, turn = dice.uniform(0.06, 0.2), dice.uniform(0, math.tau)
            x, y = (
                sheet.x(min(1, max(0, u + far * math.cos(turn)))),
                sheet.y(min(1.05, max(0, v + far * math.sin(turn)))),
            )
            sheet.pen.line((*spots[first][:2], x, y), mix(tone, sheet.paper, 0.6), int(3 * sheet.unit))
            spots.append((x, y, dice.uniform(6, 17) * sheet.unit, tone))
    for _ in range(26):
        a, b = dice.sample(spots, 2)
        sheet.pen.line((*a[:2], *b[:2]), mix(sheet.ink, sheet.paper, 0.8), 2)
    for x, y, r, tone in spots:
        sheet.pen.ellipse((x - r, y - r, x + r, y + r), tone, sheet.paper, int(4 * sheet.unit))


_KINDS: dict[str, Callable[[Sheet], None]] = {
    "bars": _bars, "ranking": _ranking, "lines": _lines, "areas": _areas, "heat": _heat, "scatter": _scatter,
    "ring": _ring, "ridges": _ridges, "multiples": _multiples, "network": _network,
}  # fmt: skip
KIND_OF = {
    **dict.fromkeys(("bar", "bars", "column", "histogram"), "bars"),
    **dict.fromkeys(("ranking", "ranked", "horizontal", "leaderboard"), "ranking"),
    **dict.fromkeys(("line", "lines", "trend", "trend", "timeline", "series"), "lines"),
    **dict.fromkeys(("area", "stacked", "stream", "streamgraph", "sankey"), "areas"),
    **dict.fromkeys(("heat", "heatmap", "calendar", "matrix"), "heat"),
    **dict.fromkeys(("scatter", "scatterplot", "correlation", "bubble", "cluster"), "scatter"),
    **dict.fromkeys(("donut", "doughnut", "ring", "pie", "share", "radial", "gauge"), "ring"),
    **dict.fromkeys(("ridge", "ridgeline", "distribution", "density", "violin"), "ridges"),
    **dict.fromkeys(("multiples", "sparkline", "grid", "dashboard", "facets"), "multiples"),
    **dict.fromkeys(("network", "graph", "node", "link"), "network"),
}
