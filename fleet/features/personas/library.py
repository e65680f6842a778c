"""Who the agents are: personas read from files, checked, and handed on as frozen values.

`load` is called by the doors once a process; everything else here is pure. Must never know a table or a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from fleet.core.character import Character
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.schedule import Schedule
from fleet.features.personas import persona_file
from fleet.features.personas.persona_file import NamesShape, PersonaShape
from fleet.llm.base import Grammar

SHIPPED = Path(__file__).resolve().parents[3] / "personas"
NAMES_FILE = "names.yaml"

Tier = Literal["casual", "regular", "power"]


@dataclass(frozen=True, slots=True)
class TickInterval:
    """Least and most seconds between two actions at rate 1 of the schedule."""

    min_s: int
    max_s: int


@dataclass(frozen=True, slots=True)
class Persona:
    """One archetype. `share` is its part of a generated fleet, relative to the other personas' shares.

    `weights` are relative, by action; a missing action has the default weight of the agent's type.
    """

    id: str
    emoji: str
    character: Character
    username_prefix: str
    name_templates: tuple[str, ...]
    share: float
    tier: Tier
    interval: TickInterval
    weights: Mapping[str, float]
    workflow_types: tuple[str, ...]
    schedule: Schedule
    grammar: Grammar


def weights_of(persona: Persona) -> dict[str, float]:
    """Return a persona's weights of all actions of this fleet: its own, or else the defaults."""
    return {name: persona.weights.get(name, default) for name, default in registry.current().default_weights.items()}


@dataclass(frozen=True, slots=True)
class Names:
    """The words for {adj} and {noun} in a name template."""

    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """All personas of one folder, in the order of their ids, and the words of their names."""

    personas: Mapping[str, Persona]
    names: Names

    def get(self, persona_id: str) -> Persona:
        """Return a persona. Raises NotFound that names the nearest id and all known ones."""
        persona = self.personas.get(persona_id)
        if persona is None:
            close = get_close_matches(persona_id, self.personas, n=1)
            guess = f"Did you mean {close[0]!r}? " if close else ""
            raise NotFound(
                f"There is no persona {persona_id!r}.", fix=f"{guess}Known personas: {', '.join(self.personas)}."
            )
        return persona

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids in order."""
        return tuple(self.personas)

    def __iter__(self) -> Iterator[Persona]:
        return iter(self.personas.values())

    def __len__(self) -> int:
        return len(self.personas)

    def __contains__(self, persona_id: object) -> bool:
        return persona_id in self.personas


def load(folder: Path | None = None) -> Library:
    """Read every persona of a folder, by default the shipped one; without names.yaml the shipped names are used.

    Raises InvalidInput with all problems of all files at once, one a line, each naming file, field and fix.
    """
    personas, names, wrong = _read_all(folder or SHIPPED)
    if wrong or names is None:
        count = f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}"
        raise InvalidInput(
            f"{count} in the persona files:\n  " + "\n  ".join(wrong),
            fix="\nMend the files, then look again with: fleet persona check",
        )
    return Library(MappingProxyType(personas), names)


def overridden(base: Library, documents: Mapping[str, object]) -> tuple[Library, tuple[str, ...]]:
    """Return a library with documents above its files, and the problems of documents that are wrong here.

    A wrong one leaves the file of its name in force.
    """
    personas, wrong = dict(base.personas), []
    for persona_id, document in documents.items():
        shape, problems = persona_file.check(document)
        wrong += [f"{persona_id}: {problem}" for problem in problems]
        if shape is not None:
            personas[persona_id] = of(shape)
    ordered = {persona_id: personas[persona_id] for persona_id in sorted(personas)}
    return Library(MappingProxyType(ordered), base.names), tuple(wrong)


def check(folder: Path | None = None) -> tuple[str, ...]:
    """Return the problems of the persona files of a folder, one line each; empty for none."""
    return tuple(_read_all(folder or SHIPPED)[2])


def _read_all(folder: Path) -> tuple[dict[str, Persona], Names | None, list[str]]:
    files = _files(folder)
    if not files:
        return {}, None, [f"{folder}: holds no persona; put at least one .yaml file there (docs/personas.md)"]
    names_file = folder / NAMES_FILE if (folder / NAMES_FILE).exists() else SHIPPED / NAMES_FILE
    names_shape, problems = persona_file.read_names(names_file)
    wrong = [f"{names_file.parent.name}/{NAMES_FILE}: {problem}" for problem in problems]
    found: dict[str, tuple[Path, Persona]] = {}
    for file in files:
        shape, problems = persona_file.read_persona(file)
        if shape is not None and shape.id in found:
            problems = [f"id: {shape.id!r} is also the id of {found[shape.id][0].name}; give each persona its own"]
        elif shape is not None:
            found[shape.id] = (file, of(shape))
        wrong += [f"{folder.name}/{file.name}: {problem}" for problem in problems]
    personas = {persona_id: found[persona_id][1] for persona_id in sorted(found)}
    return personas, _names(names_shape) if names_shape else None, wrong


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InvalidInput(
            f"There is no folder of personas at {folder}.", fix="Set FLEET_PERSONAS_DIR, or leave it empty."
        )
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix in (".yaml", ".yml") and not file.name.startswith(".") and file.name != NAMES_FILE
    )


def of(shape: PersonaShape) -> Persona:
    """Return the value of a checked file or document."""
    return Persona(
        id=shape.id,
        emoji=shape.emoji,
        character=shape.character(),
        username_prefix=shape.username_prefix,
        name_templates=tuple(shape.name_templates),
        share=shape.share,
        tier=shape.tier,
        interval=TickInterval(*shape.interval_seconds),
        weights=MappingProxyType(dict(shape.weights)),
        workflow_types=tuple(shape.workflow_types),
        schedule=shape.schedule.schedule(),
        grammar=MappingProxyType(shape.rules()),
    )


def document_of(persona: Persona) -> dict[str, Any]:
    """Return a persona as its file has it: fields in the order of the docs, days by name."""
    week = persona.schedule
    return {
        "id": persona.id, "emoji": persona.emoji, **persona.character.values(),
        "username_prefix": persona.username_prefix, "name_templates": [*persona.name_templates],
        "share": persona.share, "tier": persona.tier,
        "interval_seconds": [persona.interval.min_s, persona.interval.max_s], "weights": {**persona.weights},
        "workflow_types": [*persona.workflow_types],
        "schedule": {
            "timezone": week.timezone, "active_days": [persona_file.DAYS[day][:3] for day in sorted(week.active_days)],
            "peak_hours": [[*window] for window in week.peak], "sleep_hours": [[*window] for window in week.sleep],
            "peak_multiplier": week.peak_multiplier, "off_peak_multiplier": week.off_peak_multiplier,
        },
        "grammar": {rule: [*alternatives] for rule, alternatives in persona.grammar.items()},
    }  # fmt: skip


def _names(shape: NamesShape) -> Names:
    return Names(tuple(shape.adjectives), tuple(shape.nouns))
