"""Colours: palettes that go well together, and the mixing of them. Pure; called by every style."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from random import Random

Color = tuple[int, int, int]
Palette = tuple[Color, ...]


def rgb(text: str) -> Color:
    """Return the colour written as rrggbb."""
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def _palettes(text: str) -> tuple[Palette, ...]:
    return tuple(tuple(rgb(word) for word in line.split()) for line in text.strip().splitlines())


# Each line runs from dark to light, with the accents in between.
SKIES = _palettes("""
1b1b3a 693668 a74482 f84aa7 ff9e7d ffe3c2
0b132b 1c2541 3a506b 5bc0be a7e8e4 f3fbfa
2d1e2f 8c2f39 d65a31 f2a65a f7d08a fff4dc
10002b 3c096c 7b2cbf c77dff f0b7e8 ffe9f3
03071e 370617 9d0208 e85d04 faa307 ffe5a0
012a4a 01497c 2a6f97 61a5c2 a9d6e5 eef8fb
1a2f23 2f5d50 4f8a6b 9cc5a1 dce9c9 fbfbee
22223b 4a4e69 9a8c98 c9ada7 f2e9e4 fffaf5
14213d 274690 576ca8 f5b841 fbd87f fff6e0
0d1b2a 1b4965 5fa8d3 bee9e8 cae9ff fdf6ff
231942 5e548e 9f86c0 be95c4 e0b1cb fff0f5
2b2d42 5c677d 8d99ae ef8354 f4c095 fdf0e6
""")
STUDIO = _palettes("""
5b4636 8a6b52 c9a27e e6cfb8 f5ebe0 fffaf3
2f3e46 52796f 84a98c b7c9b5 e3ebe1 fbfdf9
3d405b 81b29a e07a5f f2cc8f f4f1de fffdf5
1f2041 4b3f72 ffc857 e8d7ff f4effb ffffff
264653 2a9d8f e9c46a f4a261 fae1c3 fff7ec
4a1942 893168 d77a9b f2c6d0 fae5e8 fff8f8
102a43 486581 829ab1 bcccdc e6edf3 fbfdff
3a2618 7f4f24 b6ad90 d8cfb6 ece6d4 faf8ef
0f3d3e 2d6a6a 77a6a0 e2dcc8 f1efe4 ffffff
2b2118 a44a3f d4a373 ecd9c0 f6ece0 fffaf4
1b263b 415a77 d8a48f eddad2 f6eeea ffffff
22333b 5e503f c6ac8f dcd0bd eae0d5 fbf8f4
""")
POSTER = _palettes("""
1a1423 ff2e63 ff8c42 ffd166 08d9d6 fff8e8
0d0221 540d6e ee4266 ffd23f 3bceac f7f7ff
2b2d42 ef233c ff7b54 ffb26b 939b62 fff1e0
0a2463 3e92cc ff3864 fffaff d8315b fdf0d5
1d1e2c f72585 7209b7 4361ee 4cc9f0 f5f3ff
003049 d62828 f77f00 fcbf49 2a9d8f eae2b7
231f20 bb4430 7ebdc2 f3dfa2 efe6dd 22577a
14110f 34312d d9c5b2 f3f3f4 ff5e5b 00cecb
3c1642 086375 1dd3b0 affc41 b2ff9e f7fff0
2d00f7 6a00f4 f20089 ff5400 ffbd00 fff3f8
0b3954 087e8b ff5a5f c81d25 bfd7ea fffdfa
240046 ff6d00 ff9e00 9d4edd 3c096c fff5e6
""")
NEON = _palettes("""
050316 1b0b4b 5b17a8 d11bb0 ff6fb1 fff0c9
020b16 042f4b 086788 0fc2c0 8ef5d5 fbffe9
0a0508 3b0a1f 8f1034 e8443a ffa64d fff3c4
04080f 13293d 3e5c76 c06c84 f8b195 fff1e6
070b1f 192a6b 3f51d1 8a7dff e3b5ff fff6ff
061412 0b3d33 1f7a5a 7bc86c e5f27a fffde4
0b0412 2c0e3a 6a1b4d b83b5e f08a5d f9ed69
05070d 1a2238 355070 6d9dc5 f2e2ba ffffff
0c0a1d 261c5c 5b3ea6 22b8cf 96f2d7 fdfdea
100b00 3d2b00 8a5a00 e0a100 ffd966 fff9e0
""")
CHART = _palettes("""
0b3c5d 328cc1 d9b310 1d9a6c e4572e 8e6c8a
003f5c 58508d bc5090 ff6361 ffa600 5fa8d3
1b4965 62b6cb f28482 84a59d f6bd60 6d597a
2e294e 1b998b f46036 c5d86d d7263d 5c80bc
22577a 38a3a5 57cc99 f2b134 ed553b 6f5e76
264653 2a9d8f e9c46a f4a261 e76f51 7d7abc
3a0ca3 4361ee 4cc9f0 f72585 ffb703 2b9348
184e77 1a759f 34a0a4 99d98c f9c74f f3722c
5f0f40 9a031e fb8b24 e36414 0f4c5c 6a994e
0d3b66 f4a259 ee6055 60b2a5 aa7bc3 f2c14e
""")
PIXEL = _palettes("""
1a1c2c 5d275d b13e53 ef7d57 ffcd75 a7f070 38b764 257179 29366f 3b5dc9 41a6f6 73eff7 f4f4f4
140c1c 442434 30346d 4e4a4e 854c30 346524 d04648 757161 597dce d27d2c 6daa2c dad45e deeed6
0f0b1f 2a1a4a 5a2a82 a13d8c e0607e f79a7e ffd9a0 6fd08c 2f9e8f 1f5f8b 3f8fd9 8fd8f2 fff8ec
12121f 253147 3f5e5a 5f8f5a a3c065 ead98b e09a4f b85a3d 7a3045 4a4a82 6a86c9 a8cfe8 f6f3e7
0b1020 1f2b54 36488a 5a7ad0 7fb7f0 b9e6ff 2f6f4f 66a856 c9d65b f2c14e e6713c a8324a fdf7e3
20122f 43214f 7c3060 c14a5f ec8253 f9c265 9fbf5a 4d8f57 23606e 2c4686 5c77c9 a9b6f0 fff6e8
""")
CALM = _palettes("""
111827 374151 6b7280 d1d5db f3f4f6 6366f1
0f172a 334155 64748b cbd5e1 f1f5f9 0ea5e9
1c1917 44403c 78716c d6d3d1 f5f5f4 ea580c
14201b 3b4a43 6f8078 ccd6d0 f1f5f3 10b981
1e1b2e 423d5c 78739a d3d0e3 f4f3f9 8b5cf6
231417 54383e 8b6b72 ddcdd1 f8f2f3 e11d48
0c1f26 2c4a55 628290 c8d7dd eff5f7 0891b2
1f1b10 4b4531 83795c d9d3c2 f7f5ef ca8a04
""")

_NAMED = {
    "red": "d7263d", "crimson": "a4133c", "scarlet": "e63946", "orange": "f77f00", "amber": "ffb000",
    "yellow": "ffd23f", "gold": "d4a017", "golden": "e0a526", "green": "2a9d5c", "emerald": "0f9d72",
    "sage": "9caf88", "olive": "7a8450", "mint": "98e2c6", "lime": "a6d608", "teal": "138086",
    "turquoise": "2ec4b6", "cyan": "22c7e0", "blue": "2f6fde", "navy": "14285a", "cobalt": "1f48c8",
    "indigo": "4338ca", "violet": "7c3aed", "purple": "7b2cbf", "lavender": "b8a1e3", "magenta": "d9138a",
    "pink": "ff7fa8", "rose": "e5738f", "coral": "ff6f5e", "peach": "ffb48f", "terracotta": "c8643f",
    "brown": "7f4f24", "copper": "b5652b", "beige": "d9c7a7", "cream": "f4e9d3", "ivory": "f5f0e1",
    "white": "f2f2f2", "grey": "8a8f98", "gray": "8a8f98", "silver": "b8bec8", "charcoal": "36454f",
    "black": "1b1b1f", "neon": "ff2bd6", "pastel": "f6c6d9", "tangerine": "ff8c1a", "ultraviolet": "5b21ff",
    "lemon": "ffe14d", "lilac": "c8a2e0", "aqua": "3ad6d0", "cherry": "c8102e", "tomato": "ef4a3a", "plum": "6d2e5f",
    "clay": "b5694a", "graphite": "4b4e54", "ochre": "c9952f", "oxblood": "6a1a21", "tobacco": "7a5230",
    "bone": "e8dfcf", "slate": "5f6b78", "sand": "dcc59a", "chalk": "eeebe3", "oat": "ddd0b8", "maroon": "7a1f2b",
    "rust": "b7492a", "apricot": "f5a86b", "petrol": "12566b", "viridian": "3d8e78",
}  # fmt: skip


def named_colors(words: Iterable[str]) -> list[Color]:
    """Return the colours that a prompt's words name, in their order, each once."""
    forms = (word if word in _NAMED else word.removesuffix("s") for word in words)
    return list(dict.fromkeys(rgb(_NAMED[word]) for word in forms if word in _NAMED))


def led_by(base: Palette, named: Sequence[Color], dice: Random) -> Palette:
    """Return the palette turned towards the first named colour, with the others in the place of accents."""
    hue, _, strength = colorsys.rgb_to_hls(*(v / 255 for v in named[0]))
    calm = strength < 0.15
    turned = [_turned_to(color, hue, dice.uniform(-0.06, 0.06), calm) for color in base]
    for place, color in zip((2, 3, 1), named, strict=False):
        turned[place] = color
    return tuple(turned)


def varied(base: Palette, dice: Random) -> Palette:
    """Return the palette with all hues turned a little, so that two pictures rarely share one."""
    turn = dice.uniform(-0.07, 0.07)
    return tuple(_shifted(color, turn) for color in base)


def mix(a: Color, b: Color, share: float) -> Color:
    """Return the colour between two; `share` 0 is `a`, 1 is `b`."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def shade(color: Color, factor: float) -> Color:
    """Return the colour darker (below 1, towards black) or lighter (above 1, towards white; 2 is white)."""
    return mix((0, 0, 0), color, factor) if factor <= 1 else mix(color, (255, 255, 255), min(factor - 1, 1.0))


def luminance(color: Color) -> float:
    """Return how bright a colour looks, 0 to 1."""
    return (0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]) / 255


def ramp(colors: Sequence[Color], steps: int) -> list[Color]:
    """Return `steps` colours that run evenly through `colors`."""
    spans = len(colors) - 1
    places = [step * spans / max(1, steps - 1) for step in range(steps)]
    return [mix(colors[min(int(p), spans - 1)], colors[min(int(p) + 1, spans)], p - min(int(p), spans - 1))
            for p in places]  # fmt: skip


def _turned_to(color: Color, hue: float, offset: float, calm: bool) -> Color:
    _, light, strength = colorsys.rgb_to_hls(*(v / 255 for v in color))
    return _from_hls(hue + offset, light, min(strength, 0.18) if calm else strength)


def _shifted(color: Color, turn: float) -> Color:
    hue, light, strength = colorsys.rgb_to_hls(*(v / 255 for v in color))
    return _from_hls(hue + turn, light, strength)


def _from_hls(hue: float, light: float, strength: float) -> Color:
    r, g, b = colorsys.hls_to_rgb(hue % 1.0, light, strength)
    return round(r * 255), round(g * 255), round(b * 255)
