"""Rules of each surface, as data: the length of a text, and which elements it may contain.

Read by `fleet.features.content.checks.form`. Limits are those that the surfaces publish (of hashtags the number that
performs best, not the maximum). A surface that is not listed gets the strictest rules, which are FloImg's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a text is for."""

    CAPTION = "caption"
    COMMENT = "comment"
    ALT_TEXT = "alt_text"
    PROMPT = "prompt"  # goes to a workflow, and is stored


@dataclass(frozen=True, slots=True)
class TextForm:
    """The form of one kind of text on one surface. `links` says whether links are allowed at all."""

    limit_chars: int
    hashtags: int = 0
    handles: int = 0
    line_breaks: int = 0
    links: bool = False


@dataclass(frozen=True, slots=True)
class Surface:
    """The rules of one surface."""

    caption: TextForm
    comment: TextForm
    alt_text: TextForm = field(default_factory=lambda: TextForm(300))
    prompt: TextForm = field(default_factory=lambda: TextForm(2000))

    def form(self, kind: Kind) -> TextForm:
        """Return the form of a kind of text."""
        return {
            Kind.CAPTION: self.caption, Kind.COMMENT: self.comment, Kind.ALT_TEXT: self.alt_text,
            Kind.PROMPT: self.prompt,
        }[kind]  # fmt: skip


STRICTEST = Surface(TextForm(500), TextForm(300))

SURFACES: Mapping[str, Surface] = MappingProxyType(
    {
        "floimg": STRICTEST,
        "facebook": Surface(TextForm(63206, hashtags=3, handles=3, line_breaks=20, links=True), TextForm(8000)),
        "x": Surface(TextForm(280, hashtags=2, handles=1, line_breaks=6, links=True), TextForm(280)),
        "instagram": Surface(TextForm(2200, hashtags=11, handles=3, line_breaks=20), TextForm(2200)),
        "linkedin": Surface(TextForm(3000, hashtags=3, handles=3, line_breaks=20, links=True), TextForm(1250)),
        "tiktok": Surface(TextForm(2200, hashtags=5, handles=3, line_breaks=6), TextForm(150)),
    }
)


def surface(name: str) -> Surface:
    """Return the rules of a surface."""
    return SURFACES.get(name, STRICTEST)
