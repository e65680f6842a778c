"""Procedural pictures: draw a prompt in a persona's style, one module a style, the same picture each time.

Called by the gallery's `generate` step alone; it stands in for a model, and the marks of the picture say which.
Pure: the generator is seeded by prompt and style, and a style sees its `Order` and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random

from PIL import Image

from fleet.core.errors import InvalidInput
from fleet.images.editing import resize
from fleet.sandbox.gallery.art import charts, dream, packshot, pixels, poster, vista, wires
from fleet.sandbox.gallery.art.order import Order

_MIN_SIDE, _MAX_SIDE = 16, 2048
_LEAST_DRAWN, _LONGEST = 256, 3

_DRAW: dict[str, Callable[[Order], Image.Image]] = {
    "product_photographer": packshot.draw,
    "social_marketer": poster.draw,
    "indie_game_dev": pixels.draw,
    "data_viz": charts.draw,
    "ai_artist": dream.draw,
    "ux_designer": wires.draw,
}

STYLES = tuple(_DRAW)
"""The personas that have a look of their own; any other style is drawn as a landscape."""


def render(prompt: str, style: str, width: int, height: int) -> Image.Image:
    """Draw the prompt's picture in a persona's style, in RGB.

    Colours and subjects that the prompt names are heeded. Raises InvalidInput for sides outside 16 to 2048 pixels.
    """
    if not (_MIN_SIDE <= width <= _MAX_SIDE and _MIN_SIDE <= height <= _MAX_SIDE):
        raise InvalidInput(f"A picture of {width} x {height} cannot be drawn; sides are {_MIN_SIDE} to {_MAX_SIDE}.")
    seed = hashlib.sha256(f"{style}\x00{prompt}".encode(errors="surrogatepass")).digest()
    drawn_w, drawn_h = _drawn_size(width, height)
    order = Order.of(prompt, drawn_w, drawn_h, Random(int.from_bytes(seed)))
    image = _DRAW.get(style, vista.draw)(order)
    return image if image.size == (width, height) else resize(image, width, height)


def _drawn_size(width: int, height: int) -> tuple[int, int]:
    """Return the size to draw in: styles need some room and no ribbons, so little pictures are drawn large and cut."""
    scale = max(1.0, _LEAST_DRAWN / min(width, height))
    drawn_w, drawn_h = round(width * scale), round(height * scale)
    return min(drawn_w, drawn_h * _LONGEST), min(drawn_h, drawn_w * _LONGEST)
