"""How well a text matches its persona's voice, by measures that a person can check by counting.

Called by `fleet.features.content.review`. Pure. A voice is measured on the persona's own material: sentence lengths,
emoji, exclamation marks, shouted words, and vocabulary. A strong mismatch asks for another draft and never refuses one
for good: new vocabulary distinguishes personas hardly better than chance (docs/content.md).
"""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fleet.core.errors import InvalidInput
from fleet.features.content.checks.findings import Finding, Severity
from fleet.llm.base import Speaker
from fleet.llm.offline import grammar

LEAST_LIKENESS = 0.65
"""Below this a text is strongly out of character.

All offline texts of the shipped personas score 0.8 or more, and another persona's text 0.75 or more; shouting, rows of
emoji and exclamation marks score 0.36 to 0.62. A long sentence alone stays above.
"""

_SAMPLES = 60
_LEAST_CONTENT_WORDS = 4
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+(?:\s|$)|[。！？।؟]")
_EMOJI = re.compile(r"[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2728]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Voice:
    """A persona's voice: the mean of each measure over its own texts, and its vocabulary."""

    means: Mapping[str, float]
    vocabulary: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    """How well a text matches its persona, from 0 to 1, and the measures that are off."""

    score: float
    reasons: tuple[str, ...]


def voice_of(speaker: Speaker) -> Voice | None:
    """Return the voice of a speaker from its persona's own grammar; None where there is too little to go by."""
    texts = [*_own_texts(speaker)]
    if not texts:
        return None
    measured = [measure(text) for text in texts]
    means = {name: statistics.fmean(one[name] for one in measured) for name in _MEASURES}
    own = speaker.character
    material = [*own.interests, own.personality, *(text for rule in speaker.grammar.values() for text in rule)]
    return Voice(means, frozenset(word for text in material for word in _content_words(text)))


def measure(words: str) -> dict[str, float]:
    """Return every measure of a text by its name."""
    return {name: count(words) for name, count in _MEASURES.items()}


def match(words: str, voice: Voice) -> Match:
    """Compare a text with a voice; all measures have the same weight."""
    told = measure(words)
    scores = {name: _like(name, told[name], voice.means[name]) for name in _MEASURES}
    content = _content_words(words)
    if len(content) >= _LEAST_CONTENT_WORDS:
        scores["vocabulary"] = min(1.0, 0.4 + sum(word in voice.vocabulary for word in content) / len(content))
    off = tuple(
        f"{name} {told[name]:.1f}, usually {voice.means[name]:.1f}" if name in told else "other words than its own"
        for name, score in scores.items()
        if score < 0.5
    )
    return Match(statistics.fmean(scores.values()), off)


def mismatch(words: str, voice: Voice | None) -> list[Finding]:
    """Return a doubt when a text does not sound like its persona at all."""
    if voice is None:
        return []
    found = match(words, voice)
    if found.score >= LEAST_LIKENESS:
        return []
    return [Finding("tone", f"{found.score:.0%} in character ({'; '.join(found.reasons)})", Severity.DOUBT)]


def _own_texts(speaker: Speaker) -> Iterable[str]:
    dice = random.Random(0)
    for _ in range(_SAMPLES):
        try:
            slots = grammar.draw_shared(speaker.grammar, dice)
            yield grammar.expand(speaker.grammar, "caption", dice, slots)
        except InvalidInput:  # no grammar of its own
            return


def _like(name: str, told: float, usual: float) -> float:
    """Return 1 for the usual value and less for others: half at the tolerance."""
    off = abs(told - usual) / _TOLERANCES[name](usual)
    return 1 / (1 + off * off)


def _sentence_words(words: str) -> float:
    sentences = max(1, len(_SENTENCE_END.findall(words)))
    return (len(_WORD.findall(words)) + len(_UNSPACED.findall(words)) / 2) / sentences


def _per_sentence(pattern: str) -> Callable[[str], float]:
    found = re.compile(pattern)
    return lambda words: len(found.findall(words)) / max(1, len(_SENTENCE_END.findall(words)))


def _shouted(words: str) -> float:
    said = [word for word in _WORD.findall(words) if len(word) > 3]
    return float(sum(word.isupper() for word in said)) / max(1, len(said))


def _content_words(words: str) -> frozenset[str]:
    return frozenset(word for word in map(str.casefold, _WORD.findall(words)) if len(word) > 3)


_MEASURES: dict[str, Callable[[str], float]] = {
    "words a sentence": _sentence_words,
    "emoji a sentence": _per_sentence(_EMOJI.pattern),
    "exclamation marks a sentence": _per_sentence("[!！]"),
    "shouted words": _shouted,
}
_TOLERANCES: dict[str, Callable[[float], float]] = {
    "words a sentence": lambda usual: max(8.0, usual),
    "emoji a sentence": lambda usual: 1.0 + usual,
    "exclamation marks a sentence": lambda usual: 0.8 + usual,
    "shouted words": lambda usual: 0.3 + usual,
}
