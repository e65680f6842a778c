"""The indie game developer's pictures: pixel art on a small grid with a small palette, scaled up hard.

Called by `render`. Scenes of a platformer, rooms of a dungeon, a shooter's space, sheets of creatures and items,
tilesets: what the prompt names, or what the dice say.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw

from fleet.sandbox.gallery.art import brush, palette, sprites
from fleet.sandbox.gallery.art.order import Order
from fleet.sandbox.gallery.art.palette import Color, Palette, mix, shade

GRID = 128
"""Pixels of art across the picture."""


_NIGHTS = (((10, 10, 34), (28, 28, 78), (74, 60, 130)), ((6, 16, 34), (14, 44, 74), (40, 96, 120)),
           ((20, 8, 36), (60, 20, 80), (150, 50, 110)))  # fmt: skip
_DUSKS = (((60, 34, 92), (206, 86, 110), (255, 190, 120)), ((40, 60, 120), (230, 130, 120), (255, 214, 150)),
          ((92, 30, 60), (224, 92, 60), (255, 200, 90)))  # fmt: skip
_DAYS = (((64, 140, 226), (130, 196, 244), (222, 242, 250)), ((40, 170, 190), (130, 220, 214), (236, 250, 226)),
         ((110, 120, 224), (178, 178, 246), (250, 226, 240)),
         ((86, 176, 232), (176, 224, 240), (255, 244, 214)))  # fmt: skip


def draw(order: Order) -> Image.Image:
    """Draw pixel art."""
    colors = order.colors(palette.PIXEL)
    unit = max(1, round(min(order.width, order.height) / GRID))
    size = math.ceil(order.width / unit), math.ceil(order.height / unit)
    art = Image.new("RGB", size)
    scene = _scene(order)
    _SCENES[scene](art, order, colors)
    if order.subject and scene in ("tileset", "dungeon", "space"):
        star = _star(order, colors)
        art.paste(star, ((size[0] - star.width) // 2, (size[1] - star.height) // 2), star)
    big = art.resize((size[0] * unit, size[1] * unit), Image.Resampling.NEAREST)
    return big.crop((0, 0, order.width, order.height))


def _star(order: Order, colors: Palette) -> Image.Image:
    """Return the creature that the prompt is about, larger than all others."""
    figure = sprites.creature(order.dice, colors, 15)
    return figure.resize((figure.width * 2, figure.height * 2), Image.Resampling.NEAREST)


def _scene(order: Order) -> str:
    named = order.around().named(_WORDS)
    if named:
        return _WORDS[named]
    order = order.around()
    if order.mentions("ship"):
        return "space"
    if order.mentions("dungeon"):
        return "dungeon"
    if any(
        order.mentions(subject) for subject in ("castle", "city", "mountain", "tree", "snow", "dusk", "night", "desert")
    ):
        return "platformer"
    return order.pick(("platformer", "platformer", "platformer", "creatures", "items", "tileset", "dungeon", "space"))


def _platformer(art: Image.Image, order: Order, colors: Palette) -> None:
    """A sky, ranges of hills, a floor of tiles with gaps, ledges, coins, and somebody who runs."""
    dice, (width, height) = order.dice, art.size
    night = order.mentions("night") or (not order.mentions("dusk") and dice.random() < 0.3)
    sky = _NIGHTS if night else _DUSKS if order.mentions("dusk") or dice.random() < 0.35 else _DAYS
    tones = [mix(tone, dice.choice(colors), 0.12) for tone in dice.choice(sky)]
    _dithered(art, tones, int(height * 0.8))
    pen = ImageDraw.Draw(art)
    _heaven(pen, dice, art.size, colors, night=night)
    low = mix(tones[2], colors[6], 0.3)
    for near in range(3):
        tone = mix(low, colors[0], 0.25 + 0.22 * near)
        _hills(pen, dice, art.size, tone, base=0.62 + near * 0.07, tall=0.2 - near * 0.04, land=_land(order, near))
    ground, grass = dice.choice(((3, 5), (1, 6), (7, 5), (4, 5)))
    earth, turf = colors[ground % len(colors)], colors[grass % len(colors)]
    tops = _floor(pen, dice, art.size, earth, turf)
    _ledges(art, dice, colors, earth, turf)
    if order.mentions("castle"):
        sprites.castle(pen, (int(width * 0.62), int(height * 0.62)), colors, dice)
    if order.subject:
        star = _star(order, colors)
        left = width * 2 // 5
        art.paste(star, (left, min(tops[left : left + star.width]) - star.height + 1), star)
        return
    hero = sprites.hero(dice, colors)
    spot = width // 4 + dice.randint(-8, 8)
    art.paste(hero, (spot, tops[spot] - hero.height), hero)
    foe = sprites.creature(dice, colors, 12)
    place = int(width * 0.7)
    art.paste(foe, (place, tops[place] - foe.height), foe)


def _land(order: Order, near: int) -> str:
    if order.mentions("city"):
        return "city" if near < 2 else "hills"
    if order.mentions("tree"):
        return "trees" if near > 0 else "hills"
    if order.mentions("mountain") or order.mentions("snow"):
        return "peaks"
    return order.dice.choice(("hills", "peaks", "trees", "hills", "city" if near == 0 else "hills"))


def _dithered(art: Image.Image, colors: list[Color], height: int) -> None:
    """Fill the sky in bands that blend by a chequered pattern, as old machines had to."""
    bayer = ((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))
    tones = palette.ramp(colors, 7)
    rows = [(y * (len(tones) - 1) / max(1, height - 1)) for y in range(height)]
    pixels = []
    for y, level in enumerate(rows):
        index = min(int(level), len(tones) - 2)
        share = (level - index) * 16
        pixels += [tones[index + 1] if bayer[y % 4][x % 4] < share - 1 else tones[index] for x in range(art.width)]
    sky = Image.new("RGB", (art.width, height))
    sky.putdata(pixels)
    art.paste(sky, (0, 0))


def _heaven(pen: ImageDraw.ImageDraw, dice: Random, size: tuple[int, int], colors: Palette, *, night: bool) -> None:
    width, height = size
    if night:
        for _ in range(70):
            pen.point((dice.randrange(width), dice.randrange(height * 6 // 10)), dice.choice((colors[-1], colors[-3])))
    x, y, r = dice.randint(16, width - 24), dice.randint(14, height // 3), dice.randint(6, 14)
    pen.ellipse((x - r, y - r, x + r, y + r), colors[-1] if night else colors[4])
    pen.ellipse((x - r + 2, y - r + 2, x + r - 3, y + r - 3), mix(colors[-1], colors[4], 0.3))
    for _ in range(dice.randint(2, 5)):
        cx, cy, wide = dice.randrange(width), dice.randint(6, height // 2), dice.randint(10, 22)
        for puff in range(4):
            px = cx + puff * wide // 4
            rise = (2, 5, 4, 2)[puff]
            pen.ellipse((px - 5, cy - rise, px + 6, cy + 3), mix(colors[-1], colors[-2], 0.3))
        pen.rectangle((cx - 5, cy + 2, cx + wide, cy + 3), colors[-2])


def _hills(pen: ImageDraw.ImageDraw, dice: Random, size: tuple[int, int], tone: Color, *, base: float, tall: float,
           land: str) -> None:  # fmt: skip
    width, height = size
    line = brush.ridge(dice, 65, 0.62 if land == "peaks" else 0.45)
    if land == "city":
        _houses(pen, dice, (width, height), tone, base=base, tall=tall)
        return
    for x in range(width):
        place = x / width * (len(line) - 1)
        h = line[int(place)] + (line[min(int(place) + 1, len(line) - 1)] - line[int(place)]) * (place % 1)
        top = int(height * (base - tall * (0.5 + h / 2)))
        pen.line((x, top, x, height), tone)
        if land == "peaks" and h > 0.45:
            pen.line((x, top, x, top + int((h - 0.4) * 12) + x % 2), mix(tone, (255, 255, 255), 0.55))
        if land == "trees" and x % 6 == 0:
            sprites.pine(pen, x, top + 1, dice.randint(7, 14), shade(tone, 0.85))


def _houses(pen: ImageDraw.ImageDraw, dice: Random, size: tuple[int, int], tone: Color, *, base: float,
            tall: float) -> None:  # fmt: skip
    (width, height), x, lit = size, 0, mix(tone, (255, 230, 140), 0.7)
    while x < width:
        wide, high = dice.randint(5, 12), dice.randint(10, int(height * tall * 1.7))
        top = int(height * base) - high
        pen.rectangle((x, top, x + wide, height), tone)
        windows = itertools.product(range(top + 2, int(height * base), 4), range(x + 1, x + wide - 1, 3))
        pen.point([(wx, wy) for wy, wx in windows if dice.random() < 0.35], lit)
        x += wide + dice.choice((1, 1, 2))


def _floor(pen: ImageDraw.ImageDraw, dice: Random, size: tuple[int, int], earth: Color, turf: Color) -> list[int]:
    """Lay the ground in tiles of eight; returns its height at each column."""
    width, height = size
    tops, level = [], height - 24
    for tile in range(math.ceil(width / 8) + 1):
        if tile % 3 == 0:
            level = max(height - 36, min(height - 14, level + dice.choice((-8, 0, 0, 0, 8))))
        sprites.ground(pen, (tile * 8, level, height), earth, turf, dice)
        tops += [level] * 8
    return tops


def _ledges(art: Image.Image, dice: Random, colors: Palette, earth: Color, turf: Color) -> None:
    pen = ImageDraw.Draw(art)
    for _ in range(dice.randint(2, 4)):
        x, y, tiles = (
            dice.randint(2, art.width - 34),
            dice.randint(art.height // 3, art.height - 50),
            dice.randint(2, 4),
        )
        for tile in range(tiles):
            sprites.ground(pen, (x + tile * 8, y, y + 7), earth, turf, dice)
            if dice.random() < 0.7:
                sprites.coin(pen, x + tile * 8 + 1, y - 9, colors)


def _creatures(art: Image.Image, order: Order, colors: Palette) -> None:
    """A sheet of creatures on a quiet ground, each with its shadow."""
    dice = order.dice
    ground = mix(colors[0], dice.choice(colors), 0.18)
    art.paste(ground, (0, 0, *art.size))
    pen = ImageDraw.Draw(art)
    count = dice.choice((3, 4, 4, 5))
    cell = art.width / count
    for row in range(math.ceil(art.height / cell)):
        for column in range(count):
            x, y = int(column * cell), int(row * cell)
            if (row + column) % 2:
                pen.rectangle((x, y, x + cell, y + cell), mix(ground, colors[-1], 0.05))
            figure = sprites.creature(dice, colors, dice.choice((9, 10, 12)))
            scale = max(1, int(cell * 0.86 / figure.width))
            big = figure.resize((figure.width * scale, figure.height * scale), Image.Resampling.NEAREST)
            left, top = x + int(cell - big.width) // 2, y + int(cell - big.height) // 2
            pen.ellipse(
                (left + 1, top + big.height - 2, left + big.width - 2, top + big.height + 2), shade(ground, 0.6)
            )
            art.paste(big, (left, top), big)


def _items(art: Image.Image, order: Order, colors: Palette) -> None:
    """An inventory: slots with potions, swords, gems, hearts, keys and more."""
    dice = order.dice
    frame, slot = mix(colors[0], colors[1], 0.4), mix(colors[0], (0, 0, 0), 0.25)
    art.paste(frame, (0, 0, *art.size))
    pen = ImageDraw.Draw(art)
    count = 4
    cell = art.width // count
    for row in range(math.ceil(art.height / cell)):
        for column in range(count):
            x, y = column * cell + 2, row * cell + 2
            pen.rectangle((x, y, x + cell - 5, y + cell - 5), slot, mix(frame, colors[-1], 0.35))
            pen.line((x, y + cell - 5, x + cell - 5, y + cell - 5), shade(frame, 0.5))
            item = sprites.item(dice, colors)
            art.paste(item, (x + (cell - 4 - item.width) // 2, y + (cell - 4 - item.height) // 2), item)


def _tileset(art: Image.Image, order: Order, colors: Palette) -> None:
    """A map seen from above: water, shore, meadow, woods, a path and houses."""
    dice = order.dice
    clouds = brush.noise(art.width // 8 + 1, art.height // 8 + 1, dice, cells=3, octaves=3, side=64)
    wet, dry = dice.randint(70, 105), dice.randint(150, 185)
    pen = ImageDraw.Draw(art)
    for ty in range(art.height // 8 + 1):
        for tx in range(art.width // 8 + 1):
            level = float(clouds.getpixel((min(tx, clouds.width - 1), min(ty, clouds.height - 1))))  # type: ignore[arg-type]
            kind = "water" if level < wet else "sand" if level < wet + 16 else "grass" if level < dry else "forest"
            sprites.map_tile(pen, (tx * 8, ty * 8), kind, colors, dice)
    for _ in range(dice.randint(3, 7)):
        x, y = dice.randrange(art.width // 8) * 8, dice.randrange(art.height // 8) * 8
        level = float(clouds.getpixel((min(x // 8, clouds.width - 1), min(y // 8, clouds.height - 1))))  # type: ignore[arg-type]
        if level >= wet + 16:
            sprites.house(pen, (x, y), colors, dice)


def _dungeon(art: Image.Image, order: Order, colors: Palette) -> None:
    """Rooms of stone seen from above, joined by halls, with torches, chests and dwellers."""
    dice = order.dice
    wall, stone = mix(colors[0], colors[1], 0.5), mix(colors[0], colors[-2], 0.34)
    art.paste(shade(wall, 0.55), (0, 0, *art.size))
    pen = ImageDraw.Draw(art)
    rooms = [(dice.randrange(1, 12) * 8, (1 + 3 * (n // 3)) * 8 + dice.randrange(3) * 8, dice.randint(3, 6) * 8,
              dice.randint(2, 4) * 8) for n in range(12)]  # fmt: skip
    middles = [(x + w // 2, y + h // 2) for x, y, w, h in rooms]
    for (ax, ay), (bx, by) in itertools.pairwise(middles):
        sprites.paving(pen, (min(ax, bx) - 4, ay - 4, max(ax, bx) + 4, ay + 4), stone, wall, dice)
        sprites.paving(pen, (bx - 4, min(ay, by) - 4, bx + 4, max(ay, by) + 4), stone, wall, dice)
    for x, y, w, h in rooms:
        sprites.paving(pen, (x, y, x + w, y + h), stone, wall, dice)
    for x, y, w, h in rooms:
        for side in (x + 3, x + w - 4):
            brush.glow(art, (side, y), 16, (255, 170, 70), 0.55)
            pen.rectangle((side - 1, y - 3, side, y - 1), (255, 214, 110))
        if dice.random() < 0.6:
            sprites.chest(pen, (x + w // 2 - 4, y + 4), colors)
        if dice.random() < 0.7:
            figure = sprites.creature(dice, colors, 9)
            art.paste(figure, (x + w // 2 - 5, y + h - 14), figure)


def _space(art: Image.Image, order: Order, colors: Palette) -> None:
    """A shooter: stars, a nebula, planets, our ship, theirs, and shots between them."""
    dice, (width, height) = order.dice, art.size
    cloud = brush.noise(width, height, dice, cells=3, octaves=4, side=128)
    bands = cloud.point(lambda v: max(0, v - 110) // 28 * 28)
    art.paste(
        brush.tinted(bands, [shade(colors[0], 0.5), mix(colors[0], colors[1], 0.6), colors[1], colors[2]]), (0, 0)
    )
    pen = ImageDraw.Draw(art)
    for _ in range(130):
        pen.point((dice.randrange(width), dice.randrange(height)), dice.choice((colors[-1], colors[-2], colors[8])))
    sprites.planet(art, (dice.randint(10, width - 40), dice.randint(6, 50)), dice.randint(18, 40), colors, dice)
    ship = sprites.ship(dice, colors, 14)
    x = dice.randint(30, width - 46)
    art.paste(ship, (x, height - 26), ship)
    for shot in range(5):
        pen.line(
            (x + ship.width // 2, height - 34 - shot * 14, x + ship.width // 2, height - 30 - shot * 14), colors[4]
        )
    for row in range(2):
        for column in range(dice.randint(3, 5)):
            foe = sprites.creature(dice, colors, 9)
            art.paste(foe, (10 + column * 22 + row * 9, 14 + row * 20), foe)


_SCENES: dict[str, Callable[[Image.Image, Order, Palette], None]] = {
    "platformer": _platformer, "creatures": _creatures, "items": _items, "tileset": _tileset, "dungeon": _dungeon,
    "space": _space,
}  # fmt: skip
_WORDS = {
    **dict.fromkeys(("platformer", "sidescroller", "level", "runner", "parallax"), "platformer"),
    **dict.fromkeys(
        ("sprite", "sprites", "creature", "creatures", "monster", "enemy", "character", "slime"), "creatures"
    ),
    **dict.fromkeys(("item", "items", "inventory", "potion", "sword", "weapon", "icon", "gem", "pickup"), "items"),
    **dict.fromkeys(("tileset", "tile", "tilemap", "overworld", "map", "village", "island"), "tileset"),
}
