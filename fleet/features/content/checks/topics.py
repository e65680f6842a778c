"""Sensitive topics: medicine, investment, groups of people, violence, instructions. They wait for a person's approval.

Called by `fleet.features.content.review`. Pure. A gallery of pictures needs none of these topics, so their vocabulary
alone is the signal: a strong word, two weak words, or a weak word beside a signal. Words: topics.toml; format:
docs/content.md.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources

from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.content.checks.folding import expand, fold, fold_pattern, readings
from fleet.features.content.checks.lexicon import phrases

_LONGEST_GAP_WORDS, _LONGEST_GAP_CHARS = 3, 8
_LONGEST_STEM = 16
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_ARABIC = re.compile(r"[\u0620-\u064a]")
_CLITICS = re.compile(r"(?:[وف]?(?:[بكل]?ال|لل|[بكلس])|[وف])(?=..)")
_TOKEN = re.compile(r"[^\W\d_\u0900-\u0dff]+|[\u0900-\u0dff]+|\d+|[%$€£¥₹]")
_NUMBER = "#"
_GAP = ".."
_WEIGHTS = ("strong", "weak", "signal")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A phrase of one topic and language. A word `x*` is any word that begins with x; `..` is a gap."""

    topic: str
    language: str
    weight: str
    text: str
    words: tuple[tuple[str, ...], ...]
    """Of each word its alternatives. A tuple, since 12,000 sets take 5 MB more."""


@dataclass(frozen=True, slots=True)
class _Table:
    words: dict[str, list[_Entry]] = field(default_factory=lambda: defaultdict(list))
    stems: dict[str, list[_Entry]] = field(default_factory=lambda: defaultdict(list))
    unspaced: dict[str, list[tuple[tuple[str, ...], _Entry]]] = field(default_factory=lambda: defaultdict(list))
    shapes: list[tuple[str, re.Pattern[str]]] = field(default_factory=list)
    common: dict[str, frozenset[str]] = field(default_factory=dict)


def sensitive(words: str) -> list[Finding]:
    """Return a finding for each sensitive topic of a text."""
    found = {topic for topic, shape in _table().shapes if shape.search(words)}
    for plain in readings(words):
        found |= _topics(plain)
    return [Finding(f"topic.{topic}", "a sensitive topic", Severity.APPROVE) for topic in sorted(found)]


def _topics(plain: str) -> set[str]:
    seen: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    tokens = _tokens(plain)
    foreign = _foreign(tokens)
    for entry in (*_spaced(tokens), *_together(plain)):
        if entry.language not in foreign:
            seen[entry.topic, entry.language, entry.weight].add(entry.text)
    return {
        topic
        for topic, language, weight in seen
        if weight == "strong"
        or (weight == "weak" and len(seen[topic, language, "weak"]) + ((topic, language, "signal") in seen) > 1)
    }


def _foreign(tokens: list[frozenset[str]]) -> frozenset[str]:
    """Return the languages that a text is not in, by its common words: "like" is not French in an English text."""
    common = _table().common
    counts = {language: sum(not words.isdisjoint(forms) for forms in tokens) for language, words in common.items()}
    most = max(counts.values())
    return frozenset(language for language, count in counts.items() if count < most)


def _tokens(plain: str) -> list[frozenset[str]]:
    """Return for each word its forms: an Arabic word with and without its particles, and any number as `#`."""
    return [_forms(token) for token in _TOKEN.findall(plain)]


@functools.lru_cache(maxsize=4096)
def _forms(token: str) -> frozenset[str]:
    if token.isdecimal():
        return frozenset({token, _NUMBER})
    clitic = _CLITICS.match(token) if _ARABIC.match(token) else None
    return frozenset({token, token[clitic.end() :]} if clitic else {token})


def _spaced(tokens: list[frozenset[str]]) -> Iterator[_Entry]:
    for place, forms in enumerate(tokens):
        for form in forms:
            for entry in _starting(form):
                if len(entry.words) == 1 or _follow(entry.words, 1, tokens, place + 1):
                    yield entry


@functools.lru_cache(maxsize=4096)
def _starting(form: str) -> tuple[_Entry, ...]:
    stems = (form[:end] for end in range(2, min(len(form), _LONGEST_STEM) + 1))
    table = _table()
    return (*table.words.get(form, ()), *(entry for stem in stems for entry in table.stems.get(stem, ())))


def _follow(wanted: tuple[tuple[str, ...], ...], at: int, tokens: list[frozenset[str]], place: int) -> bool:
    """Return whether the words of an entry from `at` on match the text from `place` on."""
    if at == len(wanted):
        return True
    if _GAP in wanted[at]:
        return any(_follow(wanted, at + 1, tokens, place + gap) for gap in range(_LONGEST_GAP_WORDS + 1))
    return place < len(tokens) and _fits(wanted[at], tokens[place]) and _follow(wanted, at + 1, tokens, place + 1)


def _fits(wanted: tuple[str, ...], forms: frozenset[str]) -> bool:
    return not forms.isdisjoint(wanted) or any(
        form.startswith(tuple(word[:-1] for word in wanted if word.endswith("*"))) for form in forms
    )


def _together(plain: str) -> Iterator[_Entry]:
    """Yield the entries of languages without blanks."""
    if not _UNSPACED.search(plain):
        return
    words, table = "".join(plain.split()), _table().unspaced
    for place in range(len(words)):
        for size in (1, 2):
            for parts, entry in table.get(words[place : place + size], ()):
                if _in_order(parts, words, place):
                    yield entry


def _in_order(parts: tuple[str, ...], words: str, place: int) -> bool:
    if not words.startswith(parts[0], place):
        return False
    at = place + len(parts[0])
    for part in parts[1:]:
        found = words.find(part, at, at + _LONGEST_GAP_CHARS + len(part))
        if found < 0:
            return False
        at = found + len(part)
    return True


def load_all() -> None:
    """Read the table: once for each process, before texts are reviewed."""
    _table()


@functools.cache
def _table() -> _Table:
    raw = tomllib.loads(resources.files(__package__).joinpath("topics.toml").read_text(encoding="utf-8"))
    table = _Table()
    for language, words in raw.pop("common").items():
        table.common[language] = frozenset(fold(words).split())
    for topic, languages in raw.items():
        for language, fields in languages.items():
            table.shapes.extend((topic, re.compile(shape)) for shape in fields.get("shapes", ()))
            for weight in _WEIGHTS:
                for text in fields.get(weight, "").split(","):
                    for phrase in phrases(" ".join(text.split())):
                        _add(table, topic, language, weight, phrase)
    return table


def _add(table: _Table, topic: str, language: str, weight: str, phrase: str) -> None:
    for plain in dict.fromkeys((fold(phrase), fold_pattern(phrase), expand(phrase))):
        if not plain.strip():
            continue
        if _UNSPACED.search(plain):
            parts = tuple("".join(part.split()) for part in plain.split(_GAP))
            table.unspaced[parts[0][:2]].append((parts, _Entry(topic, language, weight, phrase, ())))
            continue
        words = tuple(tuple(word.split("|")) for word in plain.replace("-", " ").split())
        entry = _Entry(topic, language, weight, phrase, words)
        for first in words[0]:
            (table.stems if first.endswith("*") else table.words)[first.rstrip("*")].append(entry)
