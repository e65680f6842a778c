"""Rules as data: tables of sentence patterns, by language, that refuse a text or send it to a person.

Called by `fleet.features.content.review`. Pure. A table is a TOML file beside this module; its format: docs/content.md.
Patterns follow the structure of a sentence (subject, negated verb, machine; verb, me, messenger), not whole sentences.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.content.checks.folding import fold_pattern, readings

TABLES = {
    "denial": ("denials.toml", "a denial of being an AI"),
    "contact": ("contacts.toml", "a way to reach somebody elsewhere"),
    "harm": ("harms.toml", "advice or abuse that must not be published"),
}
_LETTER = r"\w\u0900-\u0dff"
_BETWEEN = rf"[^{_LETTER}.!?;।]{{1,4}}"
_UNSPACED_GAP = "[^。！？!?.]{0,8}?"
_RESERVED = frozenset({"unspaced", "script", "breakers", "refuse", "doubt"})


@dataclass(frozen=True, slots=True)
class _Part:
    """The patterns of one part of a table. Without a character of `script` and one of `words` none matches."""

    name: str
    script: re.Pattern[str] | None
    words: re.Pattern[str]
    refuse: re.Pattern[str] | None
    doubt: re.Pattern[str] | None


def broken(words: str) -> list[Finding]:
    """Return a finding for each table of which a pattern occurs in a text."""
    found = (_finding(table, words) for table in TABLES)
    return [finding for finding in found if finding is not None]


def load_all() -> None:
    """Compile every table: once for each process, before texts are reviewed."""
    for table in TABLES:
        _parts(table)


def _finding(table: str, words: str) -> Finding | None:
    what, doubtful = TABLES[table][1], False
    for plain in readings(words):
        for part in _parts(table):
            if (part.script and not part.script.search(plain)) or not part.words.search(plain):
                continue
            if part.refuse is not None and part.refuse.search(plain):
                return Finding(table, what)
            doubtful = doubtful or (part.doubt is not None and part.doubt.search(plain) is not None)
    return Finding(table, f"perhaps {what}", Severity.APPROVE) if doubtful else None


@functools.cache
def _parts(table: str) -> tuple[_Part, ...]:
    raw = resources.files(__package__).joinpath(TABLES[table][0]).read_text(encoding="utf-8")
    return tuple(_part(name, fields) for name, fields in tomllib.loads(raw).items())


def _part(name: str, fields: dict[str, Any]) -> _Part:
    unspaced = bool(fields.get("unspaced"))
    start, end = ("", "") if unspaced else (rf"(?<![{_LETTER}])", rf"(?![{_LETTER}])")
    vocabulary = {key: value for key, value in fields.items() if key not in _RESERVED}
    gap = _UNSPACED_GAP if unspaced else _gap(fields.get("breakers") or "$^")
    edge = "" if unspaced else rf"(?:(?<![{_LETTER}])(?=[{_LETTER}])|(?<=[{_LETTER}])(?![{_LETTER}]))"

    def compiled(alternatives: list[str], after: str) -> re.Pattern[str] | None:
        whole = "|".join(alternatives).replace("<gap>", gap)
        for key, value in vocabulary.items():
            whole = whole.replace(f"<{key}>", value)
        whole = whole.replace(r"\b", edge)
        return re.compile(f"{start}(?:{fold_pattern(whole)}){after}") if alternatives else None

    words = compiled([*vocabulary.values()], "")
    assert words is not None
    script = re.compile(fields["script"]) if "script" in fields else None
    return _Part(name, script, words, compiled(fields["refuse"], end), compiled(fields.get("doubt", []), end))


def _gap(breakers: str) -> str:
    return rf"(?:{_BETWEEN}(?!(?:{breakers})(?![{_LETTER}]))[{_LETTER}]+){{0,4}}?{_BETWEEN}"
