"""Small things of pixel art: figures, items, tiles, buildings. Called by `pixels` alone; sizes are in art pixels."""

from __future__ import annotations

import itertools
from random import Random

from PIL import Image, ImageDraw

from fleet.sandbox.gallery.art.palette import Color, Palette, luminance, mix, shade

Spot = tuple[int, int]
_CLEAR = (0, 0, 0, 0)


def creature(dice: Random, colors: Palette, side: int) -> Image.Image:
    """Return a creature: one random half mirrored, outlined, with eyes."""
    body, spots = dice.sample([c for c in colors[1:] if luminance(c) > 0.25] or list(colors), 2)
    half = side // 2
    figure = Image.new("RGBA", (side + 2, side + 2), _CLEAR)
    for y, x in itertools.product(range(side), range(half + side % 2)):
        inward = (x / max(1, half)) * (1.15 - abs(y - side * 0.5) / side * 1.3)
        if dice.random() < inward * 1.25:
            tone = shade(spots if dice.random() < 0.22 else body, 1.16 - 0.5 * y / side)
            figure.putpixel((x + 1, y + 1), (*tone, 255))
            figure.putpixel((side - x, y + 1), (*tone, 255))
    _fill_middle(figure, body, side)
    _outline(figure, shade(body, 0.25))
    eye_y, gap = int(side * dice.uniform(0.32, 0.5)) + 1, max(1, side // 6)
    for px in ((side + 1) // 2 - gap, side + 1 - (side + 1) // 2 + gap):
        figure.putpixel((px, eye_y), (250, 250, 245, 255))
        figure.putpixel((px, eye_y + 1), (16, 14, 24, 255))
    return figure


def _fill_middle(figure: Image.Image, body: Color, side: int) -> None:
    """Fill the middle so that no creature falls apart."""
    low, high = int(side * 0.32), int(side * 0.7)
    for y in range(low, high + 1):
        for x in range(low, side - low):
            if figure.getpixel((x + 1, y + 1)) == _CLEAR:
                figure.putpixel((x + 1, y + 1), (*shade(body, 1.1 - 0.4 * y / side), 255))


def _outline(figure: Image.Image, color: Color) -> None:
    solid = figure.getchannel("A").load()
    if solid is None:
        return
    for y in range(figure.height):
        for x in range(figure.width):
            if solid[x, y]:
                continue
            around = ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1))
            if any(0 <= a < figure.width and 0 <= b < figure.height and solid[a, b] for a, b in around):
                figure.putpixel((x, y), (*color, 255))


def _from_rows(rows: tuple[str, ...], key: dict[str, Color]) -> Image.Image:
    art = Image.new("RGBA", (len(rows[0]), len(rows)), _CLEAR)
    for y, row in enumerate(rows):
        for x, letter in enumerate(row):
            if letter in key:
                art.putpixel((x, y), (*key[letter], 255))
    return art


_HERO = (
    "...hhhh...", "..hhhhhh..", "..hssssh..", "..hsesse..", "...ssss...", "..cccccc..", ".scccccs..",
    ".s.cccc.s.", "...bccb...", "...pppp...", "..ppppp...", "..pp.pp...", ".bb...bb..",
)  # fmt: skip


def hero(dice: Random, colors: Palette) -> Image.Image:
    """Return somebody who runs."""
    bright = [c for c in colors if 0.3 < luminance(c) < 0.85] or list(colors)
    skin = dice.choice(((255, 214, 170), (224, 172, 125), (160, 106, 66), (110, 70, 45)))
    key = {"h": dice.choice(bright), "s": skin, "e": (20, 16, 28), "c": dice.choice(bright), "b": (50, 34, 30),
           "p": shade(dice.choice(bright), 0.6)}  # fmt: skip
    return _from_rows(_HERO, key)


_ITEMS = (
    ("....oo....", "....oo....", "...owwo...", "....oo....", "...o..o...", "..o.a..o..", ".oaaaaaao.", ".oalaaaao.",
     ".oaaaaaao.", "..oaaaao..", "...oooo..."),
    (".........oo", "........oww", ".......owwo", "......owwo.", ".....owwo..", "oo..owwo...", "obowwo.....",
     ".obbo......", ".oabo......", "oaoobo.....", "oo..oo....."),
    ("..ooooo..", ".oalllao.", "oalaaaaao", "oalaaaaao", ".oaaaaao.", "..oaaao..", "...oao...", "....o...."),
    (".oo...oo.", "oaao.oaao", "oalaoaaao", "oalaaaaao", ".oaaaaao.", "..oaaao..", "...oao...", "....o...."),
    ("..ooo....", ".oaaao...", ".oa.ao...", ".oaaao...", "..oao....", "...oao...", "...oaoo..", "...oaaao.",
     "...oaoo..", "...ooo..."),
    ("...oooo...", "..oaaaao..", ".oallaaao.", "oalaaaaaao", "oaaaabaaao", "oaaaaaaaao", ".oaaaaaao.", "..oooooo.."),
    ("oooooooo", "oaaaaaao", "oallaaao", "oalaaaao", "oaaabaao", "oaabbaao", ".oaaaao.", "..oaao..", "...oo..."),
    ("....oo....", "...oaao...", "...oaao...", "ooooaaoooo", "oallaaaaao", ".oalaaaao.", "..oaaaao..", ".oaaooaao.",
     ".oao..oao.", "oo......oo"),
    ("oooooooooo", "obbbbbbbbo", "obwwwwwwbo", "obwaaaawbo", "obwwwwwwbo", "obwaaawwbo", "obwwwwwwbo", "obbbbbbbbo",
     "oooooooooo"),
    ("...oo.....", "..ogo.....", "...oo.oo..", ".oooooaao.", "oaaaaaaao.", "oalaaaaao.", "oalaaaaao.", ".oaaaaao..",
     "..ooooo..."),
)  # fmt: skip


def item(dice: Random, colors: Palette) -> Image.Image:
    """Return a thing to pick up, at twice the size of its drawing."""
    bright = [c for c in colors if luminance(c) > 0.3] or list(colors)
    tone, second = dice.choice(bright), dice.choice(bright)
    key = {"o": shade(tone, 0.28), "a": tone, "l": shade(tone, 1.55), "w": (236, 240, 244), "b": second,
           "g": (110, 190, 90)}  # fmt: skip
    art = _from_rows(dice.choice(_ITEMS), key)
    return art.resize((art.width * 2, art.height * 2), Image.Resampling.NEAREST)


def ship(dice: Random, colors: Palette, side: int) -> Image.Image:
    """Return a ship that points upwards: a mirrored hull that widens, with a flame."""
    bright = [c for c in colors if luminance(c) > 0.4] or list(colors)
    hull, trim = dice.choice(bright), dice.choice(bright)
    art = Image.new("RGBA", (side + 2, side + 6), _CLEAR)
    half = side // 2
    for y in range(side):
        reach = int(half * (0.18 + 0.82 * (y / side) ** dice.choice((1.1, 1.4)))) if y % 3 else int(half * y / side)
        for x in range(reach + 1):
            tone = trim if x == reach or (y % 5 == 0 and x < 2) else shade(hull, 1.2 - 0.5 * x / max(1, half))
            art.putpixel((half - x + 1, y + 1), (*tone, 255))
            art.putpixel((half + x, y + 1), (*tone, 255))
    for y in range(3, 6):
        art.putpixel((half, y), (200, 240, 255, 255))
    _outline(art, shade(hull, 0.22))
    for y in range(4):
        art.putpixel((half + y % 2, side + 1 + y), ((255, 220, 120, 255), (255, 140, 60, 255))[y // 2])
    return art


def ground(pen: ImageDraw.ImageDraw, at: tuple[int, int, int], earth: Color, turf: Color, dice: Random) -> None:
    """Draw a column of ground eight wide from `top` to `bottom`, with turf and stones."""
    x, top, bottom = at
    pen.rectangle((x, top, x + 7, bottom), earth)
    for y in range(top, bottom, 8):
        pen.line((x, min(y + 7, bottom), x + 7, min(y + 7, bottom)), shade(earth, 0.72))
        pen.line((x + (3 if y % 16 else 6), y + 1, x + (3 if y % 16 else 6), min(y + 6, bottom)), shade(earth, 0.82))
        pen.point((x + dice.randrange(8), min(bottom, y + dice.randint(3, 6))), shade(earth, 1.3))
    pen.rectangle((x, top, x + 7, top + 2), turf)
    pen.line((x, top, x + 7, top), shade(turf, 1.35))
    for blade in range(x, x + 8, 2):
        pen.line((blade, top + 2, blade, top + dice.randint(3, 5)), shade(turf, 0.8))


def coin(pen: ImageDraw.ImageDraw, x: int, y: int, colors: Palette) -> None:
    """Draw a coin."""
    gold = (255, 205, 80)
    pen.ellipse((x, y, x + 5, y + 6), gold, shade(gold, 0.55))
    pen.line((x + 2, y + 2, x + 2, y + 4), mix(colors[-1], gold, 0.2))


def pine(pen: ImageDraw.ImageDraw, x: int, foot: int, tall: int, tone: Color) -> None:
    """Draw a pine."""
    for step in range(tall):
        reach = (step % 4) * 0.6 + step * 0.22
        pen.line((x - reach, foot - tall + step, x + reach, foot - tall + step), tone)


def castle(pen: ImageDraw.ImageDraw, at: Spot, colors: Palette, dice: Random) -> None:
    """Draw a castle whose foot is at a spot."""
    x, foot = at
    stone = mix(colors[0], colors[-2], 0.5)
    for left, wide, tall in ((0, 10, 34), (10, 16, 22), (26, 10, 42), (36, 9, 28)):
        top = foot - tall
        pen.rectangle((x + left, top, x + left + wide, foot + 8), stone, shade(stone, 0.6))
        for tooth in range(left, left + wide - 1, 4):
            pen.rectangle((x + tooth, top - 2, x + tooth + 1, top), stone)
        if wide <= 10:
            pen.polygon([(x + left - 1, top - 3), (x + left + wide // 2, top - 12), (x + left + wide + 1, top - 3)],
                        dice.choice(colors[2:5]))  # fmt: skip
        pen.rectangle((x + left + wide // 2 - 1, top + 6, x + left + wide // 2, top + 9), (255, 220, 130))
    pen.rectangle((x + 15, foot - 4, x + 20, foot + 8), shade(stone, 0.3))


def map_tile(pen: ImageDraw.ImageDraw, at: Spot, kind: str, colors: Palette, dice: Random) -> None:
    """Draw one tile of a map."""
    x, y = at
    plain = {"water": (62, 128, 206), "sand": (226, 200, 140), "grass": (112, 176, 84), "forest": (58, 122, 72)}[kind]
    tone = mix(plain, colors[{"water": 9, "sand": 4, "grass": 5, "forest": 6}[kind]], 0.3)
    pen.rectangle((x, y, x + 7, y + 7), tone)
    if kind == "water":
        if dice.random() < 0.35:
            left = x + dice.randrange(4)
            pen.line((left, y + 3, left + 3, y + 3), shade(tone, 1.35))
    elif kind == "forest":
        top = shade(tone, 1.22)
        pen.ellipse((x, y - 1, x + 7, y + 6), top, shade(tone, 0.55))
        pen.point((x + 2, y + 1), shade(top, 1.3))
        pen.rectangle((x + 3, y + 6, x + 4, y + 7), (90, 60, 40))
    else:
        for _ in range(2):
            pen.point((x + dice.randrange(8), y + dice.randrange(8)), shade(tone, dice.choice((0.85, 1.2))))
        if kind == "grass" and dice.random() < 0.1:
            pen.point((x + dice.randrange(7), y + dice.randrange(7)), dice.choice((colors[-1], colors[2], colors[4])))


def house(pen: ImageDraw.ImageDraw, at: Spot, colors: Palette, dice: Random) -> None:
    """Draw a house seen from above and in front."""
    x, y = at
    roof = dice.choice((colors[2], colors[3], colors[1], colors[9 % len(colors)]))
    pen.rectangle((x, y, x + 15, y + 7), roof, shade(roof, 0.5))
    for row in range(2, 7, 2):
        pen.line((x + 1, y + row, x + 14, y + row), shade(roof, 0.8))
    pen.rectangle((x + 1, y + 8, x + 14, y + 14), (236, 220, 190), (110, 80, 60))
    pen.rectangle((x + 6, y + 10, x + 9, y + 14), (120, 76, 46))
    pen.rectangle((x + 3, y + 10, x + 4, y + 11), (150, 210, 240))
    pen.rectangle((x + 11, y + 10, x + 12, y + 11), (150, 210, 240))


def paving(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], stone: Color, wall: Color, dice: Random) -> None:
    """Pave a room, with the foot of its upper wall."""
    left, top, right, bottom = box
    pen.rectangle((left, top, right, bottom), stone)
    for y in range(top, bottom, 4):
        pen.line((left, y, right, y), shade(stone, 0.86))
        for x in range(left + (4 if (y // 4) % 2 else 0), right, 8):
            pen.line((x, y, x, min(bottom, y + 3)), shade(stone, 0.86))
    for _ in range((right - left) * (bottom - top) // 60):
        pen.point((dice.randint(left, right), dice.randint(top, bottom)), shade(stone, dice.choice((0.75, 1.2))))
    pen.rectangle((left, top - 5, right, top - 1), wall)
    pen.line((left, top - 5, right, top - 5), shade(wall, 1.4))


def chest(pen: ImageDraw.ImageDraw, at: Spot, colors: Palette) -> None:
    """Draw a chest."""
    x, y = at
    wood = (150, 92, 48)
    pen.rectangle((x, y, x + 8, y + 6), wood, shade(wood, 0.45))
    pen.line((x + 1, y + 2, x + 7, y + 2), shade(wood, 0.45))
    pen.rectangle((x + 3, y + 2, x + 5, y + 4), mix(colors[4], (255, 210, 90), 0.6))


def planet(art: Image.Image, at: Spot, size: int, colors: Palette, dice: Random) -> None:
    """Draw a planet in bands with a dark side, perhaps with a ring."""
    pen = ImageDraw.Draw(art)
    x, y = at
    tones = dice.sample(colors[1:], 3)
    globe = Image.new("RGB", (size, size))
    bands = ImageDraw.Draw(globe)
    row = 0
    while row < size:
        tall = dice.randint(1, max(2, size // 6))
        bands.rectangle((0, row, size, row + tall), dice.choice(tones))
        row += tall
    mask, dark = Image.new("L", (size, size)), Image.new("L", (size, size))
    ImageDraw.Draw(mask).ellipse((0, 0, size - 1, size - 1), 255)
    ImageDraw.Draw(dark).ellipse((0, 0, size - 1, size - 1), 130)
    ImageDraw.Draw(dark).ellipse((-size // 4, -size // 5, size - size // 4, size - size // 5), 0)
    globe.paste(shade(tones[0], 0.15), (0, 0), dark)
    art.paste(globe, at, mask)
    if dice.random() < 0.5:
        pen.arc((x - size // 2, y + size // 3, x + size + size // 2, y + size * 2 // 3), 0, 180, colors[-1])
