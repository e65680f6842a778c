"""What every provider of pictures takes and gives: a request, a picture with its usage, a credit. Pure values.

Providers raise the errors of `fleet.llm.errors`, as models of words do. `unmetered` says that the call may have been
billed although no picture came: it is never repeated.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from fleet.llm.base import CallOutcome, Usage
from fleet.llm.errors import ModelError

LONGEST_PROMPT_CHARS = 4000
_WORD = re.compile(r"[^\W\d_]{3,}")
_EMPTY_WORDS = frozenset(
    """
    the and with from into over under onto that this these those for its his her their our your are was were has have
    had not but out off very more most some any all each one two three photo photograph picture image illustration
    drawing render scene shot view close style styled lighting light soft bright warm cool natural realistic detailed
    high low quality resolution depth field lens camera composition background foreground color colour colors
    colours tone tones mood featuring showing shows depicting beautiful stunning vivid shallow angle wide minimal clean
    """.split()  # noqa: SIM905 - a list of eighty strings is no easier to read
)


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """A request of one picture. `ratio` is width divided by height; `used` are photos that were published before.

    `seed` makes the choice among found photos repeatable. `within_s` is how long the caller can wait.
    """

    prompt: str
    ratio: float
    seed: int
    within_s: float
    used: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PictureCredit:
    """The author of a stock photo, as the licence wants it named."""

    author: str
    author_url: str
    source: str
    page_url: str

    @property
    def line(self) -> str:
        """The credit as it is published."""
        return f"Photo by {self.author} on {self.source}"

    def data(self) -> dict[str, Any]:
        """Return the credit as JSON-ready data."""
        return {**asdict(self), "line": self.line}


@dataclass(frozen=True, slots=True)
class MadePicture:
    """A picture's file as the provider sent it, and what it cost.

    `is_ai`: a model made it, so it is marked. `remote_id` and `credit` are those of a stock photo.
    """

    data: bytes
    usage: Usage
    is_ai: bool = True
    remote_id: str = ""
    credit: PictureCredit | None = None


class PictureProvider(Protocol):
    """A provider. Safe for many threads. Raises `fleet.llm.errors.ModelError`; never retries by itself."""

    name: str
    model: str

    def estimate(self, request: PictureRequest) -> int:
        """Return the maximum cost of a picture, in microusd."""
        ...

    def make(self, request: PictureRequest) -> MadePicture: ...


class NothingFound(ModelError):
    """A library has no photo of the subject. Another provider may have one."""

    outcome = CallOutcome.REFUSED


def nearest(ratio: float, shapes: dict[str, float]) -> str:
    """Return the name of the shape that is nearest to a ratio, on a scale on which 2:1 and 1:2 are as far from 1:1."""
    return min(shapes, key=lambda name: abs(math.log(shapes[name] / ratio)))


def search_words(prompt: str, most: int = 4) -> str:
    """Return the first words of a prompt that name things, for the search of a library."""
    found = (word.lower() for word in _WORD.findall(prompt))
    kept = list(dict.fromkeys(word for word in found if word not in _EMPTY_WORDS))[:most]
    return " ".join(kept) or prompt[:60].strip() or "abstract"
