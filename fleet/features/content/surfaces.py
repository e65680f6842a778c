"""What each surface allows, as data: how long a text may be, and what may stand in it.

Read by `fleet.features.content.checks.form`. Limits are those that the surfaces publish (of hashtags the number that
does best, not the highest that they take). A surface that is not told here gets the strictest rules, which are
FloImg's.
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
    PROMPT = "prompt"  # goes to a workflow, and is kept


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one kind of text on one surface. `links` says whether links may stand there at all."""

    limit_chars: int
    hashtags: int = 0
    handles: int = 0
    line_breaks: int = 0
    links: bool = False


@dataclass(frozen=True, slots=True)
class Surface:
    """What may stand on one surface."""

    caption: Form
    comment: Form
    alt_text: Form = field(default_factory=lambda: Form(300))
    prompt: Form = field(default_factory=lambda: Form(2000))

    def form(self, kind: Kind) -> Form:
        """Return the form of a kind of text."""
        return {
            Kind.CAPTION: self.caption, Kind.COMMENT: self.comment, Kind.ALT_TEXT: self.alt_text,
            Kind.PROMPT: self.prompt,
        }[kind]  # fmt: skip


STRICTEST = Surface(Form(500), Form(300))

SURFACES: Mapping[str, Surface] = MappingProxyType(
    {
        "floimg": STRICTEST,
        "facebook": Surface(Form(63206, hashtags=3, handles=3, line_breaks=20, links=True), Form(8000)),
        "x": Surface(Form(280, hashtags=2, handles=1, line_breaks=6, links=True), Form(280)),
        "instagram": Surface(Form(2200, hashtags=11, handles=3, line_breaks=20), Form(2200)),
        "linkedin": Surface(Form(3000, hashtags=3, handles=3, line_breaks=20, links=True), Form(1250)),
        "tiktok": Surface(Form(2200, hashtags=5, handles=3, line_breaks=6), Form(150)),
    }
)


def surface(name: str) -> Surface:
    """Return what a surface allows."""
    return SURFACES.get(name, STRICTEST)
