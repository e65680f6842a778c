"""Generate agents: names, usernames and characters drawn from the personas, the same for the same seed.

Called by `fleet.features.controls.commands`. Pure: taken names are passed in, and nothing is stored.
"""

from __future__ import annotations

import hashlib
import random
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fleet.core.character import Character
from fleet.core.errors import InvalidInput
from fleet.features.personas.library import Library, Names, Persona

LONGEST_USERNAME = 30
LONGEST_NAME = 100

# Letters that Unicode does not take apart into a plain one and a mark.
_PLAIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ð": "d", "đ": "d", "þ": "th", "ł": "l", "ħ": "h", "ı": "i", "ŋ": "ng"}
)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One agent as it would be created; the seeding verb turns it into a row."""

    index: int
    name: str
    username: str
    persona_id: str
    character: Character
    weights: Mapping[str, float]
    min_interval_s: int
    max_interval_s: int


def generate(
    library: Library,
    names: Names,
    *,
    seed: int,
    start: int,
    count: int,
    persona_id: str | None = None,
    taken: frozenset[str] = frozenset(),
) -> list[Blueprint]:
    """Draw the agents of the indexes start .. start + count - 1.

    Each depends on (seed, index) alone, so a later batch continues an earlier one. `taken` are usernames in use;
    conflicts get another name, always in the same way. Raises NotFound for an unknown persona, InvalidInput for an
    index under 1 or a negative count.
    """
    if start < 1 or count < 0:
        raise InvalidInput(f"Cannot make {count} agents from index {start}.", fix="Indexes start at 1.")
    chosen = library.get(persona_id) if persona_id is not None else None
    first = _first_round(library, seed)
    used = set(taken)
    made = []
    for index in range(start, start + count):
        persona = first[index - 1] if index <= len(first) else _draw_persona(tuple(library), seed, index)
        blueprint = _blueprint(chosen or persona, names, seed, index, used)
        used.add(blueprint.username)
        made.append(blueprint)
    return made


def username(prefix: str, adjective: str, index: int, used: set[str] | frozenset[str] = frozenset()) -> str:
    """Return prefix, adjective and index in 3 to 30 of a-z, 0-9 and _, and a number more when that is in use."""
    word = _ascii(adjective)
    attempt = 1
    while True:
        tail = str(index) if attempt == 1 else f"{index}_{attempt}"
        room = LONGEST_USERNAME - len(prefix) - len(tail) - 1
        head = f"{word[:room]}_" if word and room > 0 else ""
        candidate = f"{prefix}{head}{tail}"
        candidate = candidate if len(candidate) >= 3 else candidate.ljust(3, "_")
        if candidate not in used:
            return candidate
        attempt += 1


def _blueprint(persona: Persona, names: Names, seed: int, index: int, used: set[str]) -> Blueprint:
    adjective = _pick(names.adjectives, seed, "adj", index)
    noun = _pick(names.nouns, seed, "noun", index)
    template = _pick(persona.name_templates, seed, f"template of {persona.id}", index)
    name = template.replace("{adj}", adjective).replace("{noun}", noun)
    return Blueprint(
        index=index,
        name=name[:LONGEST_NAME].strip(),
        username=username(persona.username_prefix, adjective, index, used),
        persona_id=persona.id,
        character=persona.character,
        weights=persona.weights,
        min_interval_s=persona.interval.min_s,
        max_interval_s=persona.interval.max_s,
    )


def _first_round(library: Library, seed: int) -> list[Persona]:
    """Return the personas of the first indexes: each of the library once, before any is repeated."""
    left, dealt = list(library), list[Persona]()
    while left:
        dealt.append(_draw_persona(left, seed, len(dealt) + 1))
        left.remove(dealt[-1])
    return dealt


def _draw_persona(personas: Sequence[Persona], seed: int, index: int) -> Persona:
    """Draw one by the personas' shares."""
    mark = random.Random(f"{seed}:{index}").random() * sum(persona.share for persona in personas)
    for persona in personas:
        mark -= persona.share
        if mark < 0:
            break
    return persona


def _pick(words: tuple[str, ...], seed: int, kind: str, index: int) -> str:
    """Deal words like cards: within one round of the list no word comes twice, so neighbours differ in name."""
    round_no, place = divmod(index - 1, len(words))
    return _dealt(words, seed, kind, round_no)[place]


@lru_cache(maxsize=64)
def _dealt(words: tuple[str, ...], seed: int, kind: str, round_no: int) -> tuple[str, ...]:
    return tuple(sorted(words, key=lambda word: _digest(seed, kind, round_no, word)))


def _digest(*parts: object) -> bytes:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()


def _ascii(word: str) -> str:
    """Spell a word in a-z and 0-9: drop accents, leave out letters of other scripts."""
    plain = unicodedata.normalize("NFKD", word.casefold().translate(_PLAIN))
    return re.sub(r"[^a-z0-9]", "", plain)
