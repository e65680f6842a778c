"""Add the mark to a picture's file that has none; the pixels of PNG and JPEG stay as they are.

Called for the pictures of workflows before they are posted. Pure. Other metadata stays, except for an XMP packet
without the mark, which is replaced: readers expect one packet.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from fleet.images import safety
from fleet.images.editing import Format, encode
from fleet.images.marks import Marks, packet

MAX_BYTES = 4 * 1024 * 1024
"""A larger file becomes a JPEG that is smaller: it is sent within a request, a third longer there."""
_MAX_SIDE_PX = 2048
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_XMP = b"XML:com.adobe.xmp\x00"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_START_OF_SCAN = 0xDA


@safety.in_turn
def stamp(data: bytes, marks: Marks) -> bytes:
    """Return the picture's file with `marks` in it. Raises InvalidInput for a file that is no picture or broken.

    WebP and GIF become PNG.
    """
    content_type, image = safety.decode(data)
    if content_type == "image/png":
        marked = _png(data, packet(marks))
    elif content_type == "image/jpeg":
        marked = _jpeg(data, packet(marks))
    else:
        marked = encode(safety.upright(image).convert("RGBA"), marks, Format.PNG)
    return marked if len(marked) <= MAX_BYTES else _smaller(image, marks)


def _smaller(image: Image.Image, marks: Marks) -> bytes:
    flat = safety.upright(image)
    if flat.has_transparency_data:  # transparent pixels may have any colour, and become white
        seen = flat.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    small = flat.convert("RGB")
    small.thumbnail((_MAX_SIDE_PX, _MAX_SIDE_PX))
    return encode(small, marks, Format.JPEG)


def _png(data: bytes, xmp: bytes) -> bytes:
    body = b"iTXt" + _PNG_XMP + b"\x00\x00\x00\x00" + xmp  # not compressed, no language, no translated keyword
    ours = struct.pack(">I", len(xmp) + len(_PNG_XMP) + 4) + body + struct.pack(">I", zlib.crc32(body))
    header, *rest = (chunk for chunk in _chunks(data) if not chunk[4:].startswith(b"iTXt" + _PNG_XMP))
    return b"".join([_PNG_START, header, ours, *rest])


def _chunks(data: bytes) -> Iterator[bytes]:
    at = len(_PNG_START)
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])  # length, name, the data, checksum
        yield data[at:end]
        at = end


def _jpeg(data: bytes, xmp: bytes) -> bytes:
    body = _JPEG_XMP + xmp
    ours = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    *segments, scan = _segments(data)
    kept = [segment for segment in segments if not segment[4:].startswith(_JPEG_XMP)]
    first = 1 if kept and kept[0][:2] == b"\xff\xe0" else 0  # JFIF's own segment comes first where there is one
    return b"".join([data[:2], *kept[:first], ours, *kept[first:], scan])


def _segments(data: bytes) -> Iterator[bytes]:
    """Return the segments before the pixels, and last everything from there on."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (_START_OF_SCAN, 0xFF):
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        yield data[at:end]
        at = end
    yield data[at:]
