"""Differences between two payloads: by field for data, by line for texts.

Called by pages and commands that show a request. Pure.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_CONTEXT_LINES = 2
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = _MOST_LINES = 4_000
"""Comparing takes quadratic time; longer texts are shown as one removal and one insertion."""
_NOTHING: Mapping[str, Any] = {}


class How(StrEnum):
    """What happens to a field."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs. `path` leads to it through fields within fields; `lines` is the unified diff of texts."""

    path: tuple[str, ...]
    how: How
    before: Any = None
    after: Any = None
    lines: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The path as people write it."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a text: kept (`how` is None), inserted or removed."""

    text: str
    how: How | None = None


def pieces(before: str, after: str) -> tuple[Piece, ...]:
    """Return two texts merged into one, word by word: kept, removed and inserted runs. A changed word is both."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if before == after or len(old) + len(new) > _MOST_WORDS:
        whole = (Piece(before),) if before == after else (Piece(before, How.REMOVED), Piece(after, How.ADDED))
        return tuple(piece for piece in whole if piece.text)
    matched = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return tuple(piece for step in matched.get_opcodes() for piece in _pieces(old, new, *step) if piece.text)


def _pieces(old: list[str], new: list[str], tag: str, *span: int) -> tuple[Piece, ...]:
    was, now = "".join(old[span[0] : span[1]]), "".join(new[span[2] : span[3]])
    return (Piece(was),) if tag == "equal" else (Piece(was, How.REMOVED), Piece(now, How.ADDED))


def diff(before: Mapping[str, Any] | None, payload: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return every field that differs, by name; all of them are added where nothing existed before."""
    return tuple(_changes((), before or _NOTHING, payload))


def _changes(path: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        here = (*path, name)
        if name not in before:
            yield Change(here, How.ADDED, None, after[name], _lines("", after[name]))
        elif name not in after:
            yield Change(here, How.REMOVED, before[name], None, _lines(before[name], ""))
        else:
            yield from _between(here, before[name], after[name])


def _between(path: tuple[str, ...], before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _changes(path, before, after)
    elif type(before) is not type(after) or _as_json(before) != _as_json(after):
        yield Change(path, How.CHANGED, before, after, _lines(before, after))


def _as_json(value: Any) -> str:
    """Return a value in a form for comparison: 1 differs from true, and the order of fields does not matter."""
    return json.dumps(value, sort_keys=True)


def _lines(before: Any, after: Any) -> tuple[str, ...]:
    return lines(before, after) if isinstance(before, str) and isinstance(after, str) else ()


def lines(before: str, after: str) -> tuple[str, ...]:
    """Return the unified diff of two texts without its heading; of very long ones all that was and all that is."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > _MOST_LINES:
        return (f"@@ -1,{len(old)} +1,{len(new)} @@", *(f"-{line}" for line in old), *(f"+{line}" for line in new))
    return tuple(difflib.unified_diff(old, new, lineterm="", n=_CONTEXT_LINES))[2:]
