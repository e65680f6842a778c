"""Pictures from outside: what they are by their first bytes, and whether they can be opened without harm.

Called before anything keeps or shows a picture that somebody else sent. Believes no name and no content type.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from fleet.core.errors import InvalidInput

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 40_000_000
_PILLOW_NAMES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
_MOST_SCANS = 64
"""A progressive JPEG has about ten; each costs a pass over all pixels, so a small file of thousands costs hours."""
_SCAN = b"\xff\xda"
_FIX = "Send a PNG, JPEG, WebP or GIF."


@dataclass(frozen=True, slots=True)
class Checked:
    """What a picture turned out to be."""

    content_type: str
    width: int
    height: int


def sniff(data: bytes) -> str:
    """Return the content type that the first bytes show. Raises InvalidInput for anything but the four kinds."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    raise InvalidInput("This is not a picture that can be shown.", fix=_FIX)


def check(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Checked:
    """Open a picture fully and return what it is.

    Raises InvalidInput for what is too large in bytes or pixels, of another kind, broken or cut off. The size in pixels
    is read from the header first, so a small file that unfolds to gigabytes is never unfolded.
    """
    content_type, image = decode(data, max_bytes=max_bytes, max_pixels=max_pixels)
    return Checked(content_type, *image.size)


def decode(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> tuple[str, Image.Image]:
    """Return a picture's content type and its pixels. Raises InvalidInput as `check` does."""
    if len(data) > max_bytes:
        raise InvalidInput(f"The picture has {len(data):,} bytes; at most {max_bytes:,} are accepted.")
    content_type = sniff(data)
    if content_type == "image/jpeg" and data.count(_SCAN) > _MOST_SCANS:
        raise InvalidInput("The picture has too many layers to be opened.")
    try:
        image = Image.open(io.BytesIO(data), formats=(_PILLOW_NAMES[content_type],))
        width, height = image.size
        if width * height > max_pixels:
            raise InvalidInput(f"The picture is {width} x {height}; at most {max_pixels:,} pixels are accepted.")
        image.load()
    except Image.DecompressionBombError as error:
        raise InvalidInput(f"The picture is too large: at most {max_pixels:,} pixels are accepted.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise InvalidInput("The picture is broken or cut off.", fix=_FIX) from error
    return content_type, _eight_bits(image) if image.mode.startswith("I;16") else image


def upright(image: Image.Image) -> Image.Image:
    """Return a picture turned as its camera wished; one that tells that wish in a broken way stays as it lies."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, struct.error):
        return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 65,536 greys in 256. Pillow's own conversion makes all but the darkest 256 of them white."""
    clear = image.info.get("transparency")
    small = image.point(lambda grey: grey * (1 / 256)).convert("L")
    if clear is not None:
        small.info["transparency"] = clear // 256
    return small
