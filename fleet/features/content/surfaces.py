"""Forms of texts by surface: what the manifest of its adapter says, and the strictest rules for all else.

Read by `fleet.features.content.review`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from fleet.adapters import registry
from fleet.adapters.manifest import TextLimitingAdapter, TextRule
from fleet.core import logs
from fleet.core.errors import FleetError


class Kind(StrEnum):
    """What a text is for."""

    CAPTION = "caption"
    COMMENT = "comment"
    ALT_TEXT = "alt_text"
    PROMPT = "prompt"  # goes to a workflow, and is stored


log = logs.get(__name__)
STRICTEST: Mapping[Kind, TextRule] = MappingProxyType(
    {
        Kind.CAPTION: TextRule(most=500, links=False, line_breaks=0),
        Kind.COMMENT: TextRule(most=300, links=False, line_breaks=0),
        Kind.ALT_TEXT: TextRule(most=300, links=False, line_breaks=0),
        Kind.PROMPT: TextRule(most=2000, links=False, line_breaks=0),
    }
)
NONE: Mapping[str, TextRule] = MappingProxyType({})
_IN_MANIFEST = {Kind.CAPTION: "post", Kind.COMMENT: "comment", Kind.ALT_TEXT: "alt_text"}


def form(on: str, kind: Kind, own: Mapping[str, TextRule] = NONE) -> TextRule:
    """Return the form of a kind of text on a surface; the strictest one where no adapter names another.

    `own` are the rules of the account's server (`own_texts`); they are more precise than the manifest.
    """
    texts = {**(registry.get(on).texts if on in registry.names() else {}), **own}
    return texts.get(_IN_MANIFEST.get(kind, ""), STRICTEST[kind])


def own_texts(connect: Callable[[], object]) -> Mapping[str, TextRule]:
    """Return the rules that the server of an account has for its texts; empty where it has none or says nothing.

    `connect` returns the account's adapter. May call the server, so not within a transaction.
    """
    try:
        adapter = connect()
        return adapter.text_rules() if isinstance(adapter, TextLimitingAdapter) else NONE
    except FleetError as error:  # the manifest's rules hold, and the server itself refuses what is too long
        log.warning("own_texts_unknown", error=logs.mask(str(error)))
        return NONE
