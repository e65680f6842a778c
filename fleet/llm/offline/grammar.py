"""Write sentences from a grammar: a persona's rules, random choices, and correct English.

Called by `fleet.llm.offline.provider` to write and by `fleet.features.personas.persona_file` to check a file. Pure.
Text of outsiders is passed as `data`: it is inserted last, and is neither expanded nor polished.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fleet.core.errors import InvalidInput
from fleet.llm.base import Grammar

SHARED = "shared"
"""The only rule that is not text: it lists the rules that are drawn once for a whole post, in this order."""

COMMENT_SLOTS = frozenset({"author", "subject", "quote"})
"""Values from the post that a comment answers; in a comment these names never refer to rules."""

STARTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"image_prompt": frozenset(), "caption": frozenset(), "alt_text": frozenset(), "comment": COMMENT_SLOTS}
)
"""Required rules of every persona, each with the names of its inputs."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_HELD = "\ue000"  # private use: placeholder of one piece of data while the text around it is polished

# A capital A within a sentence is a name, as in `plan A`.
_ARTICLE = re.compile(r"((?<![\w'’.-])a|(?:^|(?<=[.!?] )|(?<=[\"“(]))A)n?(?= +[\"“‘(]?(\w[\w-]*))")
_SENTENCE_START = re.compile(r"(^[\"“‘(]?|[.!?][\"”’)]? +[\"“‘(]?)(\w)")
_BLANKS = re.compile(r"\s+")
_STRAY_BLANK = re.compile(r" +([,.;:!?])")

_SILENT_H = re.compile(r"hour|honest|honou?r|heir")
_LIKE_YOU = re.compile(r"uni(?![nmdr])|us[aeu]|uti|ubiq|ufo|eu|one(?![a-z])|once|ewe")
_EIGHTS = re.compile(r"8|1[18](?!\d)")
_SPELT_LIKE_A_VOWEL = "AEFHILMNORSX"
_SAID_AS_WORDS = frozenset({"LUT", "RAW", "RAM", "LOD", "LOESS", "SCUMM", "SWOT", "NASA", "MIDI", "NAND"})


def expand(
    grammar: Grammar,
    rule: str,
    dice: random.Random,
    slots: Mapping[str, str] = _NOTHING,
    *,
    data: Mapping[str, str] = _NOTHING,
) -> str:
    """Write one text from a rule, polished: a or an, capitals at sentence starts, single blanks.

    `slots` are texts of our own that replace rules of the same name; `data` are texts of outsiders, inserted
    unchanged. Raises InvalidInput for a rule that is unknown, empty or contains itself.
    """
    draft = _Draft(grammar, dice, slots, data)
    text = polish(draft.draw(rule))
    pieces = iter(draft.held)
    return re.sub(_HELD, lambda _: next(pieces), text)


def draw_shared(grammar: Grammar, dice: random.Random) -> dict[str, str]:
    """Draw the values that all texts of one post share, so that picture, caption and alt text have one subject."""
    slots: dict[str, str] = {}
    for name in grammar.get(SHARED, ()):
        slots[name] = _Draft(grammar, dice, slots, _NOTHING).draw(name)
    return slots


def without(grammar: Grammar, absent: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return the grammar without the alternatives that need these names, which have no value."""
    left = dict(grammar)
    gone = set(absent)
    while gone:
        for name in gone:
            left.pop(name, None)
        kept = {
            name: tuple(text for text in alternatives if not gone & set(_NAME.findall(text)))
            for name, alternatives in left.items()
        }
        gone = {name for name, alternatives in kept.items() if not alternatives}
        left = kept
    return left


def problems(grammar: Grammar, starts: Mapping[str, frozenset[str]] = STARTS) -> list[str]:
    """List the problems of a grammar, each as `rule: problem and fix`; an empty list means none."""
    found = [f"{start}: this rule is missing; every persona needs it" for start in starts if start not in grammar]
    found += _bad_alternatives(grammar)
    found += _undefined(grammar, starts)
    found += [f"{ring[0]}: the rule contains itself ({' -> '.join(ring)}); break the ring" for ring in _rings(grammar)]
    found += _bad_shared(grammar)
    used = set(grammar.get(SHARED, ())).union(*(_reach(grammar, start, starts[start]) for start in starts))
    shared_uses = set().union(*(_reach(grammar, name, frozenset()) for name in grammar.get(SHARED, ())))
    idle = sorted(set(grammar) - used - shared_uses - {SHARED})
    found += [f"{name}: no text uses this rule; remove it or refer to it as {{{name}}}" for name in idle]
    return found


def polish(text: str) -> str:
    """Fix the joins between pieces: double spaces, `a` before a vowel, a lower-case letter after a full stop."""
    text = _STRAY_BLANK.sub(r"\1", _BLANKS.sub(" ", text)).strip()
    text = _ARTICLE.sub(lambda m: m[1] + ("n" if _sounds_like_a_vowel(m[2]) else ""), text)
    return _SENTENCE_START.sub(lambda m: m[1] + m[2].upper(), text)


@dataclass(frozen=True, slots=True)
class _Draft:
    """One text while it is drawn. `held` are the pieces of data inserted so far, in order."""

    grammar: Grammar
    dice: random.Random
    slots: Mapping[str, str]
    data: Mapping[str, str]
    held: list[str] = field(default_factory=list)

    def draw(self, rule: str, inside: tuple[str, ...] = ()) -> str:
        if rule in self.data:
            self.held.append(self.data[rule])
            return _HELD
        if rule in self.slots:
            return self.slots[rule]
        alternatives = self.grammar.get(rule)
        if not alternatives:
            raise InvalidInput(f"Grammar has no rule {rule!r}" + (f", which {inside[-1]!r} uses." if inside else "."))
        inside = (*inside, rule)
        if rule in inside[:-1]:
            raise InvalidInput(f"Grammar rule {rule!r} contains itself: {' -> '.join(inside)}.")
        # Python guarantees the same random() in all versions, but not the same choice().
        text = alternatives[int(self.dice.random() * len(alternatives))].replace(_HELD, "")
        return _NAME.sub(lambda m: self.draw(m[1], inside), text)


def _sounds_like_a_vowel(word: str) -> bool:
    head = word.partition("-")[0]
    if head[0].isdigit():
        return _EIGHTS.match(head) is not None
    if len(head) > 1 and head.isupper() and head not in _SAID_AS_WORDS:
        return head[0] in _SPELT_LIKE_A_VOWEL
    plain = unicodedata.normalize("NFD", head.casefold())
    if _SILENT_H.match(plain):
        return True
    return plain[0] in "aeiou" and not _LIKE_YOU.match(plain)


def _uses(grammar: Grammar, rule: str) -> Iterator[str]:
    if rule != SHARED:
        for text in grammar.get(rule, ()):
            yield from _NAME.findall(text)


def _reach(grammar: Grammar, start: str, slots: frozenset[str]) -> set[str]:
    """Return every rule that is reachable from `start`; a slot hides the rule of its name."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        rule = ahead.pop()
        if rule not in seen and rule in grammar and rule not in slots:
            seen.add(rule)
            ahead += _uses(grammar, rule)
    return seen


def _bad_alternatives(grammar: Grammar) -> Iterator[str]:
    for rule, alternatives in grammar.items():
        if not alternatives:
            yield f"{rule}: no alternatives; give at least one text"
        for number, text in enumerate(alternatives):
            if "{" in (rest := _NAME.sub("", text)) or "}" in rest:
                yield f"{rule}[{number}]: a brace without its partner, or a name that is not like {{this_one}}"


def _undefined(grammar: Grammar, starts: Mapping[str, frozenset[str]]) -> Iterator[str]:
    said: set[tuple[str, str]] = set()
    starts_and_shared = dict(starts) | {name: frozenset[str]() for name in grammar.get(SHARED, ())}
    for start, slots in starts_and_shared.items():
        for rule in sorted(_reach(grammar, start, slots)):
            for name in _uses(grammar, rule):
                if name not in grammar and name not in slots and (rule, name) not in said:
                    said.add((rule, name))
                    yield f"{rule}: {{{name}}} is not defined; add a rule {name!r} or correct the name"


def _bad_shared(grammar: Grammar) -> Iterator[str]:
    order = grammar.get(SHARED, ())
    for place, name in enumerate(order):
        if name not in grammar or name == SHARED:
            yield f"{SHARED}: {name!r} is no rule of this grammar"
        for later in order[place + 1 :]:
            if later in _reach(grammar, name, frozenset()):
                yield f"{SHARED}: {later!r} must come before {name!r}, which uses it"


def _rings(grammar: Grammar) -> list[tuple[str, ...]]:
    """Return each cycle of rules once."""
    rings: dict[frozenset[str], tuple[str, ...]] = {}
    finished: set[str] = set()

    def walk(rule: str, inside: tuple[str, ...]) -> None:
        if rule in inside:
            ring = (*inside[inside.index(rule) :], rule)
            rings.setdefault(frozenset(ring), ring)
        elif rule in grammar and rule not in finished:
            for name in dict.fromkeys(_uses(grammar, rule)):
                walk(name, (*inside, rule))
            finished.add(rule)

    for rule in grammar:
        walk(rule, ())
    return list(rings.values())
