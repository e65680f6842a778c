"""Convert a picture to the form that a network takes: type, size in bytes, ratio, least width.

Called by `fleet.accounts.media` for adapters. Pure. A picture that fits stays as it is; a changed one keeps its marks.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from PIL import Image

from fleet.core.errors import InvalidInput
from fleet.images import safety
from fleet.images.editing import MAX_SIDE, Format, encode
from fleet.images.export import crops
from fleet.images.marks import Marks, read_marks

_QUALITIES = (90, 80, 70)
_SHRINK = 0.75
_LEAST_SIDE_PX = 64
_FORMATS = {one.content_type: one for one in Format}


class PictureForm(NamedTuple):
    """The form that a network takes. Ratios are width divided by height."""

    types: tuple[str, ...]
    most_bytes: int
    min_ratio: float | None = None
    max_ratio: float | None = None
    min_width: int | None = None


@safety.in_turn
def fit(data: bytes, shape: PictureForm) -> tuple[bytes, str]:
    """Return the picture in a network's form, and its content type. Raises InvalidInput.

    What is too wide or too high is cropped around the centre of its detail, what is too narrow is enlarged.
    """
    found, image = safety.decode(data)
    turned = safety.upright(image)
    cropped = _enlarged(_cropped(turned, shape), shape)
    if cropped.size == image.size and found in shape.types and len(data) <= shape.most_bytes:
        return data, found
    wanted = next((one for one in (found, "image/jpeg", *shape.types) if one in shape.types and one in _FORMATS), None)
    if wanted is None:
        raise InvalidInput(f"Fleet writes no {' or '.join(shape.types)}.")
    return _within(cropped, _FORMATS[wanted], read_marks(data), shape)


def _cropped(image: Image.Image, shape: PictureForm) -> Image.Image:
    ratio = image.width / image.height
    wanted = min(max(ratio, shape.min_ratio or 0.0), shape.max_ratio or math.inf)
    return image if wanted == ratio else image.crop(crops.crop_box(image.size, wanted, crops.focus_of(image)))


def _enlarged(image: Image.Image, shape: PictureForm) -> Image.Image:
    if shape.min_width is None or image.width >= shape.min_width:
        return image
    height = round(image.height * shape.min_width / image.width)
    if height > MAX_SIDE:
        raise InvalidInput(f"The picture is {image.width} x {image.height}: it is too narrow.")
    return image.resize((shape.min_width, height), Image.Resampling.LANCZOS)


def _within(image: Image.Image, format: Format, marks: Marks | None, shape: PictureForm) -> tuple[bytes, str]:
    """Return the picture as a file of at most so many bytes: with less quality first, then smaller."""
    flat = _flat(image) if format is Format.JPEG else image
    least = shape.min_width or _LEAST_SIDE_PX
    while True:
        for quality in _QUALITIES if format is not Format.PNG else (None,):
            data = encode(flat, marks, format, quality=quality)
            if len(data) <= shape.most_bytes:
                return data, format.content_type
        width, height = int(flat.width * _SHRINK), int(flat.height * _SHRINK)
        if min(width, height) < least:
            raise InvalidInput(f"The picture cannot be made smaller than {shape.most_bytes:,} bytes.")
        flat = flat.resize((width, height), Image.Resampling.LANCZOS)


def _flat(image: Image.Image) -> Image.Image:
    """Return a picture without transparency: transparent pixels become white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
