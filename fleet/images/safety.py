"""Checks of pictures from outside: their format by their first bytes, and whether they open safely.

Called before an untrusted picture is stored or shown. Believes no name and no content type.
"""

from __future__ import annotations

import functools
import io
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from PIL import Image, ImageOps, UnidentifiedImageError

from fleet.core.errors import InvalidInput

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 40_000_000
_PILLOW_NAMES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
_MOST_SCANS = 64
"""A progressive JPEG has about ten; each costs a pass over all pixels, so a small file of thousands costs hours."""
_SCAN = b"\xff\xda"
_MOST_READS, _MOST_READS_OF_JPEG = 60_000, 2_000
"""Pillow reads a file's parts one by one in Python, and puts the pieces of a JPEG's Exif data together by copying all
that it has: a file of nothing but tiny parts took half a minute in which no other thread of the process ran. A PNG of
8 MB in pieces of a kilobyte takes 23,000 reads, a JPEG with a hundred segments 540."""
_LARGE_PIXELS = 4_000_000
_turn = threading.RLock()
BROKEN = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError)
"""What Pillow raises for a file that is none, is broken or cut off, beside its own error for bombs."""
_FIX = "Send a PNG, JPEG, WebP or GIF."

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a picture turned out to be."""

    content_type: str
    width: int
    height: int


class _Parts(io.BytesIO):
    """A file that is read in a bounded number of parts."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self._left = most

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise OSError("too many parts")
        return super().read(size)


def opened(data: bytes) -> Image.Image:
    """Open a picture and read only its header. Raises one of BROKEN, or Pillow's DecompressionBombError."""
    most = _MOST_READS_OF_JPEG if data.startswith(b"\xff\xd8") else _MOST_READS
    return Image.open(_Parts(data, most), formats=tuple(_PILLOW_NAMES.values()))


def in_turn(work: Callable[Concatenate[bytes, P], T]) -> Callable[Concatenate[bytes, P], T]:
    """Make a function of a picture's file run on one large file at a time, on small ones at any time.

    A picture of 40,000,000 pixels takes half a gigabyte, and its file has 40 kB if it is of one colour: a worker with
    many threads that each opened one would run out of memory.
    """

    @functools.wraps(work)
    def one_by_one(data: bytes, /, *args: P.args, **options: P.kwargs) -> T:
        if not _is_large(data):
            return work(data, *args, **options)
        with _turn:
            return work(data, *args, **options)

    return one_by_one


def _is_large(data: bytes) -> bool:
    try:
        with opened(data) as image:
            return image.width * image.height > _LARGE_PIXELS
    except (Image.DecompressionBombError, *BROKEN):
        return False  # it is refused before anything is unfolded


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


@in_turn
def check(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Checked:
    """Open a picture fully and return its format and size.

    Raises InvalidInput for a file that is too large in bytes or pixels, of another format, broken or cut off. The size
    in pixels is read from the header first, so a small file that expands to gigabytes is never expanded.
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
        image = opened(data)
        width, height = image.size
        if width * height > max_pixels:
            raise InvalidInput(f"The picture is {width} x {height}; at most {max_pixels:,} pixels are accepted.")
        image.load()
    except Image.DecompressionBombError as error:
        raise InvalidInput(f"The picture is too large: at most {max_pixels:,} pixels are accepted.") from error
    except BROKEN as error:
        raise InvalidInput("The picture is broken or cut off.", fix=_FIX) from error
    return content_type, _eight_bits(image) if image.mode.startswith("I;16") else image


def upright(image: Image.Image) -> Image.Image:
    """Return a picture turned by its orientation tag; one with a broken tag stays as it is."""
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
