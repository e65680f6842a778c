"""Machine-readable marks in a picture's file that say how it was made (EU AI Act, art. 50(2)).

An XMP packet with IPTC's digital source type: art by a model is `trainedAlgorithmicMedia`, art by formula is
`algorithmicMedia`. Written by `editing.encode`; read back from any file by `read_marks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fleet.images import safety

CREATOR_TOOL = "Fleet"
_PNG_KEYWORD = "XML:com.adobe.xmp"
_GIF_BLOCK, _GIF_TRAILER = b"\x21\xff\x0bXMP DataXMP", b"\x01\xff\xfe\xfd"
_MOST_PACKET_BYTES = 256 * 1024
_MOST_DESCRIPTION_CHARS = 2000

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class PictureSource(StrEnum):
    """How a picture came about, in IPTC's vocabulary."""

    AI = f"{_VOCABULARY}trainedAlgorithmicMedia"
    FORMULA = f"{_VOCABULARY}algorithmicMedia"


COMPOSITE = f"{_VOCABULARY}compositeWithTrainedAlgorithmicMedia"
"""A photo with parts by a model, such as the words on the slides of a video."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a file. `source` is an address of IPTC's vocabulary; Fleet's are `PictureSource`s."""

    source: str
    description: str = ""
    creator_tool: str = CREATOR_TOOL

    @property
    def is_ai_made(self) -> bool:
        """Return whether a model made the whole picture or a part of it."""
        return self.source.rsplit("/", 1)[-1] in ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia")

    @property
    def is_machine_made(self) -> bool:
        """Return whether the file is marked as made by a model or a formula."""
        return self.is_ai_made or self.source == PictureSource.FORMULA


def packet(marks: Marks) -> bytes:
    """Return an XMP packet with the marks."""
    description = escape(_printable(marks.description[:_MOST_DESCRIPTION_CHARS]))
    body = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about="" xmlns:dc="{_DC}" xmlns:xmp="{_XMP}" xmlns:Iptc4xmpExt="{_IPTC}"'
        f" Iptc4xmpExt:DigitalSourceType={quoteattr(_printable(marks.source))}"
        f" xmp:CreatorTool={quoteattr(_printable(marks.creator_tool))}>"
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )
    return body.encode()


def save_options(format_name: str, marks: Marks) -> dict[str, Any]:
    """Return the arguments of Pillow's `save` that put the mark into a file of this format."""
    if format_name == "PNG":
        info = PngInfo()
        info.add_itxt(_PNG_KEYWORD, packet(marks).decode())
        return {"pnginfo": info}
    return {"xmp": packet(marks)}


@safety.in_turn
def read_marks(data: bytes) -> Marks | None:
    """Return the marks of a PNG, JPEG, WebP or GIF file; None if it has none that can be read."""
    found = _packet_of(data)
    if found is None or len(found) > _MOST_PACKET_BYTES:
        return None
    try:
        text = found.decode().strip("\x00 \r\n\t\ufeff")
        if "<!DOCTYPE" in text:
            return None
        tree = ElementTree.fromstring(text)  # noqa: S314 - no DTD, so no entities to unfold; bounded size
    except (ElementTree.ParseError, ValueError):
        return None
    source = _property(tree, _IPTC, "DigitalSourceType")
    if source is None:
        return None
    words = tree.find(f".//{{{_DC}}}description/{{{_RDF}}}Alt/{{{_RDF}}}li")
    described = (words.text or "") if words is not None else ""
    return Marks(source, described, _property(tree, _XMP, "CreatorTool") or "")


def _packet_of(data: bytes) -> bytes | None:
    if data.startswith(b"GIF8"):
        return _packet_of_gif(data)
    try:
        with safety.opened(data) as image:
            if image.width * image.height > safety.MAX_PIXELS:
                return None
            image.load()  # PNG may carry its text after the pixels
            info = {**image.info, **getattr(image, "text", {})}
    except (Image.DecompressionBombError, *safety.BROKEN):
        return None
    found = info.get("xmp") or info.get(_PNG_KEYWORD)
    return found.encode() if isinstance(found, str) else found if isinstance(found, bytes) else None


def _packet_of_gif(data: bytes) -> bytes | None:
    """Return the raw packet from its block, which Pillow does not read; a trailer of falling bytes ends it."""
    _, found, rest = data.partition(_GIF_BLOCK)
    packet, ended, _ = rest.partition(_GIF_TRAILER)
    return packet if found and ended else None


def _property(tree: ElementTree.Element, namespace: str, name: str) -> str | None:
    """Return a simple property, which XMP allows as an attribute, an element, or an element with rdf:resource."""
    for node in tree.iter(f"{{{_RDF}}}Description"):
        if (value := node.get(f"{{{namespace}}}{name}")) is not None:
            return value
        child = node.find(f"{{{namespace}}}{name}")
        if child is not None:
            return child.get(f"{{{_RDF}}}resource") or (child.text or "").strip()
    return None


def _printable(text: str) -> str:
    """Remove characters that XML 1.0 does not allow."""
    return "".join(c for c in text if c in "\t\n" or (ord(c) >= 0x20 and not 0xD800 <= ord(c) < 0xE000
                   and ord(c) not in (0xFFFE, 0xFFFF)))  # fmt: skip
