"""Word lists: entries found as whole words in any script, through capitals, accents, look-alike letters and leetspeak.

Called for banned words and by the local moderator. Pure. An entry is a sequence of words; `a|b` is either word,
`(a b|c)` either phrase, `word*` any ending, `..` up to three words. Scripts without blanks are searched as they stand.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fleet.core.errors import InvalidInput
from fleet.core.text import look_alikes
from fleet.features.content.checks.folding import LEET, LONG_RUN, expand, fold, without_possessive

_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_TOKEN = re.compile(r"[\w@$!\u0900-\u0dff]+")
_GROUP = re.compile(r"\(([^()]*)\)")
_LEAST_SPELT_OUT = 3
_GAP = frozenset({".."})
_LONGEST_GAP_WORDS = 3
_LONGEST_GAP_CHARS = 8
_MOST_ALTERNATIVES = 2_000


@dataclass(frozen=True, slots=True)
class _Phrase:
    entry: str
    words: tuple[frozenset[str], ...]  # the alternatives of each word; `x*` is any word that begins with x


class Lexicon:
    """A compiled list of entries."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._by_word: dict[str, list[_Phrase]] = defaultdict(list)
        self._by_beginning: dict[str, list[_Phrase]] = defaultdict(list)
        self._unspaced: list[tuple[tuple[str, ...], str]] = []
        for entry in entries:
            for phrase in phrases(entry):
                for form in dict.fromkeys((fold(phrase), expand(phrase))):
                    self._add(form, entry)
        self._beginnings = tuple(self._by_beginning)

    def find(self, words: str) -> list[str]:
        """Return the entries that occur in a text, each once, in the order of the text."""
        readings = _readings(words)
        plain = readings[0]
        hits = [entry for reading in readings for entry in self._spaced(_tokens(reading))]
        if self._unspaced and _UNSPACED.search(plain):
            together = "".join(plain.split())
            hits += [entry for parts, entry in self._unspaced if _in_order(parts, together)]
        return list(dict.fromkeys(hits))

    def _add(self, plain: str, entry: str) -> None:
        if not plain.strip("*|. "):
            return
        if _UNSPACED.search(plain):
            parts = tuple("".join(part.split()) for part in plain.split("..") if part.strip())
            self._unspaced.append((parts, entry))
            return
        words = tuple(frozenset(word.split("|")) - {""} for word in plain.replace("-", " ").split())
        phrase = _Phrase(entry, words)
        for first in words[0]:
            (self._by_beginning if first.endswith("*") else self._by_word)[first.rstrip("*")].append(phrase)

    def _spaced(self, tokens: tuple[frozenset[str], ...]) -> Iterator[str]:
        for place in range(len(tokens)):
            yield from (phrase.entry for phrase in self._starting(tokens, place))

    def _starting(self, tokens: tuple[frozenset[str], ...], place: int) -> Iterator[_Phrase]:
        for form in tokens[place]:
            candidates = list(self._by_word.get(form, ()))
            if form.startswith(self._beginnings):
                candidates += [
                    phrase for start, found in self._by_beginning.items() if form.startswith(start) for phrase in found
                ]
            yield from (phrase for phrase in candidates if _follow(phrase.words, 1, tokens, place + 1))


@functools.lru_cache(maxsize=16)
def compiled(entries: tuple[str, ...]) -> Lexicon:
    """Return the lexicon of these entries, compiled once a process: the shipped lists take 0.1 s."""
    return Lexicon(entries)


def phrases(entry: str) -> list[str]:
    """Return an entry once for each combination of its groups: "(i am|im) a bot" is "i am a bot" and "im a bot".

    Raises InvalidInput for parentheses that do not match.
    """
    pieces = _GROUP.split(entry)
    choices = [piece.split("|") if place % 2 else [piece] for place, piece in enumerate(pieces)]
    outside = "".join(piece for place, piece in enumerate(pieces) if place % 2 == 0)
    if "(" in outside or ")" in outside:
        raise InvalidInput(f"The entry {entry!r} has a parenthesis without its pair; write (one phrase|another).")
    combinations = itertools.islice(itertools.product(*choices), _MOST_ALTERNATIVES)
    return list(dict.fromkeys(" ".join("".join(parts).split()) for parts in combinations))


def _follow(wanted: tuple[frozenset[str], ...], at: int, tokens: tuple[frozenset[str], ...], place: int) -> bool:
    """Return whether the words of a phrase from `at` on match the text from `place` on."""
    if at == len(wanted):
        return True
    if wanted[at] == _GAP:
        return any(_follow(wanted, at + 1, tokens, place + gap) for gap in range(_LONGEST_GAP_WORDS + 1))
    return place < len(tokens) and _fits(wanted[at], tokens[place]) and _follow(wanted, at + 1, tokens, place + 1)


def _fits(wanted: frozenset[str], forms: frozenset[str]) -> bool:
    if not wanted.isdisjoint(forms):
        return True
    beginnings = tuple(word[:-1] for word in wanted if word.endswith("*"))
    return any(form.startswith(beginnings) for form in forms)


def _in_order(parts: tuple[str, ...], words: str) -> bool:
    """Say whether parts follow each other in a text without blanks, with at most a few characters between two."""
    start = words.find(parts[0])
    while start >= 0:
        at = start + len(parts[0])
        for part in parts[1:]:
            found = words.find(part, at, at + _LONGEST_GAP_CHARS + len(part))
            if found < 0:
                break
            at = found + len(part)
        else:
            return True
        start = words.find(parts[0], start + 1)
    return False


@functools.lru_cache(maxsize=16)  # one text is searched with several lists
def _readings(words: str) -> tuple[str, ...]:
    """Return a text folded, then without possessives and contractions: an underscore hides a letter or is a blank."""
    plain, owner, full = fold(words), fold(without_possessive(words)), expand(words)
    return tuple(
        dict.fromkeys((plain, plain.replace("_", " "), owner, owner.replace("_", " "), full, full.replace("_", " ")))
    )


@functools.lru_cache(maxsize=64)
def _tokens(plain: str) -> tuple[frozenset[str], ...]:
    """Return the possible readings of each word; letters spelt out one by one are a word too."""
    found: list[frozenset[str]] = []
    spelt = ""
    for token in (*_TOKEN.findall(plain), ""):
        forms = _forms(token)
        letter = next((form for form in forms if len(form) == 1), "")
        if not letter and len(spelt) >= _LEAST_SPELT_OUT:
            found.append(frozenset({spelt}))
        spelt = spelt + letter if letter else ""
        if token:
            found.append(forms)
    return tuple(found)


@functools.lru_cache(maxsize=8192)
def _forms(token: str) -> frozenset[str]:
    bare = token.strip("@$!_").replace("_", "")
    forms = {bare, token.translate(look_alikes.OTHER_ALPHABETS)} if re.search("[a-z]", token) else {bare}
    if any(char.isalpha() for char in token):
        forms |= {form.translate(LEET).replace("_", "") for form in (token, bare, *forms)}
    for form in [*forms]:
        forms |= {LONG_RUN.sub(r"\1", form), LONG_RUN.sub(r"\1\1", form)}
    return frozenset(forms - {""})
