"""Lists of words that are found as words, in any script, through capitals, accents, look-alike letters and leetspeak.

Called for banned words and by the local moderator. Pure. An entry is one or more words; `a|b` is either, `word*` any
ending, and scripts that write no blanks are searched as they stand. "Scunthorpe" is never found by what is inside it.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fleet.core import look_alikes

_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_TOKEN = re.compile(r"[\w@$!]+")
_APOSTROPHES = re.compile(r"['’ʼ`´]")
_POSSESSIVE = re.compile(r"['’ʼ`´][sSｓＳ](?!\w)")
_ACCENTS = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]")
"""Marks that no script writes its words with: on letters they are decoration, and would cut a word in two."""
_LEET = str.maketrans("013457@$!", "oieastasi")
_LONG_RUN = re.compile(r"(.)\1{2,}")
_LEAST_SPELT_OUT = 3


@dataclass(frozen=True, slots=True)
class _Phrase:
    entry: str
    words: tuple[frozenset[str], ...]  # for each word what it may be; `x*` is any word that begins with x


class Lexicon:
    """Some entries, ready to be looked for."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._by_word: dict[str, list[_Phrase]] = defaultdict(list)
        self._by_beginning: dict[str, list[_Phrase]] = defaultdict(list)
        self._unspaced: list[tuple[str, str]] = []
        for entry in entries:
            self._add(entry)
        self._beginnings = tuple(self._by_beginning)

    def find(self, words: str) -> list[str]:
        """Return the entries that stand in a text, each once, in the order of the text."""
        plain, owner = _folded(words), _folded(_POSSESSIVE.sub("", words))
        # An underscore may hide a letter, or be a blank; and Acme's is Acme.
        readings = dict.fromkeys((plain, plain.replace("_", " "), owner, owner.replace("_", " ")))
        hits = [entry for reading in readings for entry in self._spaced(_tokens(reading))]
        if self._unspaced and _UNSPACED.search(plain):
            together = "".join(plain.split())
            hits += [entry for needle, entry in self._unspaced if needle in together]
        return list(dict.fromkeys(hits))

    def _add(self, entry: str) -> None:
        plain = _folded(entry)
        if not plain.strip("*| "):
            return
        if _UNSPACED.search(plain):
            self._unspaced.append(("".join(plain.split()), entry))
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
                    phrase
                    for start, phrases in self._by_beginning.items()
                    if form.startswith(start)
                    for phrase in phrases
                ]
            for phrase in candidates:
                rest = tokens[place + 1 : place + len(phrase.words)]
                if len(rest) == len(phrase.words) - 1 and all(map(_fits, phrase.words[1:], rest)):
                    yield phrase


def _fits(wanted: frozenset[str], forms: frozenset[str]) -> bool:
    if not wanted.isdisjoint(forms):
        return True
    beginnings = tuple(word[:-1] for word in wanted if word.endswith("*"))
    return any(form.startswith(beginnings) for form in forms)


def _folded(words: str) -> str:
    """Return the text without case, accents, apostrophes and fancy letters. Vowel signs of other scripts stay."""
    apart = unicodedata.normalize("NFKD", words).casefold().translate(look_alikes.DRESSED)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", _APOSTROPHES.sub("", apart)))


@functools.lru_cache(maxsize=16)  # one text is looked at with several lists
def _tokens(plain: str) -> tuple[frozenset[str], ...]:
    """Return for each word what it may have been meant to be; letters spelt out one by one are a word too."""
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
        forms |= {form.translate(_LEET).replace("_", "") for form in (token, bare, *forms)}
    for form in [*forms]:
        forms |= {_LONG_RUN.sub(r"\1", form), _LONG_RUN.sub(r"\1\1", form)}
    return frozenset(forms - {""})
