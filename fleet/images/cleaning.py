"""Clean a picture from outside: decode, turn upright, shrink, and encode anew from its pixels.

Called by `fetch`. Pure. The file's metadata (place, camera, comments, colour profile, appended data) is dropped, except
for one: the mark that a machine made it, which must not be removed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image

from fleet.core.errors import InvalidInput
from fleet.images import safety
from fleet.images.editing import Format, encode
from fleet.images.errors import Unusable
from fleet.images.marks import Marks, read_marks
from fleet.images.stamping import MAX_BYTES

_FORMATS = {"image/jpeg": Format.JPEG, "image/webp": Format.WEBP}


@dataclass(frozen=True, slots=True)
class FetchedPicture:
    """A picture's clean file, first frame only. `source` is its IPTC digital source type where a machine made it."""

    data: bytes
    content_type: str
    width: int
    height: int
    sha256: str
    source: str = ""


@safety.in_turn
def clean(data: bytes, *, max_bytes: int, max_pixels: int, max_side_px: int) -> FetchedPicture:
    """Return the clean form of a picture's file. Raises Unusable for a file that is no picture, broken or too large."""
    try:
        content_type, image = safety.decode(data, max_bytes=max_bytes, max_pixels=max_pixels)
        marks = _machine_mark(data)
        flat = _pixels(image)
    except InvalidInput as error:
        raise Unusable(str(error)) from error
    flat.thumbnail((max_side_px, max_side_px))
    format = _FORMATS.get(content_type, Format.PNG)
    kept = encode(flat, marks, format)
    if len(kept) > MAX_BYTES and format is Format.PNG:  # photographs pack badly as PNG
        format = Format.WEBP if flat.mode == "RGBA" else Format.JPEG
        kept = encode(flat, marks, format)
    while len(kept) > MAX_BYTES:
        flat = flat.reduce(2)
        kept = encode(flat, marks, format)
    digest = hashlib.sha256(kept).hexdigest()
    return FetchedPicture(kept, format.content_type, *flat.size, digest, marks.source if marks else "")


def _machine_mark(data: bytes) -> Marks | None:
    marks = read_marks(data)
    return Marks(marks.source, creator_tool="") if marks is not None and marks.is_machine_made else None


def _pixels(image: Image.Image) -> Image.Image:
    """Return the first frame upright, as RGB, or RGBA where something is transparent, with nothing hung onto it."""
    try:
        upright = safety.upright(image)
        flat = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InvalidInput("The picture is broken or of a rare kind.") from error
    flat.info.clear()  # else Pillow writes profile and comment into the new file
    return flat
