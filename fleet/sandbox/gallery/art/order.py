"""What a style is asked to draw: the prompt read for words, colours and subjects, the size, and the dice.

Pure. Made by `render`, read by every style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from fleet.sandbox.gallery.art import palette

_T = TypeVar("_T")
_WORD = re.compile(r"[^\W\d_]+", re.UNICODE)

_SUBJECTS: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "mountain": "mountain mountains peak peaks summit alps cliff cliffs ridge hill hills valley canyon",
        "sea": "sea ocean wave waves beach coast shore lake water tide island underwater harbour harbor reef bay",
        "city": "city skyline street urban building buildings tower towers downtown metropolis neon skyscraper",
        "tree": "tree trees forest woods jungle pine pines grove woodland bamboo",
        "night": "night midnight moon moonlit stars star starry constellation cosmos galaxy space nocturnal",
        "dusk": "sunset sunrise dawn dusk golden twilight sundown evening",
        "desert": "desert dune dunes sand sahara",
        "snow": "snow snowy winter ice icy frost frozen arctic",
        "flower": "flower flowers bloom blossom petal petals garden floral rose botanical meadow",
        "castle": "castle fortress keep tower dungeon ruins temple",
        "dungeon": "dungeon cave cavern crypt lava underground mine",
        "ship": "spaceship ship rocket starship asteroid space shooter",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Order:
    """One picture to draw. `dice` is the picture's own; styles throw it in a fixed order."""

    prompt: str
    words: tuple[str, ...]
    width: int
    height: int
    dice: Random

    @classmethod
    def of(cls, prompt: str, width: int, height: int, dice: Random) -> Order:
        """Read a prompt."""
        return cls(prompt, tuple(_WORD.findall(prompt.lower())), width, height, dice)

    def mentions(self, subject: str) -> bool:
        """Tell whether the prompt names a subject, such as mountain or sea, by any of its words."""
        return not _SUBJECTS[subject].isdisjoint(self.words)

    def named(self, choices: Iterable[str]) -> str | None:
        """Return the choice that the prompt names first, singular or plural; None if it names none."""
        known = set(choices)
        for word in self.words:
            for form in (word, word.removesuffix("s"), word.removesuffix("es")):
                if form in known:
                    return form
        return None

    def pick(self, choices: Sequence[_T]) -> _T:
        """Return one of the choices by the dice."""
        return self.dice.choice(choices)

    def colors(self, family: Sequence[palette.Palette]) -> palette.Palette:
        """Return a palette for this picture, led by the colours that the prompt names."""
        chosen = self.dice.choice(family)
        named = palette.named_colors(self.words)
        return palette.led_by(chosen, named, self.dice) if named else palette.varied(chosen, self.dice)

    def title(self, most_words: int, fallback: str) -> str:
        """Return the prompt's first telling words as a title of ASCII letters."""
        telling = [w for w in self.words if w.isascii() and len(w) > 2 and w not in _SMALL_WORDS]
        return " ".join(telling[:most_words]).capitalize() or fallback


_SMALL_WORDS = frozenset({
    "the", "and", "with", "for", "from", "into", "onto", "over", "under", "near", "that", "this", "its", "are", "was",
    "has", "have", "very", "some", "soft", "close", "view", "shot", "style", "image", "picture", "photo", "photograph",
    "illustration", "render", "rendering", "digital", "art", "scene", "showing", "featuring", "inspired", "high",
    "quality", "detailed", "minimal", "clean",
})  # fmt: skip
