"""The content of a draft, as data that people may change: the fields of each kind, and the check of an edit. Pure.

The same data is the payload of the draft's request for approval and, once approved, of its job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.core import text
from fleet.core.errors import InvalidInput
from fleet.features.drafts.sifting import Proposed
from fleet.features.drafts.states import DraftKind
from fleet.llm.scan_request import REACTIONS, VISIBILITIES

FIELDS: Mapping[DraftKind, Mapping[str, int]] = {
    DraftKind.POST: {"text": 2_000, "image_prompt": 2_000, "alt_text": 300},
    DraftKind.COMMENT: {"text": 1_000},
    DraftKind.REACTION: {},
    DraftKind.CONNECTION: {"text": 300},
}
"""The texts of each kind, and their longest lengths."""

CHOICES: Mapping[DraftKind, Mapping[str, tuple[str, ...]]] = {
    DraftKind.POST: {"visibility": VISIBILITIES},
    DraftKind.COMMENT: {},
    DraftKind.REACTION: {"type": REACTIONS},
    DraftKind.CONNECTION: {},
}
"""The choices of each kind, and their values."""

_MAY_BE_EMPTY = frozenset({"image_prompt", "alt_text"})
_FIXED = ("kind", "target", "media")


def content_of(proposed: Proposed, media: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """Return a new draft's content; `media` are its stored pictures, by key and source."""
    idea = proposed.idea
    said = {"text": idea.text, "image_prompt": idea.image_prompt, "alt_text": idea.alt_text, "type": idea.type,
            "visibility": idea.visibility}  # fmt: skip
    own = {name: said[name] for name in (*FIELDS[proposed.kind], *CHOICES[proposed.kind])}
    pictures = {"media": list(media)} if proposed.kind is DraftKind.POST else {}
    return {"kind": str(proposed.kind), "target": proposed.target, **own, **pictures}


def checked(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return an edited content, its texts cleaned. Raises InvalidInput for a field or value that is not allowed."""
    kind = DraftKind(before["kind"])
    strange = sorted(set(after) - set(before))
    if strange:
        raise InvalidInput(f"A {kind} has no {', '.join(strange)}.", fix=f"It has: {', '.join(editable(kind))}.")
    fixed = [name for name in _FIXED if name in before and after.get(name) != before[name]]
    if fixed:
        raise InvalidInput(f"The {', '.join(fixed)} of a draft cannot be edited.", fix="Reject it instead.")
    made = dict(before)
    for name, longest_chars in FIELDS[kind].items():
        made[name] = _words(kind, name, after.get(name, before[name]), longest_chars)
    for name, choices in CHOICES[kind].items():
        made[name] = after.get(name, before[name])
        if made[name] not in choices:
            raise InvalidInput(f"{name}: {made[name]!r} is none of {', '.join(choices)}.")
    return made


def editable(kind: DraftKind) -> tuple[str, ...]:
    """Return the fields that people may change in a kind of draft."""
    return (*FIELDS[kind], *CHOICES[kind])


def _words(kind: DraftKind, name: str, value: object, longest_chars: int) -> str:
    words = text.clean(value) if isinstance(value, str) else ""
    # The message of a friend request is optional.
    if not words and name not in _MAY_BE_EMPTY and kind is not DraftKind.CONNECTION:
        raise InvalidInput(f"{name}: there is no text left.", fix="Reject the draft if you want no text.")
    if len(words) > longest_chars:
        raise InvalidInput(f"{name}: {len(words)} characters; {longest_chars} is the most.")
    return words


def gist(content: Mapping[str, Any]) -> str:
    """Return a draft in a few words: its text, or the reaction."""
    return str(content.get("text") or content.get("type") or "")
