"""Find claims of a text that no fact of the product supports: numbers, materials, colours, superlatives, certificates,
health, properties, offers, origins and brands. Pure.

A claim is a word or number of `lexicon`, or a name in capitals within a sentence. It is supported if a fact has the
same word; an attribute whose value is a no supports nothing. A description that is there is no fact: models wrote some.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from fleet.features.product_content import lexicon

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_NUMBER = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)*)\s?(%|°?[^\W\d_]+)?")
_SENTENCE_END = re.compile(r"[.!?:;\n•]\s*$|^\s*$")
_NO = frozenset({"no", "none", "not", "without", "false", "never"})
_SAME = {"gray": "grey", "aluminum": "aluminium", "golden": "gold", "silvery": "silver", "wooden": "wood",
         "woollen": "wool", "colour": "color", "hand-made": "handmade", "handcrafted": "handmade",
         "cordless": "wireless"}  # fmt: skip
_NOT_NAMES = frozenset({"i", "the", "a", "an", "it", "this", "these", "that", "and", "or", "with", "for", "in", "of"})
_NEAR = 3


class ClaimKind(StrEnum):
    """What a claim is about."""

    NUMBER = "number"
    MATERIAL = "material"
    COLOUR = "colour"
    SUPERLATIVE = "superlative"
    CERTIFICATE = "certificate"
    HEALTH = "health"
    PROPERTY = "property"
    OFFER = "offer"
    ORIGIN = "origin"
    BRAND = "brand"
    NAME = "name"


REFUSED = frozenset({ClaimKind.HEALTH, ClaimKind.CERTIFICATE, ClaimKind.OFFER})
"""Kinds that no proposal may have without a fact; the others are marked for the person who decides."""


@dataclass(frozen=True, slots=True)
class ContentClaim:
    """A claim without support: its kind, its words, and where they begin in the text."""

    kind: ClaimKind
    words: str
    at: int

    @property
    def is_refused(self) -> bool:
        """Whether a text with it is not proposed."""
        return self.kind in REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFacts:
    """What is known of a product: texts about it claim nothing else."""

    title: str
    brand: str = ""
    categories: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values by the name of the option: {"Colour": ("black", "white")}."""

    def lines(self) -> Iterator[str]:
        """Yield the facts as lines, without those that are denied."""
        yield self.title
        yield self.brand
        yield from self.categories
        for name, value in self.attributes.items():
            if not _is_denied(value):
                # The value "yes" makes the name a fact; so does any other one.
                yield f"{name} {value}"
        for name, values in self.options.items():
            yield f"{name} {' '.join(values)}"


def check(text: str, facts: ProductFacts) -> list[ContentClaim]:
    """Return the claims of a text that no fact supports, in their order."""
    lines = [line.casefold() for line in facts.lines() if line]
    known = {_stem(word) for line in lines for word in _parts(line)}
    phrases = " ".join(" ".join(_stem(word) for word in _parts(line)) for line in lines)
    found = [*_numbers(text, lines), *_single(text, known), *_phrases(text, known, phrases), *_names(text, known)]
    first: dict[int, ContentClaim] = {}
    for claim in found:  # a word makes one claim: the first kind that has it
        first.setdefault(claim.at, claim)
    return sorted(first.values(), key=lambda one: one.at)


def _is_denied(value: str) -> bool:
    words = _WORD.findall(value.casefold())
    return bool(words) and words[0] in _NO


def _parts(line: str) -> Iterator[str]:
    """Yield the words of a text; of "stainless-steel" also its parts."""
    for word in _WORD.findall(line):
        yield word
        if "-" in word:
            yield from word.split("-")


def _stem(word: str) -> str:
    plain = word.casefold().replace("’", "'").removesuffix("'s")
    plain = _SAME.get(plain, plain)
    for end, least in (("ies", 5), ("sses", 6), ("shes", 6), ("ches", 6), ("s", 4)):
        if plain.endswith(end) and len(plain) >= least and not plain.endswith(("ss", "us", "is")):
            plain = plain[: -len(end)] + {"ies": "y", "sses": "ss", "shes": "sh", "ches": "ch"}.get(end, "")
            break
    return _SAME.get(plain, plain)


def _value(digits: str) -> float:
    """Return a number; a comma before three digits groups thousands, another one is a decimal point."""
    grouped = re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", digits)
    plain = digits.replace(",", "") if grouped else digits.replace(",", ".")
    try:
        return float(plain)
    except ValueError:
        return float(plain.split(".")[0])


def _unit(word: str) -> str:
    plain = word.casefold()
    return lexicon.UNITS.get(plain) or lexicon.UNITS.get(_stem(plain), "")


def _figures(line: str) -> Iterator[tuple[float, str, set[str], int]]:
    """Yield each number of a line with its unit, the stems of the words around it, and where it begins."""
    for hit in _NUMBER.finditer(line):
        near = [hit[2] or "", *_WORD.findall(line[hit.end() :])[: _NEAR - bool(hit[2])]]
        yield _value(hit[1]), _unit(hit[2] or ""), {_stem(word) for word in near if word}, hit.start()
    for word in _WORD.finditer(line):
        if (value := lexicon.NUMBERS.get(word[0].casefold())) is not None:
            near = _WORD.findall(line[word.end() :])[:_NEAR]
            yield float(value), _unit(near[0]) if near else "", {_stem(one) for one in near}, word.start()


def _numbers(text: str, lines: Sequence[str]) -> Iterator[ContentClaim]:
    known = [
        (value, unit, {_stem(word) for word in _parts(line)}) for line in lines for value, unit, _, _ in _figures(line)
    ]
    for value, unit, near, at in _figures(text):
        if not any(
            value == one and (unit == own if unit and own else not unit or unit in {_unit(word) for word in words})
            and (bool(unit) or not near or bool(near & words))
            for one, own, words in known
        ):  # fmt: skip
            yield ContentClaim(ClaimKind.NUMBER, text[at : at + 30].split("\n", maxsplit=1)[0].strip(), at)


_SINGLE = (
    (ClaimKind.MATERIAL, lexicon.MATERIALS), (ClaimKind.COLOUR, lexicon.COLOURS),
    (ClaimKind.SUPERLATIVE, lexicon.SUPERLATIVES), (ClaimKind.BRAND, lexicon.BRANDS),
)  # fmt: skip
_STEMS = tuple((kind, frozenset(_stem(word) for word in words)) for kind, words in _SINGLE)


def _single(text: str, known: Iterable[str]) -> Iterator[ContentClaim]:
    known = frozenset(known)
    for hit in _WORD.finditer(text):
        parts = [hit[0], *(hit[0].split("-") if "-" in hit[0] else ())]
        for kind, words in _STEMS:
            claimed = [stem for part in parts if (stem := _stem(part)) in words]
            if claimed and not set(claimed) <= known:
                yield ContentClaim(kind, hit[0], hit.start())


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.compile(rf"(?<![\w-])(?:{longest_first})(?:s|es|d|ed|ing)?(?!\w)", re.IGNORECASE)


_PHRASES = tuple(
    (kind, _pattern(words))
    for kind, words in (
        (ClaimKind.HEALTH, lexicon.HEALTH), (ClaimKind.CERTIFICATE, lexicon.CERTIFICATES),
        (ClaimKind.PROPERTY, lexicon.PROPERTIES), (ClaimKind.OFFER, lexicon.OFFERS),
        (ClaimKind.ORIGIN, lexicon.ORIGINS),
    )
)  # fmt: skip


def _phrases(text: str, known: Iterable[str], phrases: str) -> Iterator[ContentClaim]:
    known = frozenset(known)
    for kind, pattern in _PHRASES:
        for hit in pattern.finditer(text):
            stems = [_stem(word) for word in _WORD.findall(hit[0])]
            is_known = stems[0] in known if len(stems) == 1 else " ".join(stems) in phrases
            if not is_known:
                yield ContentClaim(kind, hit[0], hit.start())


def _names(text: str, known: Iterable[str]) -> Iterator[ContentClaim]:
    """Yield names that no fact has: words in capitals that do not begin a sentence, unless all of a line has them."""
    known = frozenset(known)
    for hit in _WORD.finditer(text):
        word = hit[0]
        if not word[0].isupper() or word.casefold() in _NOT_NAMES or _SENTENCE_END.search(text[: hit.start()]):
            continue
        if not all(_stem(part) in known for part in word.split("-")):
            yield ContentClaim(ClaimKind.NAME, word, hit.start())
