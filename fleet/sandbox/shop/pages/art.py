"""Placeholder pictures of products, drawn from the words of their names.

A picture has no row and no file: its address holds the words, and it is drawn again after a restart.
"""

from __future__ import annotations

import functools
import threading

from fleet import images
from fleet.images import Marks, PictureSource
from fleet.images.editing import Format
from fleet.sandbox.gallery.art import render

_SIDE_PX = 480
_lock = threading.Lock()


def picture(name: str) -> bytes:
    """Return the picture of "amber-glass-bottle" as WebP. One at a time is drawn: each takes a tenth of a second."""
    with _lock:
        return _drawn(name)


@functools.lru_cache(maxsize=200)
def _drawn(name: str) -> bytes:
    words = " ".join(name.split("-"))
    drawn = render(f"A {words}", "product_photographer", _SIDE_PX, _SIDE_PX)
    return images.encode(drawn, Marks(PictureSource.FORMULA, words), Format.WEBP, quality=82)
