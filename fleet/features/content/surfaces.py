"""Forms of texts by surface: what the manifest of its adapter says, and the strictest rules for all else.

Read by `fleet.features.content.review`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from fleet.adapters import registry
from fleet.adapters.manifest import TextRule


class Kind(StrEnum):
    """What a text is for."""

    CAPTION = "caption"
    COMMENT = "comment"
    ALT_TEXT = "alt_text"
    PROMPT = "prompt"  # goes to a workflow, and is stored


STRICTEST: Mapping[Kind, TextRule] = MappingProxyType(
    {
        Kind.CAPTION: TextRule(most=500, links=False, line_breaks=0),
        Kind.COMMENT: TextRule(most=300, links=False, line_breaks=0),
        Kind.ALT_TEXT: TextRule(most=300, links=False, line_breaks=0),
        Kind.PROMPT: TextRule(most=2000, links=False, line_breaks=0),
    }
)
_IN_MANIFEST = {Kind.CAPTION: "post", Kind.COMMENT: "comment", Kind.ALT_TEXT: "alt_text"}


def form(on: str, kind: Kind) -> TextRule:
    """Return the form of a kind of text on a surface; the strictest one where no adapter names another."""
    texts = registry.get(on).texts if on in registry.names() else {}
    return texts.get(_IN_MANIFEST.get(kind, ""), STRICTEST[kind])
