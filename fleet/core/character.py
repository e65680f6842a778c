"""What an agent is like: the one definition of the fields, their labels and their limits.

The form, the API, the options of commands and the persona files follow from `TRAITS`. A character travels as one value,
from a persona's file or an agent's row to the prompt. Lists are tuples in it and lists in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Character:
    """The character of an agent or a persona. The metadata of a field are the fields of its `Trait`."""

    personality: str = field(
        default="",
        metadata={
            "label": "Personality", "help": "Who it is, in two or three sentences.", "most_chars": 2000, "rows": 4,
        },
    )  # fmt: skip
    vibe: str = field(default="", metadata={"label": "Vibe", "help": "One word for its manner.", "most_chars": 60})
    interests: tuple[str, ...] = field(
        default=(),
        metadata={
            "label": "Interests", "help": "What it cares about; may be repeated.", "most_chars": 60, "rows": 2,
            "most_items": 50, "item": "an interest", "option": "interest",
        },
    )  # fmt: skip

    def changed(self, values: Mapping[str, Any]) -> Character:
        """Return a copy with the given values, for names that are fields."""
        given = {one: values[one.name] for one in TRAITS if one.name in values}
        fields: dict[str, Any] = {one.name: tuple(value) if one.is_list else value for one, value in given.items()}
        return replace(self, **fields)

    def values(self) -> dict[str, Any]:
        """Return the fields by name, as JSON and columns have them."""
        found = {one.name: getattr(self, one.name) for one in TRAITS}
        return {name: [*one] if isinstance(one, tuple) else one for name, one in found.items()}

    def shown(self) -> list[tuple[Trait, str]]:
        """Return each trait with its text; the items of a list are separated by commas."""
        values = self.values()
        return [(one, ", ".join(values[one.name]) if one.is_list else values[one.name]) for one in TRAITS]


BLANK = Character()
"""A character with no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """How a field of a character is labelled and limited. `most_chars` counts those of each item of a list."""

    name: str
    label: str
    help: str
    most_chars: int
    rows: int = 1
    """The height of its box in a form; a text of one row has no line breaks."""
    most_items: int = 0
    """Maximum items of a list; 0 for a text."""
    item: str = ""
    """The noun for one item of a list, in messages."""
    option: str = ""
    """The option of commands; empty: the name."""

    @property
    def is_list(self) -> bool:
        """Whether it is a list of texts."""
        return self.most_items > 0


TRAITS: tuple[Trait, ...] = tuple(Trait(name=one.name, **one.metadata) for one in fields(Character))
"""The fields of a character, in the order in which forms and pages show them."""
