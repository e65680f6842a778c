"""The input of a style: subject, words and colours of the prompt, the size, and a random generator.

Pure. Made by `render`, read by every style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from fleet.sandbox.gallery.art import palette

_T = TypeVar("_T")
_WORD = re.compile(r"[^\W\d_]+", re.UNICODE)
_CLAUSE = re.compile(r"\b(?:a|an|one|the|this) +([^,.;:!?()\n]+)", re.IGNORECASE)
"""What follows the first article, up to the end of its clause: the subject and its setting."""
_AFTER_SUBJECT = re.compile(
    r"(?:^| )(?=(?:of|in|on|at|by|as|to|with|and|for|from|near|into|onto|over|under|above|across|along|against|among|"
    r"around|below|beneath|beside|between|behind|inside|outside|within|through|where|that|which|laid|standing|placed|sitting|"
    r"presented|shown|seen|made|rendered)\b)",
    re.IGNORECASE,
)
_LONGEST_SUBJECT = 6
_MOST_READ_CHARS = 1_000

_SUBJECTS: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "mountain": "mountain mountains range peak peaks summit alps cliff cliffs ridge hill hills valley canyon",
        "sea": "sea ocean wave waves beach coast shore lakeshore lake water tide island underwater harbour reef bay",
        "city": "city skyline street urban building buildings tower towers downtown metropolis neon skyscraper",
        "tree": "tree trees forest woods jungle pine pines grove woodland bamboo",
        "night": "night midnight moon moonlit stars star starry constellation cosmos galaxy space nocturnal",
        "dusk": "sunset sunrise dawn dusk golden twilight sundown evening",
        "desert": "desert dune dunes sand sahara",
        "snow": "snow snowy winter ice icy frost frozen arctic",
        "flower": "flower flowers bloom blossom petal petals garden floral rose botanical meadow",
        "castle": "castle fortress keep tower dungeon ruins temple",
        "dungeon": "dungeon cave cavern crypt vault lava underground mine",
        "ship": "spaceship ship rocket starship asteroid space shooter",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Order:
    """One picture to draw. `dice` is the picture's own; styles throw it in a fixed order.

    `subject` is the noun phrase that the prompt is about and `setting` the rest of its clause, as in "a brass lamp" and
    "on wet slate"; both are empty for a prompt without an article. What stands elsewhere, such as the light, is no
    subject.
    """

    prompt: str
    words: tuple[str, ...]
    subject: str
    setting: str
    width: int
    height: int
    dice: Random

    @classmethod
    def of(cls, prompt: str, width: int, height: int, dice: Random) -> Order:
        """Read a prompt."""
        clause = _CLAUSE.search(prompt[:_MOST_READ_CHARS])
        told = clause[1] if clause else ""
        end = _AFTER_SUBJECT.search(told)
        subject = " ".join((told[: end.start()] if end else told).split()[:_LONGEST_SUBJECT])
        setting = told[end.end() :] if end and subject else ""
        return cls(prompt, _words(prompt), subject, setting, width, height, dice)

    def mentions(self, subject: str) -> bool:
        """Tell whether the prompt is about a subject, such as mountain or sea, by any of its words."""
        return self.first_mentioned((subject,)) is not None

    def first_mentioned(self, subjects: Iterable[str]) -> str | None:
        """Return the subject, such as mountain or sea, that the prompt is about; what is in its setting comes last."""
        subjects = tuple(subjects)
        for words in self._about():
            found = next((name for name in subjects if not _SUBJECTS[name].isdisjoint(words)), None)
            if found:
                return found
        return None

    def named(self, choices: Iterable[str]) -> str | None:
        """Return the choice that the prompt is about, singular or plural; None if it names none.

        The last word of the subject comes first: a tea canister is a canister.
        """
        known = set(choices)
        for words in self._about():
            for word in words:
                for form in (word, word.removesuffix("s"), word.removesuffix("es")):
                    if form in known:
                        return form
        return None

    def around(self) -> Order:
        """Return the order for what lies around the subject: its setting alone, or the whole prompt without one."""
        return replace(self, words=_words(self.setting), subject="", setting="") if self.subject else self

    def pick(self, choices: Sequence[_T]) -> _T:
        """Return one of the choices by the dice."""
        return self.dice.choice(choices)

    def colors(self, family: Sequence[palette.Palette]) -> palette.Palette:
        """Return a palette for this picture, led by the colours that the prompt names."""
        chosen = self.dice.choice(family)
        named = palette.named_colors(self.words)
        return palette.led_by(chosen, named, self.dice) if named else palette.varied(chosen, self.dice)

    def title(self, most_words: int, fallback: str) -> str:
        """Return the last words of the subject as a title of ASCII letters."""
        telling = [word for word in self.subject.split() if word.isascii()] if self.subject else self._telling()
        return " ".join(telling[-most_words:]).capitalize() or fallback

    def topic(self, fallback: str) -> str:
        """Return what a chart is of, such as `Tram delays by hour`."""
        told = self.setting.removeprefix("of ") if self.setting.startswith("of ") else ""
        return told.capitalize() if told and told.isascii() else self.title(5, fallback)

    def _telling(self) -> list[str]:
        """Return the first telling words of a prompt without a subject."""
        return [w for w in self.words if w.isascii() and len(w) > 2 and w not in _SMALL_WORDS][:4]

    def _about(self) -> Iterator[tuple[str, ...]]:
        if self.subject:
            yield _words(self.subject)[::-1]
            yield _words(self.setting)
        else:
            yield self.words


def words_of(subjects: Iterable[str]) -> list[str]:
    """Return all words that name one of these subjects."""
    return [word for name in subjects for word in sorted(_SUBJECTS[name])]


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))


_SMALL_WORDS = frozenset({
    "the", "and", "with", "for", "from", "into", "onto", "over", "under", "near", "that", "this", "its", "are", "was",
    "has", "have", "very", "some", "soft", "close", "view", "shot", "style", "image", "picture", "photo", "photograph",
    "illustration", "render", "rendering", "digital", "art", "scene", "showing", "featuring", "inspired", "high",
    "quality", "detailed", "minimal", "clean",
})  # fmt: skip
