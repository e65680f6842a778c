"""Rules of a brand as data, and the score of a text under them. Pure.

A text begins with 100 points; each finding takes some. Below the bar, people decide about the item.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fleet.core.errors import InvalidInput

BEST = 100
DEFAULT_BAR = 70


class BrandRules(BaseModel):
    """What texts of a brand must, should and must not say. All lists are of plain words, compared without case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    voice: str = Field("", max_length=1000, description="how the brand speaks; given to models as an instruction")
    banned: tuple[str, ...] = Field((), max_length=200, description="words that no text may have")
    required: tuple[str, ...] = Field((), max_length=20, description="words of which every text has each one")
    claims: tuple[str, ...] = Field((), max_length=200, description="claims that a person has to check: best, cure")
    link_hosts: tuple[str, ...] = Field((), max_length=50, description="hosts that links may lead to; empty: all")
    disclosure: str = Field("", max_length=200, description="words with which every text has to disclose its origin")
    longest_sentence_words: int = Field(40, ge=5, le=200)
    bar: int = Field(DEFAULT_BAR, ge=0, le=BEST, description="below this score, people decide")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a text lost points."""

    rule: str
    points: int
    words: str

    def data(self) -> dict[str, Any]:
        """Return the reason as JSON."""
        return {"rule": self.rule, "points": self.points, "words": self.words}


@dataclass(frozen=True, slots=True)
class Score:
    """A score from 0 to 100, and its reasons."""

    score: int
    reasons: tuple[Reason, ...]


def parse(document: Mapping[str, Any]) -> BrandRules:
    """Return the rules in a document. Raises InvalidInput that names each wrong field."""
    try:
        found = BrandRules.model_validate(dict(document))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise InvalidInput(f"These are no brand rules: {'; '.join(wrong)[:600]}.") from None
    blank = [name for name in ("banned", "required", "claims", "link_hosts") if "" in _stripped(getattr(found, name))]
    if blank:
        raise InvalidInput(f"{', '.join(blank)}: an empty word matches every text.", fix="Remove it.")
    return found


def _stripped(words: Iterable[str]) -> list[str]:
    return [one.strip() for one in words]


def score(parts: Sequence[str], rules: BrandRules, *, link: str = "", findings: Iterable[Reason] = ()) -> Score:
    """Return the score of a post. `findings` are further reasons: those of the content checks and of the network."""
    words = "\n".join(parts)
    found = [*_wrong_words(words, rules), *_wrong_link(link, rules), *_wrong_sentences(words, rules), *findings]
    return Score(max(0, BEST - sum(one.points for one in found)), tuple(found))


def _wrong_words(words: str, rules: BrandRules) -> list[Reason]:
    found = [Reason("banned", 60, f"“{one}” is banned") for one in rules.banned if _has(words, one)]
    found += [Reason("required", 40, f"“{one}” is missing") for one in rules.required if not _has(words, one)]
    found += [
        Reason("claim", 35, f"“{one}” is a claim that a person has to check") for one in rules.claims
        if _has(words, one)
    ]  # fmt: skip
    if rules.disclosure and rules.disclosure.casefold() not in words.casefold():
        found.append(Reason("disclosure", 40, f"it does not say “{rules.disclosure}”"))
    return found


def _has(words: str, wanted: str) -> bool:
    pattern = r"\s+".join(re.escape(one) for one in wanted.split())
    return re.search(rf"(?<!\w){pattern}(?!\w)", words, re.IGNORECASE) is not None


def _wrong_link(link: str, rules: BrandRules) -> list[Reason]:
    host = (urlsplit(link).hostname or "").casefold()
    hosts = {one.strip().casefold() for one in rules.link_hosts}
    if not link or not hosts or host in hosts or any(host.endswith(f".{one}") for one in hosts):
        return []
    return [Reason("link", 60, f"links to {host} are not allowed")]


def _wrong_sentences(words: str, rules: BrandRules) -> list[Reason]:
    longest = max((len(one.split()) for one in re.split(r"[.!?…\n]+", words)), default=0)
    if longest <= rules.longest_sentence_words:
        return []
    return [Reason("voice", 10, f"a sentence has {longest} words, {rules.longest_sentence_words} allowed")]
