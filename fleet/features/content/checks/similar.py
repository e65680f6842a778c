"""Whether a text is too similar to recent ones: a bounded, exact index of recent texts.

Called by `fleet.features.content.review`; one a surface lives as long as its process. Texts are compared as sets of
their words and pairs of neighbouring words (of characters, in scripts without blanks) by Jaccard similarity.
"""

from __future__ import annotations

import itertools
import math
import re
import threading
import unicodedata
import zlib
from array import array
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass

from fleet.core.text import look_alikes
from fleet.features.content.checks.findings import Finding

LEAST_LIKENESS = 0.7
"""The least similarity that is found."""
OWN_LIKENESS = 0.7
"""The default limit for the agent's own texts: of ten words, one may differ and the text is still too similar."""
FLEET_LIKENESS = 0.85
"""The default limit for other agents' texts: a similar pattern is allowed, the same text with one word changed is not.
"""

_WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\W_\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)

MOST_HEARD = 60
"""Newest texts whose beginnings are remembered, so that the next text begins otherwise."""
_BEGINNING_CHARS = 100
_WORDS_LAST = 1 << 31
_LOOKS = look_alikes.OTHER_ALPHABETS | look_alikes.DRESSED


@dataclass(frozen=True, slots=True)
class _Entry:
    author: str
    pieces: array[int]  # sorted: the first ones are the prefix under which it is found


class RecentTexts:
    """The newest texts, at most `capacity`; the oldest is forgotten. Thread-safe.

    Two sets of similarity t share at least t of the pieces of either, so the first (1 - t) of both, in one order of all
    pieces, must overlap: only those are looked up, no similar text is missed, and every candidate is computed exactly.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._found_under: defaultdict[int, set[str]] = defaultdict(set)
        self._beginnings: deque[str] = deque(maxlen=MOST_HEARD)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, key: str, author: str, words: str) -> None:
        """Add a text. A text with the same key replaces the earlier one."""
        if self.capacity < 1:
            return
        entry = _Entry(author, array("I", sorted(pieces(words))))
        with self._lock:
            if key not in self._entries:
                self._beginnings.append(words[:_BEGINNING_CHARS])
            self._forget(key)
            if len(self._entries) >= self.capacity:
                self._forget(next(iter(self._entries)))
            self._entries[key] = entry
            for piece in _prefix(entry.pieces):
                self._found_under[piece].add(key)

    def beginnings(self) -> tuple[str, ...]:
        """Return how the newest texts begin, the oldest first."""
        with self._lock:
            return tuple(self._beginnings)

    def closest(self, words: str, author: str, *, but: str = "") -> tuple[float, float]:
        """Return the similarity of the nearest text of the author, and of any other author, from 0 to 1.

        Below 0.7 it may be returned as 0.
        """
        mine = pieces(words)
        best = {True: 0.0, False: 0.0}
        with self._lock:
            keys = set().union(*(self._found_under.get(piece, ()) for piece in _prefix(array("I", sorted(mine)))))
            near = [self._entries[key] for key in keys if key != but]
        for entry in near:
            shared = len(mine.intersection(entry.pieces))
            score = shared / (len(mine) + len(entry.pieces) - shared)
            own = entry.author == author
            best[own] = max(best[own], score)
        return best[True], best[False]

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        for piece in _prefix(entry.pieces) if entry else ():
            keys = self._found_under[piece]
            keys.discard(key)
            if not keys:
                del self._found_under[piece]


@dataclass(frozen=True, slots=True)
class LikenessLimits:
    """The similarities from which a text is refused, none below `LEAST_LIKENESS`."""

    own: float = OWN_LIKENESS
    fleet: float = FLEET_LIKENESS


DEFAULT_LIMITS = LikenessLimits()


def repeats(
    words: str, author: str, recent: RecentTexts, *, but: str = "", limits: LikenessLimits = DEFAULT_LIMITS
) -> list[Finding]:
    """Return a refusal when a text is too similar to one of the author's, or to any other. `but` is its own key."""
    own, others = recent.closest(words, author, but=but)
    if own >= limits.own:
        return [Finding("similar.own", f"{own:.0%} like an earlier text of this agent")]
    if others >= limits.fleet:
        return [Finding("similar.fleet", f"{others:.0%} like a text of another agent")]
    return []


def pieces(words: str) -> frozenset[int]:
    """Return a text as the set of its words and neighbouring pairs, each as a number that is the same in every process.

    Case, punctuation, emoji and letter styles do not count; a text of nothing else is compared as it is.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", words).casefold())
    if not plain.isascii():
        plain = plain.translate(_LOOKS)
    said = _WORD.findall(_joined(plain)) or ["".join(plain.split())]
    pairs = (f"{one} {other}" for one, other in itertools.pairwise(said))
    # Pairs are rare and words are not: pairs come first in the order, so that each piece leads to few texts.
    return frozenset([*(_number(pair) for pair in pairs), *(_number(word) | _WORDS_LAST for word in said)])


def _number(piece: str) -> int:
    return zlib.crc32(piece.encode(errors="surrogatepass")) & ~_WORDS_LAST


def _joined(plain: str) -> str:
    """Keep words whole that contain an apostrophe or, as in Hindi, marks that regular expressions take for
    separators.
    """
    return "".join(char for char in plain if char not in "'’" and unicodedata.category(char) not in ("Mn", "Mc", "Me"))


def _prefix(ordered: array[int]) -> array[int]:
    return ordered[: len(ordered) - math.ceil(LEAST_LIKENESS * len(ordered)) + 1]
