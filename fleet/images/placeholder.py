"""The picture that Fleet draws by itself when a surface's workflow fails.

Called by the post handler. Drawn from the prompt alone, so every attempt at one post shows the same picture, and
marked as made by formula: no model had a hand in it.
"""

from __future__ import annotations

import base64

from fleet.images.editing import Format, encode
from fleet.images.marks import Marks, Source
from fleet.images.rendering import render
from fleet.images.safety import sniff

SIDE_PX = 768
MAX_BYTES = 120_000
_QUALITIES = (86, 76, 64, 50, 34, 20)


def render_jpeg(prompt: str, style: str) -> bytes:
    """Return a JPEG of 768 x 768 and less than 120 kB in the style of a persona."""
    image = render(prompt, style, SIDE_PX, SIDE_PX)
    marks = Marks(Source.FORMULA, f"Drawn by formula for: {prompt}"[:400])
    data = b""
    for quality in _QUALITIES:
        data = encode(image, marks, Format.JPEG, quality=quality)
        if len(data) < MAX_BYTES:
            break
    return data


def data_url(picture: bytes) -> str:
    """Return a picture's file as a data URL. Raises InvalidInput when it is no picture."""
    return f"data:{sniff(picture)};base64,{base64.b64encode(picture).decode()}"
